"""Locks that hold on every machine of an installation: advisory locks of one Postgres database.

They belong to a connection and end with it, so that a process that dies holds none. The server notices within half a
minute that a machine is cut off. A process that has lost its lock without knowing still moves no champion that another
one has moved since: that is compared at the write itself (`evergreen.lake.audit_log.write`).

Source: https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
"""

import hashlib
import os
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evergreen.errors import BusyError, LockError, translated

if TYPE_CHECKING:
    from psycopg import Connection

_PATIENCE = 10  # seconds, for the server to answer
# How the server notices that a client is gone without a word: in seconds, and a number of unanswered questions. A lock
# is held by an idle session, which the server may not end. Older servers do not have all of these settings.
_SESSION = """
    SELECT set_config(name, wanted, false) FROM pg_settings JOIN (VALUES
        ('tcp_keepalives_idle', '10'), ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '3'),
        ('idle_session_timeout', '0')
    ) AS given(name, wanted) USING (name)
"""
_NAME = 63  # bytes of an application's name that Postgres keeps
# Of a lock whose key has 64 bits, Postgres shows the upper and the lower half.
_HOLDER = """
    SELECT coalesce(nullif(activity.application_name, ''), 'process ' || locks.pid)
    FROM pg_locks AS locks LEFT JOIN pg_stat_activity AS activity USING (pid)
    WHERE locks.locktype = 'advisory' AND locks.objsubid = 1 AND locks.granted
      AND locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (locks.classid::bigint << 32 | locks.objid::bigint) = %s
"""

_SERVER = """
    SELECT current_setting('server_version'), (SELECT count(*) FROM pg_stat_activity WHERE datid IS NOT NULL),
           current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
"""


@contextmanager
def shared_lock(address: str, name: str, busy: str) -> Iterator[None]:
    """Hold a lock while working.

    Parameters
    ----------
    address : str
        Of the database, as SQLAlchemy or Postgres writes it: ``postgresql://user:password@host/name``.
    name : str
        Of the lock; those of one database are apart from those of another.
    busy : str
        What is said where another process holds it.

    Raises
    ------
    BusyError
        Another process, here or on another machine, holds it.
    LockError
        The database does not answer, or is a read-only replica.
    """
    with connected(address) as connection:
        with _explained(address):
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", [_key(name)]).fetchone()
            who = "" if row and row[0] else _holder(connection, name)
        if not (row and row[0]):
            raise BusyError(f"{busy} It is {who}." if who else busy)
        yield


def holder(address: str, name: str) -> str:
    """Who holds a lock, as the database knows it; empty where nobody does."""
    with connected(address) as connection, _explained(address):
        return _holder(connection, name)


@contextmanager
def connected(address: str) -> "Iterator[Connection]":
    """A connection to the primary server, for one thread at a time; what it holds ends with the block.

    Raises
    ------
    LockError
        The package is not installed, or the server does not answer or is a replica.
    """
    with closing(_opened(address)) as connection:
        yield connection


@dataclass(frozen=True)
class Server:
    """A server of Postgres.

    Attributes
    ----------
    version : str
    used, connections : int
        How many connections there are, and may be.
    """

    version: str
    used: int
    connections: int


def server(address: str) -> Server:
    """Ask a server what it is.

    Raises
    ------
    LockError
        As `connected`.
    """
    with connected(address) as connection, _explained(address):
        row = connection.execute(_SERVER).fetchone()
    assert row is not None
    return Server(str(row[0]).split()[0], int(row[1]), int(row[2]))


def _opened(address: str) -> "Connection":
    try:
        import psycopg
    except ImportError as error:
        raise LockError(
            f"The locks of this installation are kept at {address}, and the package that asks it is not installed. "
            "Install evergreen[postgres], or set EVERGREEN_LOCKS=files where one machine is all there is."
        ) from error
    scheme, separator, place = address.partition("://")
    if not separator or not scheme.startswith("postgres"):
        raise LockError(f"EVERGREEN_LOCKS is {address!r}, and has to be postgresql://USER@HOST/DATABASE.")
    with _explained(address):  # SQLAlchemy names the driver in the scheme
        connection = psycopg.connect(
            f"postgresql://{place}", connect_timeout=_PATIENCE, autocommit=True, application_name=_me()
        )
        try:
            connection.execute(_SESSION)
            replica = connection.execute("SELECT pg_is_in_recovery()").fetchone()
            if replica and replica[0]:
                raise LockError(
                    f"{address} is a read-only replica, whose locks hold for nobody else. Name the primary server in "
                    "EVERGREEN_LOCKS."
                )
        except BaseException:
            connection.close()
            raise
    return connection


def _explained(address: str) -> AbstractContextManager[None]:
    import psycopg

    failed = f"The locks of this installation are kept at {address}, which cannot be asked: {{reason}}. "
    return translated(LockError, f"{failed}Start it, or check EVERGREEN_LOCKS.", psycopg.Error)


def _holder(connection: "Connection", name: str) -> str:
    row = connection.execute(_HOLDER, [_key(name)]).fetchone()
    return str(row[0]) if row else ""


def _key(name: str) -> int:
    """The key of a lock: 64 bits with a sign, as Postgres has them."""
    return int.from_bytes(hashlib.sha256(f"evergreen {name}".encode()).digest()[:8], signed=True)


def _me() -> str:
    """The name by which others are told of this process."""
    return f"process {os.getpid()} on {socket.gethostname()}"[:_NAME]
