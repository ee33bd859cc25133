"""The address of the web UI, for links to its pages in what is sent elsewhere."""

import os
import socket
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from evergreen import files
from evergreen.errors import RunningError
from evergreen.settings import Settings

URL = "EVERGREEN_UI_URL"


def stated() -> str:
    """The public address that the settings state, without a slash at its end; empty if they state none."""
    return os.environ.get(URL, "").strip().rstrip("/")


def check() -> None:
    """Make sure that the stated address is one.

    Raises
    ------
    RunningError
        It is not the address of a web page.
    """
    try:
        place = urlsplit(stated())
        valid = place.scheme in ("http", "https") and bool(place.hostname) and not (place.query or place.fragment)
    except ValueError:
        valid = False
    if stated() and not valid:
        raise RunningError(
            f"{URL} is {stated()!r}, which is no address of a web page. Give the one that people open, such as "
            "https://evergreen.example.org."
        )


def host() -> str:
    """The name of the host in the stated address; empty without one."""
    with suppress(ValueError):
        return (urlsplit(stated()).hostname or "").lower()
    return ""


def is_safe() -> bool:
    """Whether the stated address is one of https."""
    return stated().lower().startswith("https://")


def note(address: str) -> None:
    """Keep the address under which a UI of this home answers on this machine."""
    with suppress(OSError):  # the home may be read-only, or the disk full: then a link is missing
        files.replace(_file(), address)


def page(path: str) -> str:
    """The whole address of a page.

    It begins with the stated address, else with that of the UI which runs on this machine for this home.

    Parameters
    ----------
    path : str
        Below the root, without a slash in front.

    Returns
    -------
    str
        Empty where no address is known.
    """
    base = stated() or _running()
    return f"{base}/{path}" if base else ""


def _file() -> Path:
    return Settings.read().home / "ui.url"


def _running() -> str:
    """The noted address, if something listens there now."""
    with suppress(OSError, ValueError):
        address = _file().read_text(encoding="utf-8").strip()
        place = urlsplit(address)
        with socket.create_connection((place.hostname or "", place.port or 80), timeout=1):
            return address
    return ""
