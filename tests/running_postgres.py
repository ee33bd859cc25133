"""A real server of Postgres for tests, from the binaries of the machine."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy

from tests.running_system import free_port, until

_SERVER = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True)), None)


@contextmanager
def running(user: str, *settings: str, password: str = "", port: int = 0, standby: bool = False) -> Iterator[str]:
    """The URL of a server and its first database, until the end of the block; the test is skipped where it has none.

    Parameters
    ----------
    user : str
        Of the database.
    *settings
        Of the server, such as ``timezone=UTC``.
    password : str, optional
        Without one, every connection from this machine is accepted.
    port : int, optional
    standby : bool
        Whether it is a replica, which can only be read.
    """
    account, port = _account(), port or free_port()
    if _SERVER is None or account is None:
        pytest.skip("the binaries of Postgres are not here")
    folder = Path(tempfile.mkdtemp(prefix="evergreen-postgres-"))  # that its account can reach
    (folder / "password").write_text(password)
    for path in (folder, folder / "password"):
        os.chown(path, account, -1)
    quiet = {"user": account, "cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    lets_in = ["-A", "scram-sha-256", "--pwfile", folder / "password"] if password else ["-A", "trust"]
    subprocess.run(
        [_SERVER.parent / "initdb", "-D", folder / "data", "-U", user, "-E", "UTF8", *lets_in], check=True, **quiet
    )
    if standby:
        (folder / "data" / "standby.signal").touch()
    options = [word for setting in ("fsync=off", "listen_addresses=127.0.0.1", *settings) for word in ("-c", setting)]
    server = subprocess.Popen([_SERVER, "-D", folder / "data", "-p", str(port), "-k", folder, *options], **quiet)
    url = f"postgresql+psycopg://{user}{f':{password}' if password else ''}@127.0.0.1:{port}/postgres"
    try:
        until(lambda: _answers(url), "Postgres", 60)
        yield url
    finally:
        server.send_signal(signal.SIGINT)  # a fast shutdown: sessions that a pool keeps open are ended
        server.wait(timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


def _account() -> int | None:
    """The account that the server runs under, which root may not be; None where there is none."""
    try:
        return pwd.getpwnam("postgres").pw_uid if os.geteuid() == 0 else os.geteuid()
    except KeyError:
        return None


def _answers(url: str) -> bool:
    try:
        with sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool).connect():
            return True
    except sqlalchemy.exc.OperationalError:
        return False


def execute(url: str, *statements: str) -> None:
    """Execute statements one by one, each on its own, as those that make a database need it."""
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
