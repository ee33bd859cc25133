"""Connect commands to the running system of their home: runs show in its UI, events reach its triggers.

A caller of Prefect's API can run code here, and every web page that the user visits can call an address of this
machine. So each server that Evergreen starts asks for a secret, which no page knows.
"""

import os
import secrets
import socket
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from evergreen.addresses import without_secrets
from evergreen.errors import RunningError, translated
from evergreen.files import secret
from evergreen.locks import is_held
from evergreen.settings import Settings
from evergreen.sockets import listening

if TYPE_CHECKING:
    from evergreen.governance.store_checks import StoreCheck

API = "PREFECT_API_URL"
AUTH = "PREFECT_API_AUTH_STRING"  # what a client sends
SERVER_AUTH = "PREFECT_SERVER_API_AUTH_STRING"  # what the server asks for
_LOCAL = ("127.0.0.1", "localhost")
_remembered = ""  # the secret that this process itself has put into its environment
_joined = ""  # the address that it has put there


def note() -> Path:
    """The file in which `evergreen up` stores its server's address while it runs."""
    return Settings.read().home / "up.url"


def secret_file() -> Path:
    """The file that holds the secret of this home's server; only its owner can read it."""
    return Settings.read().home / "up.secret"


def lock_file() -> Path:
    """The file that `evergreen up` locks while it runs."""
    return Settings.read().home / "locks" / "up.lock"


def server_secret() -> str:
    """The secret of this home's server: the one that the environment sets, or else that of the file, made if absent."""
    return given() or secret(secret_file(), lambda: secrets.token_urlsafe(24).encode()).decode().strip()


def given() -> str:
    """The secret that the user has set; empty if none."""
    value = os.environ.get(SERVER_AUTH) or os.environ.get(AUTH, "")
    return "" if value == _remembered else value


def join() -> None:
    """Use the home's server if none is set, and send its secret; ignore the note if no `evergreen up` runs here.

    If there is no server, the one that Prefect or the command will start gets a secret of its own.
    """
    global _joined
    address = note().read_text() if note().is_file() else ""
    chosen = os.environ.get(API)
    if address and _own(address) and (_same(chosen, address) if chosen else _listens(address)):
        os.environ[API] = chosen or address
        _joined = _joined if chosen else address
        if _remembered and os.environ.get(SERVER_AUTH) == _remembered:
            del os.environ[SERVER_AUTH]  # of a server that would have been started here
        if secret_file().is_file():  # absent if an older release started it
            os.environ[AUTH] = given() or _remember(secret_file().read_text().strip())
    elif not chosen and not configured():
        _protect()


def current() -> tuple[str, str]:
    """The server to ask now, and its secret, for a process that outlives servers; empty where there is none."""
    if _joined and os.environ.get(API) == _joined and not _is_up(_joined):
        del os.environ[API]
    join()
    address = os.environ.get(API, "")
    return address, os.environ.get(AUTH, "") if address else ""


def check(found: "StoreCheck") -> None:
    """Ask Prefect's server for its version, as Prefect's own settings say, for `evergreen doctor --stores`.

    Raises
    ------
    RunningError
        It does not answer, or not to this secret.
    """
    from importlib import metadata

    from prefect import get_client
    from prefect.settings import get_current_settings

    address = get_current_settings().api.url
    if not address:
        found.found.append("no server: each command starts one for itself; `evergreen up` keeps one")
        return
    found.address = without_secrets(address)
    failed = f"Prefect's server cannot be asked: {{reason}}. Start it, or check {API} and {AUTH}."
    with translated(RunningError, failed), get_client(sync_client=True) as client:
        found.found.append(f"Prefect's server {client.api_version()}, and {metadata.version('prefect')} here")


def _is_up(address: str) -> bool:
    """Whether the home's server is the one at an address, and runs."""
    noted = note().read_text() if note().is_file() else ""
    return noted == address and _own(address) and _listens(address)


def _protect() -> None:
    os.environ[AUTH] = os.environ[SERVER_AUTH] = given() or _remember(secrets.token_urlsafe(24))


def _remember(value: str) -> str:
    global _remembered
    _remembered = value
    return value


def configured() -> bool:
    """Whether Prefect may find a server in a place that only Prefect itself can read."""
    pyproject, profiles = Path("pyproject.toml"), Path(os.environ.get("PREFECT_HOME", "")) / "profiles.toml"
    elsewhere = {"PREFECT_PROFILE", "PREFECT_PROFILES_PATH"} & set(os.environ)
    files = any(path.is_file() for path in (Path(".env"), Path("prefect.toml"), profiles))
    return bool(elsewhere) or files or (pyproject.is_file() and b"[tool.prefect" in pyproject.read_bytes())


def _same(chosen: str, address: str) -> bool:
    """Whether two addresses name one server."""
    return chosen == address or _place(chosen) == _place(address)


def _place(address: str) -> tuple[str | None, int | None]:
    where = urlsplit(address)
    try:
        return "localhost" if where.hostname in _LOCAL else where.hostname, where.port
    except ValueError:
        return None, None


def _listens(address: str) -> bool:
    host, port = _place(address)
    try:
        with socket.create_connection((host or "", port or 0), timeout=1):
            return True
    except OSError:
        return False


def _own(address: str) -> bool:
    """Whether the server is of this home's `evergreen up`, and its secret can be read.

    Otherwise the home may be a copy of another one, or another user's process may listen there since a crash.
    """
    port, users = _place(address)[1], {os.getuid(), note().stat().st_uid}
    owners = {found.user for found in listening() if found.port == port}
    readable = os.access(secret_file(), os.R_OK) or not secret_file().exists()
    return readable and owners <= users and is_held(lock_file())
