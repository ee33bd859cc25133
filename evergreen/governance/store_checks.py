"""Whether lake, registry and locks can be used, and by how many machines: `evergreen doctor --stores`."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from uuid import uuid4

from evergreen import shared_locks
from evergreen.addresses import without_secrets
from evergreen.errors import BusyError, EvergreenError
from evergreen.lake import conditional_writes, stored_files
from evergreen.lake.connection import explained
from evergreen.registry.client import server_version
from evergreen.registry.mlflow_registry import MlflowRegistry
from evergreen.settings import Settings

_FEW = 5  # connections that a database should have left


@dataclass
class StoreCheck:
    """What was found of one store.

    Attributes
    ----------
    store : str
    address : str
        Without passwords.
    found : list of str
        What it is and does, a phrase each.
    problems : list of str
        Why it cannot be relied on, and what to do; a sentence each.
    """

    store: str
    address: str
    found: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def examine(settings: Settings, rounds: int = conditional_writes.ROUNDS) -> Iterator[StoreCheck]:
    """Use each store once, one after the other, and remove what was written.

    Parameters
    ----------
    settings : Settings
    rounds : int
        How often writers of the lake race each other.
    """
    artifacts = settings.artifacts or "where MLflow's server keeps them"
    yield checked("lake", settings.lake, partial(_lake, settings, rounds))
    yield checked("registry", settings.tracking_uri, partial(_registry, settings))
    yield checked("artifacts", artifacts, partial(_artifacts, settings))
    yield checked("locks", settings.locks or str(settings.home / "locks"), partial(_locks, settings))


def checked(store: str, address: str, use: Callable[[StoreCheck], None]) -> StoreCheck:
    """Use a store and add what is found; an error is a problem of it."""
    check = StoreCheck(store, without_secrets(address))
    try:
        use(check)
    except EvergreenError as error:
        check.problems.append(str(error))
    return check


def _lake(settings: Settings, rounds: int, check: StoreCheck) -> None:
    _write_and_read(settings.lake, "EVERGREEN_LAKE")
    check.found.append("written, read and removed a file")
    race = conditional_writes.race(settings.lake, rounds=rounds)
    if race.broken:
        check.problems.append(
            f"In {race.broken} of {race.rounds} rounds the store told more than one of {race.writers} writers that it "
            "had created the same file, so that rows of one would replace those of another. Take a store that honours "
            "If-None-Match."
        )
    elif race.fruitless:
        check.problems.append(
            f"In {race.fruitless} of {race.rounds} rounds none of {race.writers} writers could create a file that was "
            "not there. Check that the identity may write, and that the store takes conditional writes."
        )
    else:
        check.found.append(
            f"of {race.writers} writers of the same file one was let through, in each of {race.rounds} rounds, "
            f"within {race.seconds:.0f} s"
        )


def _registry(settings: Settings, check: StoreCheck) -> None:
    if settings.tracking_uri.startswith("http"):
        version = server_version(settings.tracking_uri)
        check.found.append(f"MLflow's server {version}, and {metadata.version('mlflow')} here")
    models = MlflowRegistry(settings.tracking_uri).serving_aliases()
    check.found.append(f"{len(models)} models have a champion")
    if settings.tracking_uri == settings.locks:
        _database(check, settings.tracking_uri)


def _artifacts(settings: Settings, check: StoreCheck) -> None:
    if not settings.artifacts:
        return
    _write_and_read(settings.artifacts, "EVERGREEN_ARTIFACTS")
    check.found.append("written, read and removed a file")
    if settings.locks and settings.artifacts.startswith("file:"):
        check.found.append("a folder: every machine must have it at this path, or set EVERGREEN_ARTIFACTS")


def _locks(settings: Settings, check: StoreCheck) -> None:
    if not settings.locks:
        check.found.append("files, for the processes of this machine; workers on several need EVERGREEN_LOCKS")
        return
    _database(check, settings.locks)
    name = f"doctor {uuid4().hex}"
    with shared_locks.shared_lock(settings.locks, name, ""):
        try:
            with shared_locks.shared_lock(settings.locks, name, ""):
                check.problems.append(
                    "Two connections hold the same lock, as behind a pooler that lets them share one of its own. Let "
                    "EVERGREEN_LOCKS name the database itself."
                )
        except BusyError:
            check.found.append("a lock that one connection holds is refused to another")


def _database(check: StoreCheck, address: str) -> None:
    server = shared_locks.server(address)
    check.found.append(f"PostgreSQL {server.version}, {server.used} of {server.connections} connections in use")
    if server.connections - server.used < _FEW:
        check.problems.append(
            f"Only {server.connections - server.used} connections are left. Raise max_connections, or end what holds "
            "them."
        )


def _write_and_read(folder: str, setting: str) -> None:
    """Write a file into a folder, read it, and remove it.

    Raises
    ------
    LakeError
        One of them failed.
    """
    store, root = stored_files.opened(folder, setting)
    path, text = f"{root}/_evergreen-{uuid4().hex}", json.dumps(folder).encode()
    with explained(f"use {without_secrets(folder)}"):
        try:
            store.makedirs(root, exist_ok=True)
            with store.open(path, "wb") as file:
                file.write(text)
            with store.open(path, "rb") as file:
                if file.read() != text:
                    raise OSError("what was read is not what was written")
        finally:
            with suppress(FileNotFoundError):
                store.rm(path)
