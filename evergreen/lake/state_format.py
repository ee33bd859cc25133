"""The format of the stored state: a number beside the tables of the lake, and which releases can open it.

A release writes one format and opens some older ones. The record says which format the state is in, and the lowest
format that a release has to know to open it: a newer format may be one that earlier releases can work with.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evergreen import files
from evergreen.errors import LakeError, LakeFormatError, translated
from evergreen.json_record import JsonRecord
from evergreen.lake import stored_files
from evergreen.lake.lake import TABLES

WRITES = 2  # the format that this release writes
OPENS = 1  # the oldest one that it opens
OPENED_FROM = 1  # the lowest one that a release has to know to open what this one writes
FIRST = 1  # the format of state without a record
NAME = "_format.json"
_opened: set[str] = set()  # lakes that this process may open
_AWAY = 5.0  # seconds that a lake which did not answer is not asked again whether it may be opened
_away: dict[str, float] = {}  # since when, of lakes


@dataclass(frozen=True)
class StateFormat(JsonRecord):
    """The format of a state; while a migration that others must not work beside is unfinished, `opens_from` is above.

    Attributes
    ----------
    format : int
        That all of it is in.
    opens_from : int
        The lowest format that a release has to know to open it.
    """

    format: int
    opens_from: int


_NEW = StateFormat(WRITES, OPENED_FROM)


def require(lake: str, *, migrating: bool = False) -> None:
    """Make sure that this release can open the state beside a lake; it is asked once in a process.

    Parameters
    ----------
    lake : str
        Its root, a folder or an object store's URI.
    migrating : bool
        Whether it is opened to be migrated, so that it may be older, or between two formats.

    Raises
    ------
    LakeFormatError
        The state is newer than what this release knows, is being migrated, or is too old.
    LakeError
        The record cannot be read.
    """
    if lake in _opened:
        return
    found = recorded(lake)
    if found is None and OPENS > FIRST:
        found = current(lake)
    if found is not None:
        _require_known(lake, found)
        if not migrating:
            _require_migrated(lake, found)
    _opened.add(lake)


def check(lake: str) -> None:
    """As `require`, but a lake that cannot be reached is no error yet: what needs the lake says so then.

    To find out may take many seconds, so that it is not tried again for some.

    Raises
    ------
    LakeFormatError
    """
    if time.monotonic() < _away.get(lake, -math.inf) + _AWAY:
        return
    try:
        require(lake)
    except LakeFormatError:
        raise
    except LakeError:
        _away[lake] = time.monotonic()


def recorded(lake: str) -> StateFormat | None:
    """The record of a state; None if it has none.

    Raises
    ------
    LakeFormatError
        It is no such record.
    LakeError
        It cannot be read.
    """
    with translated(LakeError, f"Cannot read the format of the state in {lake}: {{reason}}."):
        text = _text(lake)
    try:
        return None if text is None else StateFormat.parse(text.decode())
    except ValueError as error:
        raise LakeFormatError(
            f"{lake}/{NAME} is no record of a format. Restore it from a backup; nothing was read or written."
        ) from error


def current(lake: str) -> StateFormat:
    """The format of a state, whether it is recorded or not; of a new one that in which it will be written."""
    return recorded(lake) or (StateFormat(FIRST, FIRST) if any(_models(lake)) else _NEW)


def begin(lake: str) -> None:
    """Record the format before the first table of a lake is written; where there are tables, nothing is done."""
    if recorded(lake) is None and not any(_models(lake)):
        write(lake, _NEW)


def write(lake: str, state: StateFormat) -> None:
    """Write the record, whole or not at all; two processes that write the same do not disturb each other."""
    with translated(LakeError, f"Cannot write the format of the state in {lake}: {{reason}}."):
        if _is_folder(lake):
            files.replace(Path(lake) / NAME, state.dump())
        else:
            store, root = stored_files.opened(lake)
            store.pipe_file(f"{root}/{NAME}", state.dump().encode())  # one request, which object stores apply whole


def models(lake: str) -> list[str]:
    """The models that have a table in a lake."""
    return sorted(_models(lake))


def _models(lake: str) -> Iterator[str]:
    with translated(LakeError, f"Cannot list the tables in {lake}: {{reason}}."):
        store, root = stored_files.opened(lake)
        store.invalidate_cache()
        for entry in store.ls(root, detail=True) if store.exists(root) else ():
            if entry["type"] == "directory" and {*map(_last, store.ls(entry["name"], detail=False))} & {*TABLES}:
                yield _last(entry["name"])


def _require_known(lake: str, found: StateFormat) -> None:
    if found.opens_from > WRITES:
        raise LakeFormatError(
            f"The state in {lake} is in format {max(found.format, found.opens_from)}, written by a newer Evergreen; "
            f"this one opens formats {OPENS} to {WRITES}. Nothing was read or written. Install the newer one, with its "
            "release (`evergreen deploy --release COMMIT`), or restore a backup of before."
        )


def _require_migrated(lake: str, found: StateFormat) -> None:
    if found.opens_from > found.format:
        raise LakeFormatError(
            f"The migration of the state in {lake} to format {found.opens_from} is under way, or was stopped. "
            "Run `evergreen migrate`: it goes on where it was."
        )
    if found.format < OPENS:
        raise LakeFormatError(
            f"The state in {lake} is in format {found.format}, and this Evergreen opens formats {OPENS} to {WRITES}. "
            "Run `evergreen migrate --check`, which says what it would change, and `evergreen migrate`."
        )


def _text(lake: str) -> bytes | None:
    try:
        if _is_folder(lake):
            return (Path(lake) / NAME).read_bytes()
        store, root = stored_files.opened(lake)
        return bytes(store.cat_file(f"{root}/{NAME}"))
    except FileNotFoundError:
        return None


def _is_folder(lake: str) -> bool:
    return "://" not in lake


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]
