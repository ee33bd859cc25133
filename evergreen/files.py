"""Files: atomic writes, to a temporary name in the same folder that is then renamed; and archives."""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import get_ident
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_SETTLED = 2_000_000_000  # nanoseconds after which another change of a file has another time
Touched = tuple[str, int, int, int]  # the path, and the time, size and number of what is there


def replace(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all; folders that are missing are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name in the same folder to write to; at the end of the block, that file replaces `path`.

    Nothing is left behind if the block raises.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}-{get_ident()}.part")  # two processes may write the same file
    try:
        yield part
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def touched(path: Path | str) -> Touched:
    """Equal as long as a file, or the list of a folder's files, has not changed; without one zeros."""
    try:
        found = os.stat(path)  # noqa: PTH116 - asked for each of a thousand models
    except OSError:
        return str(path), 0, 0, 0
    return str(path), found.st_mtime_ns, found.st_size, found.st_ino


def settled(looked: Iterable[Touched], now: int) -> bool:
    """Whether another change of each would give it another time.

    Parameters
    ----------
    looked : iterable
        What `touched` gave.
    now : int
        Before it was read what is to be kept; nanoseconds since 1970.
    """
    return max((changed for _, changed, *_ in looked), default=0) <= now - _SETTLED


def secret(path: Path, make: Callable[[], bytes]) -> bytes:
    """The content of a file that only its owner can read; the first call makes it.

    Parameters
    ----------
    path : Path
    make : callable
        Gives the content. If several processes make the file at once, all get that of the first.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary_file(path) as part:
            part.write_bytes(make())
            with suppress(FileExistsError):
                os.link(part, path)
    return path.read_bytes()


@contextmanager
def temporary_file(path: Path) -> Iterator[Path]:
    """An empty file beside `path` that only its owner can read, until the end of the block."""
    descriptor, part = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(descriptor)
    try:
        yield Path(part)
    finally:
        Path(part).unlink()


@contextmanager
def replacing_stored(files: "AbstractFileSystem", path: str, mode: str = "w") -> Iterator[Any]:
    """The same on any store that fsspec reads: an open file that takes the place of `path` once it is complete."""
    text: dict[str, Any] = {} if "b" in mode else {"encoding": "utf-8"}
    part = f"{path}.{uuid4().hex}.part"  # two machines may write the same file
    try:
        with files.open(part, mode, **text) as file:
            yield file
        files.mv(part, path)
    except BaseException:
        with suppress(OSError):
            files.rm_file(part)
        raise


@contextmanager
def making(folder: Path) -> Iterator[Path]:
    """A path beside a new folder to make it at; at the end of the block it takes its place, as a whole or not at all.

    If another process was quicker, the folder stays as that one made it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as beside:
        whole = Path(beside) / folder.name
        yield whole
        try:
            whole.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar archive into a folder, and nothing of it outside."""
    import tarfile

    guarded: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # since Python 3.11.4
    with tarfile.open(archive) as packed:
        packed.extractall(folder, **guarded)  # noqa: S202 - archives of our own
