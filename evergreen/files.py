"""Files: atomic writes, to a temporary name in the same folder that is then renamed; and archives."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


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


@contextmanager
def replacing_stored(files: "AbstractFileSystem", path: str, mode: str = "w") -> Iterator[Any]:
    """The same on any store that fsspec reads: an open file that takes the place of `path` once it is complete."""
    text: dict[str, Any] = {} if "b" in mode else {"encoding": "utf-8"}
    with files.open(f"{path}.part", mode, **text) as file:
        yield file
    files.mv(f"{path}.part", path)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar archive into a folder, and nothing of it outside."""
    import tarfile

    guarded: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # since Python 3.11.4
    with tarfile.open(archive) as packed:
        packed.extractall(folder, **guarded)  # noqa: S202 - archives of our own
