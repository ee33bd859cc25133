"""Commands join the system that is up in their home: their runs show in its UI, their events reach its triggers."""

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

from evergreen.settings import Settings

API = "PREFECT_API_URL"


def note() -> Path:
    """Where `evergreen up` leaves the address of its server for as long as it is up."""
    return Settings.read().home / "up.url"


def join() -> None:
    """Use that server where none is set; one that does not listen is not there, whatever the note says."""
    if os.environ.get(API) or not note().is_file():
        return
    address = note().read_text()
    where = urlsplit(address)
    try:
        with socket.create_connection((where.hostname or "", where.port or 0), timeout=1):
            os.environ[API] = address
    except (OSError, ValueError):
        return
