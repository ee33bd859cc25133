"""What is known of all models: read in the background, so that a page never waits for the stores."""

import hashlib
import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from evergreen import files
from evergreen.definition import model_files
from evergreen.errors import EvergreenError, LakeError, RegistryError
from evergreen.lake.lake import AUDIT, DECISIONS, OBSERVATIONS, ROWS
from evergreen.registry import sqlite_reader
from evergreen.settings import Settings
from ui.known import changes, summary
from ui.known.background import Background
from ui.known.health import Finding, Level
from ui.known.opening import opened
from ui.known.parts import fault, lasting
from ui.known.summary import Summary

if TYPE_CHECKING:
    from evergreen.stores import Stores

FRESH = 2.0  # seconds that what was read is taken for what is
_OUTAGE = 3  # models in a row that cannot be read: the stores are away
_FORM = 2  # of a summary: what was kept of another form is read anew


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
        return self._by_name.get(name)

    @cached_property
    def needs(self) -> int:
        """How many things wait for a person."""
        return sum(len(found.quarantined) + bool(found.pending) + found.unanswered for found in self.summaries)

    @cached_property
    def _by_name(self) -> dict[str, Summary]:
        return {known.name: known for known in self.summaries}


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

    open: "Callable[[], Stores]" = opened
    _known: Known = field(default_factory=Known)
    _read: dict[str, tuple[str, Summary]] = field(default_factory=dict)
    _versions: tuple[object, dict[str, str] | None] = (None, {})
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
        now, known = datetime.now(UTC), self._known
        return replace(known, summaries=[summary.at(now) for summary in known.summaries])

    def _refresh(self) -> None:
        try:
            self._known = self._looked()
            self._keep()
        except Exception as error:
            self._known = Known(self._known.summaries, self._known.at, _sentence(error, "The models"))

    def _looked(self) -> Known:
        from evergreen.lifecycle.retirement import undeclared

        stores, began = self.open(), datetime.now(UTC)
        versions = self._states_of_versions(stores)
        self._check_there(stores, versions)
        names = sorted({*model_files.names(), *undeclared(stores.registry)})
        found: list[Summary] = []
        failed = 0  # in a row
        for place, name in enumerate(names):
            try:
                found.append(self._of(stores, name, self._versions[0] if versions is None else versions.get(name, "")))
                failed = 0
            except Exception as error:  # a damaged table of one model hides no other one
                failed += 1
                if failed in (_OUTAGE, len(names)):
                    raise
                found.append(self._spoilt(name, _sentence(error, name)))
            if self._known.at is None:  # the first time, what is there is shown as it comes
                self._known = Known([*found], None, "", len(names) - place - 1)
        return Known(found, began)

    def _of(self, stores: "Stores", name: str, versions: object) -> Summary:
        """The summary of a model, read if something has changed."""
        state = _digest((versions, lake_state(Settings.read().lake, name)))
        if name not in self._read or self._read[name][0] != state:
            self._read[name] = state, summary.of(stores, name)
        return self._read[name][1]

    def _spoilt(self, name: str, problem: str) -> Summary:
        """What was known before of a model that cannot be read; it is read again the next time."""
        before = self._read[name][1] if name in self._read else Summary(name)
        return replace(before, findings=[*before.findings, Finding("stores", Level.BAD, f"stores: {problem}")])

    def _check_there(self, stores: "Stores", versions: dict[str, str] | None) -> None:
        """Make sure that empty stores are new ones: a disk that is not mounted is an empty folder.

        Raises
        ------
        LakeError, RegistryError
            What was known before is in no store any more.
        """
        declared = model_files.names()
        before = [read for name, (_, read) in self._read.items() if name in declared]
        on_purpose = f"If it was emptied on purpose, delete {_file().parent}."
        landed = [read.name for read in before if read.newest or read.checked or read.alert or read.quarantined]
        folders = [stores.lake.uri(name).rpartition("/")[0] for name in landed]
        if folders and not any("://" in folder or Path(folder).is_dir() for folder in folders):
            raise LakeError(
                f"The lake holds nothing of the models whose rows it had, such as {folders[0]}. Mount or restore it. "
                f"{on_purpose}"
            )
        trained = [read.name for read in before if read.champion or read.verdict or read.pending]
        if trained and versions is not None and versions.keys().isdisjoint(trained):
            raise RegistryError(
                f"The model registry {Settings.read().tracking_uri} holds no version of the models that it had, such "
                f"as {trained[0]}. Mount or restore it. {on_purpose}"
            )

    def _states_of_versions(self, stores: "Stores") -> dict[str, str] | None:
        """Of each model with versions what is equal as long as they are; None if that would cost too much."""
        state = registry_state()
        if self._versions[0] != state:
            self._versions = state, stores.registry.fingerprints()
        return self._versions[1]

    def _keep(self) -> None:
        """Keep what is known, for a start when the stores are away, and so that it is not read again."""
        if self._known.at is None:
            return
        names = [found.name for found in self._known.summaries if found.name in self._read]
        models = {name: (self._read[name][0], self._read[name][1].dump()) for name in names}
        with suppress(OSError):
            _file().parent.mkdir(parents=True, exist_ok=True)
            files.replace(_file(), json.dumps({"at": self._known.at.isoformat(), "models": models}))


def registry_state() -> object:
    """Equal as long as nothing in the registry has changed."""
    return tuple(map(changes.touched, sqlite_reader.files_of(Settings.read().tracking_uri))) or changes.clock()


def lake_state(
    lake: str, name: str, read: Iterable[str] = (ROWS, OBSERVATIONS, DECISIONS, AUDIT)
) -> tuple[object, ...]:
    """Equal as long as nothing of a model has changed in these tables and in quarantine, and its file has not.

    No store is opened for it: one that does not answer would hold up every page.
    """
    from evergreen.ingestion.quarantine import Quarantine
    from evergreen.lake.delta_lake import DeltaLake

    tables = [changes.commits(DeltaLake(lake).uri(name, table)) for table in read]
    quarantine = Path(Quarantine(lake).folder(name))
    entries = sorted(quarantine.glob("*/entry.json")) if quarantine.is_dir() else []
    return (*tables, *(changes.touched(path) for path in (*entries, *model_files.files_of(name))))


def state_of(open_stores: "Callable[[], Stores]", name: str, read: Iterable[str] = ()) -> tuple[object, ...]:
    """Equal as long as nothing of a model has changed in the registry, in these tables of the lake and in quarantine.

    While the stores are away it lasts for some seconds.
    """
    try:
        open_stores()
    except EvergreenError:
        return ("away", lasting(FRESH))
    return registry_state(), *lake_state(Settings.read().lake, name, read)


def _sentence(error: Exception, what: str) -> str:
    """Why something could not be read; of a fault of Evergreen's own the log says where."""
    return " ".join(str(error).split()) if isinstance(error, EvergreenError) else fault(error, what)


def _digest(state: object) -> str:
    return hashlib.sha256(repr((_FORM, state)).encode()).hexdigest()


def _file() -> Path:
    return Settings.read().home / "cache" / "ui" / "models.json"
