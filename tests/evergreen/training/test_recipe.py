"""Recipes: alike fingerprints for trainings that would come out alike; bounds and lineage that come back."""

from dataclasses import replace

import pandas as pd
import pytest

from evergreen import Training, provenance
from evergreen.definition import loader
from evergreen.errors import NotEnoughDataError
from evergreen.governance import learnt_rows
from evergreen.lake.lake import INGEST
from evergreen.registry.version import Version, stored
from evergreen.reports.data_page import training_pages
from evergreen.settings import secret
from evergreen.stores import Stores
from evergreen.training import fitting, recipe
from evergreen.training.snapshot import Snapshot

START = pd.Timestamp("2013-01-01", tz="UTC")
DAY = pd.Timedelta(days=1)
NOW = START + 20 * DAY


@pytest.fixture
def model_file(tmp_path, monkeypatch):
    """The file that the fingerprint is of."""
    monkeypatch.setenv("EVERGREEN_MODELS", str(tmp_path))
    path = tmp_path / "toy.py"
    path.write_text("# as it was\n")
    return path


@pytest.fixture
def snapshot(toy, rows, model_file):
    """Twenty days of rows, all labels known."""

    def made(**training):
        lake, model = Stores.open().lake, toy(training=Training(**{"holdout": "5d", "window": "10d"} | training))
        lake.land(model, rows(20), "b", START, app=INGEST, mark=NOW)
        return Snapshot.pin(lake, model, NOW)

    return made


@pytest.fixture
def planned(snapshot):
    return recipe.plan(snapshot().model, snapshot(), "demand")


def test_the_newest_labelled_rows_are_held_out_and_the_window_lies_before_them(planned):
    end = NOW - pd.Timedelta(hours=1) + pd.Timedelta(1, "us")
    bounds = planned.split
    assert (bounds.holdout_until, bounds.holdout_from) == (end, end - 5 * DAY)
    assert (bounds.train_until, bounds.train_from) == (end - 5 * DAY, end - 15 * DAY)


def test_a_holdout_longer_than_the_data_leaves_no_row_and_says_so(snapshot):
    pinned = snapshot(holdout="60d")
    bounds = recipe.plan(pinned.model, pinned, "demand").split
    with pytest.raises(NotEnoughDataError, match="toy: 0 labelled rows in the training window, at least 100"):
        fitting.fit(pinned.model, pinned.labelled(bounds.train_from, bounds.train_until))


def later(planned):
    return replace(planned, split=replace(planned.split, train_until=planned.split.train_until + DAY))


def another_file(planned):
    loader.path_of("toy").write_text("# as it is now\n")
    return planned


@pytest.mark.parametrize(
    ("change", "alike"),
    [
        (lambda planned: replace(planned, reason="drift"), True),
        (lambda planned: replace(planned, snapshot=replace(planned.snapshot, as_of=NOW + DAY)), True),
        (lambda planned: replace(planned, snapshot=replace(planned.snapshot, version=7)), False),
        (lambda planned: replace(planned, refit_of="3"), False),
        (later, False),
        (another_file, False),
    ],
    ids=["another reason", "asked later", "another table version", "a refit", "other rows", "another model file"],
)
def test_the_fingerprint_is_of_what_a_training_comes_out_as(planned, change, alike):
    before = planned.fingerprint
    assert (change(planned).fingerprint == before) == alike


@pytest.mark.parametrize("window", ["10d", None])
def test_where_a_column_tells_when_labels_became_known_more_labels_are_another_training(toy, rows, model_file, window):
    model = toy(label_time="told", training=Training(holdout="5d", window=window))
    given = rows(20).assign(told=lambda rows: rows["at"])
    given.loc[440, "told"] = NOW + DAY  # in the holdout, and not the newest
    lake = Stores.open().lake
    lake.land(model, given, "b", START, app=INGEST, mark=NOW)
    before, same, later = (
        recipe.plan(model, Snapshot.pin(lake, model, as_of), "demand") for as_of in (NOW, NOW + DAY / 2, NOW + DAY)
    )
    assert before.split == same.split == later.split
    assert before.fingerprint == same.fingerprint != later.fingerprint


def test_another_lock_is_another_training(planned, monkeypatch):
    before = planned.fingerprint
    monkeypatch.setattr(provenance, "lock_hash", lambda: "other")
    assert planned.fingerprint != before


def rows_of(planned):
    return planned.snapshot.training(planned.split)


def as_version(made, number="1"):
    return Version("toy", number, "r", "s", stored(made.tags))


@pytest.fixture
def refit(planned):
    """A refit, which is recorded without a page of the data."""
    judged = as_version(replace(planned, refit_of="0").record(rows_of(planned), {}))
    return recipe.plan_refit(judged, planned.snapshot)


def test_what_is_recorded_leads_back_to_the_data_and_the_code(planned, model_file):
    rows = rows_of(planned)
    recorded = replace(planned, refit_of="3").record(rows, {"depth": 3}, (0.1, 0.02))
    facts = {"reason": "demand", "as_of": NOW.isoformat(), "table_version": "0", "rows": "240", "refit_of": "3"}
    facts |= {
        "data_hash": provenance.data_hash(rows),
        "lock": provenance.lock_hash(),
        "disagreement": "0.1",
        "learnt": "0.02",
    }
    facts |= {
        "model_file": loader.fingerprint("toy"),
        "commit": provenance.commit(model_file)[0],
        "dirty": str(provenance.commit(model_file)[1]),
        **provenance.environment(),
    }
    tags = stored(recorded.tags)
    assert facts.items() <= tags.items()
    assert all(isinstance(text, str) for text in tags.values())
    plan = {"window": "10 days, 0:00:00", "holdout": "5 days, 0:00:00", "half_life": "None", "min_rows": "100"}
    assert recorded.params == {"seed": 0, **plan, "refit": "True", "refit_tolerance": "0.1", "depth": 3}
    assert (recorded.dataset["digest"], recorded.dataset["uri"]) == (
        recorded.tags["data_hash"],
        Stores.open().lake.uri("toy"),
    )
    assert recorded.title == "toy · refit · 2013-01-21"
    pages = training_pages(planned.definition, rows, judged=False)
    assert pages.keys() == {"model_file.py", "learnt_rows.txt"}
    assert pages["model_file.py"] == "# as it was\n"
    assert learnt_rows.holds(pages["learnt_rows.txt"], [rows["id"].iloc[0]], secret())


def test_a_training_that_is_no_refit_keeps_a_page_of_its_rows(planned):
    rows = rows_of(planned)
    assert planned.record(rows, {}).title == "toy · demand · 2013-01-21"
    assert "toy: training rows" in training_pages(planned.definition, rows)["data.html"]


@pytest.mark.parametrize("window", ["10d", None])
def test_bounds_come_back_from_the_tags_to_the_microsecond(snapshot, window):
    planned = replace(recipe.plan(snapshot().model, snapshot(window=window), "demand"), refit_of="0")
    assert recipe.split_of(as_version(planned.record(rows_of(planned), {}))) == planned.split


def test_it_is_told_what_was_really_fitted_whatever_was_planned(planned):
    rows = planned.snapshot.labelled(None, NOW)
    version = as_version(replace(planned, refit_of="0").record(rows, {}))
    assert recipe.split_of(version) == planned.split
    assert recipe.trained_until(version) == rows["at"].max() + pd.Timedelta(1, "us")
    del version.tags["data_until"]  # as it was recorded before
    assert recipe.trained_until(version) == planned.split.train_until


def test_arguments_come_back_from_the_tags(planned):
    params = {"depth": 3, "rate": 0.1, "kind": "fast", "none": None}
    assert as_version(replace(planned, refit_of="0").record(rows_of(planned), params)).params == params


def test_a_refit_takes_the_same_length_up_to_the_end_of_the_holdout(planned, refit):
    assert refit.refit_of == "1"
    assert refit.reason == "demand"
    assert refit.split.train_until == planned.split.holdout_until
    assert refit.split.train_until - refit.split.train_from == 10 * DAY
    assert rows_of(refit)["at"].max() == NOW - pd.Timedelta(hours=1)


def test_a_training_that_was_made_before_is_found_again_and_no_other(registry, record, toy, planned, refit):
    known = record(toy(), fingerprint=planned.fingerprint)
    assert recipe.find(registry, planned) == known
    assert recipe.find(registry, refit) is None


@pytest.mark.parametrize(
    ("told", "refitted"),
    [
        ({"disagreement": "0.0"}, True),
        ({"disagreement": "0.2"}, True),
        ({"disagreement": "0.21"}, False),
        ({"disagreement": "nan"}, False),
        ({"disagreement": "inf"}, False),
        ({"disagreement": "0.3", "learnt": "0.01"}, True),
        ({"disagreement": "0.3", "learnt": "0.0"}, False),
        ({"disagreement": "0.3", "learnt": "-0.01"}, False),
        ({"disagreement": "0.3", "learnt": "nan"}, False),
    ],
)
def test_a_refit_is_preferred_if_it_agrees_with_what_was_judged_or_has_learnt(toy, told, refitted):
    judged, again = Version("toy", "1", "r", "s"), Version("toy", "2", "r", "s", told)
    chosen = recipe.preferred(toy(training=Training(refit_tolerance=0.2)), judged, again)
    assert chosen == (again if refitted else judged)


def test_params_that_json_does_not_know_are_kept_as_text(planned):
    recorded = replace(planned, refit_of="0").record(rows_of(planned), {"since": NOW})
    assert as_version(recorded).params == {"since": str(NOW)}
