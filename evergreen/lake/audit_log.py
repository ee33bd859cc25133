"""The audit log: one line for each action on a model, chained by hashes so that changes are detected.

The chain alone does not show that its end was cut off or written anew. So each line is sealed: its number and
hash are also kept in the home, outside the table, where nothing is ever removed.
"""

import getpass
import hashlib
import json
import re
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from evergreen.errors import LakeError, PromotionError
from evergreen.lake.lake import AUDIT, Bare, Lake
from evergreen.provenance import fingerprint
from evergreen.settings import Settings

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_MOVES = ("promotion", "rollback", "retirement")  # acts that give a model another champion, or take it away
_MOVE = f"act IN {_MOVES}"
_NEWEST = f"SELECT max(number) FROM {AUDIT}"
_FOLLOWED = f"""
    SELECT * FROM {AUDIT} WHERE id = $key OR number = ({_NEWEST}) OR number = ({_NEWEST} WHERE {_MOVE}) ORDER BY number
"""
_NEWEST_MOVE = f"SELECT * FROM {AUDIT} WHERE number = ({_NEWEST} WHERE {_MOVE})"
_FROM = f"SELECT * FROM {AUDIT} WHERE number >= $first ORDER BY number"
_SEAL = re.compile(r"^\d+ [0-9a-f]{64}$", re.MULTILINE)
_MANY = 32  # lines, each a file, before the log is compacted
_MOVED = (
    "{0.model}: another process has moved the champion meanwhile, at {0.written} ({0.act} of version {0.subject}). "
    "Nothing is moved. Look at `evergreen models {0.model}`, and run this again if it is still to be done."
)
Act = Literal[
    "ingest",
    "quarantine",
    "code",
    "decision",
    "verdict",
    "approval",
    "promotion",
    "rollback",
    "challenge",
    "acknowledgement",
    "schedule",
    "retirement",
    "deletion",
    "migration",
]


@dataclass(frozen=True)
class Line:
    """One line of the audit log: an action on a model.

    Attributes
    ----------
    model : str
    number : int
        From 1, without a gap.
    at : str
        The point in time that the action worked at; ISO 8601.
    written : str
        When the line was written, by the clock of the machine that wrote it.
    act : str
    subject : str
        The batch or version that it was done to.
    by : str
        The person who asked for it; empty where the system did it by itself.
    run : str
        The flow run that did it; empty outside of one.
    detail : str
        Further details, as JSON.
    id : str
        Equal for the same action, so that repeating it after a crash adds no line.
    before : str
        The hash of the previous line; empty for the first.
    hash : str
        Of all the above.
    """

    model: str
    number: int
    at: str
    written: str
    act: str
    subject: str
    by: str
    run: str
    detail: str
    id: str
    before: str
    hash: str

    @property
    def details(self) -> dict[str, Any]:
        """The further details; none where they cannot be read any more."""
        try:
            found = json.loads(self.detail)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def moves_champion(self) -> bool:
        """Whether the action gives the model another champion, or takes it away."""
        return self.act in _MOVES

    @property
    def sealed(self) -> bool:
        """Whether the line still matches its hash."""
        return self.hash == _hash(self)

    @property
    def seal(self) -> str:
        """Number and hash, stored elsewhere too, so that a truncated or rewritten log is detected."""
        return f"{self.number} {self.hash}"


def write(
    lake: Lake,
    model: str,
    act: Act,
    subject: str,
    at: "pd.Timestamp",
    *,
    by: str = "",
    run: str = "",
    detail: dict[str, Any] | None = None,
    after: int | None = None,
) -> Line:
    """Add a line to a model's log before the action is done; the same action again adds none.

    Concurrent writers are serialised: Delta rejects a line whose number is already used. With `after` this is a
    comparison and a write at once, so that of two processes that decided on the same champion only one replaces it,
    whatever became of their locks; the same action is then one that no other move has followed.

    Parameters
    ----------
    lake : Lake
    model, act, subject : str
    at : Timestamp
    by, run : str, optional
    detail : dict, optional
        Distinguishes this action from others of its kind on the same subject.
    after : int, optional
        The number of the newest line that moved the champion when this action was decided on, 0 if none had.

    Returns
    -------
    Line
        The line of this action.

    Raises
    ------
    LakeError
        It cannot be written; then the action must not be done either.
    PromotionError
        The champion has been moved since the line that `after` names.
    """
    detail_json = json.dumps(detail or {}, sort_keys=True, default=str)
    key = fingerprint([act, subject, detail_json])
    written: list[Line] = []

    def next_lines(rows: "pd.DataFrame") -> "pa.Table":
        """The next line, or none if the action has one already."""
        lines = [] if rows.empty else _lines(rows)
        move = next((line for line in reversed(lines) if line.moves_champion), None)
        existing = [line for line in lines if line.id == key and (after is None or line is move)]
        last = lines[-1] if lines else None
        if after is not None and move is not None and not existing and move.number != after:
            raise PromotionError(_MOVED.format(move))
        number, before = (last.number + 1, last.hash) if last else (1, "")
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = Line(model, number, at.isoformat(), now, act, subject, by, run, detail_json, key, before, "")
        written[:] = existing or [replace(line, hash=_hash(line))]
        return _table([] if existing else written)

    lake.extend(model, AUDIT, _FOLLOWED, {"key": key}, next_lines)
    with suppress(OSError):  # as after a crash: verification tells of it, and the seal of the next line covers this one
        _seal(lake, written[0])
    if written[0].number % _MANY == 0:
        with suppress(LakeError):  # another process is writing; the next call compacts
            lake.compact(model, AUDIT)
    return written[0]


def challenge(lake: Lake, model: str, subject: str, answers: str, *, by: str = "", reason: str = "") -> Line:
    """Record that a version starts or stops as shadow or canary.

    Raises
    ------
    LakeError
        It cannot be written.
    """
    import pandas as pd

    now = pd.Timestamp(datetime.now(UTC))
    detail = {"answers": answers, "moment": now.isoformat(), **({"reason": reason} if reason else {})}
    return write(lake, model, "challenge", subject, now, by=by, detail=detail)


def read(lake: Lake, model: str, since: "pd.Timestamp | None" = None, *, first: int = 1) -> list[Line]:
    """The lines of a model, oldest first.

    Parameters
    ----------
    lake : Lake
    model : str
    since : Timestamp, optional
        Leave out actions before this time.
    first : int
        The number of the first line to read.
    """
    if not lake.exists(model, AUDIT):
        return []
    lines = _lines(lake.query(Bare(model), _FROM, {"first": first}, tables=[AUDIT]))
    if since is None:
        return lines
    import pandas as pd

    return [line for line in lines if pd.Timestamp(line.at) >= since]


def newest_move(lake: Lake, model: str) -> Line | None:
    """The newest line that moves the champion of a model; None if none does."""
    if not lake.exists(model, AUDIT):
        return None
    rows = lake.query(Bare(model), _NEWEST_MOVE, {}, tables=[AUDIT])
    return None if rows.empty else _lines(rows)[0]


def unwritten(model: str, act: Act, subject: str, at: "pd.Timestamp", detail: dict[str, Any]) -> Line:
    """The line of an action that no log records, as in a replay; its number is 0."""
    return Line(model, 0, at.isoformat(), "", act, subject, "", "", json.dumps(detail, default=str), "", "", "")


def seals(lake: Lake, model: str) -> list[str]:
    """The seals of the lines that this home has written to a model's log, in the order of writing."""
    try:
        return _SEAL.findall(_seal_file(lake, model).read_text())
    except FileNotFoundError:
        return []


def seal_of(text: str) -> str:
    """The seal in a text that may be broken into lines; empty if it is none.

    Examples
    --------
    >>> seal_of("11 " + "13f4" * 10 + "  " + "837a" * 6)[:11], seal_of("11 13f4")
    ('11 13f413f4', '')
    """
    number, _, digest = text.strip().partition(" ")
    seal = f"{number} {''.join(digest.split())}"
    return seal if _SEAL.fullmatch(seal) else ""


def person() -> str:
    """The user of this shell."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _seal(lake: Lake, line: Line) -> None:
    """Append the seal of a line, with one system call; a line that was torn off before it spoils none."""
    path = _seal_file(lake, line.model)
    if path.is_file() and f"\n{line.seal}" in path.read_text():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(f"\n{line.seal}")


def _seal_file(lake: Lake, model: str) -> Path:
    """Where the seals of a log are; a lake within the home may move with it."""
    home, table = Settings.read().home, lake.uri(model, AUDIT)
    within = Path(table).is_relative_to(home)
    place = Path(table).relative_to(home).as_posix() if within else table
    return home / "seals" / f"{model}-{hashlib.sha256(place.encode()).hexdigest()[:12]}.txt"


def _hash(line: Line) -> str:
    hashed = {name: value for name, value in asdict(line).items() if name != "hash"}
    return hashlib.sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest()


def _lines(rows: "pd.DataFrame") -> list[Line]:
    names = [field.name for field in fields(Line)]
    return [Line(*row) for row in rows[names].itertuples(index=False)]


def _table(lines: list[Line]) -> "pa.Table":
    import pyarrow as pa

    types = [(field.name, pa.int64() if field.name == "number" else pa.string()) for field in fields(Line)]
    return pa.Table.from_pylist([asdict(line) for line in lines], schema=pa.schema(types))
