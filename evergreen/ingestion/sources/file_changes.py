"""Which files of this machine were changed otherwise than by what was added at their end."""

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_PIECE = 1 << 20  # bytes that are read at once


def compared(files: Iterable[Path], known: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """Compare files with what they were. Of a file whose size and time are as before nothing is read.

    Parameters
    ----------
    files : iterable of Path
    known : dict of path to [size, time, digest]
        What this gave the last time; size in bytes, time in ns since the epoch.

    Returns
    -------
    rewritten : list of str
        The files that do not begin with all that they held.
    known : dict of path to [size, time, digest]
        What they are now; a file that cannot be read is left out.
    """
    rewritten, now = [], {}
    for path in files:
        before = known.get(str(path))
        try:
            stat = path.stat()
            if before and before[:2] == [stat.st_size, stat.st_mtime_ns]:
                now[str(path)] = before
                continue
            began, digest = _digests(path, before[0] if before else 0, stat.st_size)
        except OSError:  # which the ingest itself tells, if it has to read the file
            continue
        now[str(path)] = [stat.st_size, stat.st_mtime_ns, digest]
        if before and began != before[2]:
            rewritten.append(str(path))
    return rewritten, now


def _digests(path: Path, first: int, size: int) -> tuple[str, str]:
    """The digests of the first bytes of a file, and of so many from its start; what a writer adds meanwhile is left."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        _add(digest, file, min(first, size))
        began = digest.hexdigest() if first <= size else ""
        _add(digest, file, size - min(first, size))
        if file.seek(0, os.SEEK_END) < size:
            began = ""
    return began, digest.hexdigest()


def _add(digest: Any, file: Any, count: int) -> None:
    while count > 0 and (piece := file.read(min(count, _PIECE))):
        digest.update(piece)
        count -= len(piece)
