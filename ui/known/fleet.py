"""What is known of all models: read in the background, so that a page never waits for the stores."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from evergreen import files
from evergreen.definition import model_files
from evergreen.errors import EvergreenError
from evergreen.lake.lake import AUDIT, DECISIONS, OBSERVATIONS, ROWS
from evergreen.lifecycle.retirement import undeclared
from evergreen.settings import Settings
from evergreen.stores import Stores
from ui.known import changes, summary
from ui.known.background import Background
from ui.known.parts import lasting
from ui.known.summary import Summary

FRESH = 2.0  # seconds that what was read is taken for what is
_FORM = 1  # of a summary: what was kept of another form is read anew


@dataclass(frozen=True)
class Known:
    """What was known of the models at a time.

    Attributes
    ----------
    summaries : list of Summary
        By name.
    at : datetime or None
        When the stores were last read whole; None before.
    problem : str
        Why they could not be read since; empty if they could.
    left : int
        How many models are still to be read for the first time.
    """

    summaries: list[Summary] = field(default_factory=list)
    at: datetime | None = None
    problem: str = ""
    left: int = 0

    def find(self, name: str) -> Summary | None:
        """The summary of a model, if there is one."""
        return next((known for known in self.summaries if known.name == name), None)


@dataclass
class Fleet:
    """The summaries of all models of an installation.

    A request for them starts to read what has changed since, unless that was done within `FRESH` seconds, and gets what
    is known after a short wait. Without requests nothing is read.

    Parameters
    ----------
    open : callable
        Opens the stores.
    """

    open: Callable[[], Stores] = Stores.open
    _known: Known = field(default_factory=Known)
    _read: dict[str, tuple[str, Summary]] = field(default_factory=dict)
    _versions: tuple[object, dict[str, str]] = (None, {})
    _reading: Background = field(init=False)

    def __post_init__(self) -> None:
        self._reading = Background(self._refresh, lambda: FRESH)
        with suppress(OSError, ValueError, TypeError, KeyError):
            kept = json.loads(_file().read_text(encoding="utf-8"))
            self._read = {name: (state, Summary.parse(text)) for name, (state, text) in kept["models"].items()}
            self._known = Known([read for _, read in self._read.values()], datetime.fromisoformat(kept["at"]))

    def known(self, patience: float = 0.2) -> Known:
        """What is known now.

        Parameters
        ----------
        patience : float
            How many seconds to wait for what is being read.
        """
        self._reading.ask(patience)
        return self._known

    def _refresh(self) -> None:
        try:
            self._known = self._looked()
            self._keep()
        except EvergreenError as error:
            self._known = Known(self._known.summaries, self._known.at, str(error))

    def _looked(self) -> Known:
        stores, began = self.open(), datetime.now(UTC)
        names = sorted({*model_files.names(), *undeclared(stores.registry)})
        versions = self._states_of_versions(stores)
        found: list[Summary] = []
        for place, name in enumerate(names):
            state = _digest((versions.get(name, ""), lake_state(stores, name)))
            if name not in self._read or self._read[name][0] != state:
                self._read[name] = state, summary.of(stores, name)
            found.append(self._read[name][1])
            if self._known.at is None:  # the first time, what is there is shown as it comes
                self._known = Known([*found], None, "", len(names) - place - 1)
        return Known(found, began)

    def _states_of_versions(self, stores: Stores) -> dict[str, str]:
        """Of each model what is equal as long as its versions are."""
        state = registry_state()
        if self._versions[0] != state:
            self._versions = state, stores.registry.fingerprints() or defaultdict(lambda: repr(state))
        return self._versions[1]

    def _keep(self) -> None:
        """Keep what is known, for a start when the stores are away, and so that it is not read again."""
        if self._known.at is None:
            return
        models = {read.name: (self._read[read.name][0], read.dump()) for read in self._known.summaries}
        with suppress(OSError):
            _file().parent.mkdir(parents=True, exist_ok=True)
            files.replace(_file(), json.dumps({"at": self._known.at.isoformat(), "models": models}))


def registry_state() -> object:
    """Equal as long as nothing in the registry has changed."""
    uri = Settings.read().tracking_uri
    if not uri.startswith("sqlite:///"):
        return changes.clock()
    path = Path(uri.removeprefix("sqlite:///"))
    return tuple(changes.touched(place) for place in (path, path.with_name(f"{path.name}-wal")))


def lake_state(
    stores: Stores, name: str, read: Iterable[str] = (ROWS, OBSERVATIONS, DECISIONS, AUDIT)
) -> tuple[object, ...]:
    """Equal as long as nothing of a model has changed in these tables and in quarantine, and its file has not."""
    tables = [changes.commits(stores.lake.uri(name, table)) for table in read]
    quarantine = Path(stores.quarantine.folder(name))
    entries = sorted(quarantine.glob("*/entry.json")) if quarantine.is_dir() else []
    return (*tables, *(changes.touched(path) for path in (*entries, *model_files.files_of(name))))


def state_of(open_stores: Callable[[], Stores], name: str, read: Iterable[str] = ()) -> tuple[object, ...]:
    """Equal as long as nothing of a model has changed in the registry, in these tables of the lake and in quarantine.

    While the stores are away it lasts for some seconds.
    """
    try:
        return registry_state(), *lake_state(open_stores(), name, read)
    except EvergreenError:
        return ("away", lasting(FRESH))


def _digest(state: object) -> str:
    return hashlib.sha256(repr((_FORM, state)).encode()).hexdigest()


def _file() -> Path:
    return Settings.read().home / "cache" / "ui" / "models.json"
