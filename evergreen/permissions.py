"""What other users of this machine may do with a file: read it, or change it."""

import stat
from pathlib import Path

from evergreen.errors import RunningError

_GROUP, _OTHERS = 0o070, 0o007


def exposed(path: Path, shared: bool = False) -> str:
    """Who else can read or change a file or folder, and how to close it; empty if nobody can, or it is not there.

    Parameters
    ----------
    path : Path
    shared : bool
        Whether its group may, as with a home or a lake that several people use.
    """
    mode = mode_of(path)
    beyond = mode & (_OTHERS if shared else _GROUP | _OTHERS)
    if not beyond:
        return ""
    act, bits = ("changed", beyond & 0o022) if beyond & 0o022 else ("read", beyond)
    who = "other users" if bits & _OTHERS else "its group"
    cure = "o-rwx" if shared else "700" if path.is_dir() else "600"
    return f"{path} can be {act} by {who} (mode {mode:04o}). Close it: chmod {cure} {path}"


def mode_of(path: Path) -> int:
    """The permissions of a file or folder; 0 if it is not there."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return 0


def check_secret(path: Path) -> str:
    """Check a file whose content gives access before it is used; what :func:`exposed` says of it.

    Raises
    ------
    RunningError
        Every user of this machine can change it, so they can give themselves access.
    """
    sentence = exposed(path)
    if mode_of(path) & _OTHERS & 0o022:
        raise RunningError(f"{sentence}, once you have checked what it holds.")
    return sentence
