"""Run the UI: a web server of its own, which ends with Ctrl-C."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path

from evergreen import ctrl_c, ui_address
from evergreen.errors import RunningError
from evergreen.permissions import check_secret
from evergreen.sockets import LOOPBACK

_AHEAD = 1.0  # seconds after the start that what later pages need is made: the first page comes before


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises
    ------
    RunningError
        The port is in use, or the host is none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise RunningError(
            f"The UI cannot listen on {host}:{port} ({error.strerror or error}). End what listens there, or name "
            "another port with --port."
        ) from error
    return listener


def run(host: str, port: int, say: Callable[[str], None], *, read_only: bool = False) -> None:
    """Serve the UI until Ctrl-C.

    Parameters
    ----------
    host : str
    port : int
        0 for any that is free.
    say : callable
        Prints a line for the user.
    read_only : bool
        Whether its pages have no buttons.

    Raises
    ------
    RunningError
        It cannot listen there, others could reach it and nobody would have to sign in, the settings of access
        contradict themselves, or its stated address is none.
    """
    for sentence in _check_access(host):
        say(f"Warning: {sentence}")
    listener = listen(host, port)
    import uvicorn

    from ui.application import application, prepare
    from ui.rendering import compile_all
    from ui.site import Site

    app = application(Site(read_only=read_only))
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,  # which would take the address of a caller from what the caller sends
    )
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listener.getsockname()[1]}"
    say(f"The UI answers at {address}. Ctrl-C stops it.")
    if host in LOOPBACK:
        ui_address.note(address)
    ctrl_c.begin(background=True)

    def ahead() -> None:
        compile_all()
        prepare(app)

    later = threading.Timer(_AHEAD, ahead)
    later.daemon = True
    later.start()
    uvicorn.Server(config).run(sockets=[listener])


def _check_access(host: str) -> list[str]:
    """Make sure that who may come is stated; what to warn of."""
    from ui.access.keys import holders
    from ui.access.rules import Rules, needed

    ui_address.check()
    rules = Rules.read()
    if host not in LOOPBACK and not rules.asks:
        raise RunningError(needed(host))
    secrets = [Path(rules.keys_file)] if rules.keys_file else []
    for path in secrets:
        holders(path)
    if rules.provider and rules.provider.secret():
        secrets.append(Path(rules.provider.secret_file))
    return list(filter(None, map(check_secret, secrets)))
