"""The folder of the workers' metrics: in memory, one for each run of the service, deleted once no service uses it."""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

_MEMORY = Path("/dev/shm")  # noqa: S108 - metrics are mapped files: on a full disk, a new one kills its worker
_PREFIX, _LINK, _LOCK = "evergreen-meters-", "meters", "lock"
_held: dict[Path, FileLock] = {}


def replace(root: Path) -> Path:
    """Make a folder for a service that begins, and delete that of an earlier one, which may have been killed.

    Parameters
    ----------
    root : Path
        The folder of the service's state, which keeps a link to the folder of metrics. The home may be a copy of
        another one, and the link lead to the folder of a service that runs there: what is in use stays.
    """
    link = root / _LINK
    _delete_unused(link)
    folder = _new()
    with suppress(OSError):  # a full disk
        _held[folder] = FileLock(folder / _LOCK)
        _held[folder].acquire(timeout=0)
        link.unlink(missing_ok=True)
        root.mkdir(parents=True, exist_ok=True)
        link.symlink_to(folder)
    return folder


def _new() -> Path:
    with suppress(OSError):  # not there, or of no use to this user, as in some containers
        return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_MEMORY))
    return Path(tempfile.mkdtemp(prefix=_PREFIX))


def is_left(root: Path) -> bool:
    """Whether the last service with this state was killed: it deletes its folder when it ends by itself."""
    return (root / _LINK).is_dir()


def current(root: Path) -> Path | None:
    """The folder of the service that runs with this state; None if none runs on this machine.

    No lock is taken, which would get in the way of a service that begins: one of the processes whose metrics lie there
    has to live.
    """
    folder = (root / _LINK).resolve()
    processes = {path.stem.rpartition("_")[2] for path in folder.glob("*.db")} if folder.name != _LINK else set()
    return folder if any(_lives(int(process)) for process in processes if process.isdigit()) else None


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def delete(folder: Path) -> None:
    """Delete the folder of this process's service."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder in _held:
        _held.pop(folder).release()


def _delete_unused(link: Path) -> None:
    """Delete the folder behind a link if a service made it, and its lock, which dies with the service, is free."""
    if not link.is_symlink():
        return
    folder = link.resolve()
    if folder.name.startswith(_PREFIX) and (folder / _LOCK).is_file():
        with suppress(OSError, Timeout), FileLock(folder / _LOCK, timeout=0):
            shutil.rmtree(folder, ignore_errors=True)
