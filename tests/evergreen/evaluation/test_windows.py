"""Comparisons of training windows: on which rows, of which models, and what is not compared twice."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from evergreen import Training
from evergreen.definition import loader
from evergreen.errors import TrainingError
from evergreen.evaluation import windows
from evergreen.lake.lake import INGEST
from evergreen.registry.version import Version, stored
from evergreen.stores import Stores
from evergreen.training import fitting, recipe, window
from evergreen.training.snapshot import Snapshot
from evergreen.training.window import WindowRecord

START = pd.Timestamp("2013-01-01", tz="UTC")
DAY = pd.Timedelta(days=1)


class Remembering:
    """A registry of what was fitted."""

    def __init__(self):
        self.fitted = {}

    def load(self, version):
        if version.number not in self.fitted:
            raise TrainingError("It is gone.")
        return self.fitted[version.number]


@pytest.fixture
def model(toy, tmp_path, monkeypatch):
    monkeypatch.setenv("EVERGREEN_MODELS", str(tmp_path))
    (tmp_path / "toy.py").write_text("# as it was\n")
    return toy(estimator=LinearRegression, training=Training(holdout="1d", window="auto", min_rows=50))


@pytest.fixture
def lake(model, rows):
    """Thirty days; the relation turns after the fifteenth."""
    table, lake = rows(30), Stores.open().lake
    turned = table[model.time] >= START + 15 * DAY
    table.loc[turned, model.target] *= -1
    lake.land(model, table, "b", START, app=INGEST, mark=START + 30 * DAY)
    return lake


@pytest.fixture
def train(model, lake):
    """Train at a day, as the task does, and return the version."""
    registry, versions = Remembering(), []

    def train(day):
        snapshot = Snapshot.pin(lake, model, START + day * DAY)
        added = windows.compared(snapshot, registry, versions)
        planned = recipe.plan(model, snapshot, "demand", [*window.recorded(model, versions), *added])
        split, number = planned.split, str(len(versions) + 1)
        registry.fitted[number] = fitting.fit(model, snapshot.training(split), {})
        bounds = {
            "train_from": split.train_from,
            "train_until": split.train_until,
            "holdout_from": split.holdout_from,
            "holdout_until": split.holdout_until,
        }
        tags = {"window_record": WindowRecord(added).dump(), "code_hash": loader.code_of("toy").digest} | bounds
        versions.insert(0, Version("toy", number, "", "", stored(tags)))
        return versions[0], added

    train.registry, train.versions = registry, versions
    return train


def at(comparison):
    return (pd.Timestamp(comparison.until) - START) / DAY


def test_before_the_first_training_all_windows_are_compared_on_the_block_before_its_holdout(train):
    version, added = train(12)
    assert [(one.used, one.other) for one in added] == [("all", "8d"), ("all", "4d")]
    assert {round(at(one), 1) for one in added} == {11.0}
    assert all(one.rows > 0 and math.isfinite(one.gain) and one.share == pytest.approx(1, abs=0.1) for one in added)
    assert pd.Timestamp(added[0].until) == version.holdout_from


def test_then_the_window_of_the_training_before_and_the_one_that_waits_on_all_rows_since_its_holdout_began(train):
    first, _ = train(12)
    version, added = train(16)
    assert {one.used for one in added} == {window.name_of(recipe.split_of(first).window)}
    assert all(one.other != one.used for one in added)
    assert {round(at(one), 1) for one in added} == {15.0}
    assert added[0].rows == pytest.approx(4 * train_rows(train), rel=0.2)
    assert pd.Timestamp(added[0].until) == version.holdout_from


def train_rows(train):
    """Rows of a day."""
    _, (first, *_) = train.versions, WindowRecord.of(train.versions[-1]).comparisons
    return first.rows


@pytest.mark.long
def test_after_a_turn_the_record_finds_a_shorter_window(train):
    chosen = [window.name_of(recipe.split_of(train(day)[0]).window) for day in range(12, 30, 2)]
    assert chosen[-1] in ("4d", "8d")


def test_the_same_training_again_compares_nothing_and_chooses_the_same(train, model, lake):
    version, _ = train(12)
    train(16)
    for day in (12, 16):
        snapshot = Snapshot.pin(lake, model, START + day * DAY)
        assert windows.compared(snapshot, train.registry, train.versions) == []
    planned = recipe.plan(
        model, Snapshot.pin(lake, model, START + 12 * DAY), "demand", window.recorded(model, train.versions[1:])
    )
    assert planned.split == recipe.split_of(version)


def test_what_cannot_be_loaded_any_more_is_recorded_as_not_compared(train):
    train(12)
    train.registry.fitted.clear()
    _, added = train(16)
    assert all(math.isnan(one.gain) and "could not be compared" in one.sentence for one in added)


def test_other_windows_hold_together_no_more_rows_than_the_one_before_them(train, model, lake):
    train(12)
    several = 0
    for day in np.arange(14, 28, 2.0):
        before = train.versions[0]
        _, added = train(float(day))
        several += len(added) > 1
        bounds, snapshot = recipe.split_of(before), Snapshot.pin(lake, model, START + day * DAY)
        lengths = {window.name_of(length): length for length in window.lengths(snapshot, bounds.train_until)}
        rows = [
            snapshot.count(bounds.reaching_back(length).train_from, bounds.train_until)
            for length in (bounds.window, *(lengths[one.other] for one in added))
        ]
        assert len(added) == 1 or sum(rows[1:]) <= rows[0]
    assert several


def test_other_code_begins_anew_and_a_fixed_window_compares_nothing(train, model, lake, tmp_path):
    train(12)
    snapshot = Snapshot.pin(lake, model, START + 16 * DAY)
    fixed = model.model_copy(update={"training": Training(holdout="1d", window="8d")})
    assert windows.compared(replace(snapshot, model=fixed), train.registry, train.versions) == []
    (tmp_path / "toy.py").write_text("# another\n")
    assert len(windows.compared(snapshot, train.registry, train.versions)) == 2


def test_comparisons_never_reach_into_the_holdout(train):
    for day in np.arange(12, 28, 1.5):
        version, added = train(float(day))
        assert all(pd.Timestamp(one.until) <= version.holdout_from for one in added)
