"""What was done to all models: an index of their audit logs, brought up to date in the background.

The logs are one table for each model; a thousand of them cannot be read for a page. The index is a file that may be
deleted at any time. It proves nothing: whether a log is whole is read from the log itself.
"""

import hashlib
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from evergreen.definition import model_files
from evergreen.definition.disclosure import without_old_examples
from evergreen.errors import EvergreenError, LakeError, translated
from evergreen.governance.tenure import Answered, Tenure, answered, tenures
from evergreen.iso_time import seconds
from evergreen.lake import audit_log, state_format
from evergreen.lake.audit_log import Line
from evergreen.lake.lake import AUDIT, Lake
from evergreen.settings import Settings
from ui.known import changes
from ui.known.background import Background
from ui.known.opening import opened
from ui.paging import numbered

if TYPE_CHECKING:
    from evergreen.stores import Stores

FRESH = 2.0  # seconds that what was read is taken for what is
SYSTEM = "(system)"  # the person of a line that nobody asked for
_FORM = 2  # of the file; one of another form is made anew
_WAIT = 30.0  # seconds for another process that writes to the file
_TABLES = """
    DROP TABLE IF EXISTS lines;
    DROP TABLE IF EXISTS logs;
    CREATE TABLE lines (
        model TEXT, number INTEGER, at TEXT, written TEXT, act TEXT, subject TEXT, by TEXT, run TEXT, detail TEXT,
        id TEXT, before TEXT, hash TEXT, moment REAL, PRIMARY KEY (model, number)
    );
    CREATE INDEX story ON lines (moment, written, number, model, act, by);
    CREATE INDEX story_of ON lines (model, moment, written, number, act, by);
    CREATE INDEX person ON lines (by);
    CREATE TABLE logs (model TEXT PRIMARY KEY, state TEXT, lines INTEGER);
"""
_MET = """
    (:like = '' OR instr(lower(model), :like) > 0) AND (:act = '' OR act = :act)
    AND (:person = '' OR by = CASE :person WHEN :system THEN '' ELSE :person END)
    AND (:since IS NULL OR moment >= :since) AND (:until IS NULL OR moment < :until)
"""
_NEWEST = " ORDER BY moment DESC, written DESC, number DESC LIMIT :most OFFSET :skipped"
_LINES, _COUNT = f"SELECT * FROM lines WHERE {_MET}{_NEWEST}", f"SELECT count(*) FROM lines WHERE {_MET}"
_LINES_OF = f"SELECT * FROM lines WHERE model = :model AND {_MET}{_NEWEST}"
_COUNT_OF = f"SELECT count(*) FROM lines WHERE model = :model AND {_MET}"
# Each is the next one after the one before, so that the index is not read whole.
_PEOPLE = """
    WITH RECURSIVE people(name) AS (
        SELECT min(by) FROM lines WHERE by > ''
        UNION ALL SELECT (SELECT min(by) FROM lines WHERE by > people.name) FROM people WHERE people.name IS NOT NULL
    ) SELECT name FROM people WHERE name IS NOT NULL LIMIT 1000
"""
_CHANGES = """
    SELECT * FROM lines WHERE model = ? AND act IN ('promotion', 'rollback', 'retirement', 'challenge') ORDER BY number
"""
_STORED = f"INSERT OR REPLACE INTO lines VALUES ({', '.join('?' * 13)})"


@dataclass(frozen=True)
class Filter:
    """Which lines are wanted; empty for all.

    Attributes
    ----------
    model : str
        Its name.
    like : str
        A part of the model's name, in letters of any case.
    act : str
    person : str
        Who asked for it; `SYSTEM` for what nobody did.
    since, until : datetime or None
        The time that the act worked at, with a zone; `until` is not part of it.
    """

    model: str = ""
    like: str = ""
    act: str = ""
    person: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class State:
    """How far the index has come.

    Attributes
    ----------
    at : datetime or None
        When all logs were last read; None before.
    left : int
        How many logs are still to be read for the first time.
    problems : tuple of str
        What could not be read since.
    """

    at: datetime | None = None
    left: int = 0
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """A page of lines.

    Attributes
    ----------
    lines : list of Line
        Newest first.
    found : int
        How many there are on all pages.
    page, pages : int
        From 1.
    """

    lines: list[Line]
    found: int
    page: int
    pages: int


@dataclass
class Activity:
    """The index of the audit logs of an installation.

    `wait` begins to read what was written since, unless that was done within `FRESH` seconds, and waits for it a
    moment; all else tells what the index holds. Without requests nothing is read.

    Parameters
    ----------
    open : callable
        Opens the stores.
    """

    open: "Callable[[], Stores]" = opened
    state: State = field(default_factory=State)
    _file: Path | None = None
    _reading: Background = field(init=False)

    def __post_init__(self) -> None:
        self._reading = Background(self._refresh, lambda: FRESH)

    def wait(self, patience: float = 0.2) -> None:
        """Begin to read what was written since, and wait for it.

        Parameters
        ----------
        patience : float
            How many seconds at most.
        """
        self._reading.ask(patience)

    def page(self, wanted: Filter, page: int = 1, size: int = 50) -> Found:
        """A page of the lines that meet a filter, newest first.

        Parameters
        ----------
        wanted : Filter
        page : int
            From 1; the last one, if it is beyond.
        size : int
            Of a page.
        """
        bounds = {
            "model": wanted.model,
            "like": wanted.like.lower(),
            "act": wanted.act,
            "person": wanted.person,
            "system": SYSTEM,
            "since": wanted.since.timestamp() if wanted.since else None,
            "until": wanted.until.timestamp() if wanted.until else None,
        }
        with self._connected() as index:
            count, lines = (_COUNT_OF, _LINES_OF) if wanted.model else (_COUNT, _LINES)
            found = int(index.execute(count, bounds).fetchone()[0])
            page, pages = numbered(found, page, size)
            rows = index.execute(lines, bounds | {"most": size, "skipped": (page - 1) * size})
            return Found([_line(row) for row in rows], found, page, pages)

    def line(self, model: str, number: int) -> Line | None:
        """One line of a model, if there is one."""
        with self._connected() as index:
            row = index.execute("SELECT * FROM lines WHERE model = ? AND number = ?", [model, number]).fetchone()
            return _line(row) if row else None

    def people(self) -> list[str]:
        """Who has asked for anything, by name."""
        with self._connected() as index:
            return [str(name) for (name,) in index.execute(_PEOPLE)]

    def models(self) -> list[str]:
        """The models with a line, by name."""
        with self._connected() as index:
            return [str(name) for (name,) in index.execute("SELECT model FROM logs WHERE lines > 0 ORDER BY model")]

    def knows(self, model: str) -> bool:
        """Whether there is a line of a model."""
        with self._connected() as index:
            return bool(index.execute("SELECT 1 FROM logs WHERE model = ? AND lines > 0", [model]).fetchone())

    def tenures(self, model: str) -> list[Tenure]:
        """Which version of a model answered when, oldest first."""
        return tenures(self._changes(model))

    def answered(self, model: str, at: datetime) -> Answered:
        """What answered for a model at a time, which has a zone."""
        return answered(model, self._changes(model), at)

    def _changes(self, model: str) -> list[Line]:
        with self._connected() as index:
            return [_line(row) for row in index.execute(_CHANGES, [model])]

    def _refresh(self) -> None:
        """Read what was written to each log since; a log that cannot be read keeps what the index holds of it."""
        began = datetime.now(UTC)
        try:
            stores = self.open()
            stored = state_format.models(Settings.read().lake)
            names = sorted({*model_files.names(), *stored})
            with self._connected() as index:
                kept = dict(index.execute("SELECT model, state FROM logs"))
                logged = {name for (name,) in index.execute("SELECT model FROM logs WHERE lines > 0")}
                if logged and logged.isdisjoint(stored):
                    raise LakeError(
                        f"The lake {Settings.read().lake} holds none of the audit logs that were known. Mount or "
                        f"restore it. If it was emptied on purpose, delete {_place().parent}."
                    )
                gone = [[name] for name in kept.keys() - set(names)]
                index.executemany("DELETE FROM lines WHERE model = ?", gone)
                index.executemany("DELETE FROM logs WHERE model = ?", gone)
            self.state = State(began, 0, tuple(self._followed(stores, names, kept)))
        except EvergreenError as error:
            self.state = replace(self.state, problems=(str(error),))

    def _followed(self, stores: "Stores", names: list[str], kept: dict[str, str]) -> Iterator[str]:
        """Follow the logs that have changed since; a sentence for each that cannot be read."""
        for place, name in enumerate(names):
            state = repr(changes.commits(stores.lake.uri(name, AUDIT)))
            if self.state.at is None:
                self.state = State(None, len(names) - place)
            if kept.get(name) == state:
                continue
            told = f"The audit log of {name} is no such log: {{reason}}. Restore {stores.lake.uri(name, AUDIT)}."
            try:
                with self._connected() as index, translated(LakeError, told, KeyError, TypeError, ValueError):
                    _follow(index, stores.lake, name, state)
            except EvergreenError as error:
                yield str(error)

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """The index, made anew where it is spoilt, in a temporary folder where the home cannot be written."""
        file = self._file = self._file or _place()
        try:
            with closing(self._opened(file)) as index, index:
                yield index
        except sqlite3.DatabaseError as error:
            spoilt = not isinstance(error, sqlite3.OperationalError)
            if spoilt:
                for part in ("", "-wal", "-shm"):
                    file.with_name(file.name + part).unlink(missing_ok=True)
            raise LakeError(
                f"The index of the audit logs in {file} cannot be used: {error}. "
                + ("It is made anew: load the page again." if spoilt else "Free the disk, or end what holds it.")
            ) from error

    def _opened(self, file: Path) -> sqlite3.Connection:
        try:
            return _opened(file)
        except sqlite3.OperationalError:  # a home that cannot be written
            self._file = Path(tempfile.mkdtemp(prefix="evergreen-ui-")) / file.name
            return _opened(self._file)


def _follow(index: sqlite3.Connection, lake: Lake, name: str, state: str) -> None:
    """Put into the index what was written since; all of it, where the last known line is not in the log any more."""
    known = index.execute("SELECT number, hash FROM lines WHERE model = ? ORDER BY number DESC", [name]).fetchone()
    last, digest = known or (1, "")
    lines = audit_log.read(lake, name, first=last)
    if known and (not lines or lines[0].hash != digest):
        lines = audit_log.read(lake, name)
        index.execute("DELETE FROM lines WHERE model = ?", [name])
    index.executemany(_STORED, [_row(name, line) for line in lines])
    count = index.execute("SELECT count(*) FROM lines WHERE model = ?", [name]).fetchone()[0]
    index.execute("INSERT OR REPLACE INTO logs VALUES (?, ?, ?)", [name, state, count])


def _place() -> Path:
    """The file of the index: one for each lake."""
    settings = Settings.read()
    of = hashlib.sha256(settings.lake.encode()).hexdigest()[:12]
    return settings.home / "cache" / "ui" / f"activity-{of}.db"


def _opened(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise sqlite3.OperationalError(str(error)) from error
    index = sqlite3.connect(path, timeout=_WAIT)
    try:
        if index.execute("PRAGMA user_version").fetchone()[0] != _FORM:
            index.executescript(f"PRAGMA journal_mode = WAL; {_TABLES}; PRAGMA user_version = {_FORM}")
    except sqlite3.Error:
        index.close()
        raise
    return index


def _row(name: str, line: Line) -> tuple[object, ...]:
    """A line as it is stored: of the model in whose folder it lies, which may have been copied or renamed."""
    kept = replace(line, model=name, detail=without_old_examples(line.detail))
    return (*astuple(kept), _seconds(line.at))


def _seconds(at: str) -> float | None:
    """A time for sorting; None for what is none, as somebody may have written it into the table."""
    try:
        return seconds(at)
    except ValueError:
        return None


def _line(row: tuple[object, ...]) -> Line:
    return Line(*row[: len(fields(Line))])  # type: ignore[arg-type]
