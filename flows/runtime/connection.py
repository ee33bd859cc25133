"""Connect commands to the running system of their home: runs show in its UI, events reach its triggers."""

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

from evergreen.settings import Settings

API = "PREFECT_API_URL"


def note() -> Path:
    """The file in which `evergreen up` stores its server's address while it runs."""
    return Settings.read().home / "up.url"


def join() -> None:
    """Use that server if none is set; ignore the file if the server does not listen."""
    if os.environ.get(API) or not note().is_file():
        return
    address = note().read_text()
    where = urlsplit(address)
    try:
        with socket.create_connection((where.hostname or "", where.port or 0), timeout=1):
            os.environ[API] = address
    except (OSError, ValueError):
        return
