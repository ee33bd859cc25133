"""The audit log: every act on a model, a line each, chained by hashes so that a changed line shows."""

import getpass
import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from evergreen.errors import LakeError
from evergreen.lake.lake import AUDIT, Bare, Lake
from evergreen.provenance import fingerprint

if TYPE_CHECKING:
    import pyarrow as pa

_FOLLOWED = f"SELECT * FROM {AUDIT} WHERE id = $key OR number = (SELECT max(number) FROM {AUDIT}) ORDER BY number"
_MANY = 32  # lines, each a file, that are put together
Act = Literal[
    "ingest", "quarantine", "decision", "verdict", "approval", "promotion", "rollback", "challenge", "deletion"
]


@dataclass(frozen=True)
class Line:
    """One act.

    Attributes
    ----------
    model : str
    number : int
        From 1, without a gap.
    at : str
        The moment whose knowledge counted; ISO 8601.
    written : str
        When the line was written, by the clock of the machine that wrote it.
    act : str
    subject : str
        What it was done to: a batch or a version.
    by : str
        The person who asked for it; empty where the system did it by itself.
    run : str
        The flow run that did it; empty outside of one.
    detail : str
        What else is to be known of it, as JSON.
    id : str
        Alike for the same act, so that one which is done again after a crash is one line.
    before : str
        The hash of the line before; empty of the first.
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
    def sealed(self) -> bool:
        """Whether the line still is what its hash was taken of."""
        return self.hash == _hash(self)

    @property
    def seal(self) -> str:
        """What is kept elsewhere, so that a log which was cut or written anew shows."""
        return f"{self.number} {self.hash}"


def write(
    lake: Lake,
    model: str,
    act: Act,
    subject: str,
    at: pd.Timestamp,
    *,
    by: str = "",
    run: str = "",
    detail: dict[str, Any] | None = None,
) -> Line:
    """Add a line to a model's log, before the act itself is done; the same act again adds none.

    Two that write at once write one after the other: Delta takes no line whose number another has taken.

    Parameters
    ----------
    lake : Lake
    model, act, subject : str
    at : Timestamp
    by, run : str, optional
    detail : dict, optional
        Tells this act from others of its kind on the same subject.

    Returns
    -------
    Line
        The one that tells of this act.

    Raises
    ------
    LakeError
        It cannot be written; then the act is not to be done either.
    """
    told = json.dumps(detail or {}, sort_keys=True, default=str)
    key = fingerprint([act, subject, told])
    written: list[Line] = []

    def following(found: pd.DataFrame) -> "pa.Table":
        """The next line, or none if the act has one."""
        kept = [] if found.empty else _lines(found)
        known = [one for one in kept if one.id == key]
        last = kept[-1] if kept else None
        number, before = (last.number + 1, last.hash) if last else (1, "")
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = Line(model, number, at.isoformat(), now, act, subject, by, run, told, key, before, "")
        written[:] = known or [replace(line, hash=_hash(line))]
        return _table([] if known else written)

    lake.extend(model, AUDIT, _FOLLOWED, {"key": key}, following)
    if written[0].number % _MANY == 0:
        with suppress(LakeError):  # others write too; the next time does
            lake.compact(model, AUDIT)
    return written[0]


def challenge(lake: Lake, model: str, subject: str, answers: str, *, by: str = "", reason: str = "") -> Line:
    """Keep who answers beside the champion from now on, or does no more.

    Raises
    ------
    LakeError
        It cannot be written.
    """
    now = pd.Timestamp(datetime.now(UTC))
    detail = {"answers": answers, "moment": now.isoformat(), **({"reason": reason} if reason else {})}
    return write(lake, model, "challenge", subject, now, by=by, detail=detail)


def read(lake: Lake, model: str, since: pd.Timestamp | None = None) -> list[Line]:
    """The lines of a model, oldest first.

    Parameters
    ----------
    lake : Lake
    model : str
    since : Timestamp, optional
        Leave out acts of before this moment.
    """
    if not lake.exists(model, AUDIT):
        return []
    found = _lines(lake.query(Bare(model), f"SELECT * FROM {AUDIT} ORDER BY number", tables=[AUDIT]))
    return [one for one in found if since is None or pd.Timestamp(one.at) >= since]


def person() -> str:
    """Who asks at this shell."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _hash(line: Line) -> str:
    told = {name: value for name, value in asdict(line).items() if name != "hash"}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _lines(rows: pd.DataFrame) -> list[Line]:
    names = [field.name for field in fields(Line)]
    return [Line(*one) for one in rows[names].itertuples(index=False)]


def _table(lines: list[Line]) -> "pa.Table":
    import pyarrow as pa

    types = [(field.name, pa.int64() if field.name == "number" else pa.string()) for field in fields(Line)]
    return pa.Table.from_pylist([asdict(one) for one in lines], schema=pa.schema(types))
