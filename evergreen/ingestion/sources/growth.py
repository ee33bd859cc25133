"""Text files that grow while they are read: a line that was not complete is not taken for a row."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from evergreen.errors import SourceError


@contextmanager
def unless_growing(paths: Sequence[Path]) -> Iterator[None]:
    """Refuse what was read in the block if a file grew meanwhile whose last line had no end.

    Raises
    ------
    SourceError
        One did; its last row may have been read in half.
    """
    unfinished = {path: path.stat().st_size for path in paths if not _ends(path)}
    yield
    growing = [path for path, size in unfinished.items() if path.stat().st_size > size]
    if growing:
        raise SourceError(
            f"{growing[0]} grew while it was read, and its last line was not complete. Run again once it is written."
        )


def _ends(path: Path) -> bool:
    """Whether the last line of a file is complete."""
    with path.open("rb") as file:
        if not file.seek(0, 2):
            return True
        file.seek(-1, 2)
        return file.read(1) == b"\n"
