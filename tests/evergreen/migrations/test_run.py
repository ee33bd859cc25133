"""Migrating: in order, one model at a time, the record last; what is interrupted goes on."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from evergreen.errors import BusyError, LakeFormatError
from evergreen.lake import audit_log, state_format
from evergreen.lake.state_format import StateFormat
from evergreen.locks import file_lock, model_lock
from evergreen.migrations import run
from evergreen.migrations.migration import Change, Migration
from evergreen.settings import Settings
from evergreen.stores import Stores

NOW = pd.Timestamp("2013-03-01", tz="UTC")
MODELS = ("toy", "other")


class Rewriting:
    """A migration that renames a file of each model."""

    def __init__(self, lake: Path, to: int, *, alongside: bool = True, opens_from: int = 1) -> None:
        self.lake, self.to, self.seen, self.stop_at = lake, to, [], ""
        self.migration = Migration(to, f"To {to}", "tests", opens_from, alongside, self.pending, self.apply)

    def pending(self, stores, models) -> Iterator[Change]:
        return (Change(model, f"file {self.to}", "renamed") for model in models if not self.path(model).exists())

    def path(self, model: str) -> Path:
        return self.lake / model / f"file-{self.to}"

    def apply(self, stores, change, note) -> str:
        self.seen.append((change.model, state_format.recorded(str(self.lake))))
        note({"file": self.to})
        if change.model == self.stop_at:
            raise KeyboardInterrupt
        self.path(change.model).touch()
        return ""


@pytest.fixture
def settings(home: Path) -> Settings:
    """An installation of two models, in the first format."""
    found = Settings.read()
    for model in MODELS:
        audit_log.write(Stores.open().lake, model, "challenge", "1", NOW)
    (Path(found.lake) / state_format.NAME).unlink()
    return found


@pytest.fixture
def migrations(settings, monkeypatch):
    """Let this release be one with these migrations; what was opened is forgotten."""

    def be(*some: Rewriting, opens: int = 1) -> None:
        monkeypatch.setattr(run, "MIGRATIONS", [each.migration for each in some])
        monkeypatch.setattr(state_format, "WRITES", some[-1].to)
        monkeypatch.setattr(state_format, "OPENS", opens)
        monkeypatch.setattr(state_format, "_opened", set())

    return be


def migrated(settings: Settings) -> list[run.Step]:
    return run.migrate(settings, NOW, "a person", lambda step: None)


def lines(model: str) -> list[audit_log.Line]:
    return [line for line in audit_log.read(Stores.open().lake, model) if line.act == "migration"]


def test_the_migrations_of_this_release_lead_to_what_it_writes_without_a_gap():
    formats = [migration.to for migration in run.MIGRATIONS]
    assert formats == list(range(formats[0], state_format.WRITES + 1))
    assert run.MIGRATIONS[-1].opens_from == state_format.OPENED_FROM
    assert all(migration.opens_from <= migration.to for migration in run.MIGRATIONS)
    assert all(migration.title and migration.why for migration in run.MIGRATIONS)


def test_what_is_pending_is_told_and_then_done_in_order_with_a_line_for_each_model(settings, migrations):
    second, third = Rewriting(Path(settings.lake), 2), Rewriting(Path(settings.lake), 3, opens_from=3)
    migrations(second, third)
    told = run.pending(settings)
    assert [(step.migration.to, [change.model for change in step.changes]) for step in told] == [
        (2, ["other", "toy"]),
        (3, ["other", "toy"]),
    ]
    assert (second.seen, third.seen, state_format.recorded(settings.lake)) == ([], [], None)
    assert migrated(settings) == told
    assert state_format.recorded(settings.lake) == StateFormat(3, 3)
    assert [line.subject for line in lines("toy")] == ["format 2", "format 3"]
    assert {line.by for line in lines("toy")} == {"a person"}
    assert (run.pending(settings), migrated(settings)) == ([], [])
    assert len(lines("toy")) == 2


def test_a_new_lake_has_nothing_to_migrate(home):
    assert (run.pending(Settings.read()), migrated(Settings.read())) == ([], [])
    assert not (home / "lake").exists()


@pytest.mark.parametrize("stop_at", MODELS)
@pytest.mark.parametrize("alongside", [True, False])
def test_an_interrupted_migration_goes_on(settings, migrations, alongside, stop_at):
    second = Rewriting(Path(settings.lake), 2, alongside=alongside)
    migrations(second)
    second.stop_at = stop_at
    with pytest.raises(KeyboardInterrupt):
        migrated(settings)
    between = None if alongside else StateFormat(1, 2)
    assert {record for _, record in second.seen} == {between}
    assert state_format.recorded(settings.lake) == between
    migrations(second)
    if alongside:
        Stores.open()
    else:
        with pytest.raises(LakeFormatError, match="Run `evergreen migrate`"):
            Stores.open()
    second.stop_at = ""
    migrated(settings)
    assert state_format.recorded(settings.lake) == StateFormat(2, 1)
    assert all(second.path(model).exists() for model in MODELS)
    assert [len(lines(model)) for model in MODELS] == [1, 1]


def test_a_release_that_no_longer_opens_the_state_migrates_it(settings, migrations):
    second = Rewriting(Path(settings.lake), 2, opens_from=2)
    migrations(second, opens=2)
    with pytest.raises(LakeFormatError, match="opens formats 2 to 2"):
        Stores.open()
    migrated(settings)
    Stores.open()


def test_a_state_that_no_migration_begins_with_needs_the_release_between(settings, migrations):
    migrations(Rewriting(Path(settings.lake), 3), Rewriting(Path(settings.lake), 4))
    for work in (run.pending, migrated):
        with pytest.raises(
            LakeFormatError, match="in format 1, and the migrations of this Evergreen begin with format 2"
        ):
            work(settings)


def test_a_newer_state_is_not_migrated(settings, migrations):
    migrations(Rewriting(Path(settings.lake), 2))
    state_format.write(settings.lake, StateFormat(3, 3))
    for work in (run.pending, migrated):
        with pytest.raises(LakeFormatError, match="newer Evergreen"):
            work(settings)


def test_one_at_a_time_and_none_beside_work_on_the_model(settings, migrations):
    second = Rewriting(Path(settings.lake), 2)
    migrations(second)
    with file_lock(settings.home / "locks" / "migrate.lock", "test"), pytest.raises(BusyError, match="migration"):
        migrated(settings)
    with model_lock("toy", "train"), pytest.raises(BusyError, match="toy: another process already runs train"):
        migrated(settings)
    assert state_format.recorded(settings.lake) is None
    assert run.pending(settings)[0].changes == [Change("toy", "file 2", "renamed")]
    migrated(settings)
    assert [model for model, _ in second.seen] == ["other", "toy"]


def test_what_cannot_be_changed_is_told(settings, migrations):
    second = Rewriting(Path(settings.lake), 2)
    second.migration = replace(second.migration, apply=lambda stores, change, note: "version 3: the files are gone")
    migrations(second)
    (step,) = migrated(settings)
    assert [change.left for change in step.changes] == ["version 3: the files are gone"] * 2
