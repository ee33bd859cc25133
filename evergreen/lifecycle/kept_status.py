"""What was read for the status of each model, kept for as long as nothing of the model has changed.

With a thousand models nearly all are as they were when somebody looked last, and to open the tables of one takes longer
than to see that no file of it has another time. A store whose changes cannot be seen so is read each time.
"""

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evergreen import files, provenance
from evergreen.errors import EvergreenError
from evergreen.files import settled, touched
from evergreen.lake.lake import AUDIT, DECISIONS, ROWS
from evergreen.registry import sqlite_reader
from evergreen.settings import Settings
from evergreen.stores import Stores

Fields = dict[str, Any]


@dataclass(frozen=True)
class Kept:
    """What is known from earlier.

    Attributes
    ----------
    registry : str
        Equal as long as nothing in the registry has changed; empty where that cannot be told.
    versions : dict of str
        Of each model what is equal as long as its versions are.
    models : dict of (str, dict)
        Of each model what is equal as long as nothing of it has changed, and its status.
    """

    registry: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    models: dict[str, tuple[str, Fields]] = field(default_factory=dict)

    @classmethod
    def read(cls) -> "Kept":
        """What was kept last; nothing if there is none, or a spoilt one."""
        try:
            kept = json.loads(file().read_text(encoding="utf-8"))
            models = {name: (str(state), dict(fields)) for name, (state, fields) in kept["models"].items()}
            return cls(str(kept["registry"]), dict(kept["versions"]), models)
        except (OSError, ValueError, TypeError, AttributeError, KeyError):
            return cls()


@dataclass
class KeptStatus:
    """What is known from earlier, and from now.

    Parameters
    ----------
    stores : Stores
    columns : list of str
        What is known of each: what was kept of others is read anew.
    """

    stores: Stores
    columns: list[str]
    _versions: dict[str, str] | None = field(init=False)
    _registry: str = field(init=False)
    _before: "Kept" = field(init=False)
    _now: dict[str, tuple[str, Fields]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._before, self._registry = Kept.read(), _registry_state()
        same = self._registry and self._registry == self._before.registry
        self._versions = self._before.versions if same else _versions(self.stores)

    def get(self, name: str, time_column: str, read: Callable[[], Fields]) -> Fields:
        """The status of a model as it was read, or as it is read now.

        Parameters
        ----------
        name : str
        time_column : str
            Of the model's definition, which the status depends on; empty without one.
        read : callable
            Reads it.
        """
        state = self._state(name, time_column)  # before it is read: what changes in the meantime is read again
        known = self._before.models.get(name)
        if state and known is not None and known[0] == state:
            self._now[name] = known
            return known[1]
        found = read()
        if state:
            self._now[name] = state, found
        return found

    def keep(self) -> None:
        """Keep it for the next time; a home that cannot be written to keeps nothing."""
        now = Kept(self._registry if self._versions else "", self._versions or {}, self._now)
        if now != self._before:
            with suppress(OSError):
                files.replace(file(), json.dumps(vars(now)))

    def _state(self, name: str, time_column: str) -> str:
        """Equal as long as nothing of a model has changed; empty where that cannot be told."""
        if self._versions is None:
            return ""
        tables = [self.stores.lake.uri(name, table) for table in (ROWS, DECISIONS, AUDIT)]
        held = self.stores.quarantine.folder(name)
        if any("://" in place for place in (*tables, held)):
            return ""
        looked = [touched(Path(table) / "_delta_log") for table in tables]
        looked += [touched(held), *map(touched, sorted(Path(held).glob("*/entry.json")))]
        if not settled(looked, time.time_ns()):
            return ""
        parts = (provenance.release(), self.columns, time_column, self._versions.get(name, ""), looked)
        return hashlib.sha256(repr(parts).encode()).hexdigest()


def _versions(stores: Stores) -> dict[str, str] | None:
    try:
        return stores.registry.fingerprints()
    except EvergreenError:
        return None


def _registry_state() -> str:
    """Equal as long as the registry has not changed; empty where that cannot be told."""
    looked = [touched(path) for path in sqlite_reader.files_of(Settings.read().tracking_uri)]
    return repr(looked) if looked and settled(looked, time.time_ns()) else ""


def file() -> Path:
    """Where it is kept."""
    return Settings.read().home / "cache" / "status.json"
