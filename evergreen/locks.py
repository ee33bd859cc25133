"""Locks: one process at a time works on a model; another one fails at once instead of waiting.

A lock is a file of this home and, where the installation has a Postgres (`Settings.locks`), an advisory lock of it too,
which holds on every machine (`evergreen.shared_locks`).
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from evergreen.errors import BusyError
from evergreen.settings import Settings

_PATIENCE = 0.2  # seconds: who only asks whether a lock is held, takes it for a moment


@contextmanager
def model_lock(model: str, doing: str) -> Iterator[None]:
    """Hold the model's lock while working; it ends with the process, however that ends.

    Parameters
    ----------
    model : str
    doing : {"ingest", "train", "monitor"}

    Raises
    ------
    BusyError
        Another process holds it.
    LockError
        The Postgres of the locks does not answer, or is a read-only replica.
    """
    message = _busy(model, doing)
    with file_lock(_path(model, doing), message), _on_every_machine(_name(model, doing), message):
        yield


def require_idle(model: str, doing: str) -> None:
    """Require that no process holds the model's lock now, without taking it.

    Raises
    ------
    BusyError
        One does.
    """
    if is_locked(model, doing):
        raise BusyError(_busy(model, doing))


def _busy(model: str, doing: str) -> str:
    return f"{model}: another process already runs {doing} for this model. Let it finish, then run this again."


def _on_every_machine(name: str, busy: str) -> AbstractContextManager[None]:
    """The lock that the Postgres of the installation keeps, where there is one."""
    address = Settings.read().locks
    if not address:
        return nullcontext()
    from evergreen.shared_locks import shared_lock

    return shared_lock(address, name, busy)


@contextmanager
def file_lock(path: Path, busy: str) -> Iterator[None]:
    """Hold the lock of a file while working; raise BusyError with the message `busy` where another process does."""
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=_PATIENCE, poll_interval=_PATIENCE / 10):
            yield
    except Timeout as error:
        raise BusyError(busy) from error


def is_locked(model: str, doing: str) -> bool:
    """Whether some process, this one too, holds the model's lock now."""
    if is_held(_path(model, doing)):
        return True
    shared = Settings.read().locks
    if not shared:
        return False
    from evergreen.shared_locks import holder

    return holder(shared, _name(model, doing)) != ""


def is_held(path: Path) -> bool:
    """Whether some process, this one too, holds the lock of a file now."""
    from filelock import FileLock, Timeout

    if not path.is_file():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


def _path(model: str, doing: str) -> Path:
    return Settings.read().home / "locks" / f"{_name(model, doing)}.lock"


def _name(model: str, doing: str) -> str:
    return f"{model}.{doing}"
