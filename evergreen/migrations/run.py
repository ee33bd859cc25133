"""Migrating: what is pending, and doing it step by step; a run that was killed is run again and goes on."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pandas as pd

from evergreen.errors import LakeFormatError
from evergreen.lake import audit_log, state_format
from evergreen.lake.state_format import WRITES, StateFormat
from evergreen.locks import file_lock, model_lock
from evergreen.migrations import model_digests
from evergreen.migrations.migration import Change, Migration
from evergreen.settings import Settings
from evergreen.stores import Stores

MIGRATIONS: Sequence[Migration] = (model_digests.MIGRATION,)  # in the order of their formats, without a gap
_BUSY = "Another migration of this home is going on. Let it finish."


@dataclass(frozen=True)
class Step:
    """A migration that is pending, or was done, with what it changes."""

    migration: Migration
    changes: list[Change] = field(default_factory=list)


def pending(settings: Settings) -> list[Step]:
    """What `migrate` would do; nothing is changed. What a migration after the first one finds may differ then.

    Raises
    ------
    LakeFormatError
        The state is of a newer release, or none of this release's migrations begins with its format.
    """
    due = _due(settings)
    if not due:
        return []
    stores, models = Stores.of(settings), state_format.models(settings.lake)
    return [Step(migration, list(migration.pending(stores, models))) for migration in due]


def migrate(settings: Settings, at: pd.Timestamp, by: str, doing: Callable[[str], object]) -> list[Step]:
    """Bring the state to the format that this release writes; every change is in the audit log of its model.

    Parameters
    ----------
    settings : Settings
    at : Timestamp
        Now.
    by : str
        Who does it.
    doing : callable
        Is told each step in words.

    Returns
    -------
    list of Step
        What was done.

    Raises
    ------
    BusyError
        Another migration of the home is going on, or an ingest, a training or a monitor of a model.
    LakeFormatError
        As `pending`.
    """
    with file_lock(settings.home / "locks" / "migrate.lock", _BUSY):
        return [_migrated(migration, settings, at, by, doing) for migration in _due(settings)]


def _migrated(
    migration: Migration, settings: Settings, at: pd.Timestamp, by: str, doing: Callable[[str], object]
) -> Step:
    lake, stores, done = settings.lake, Stores.of(settings), Step(migration)
    if not migration.alongside:
        state_format.write(lake, StateFormat(migration.to - 1, migration.to))
    for change in migration.pending(stores, state_format.models(lake)):
        doing(f"{change.model}, {change.where}: {change.what}")
        note = partial(_note, stores, migration, change, at, by)
        with ExitStack() as locks:
            for work in ("ingest", "train", "monitor"):
                locks.enter_context(model_lock(change.model, work))
            done.changes.append(replace(change, left=migration.apply(stores, change, note)))
    state_format.write(lake, StateFormat(migration.to, migration.opens_from))
    return done


def _note(
    stores: Stores, migration: Migration, change: Change, at: pd.Timestamp, by: str, detail: dict[str, Any]
) -> None:
    audit_log.write(stores.lake, change.model, "migration", f"format {migration.to}", at, by=by, detail=detail)


def _due(settings: Settings) -> list[Migration]:
    state_format.require(settings.lake, migrating=True)
    stored = state_format.current(settings.lake).format
    due = [migration for migration in MIGRATIONS if migration.to > stored]
    if due and due[0].to > stored + 1:
        raise LakeFormatError(
            f"The state in {settings.lake} is in format {stored}, and the migrations of this Evergreen begin with "
            f"format {due[0].to - 1}. Migrate it with an earlier release first, up to {WRITES - 1}."
        )
    return due
