"""The training window that a record chooses: which window is taken, which one is compared, and what counts."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen import Policy, Training
from evergreen.definition import loader
from evergreen.errors import NotEnoughDataError, TrainingError
from evergreen.lake.lake import INGEST
from evergreen.registry.version import Version, stored
from evergreen.stores import Stores
from evergreen.training import recipe, window
from evergreen.training.snapshot import Snapshot
from evergreen.training.window import WindowComparison, WindowRecord, effects

START = pd.Timestamp("2013-01-01", tz="UTC")
DAY = pd.Timedelta(days=1)
NAMES = ["all", "16d", "8d", "4d"]


@pytest.fixture
def snapshot(toy, rows, tmp_path, monkeypatch):
    """Twenty days of rows, all labels known, of a model with a holdout of a day."""
    monkeypatch.setenv("EVERGREEN_MODELS", str(tmp_path))
    (tmp_path / "toy.py").write_text("# as it was\n")
    lake, model = Stores.open().lake, toy(training=Training(holdout="1d", window="auto", min_rows=50))
    lake.land(model, rows(20), "b", START, app=INGEST, mark=START + 20 * DAY)
    return Snapshot.pin(lake, model, START + 20 * DAY)


def comparison(used, other, gain, days, **values):
    """A comparison on rows until so many days after the start."""
    until = (START + days * DAY).isoformat()
    return replace(WindowComparison(used, other, gain, gain - 0.02, gain + 0.02, 50, until), **values)


def trained(*comparisons, **values):
    """A version whose training made these comparisons."""
    tags = {"window_record": WindowRecord(list(comparisons)).dump(), "code_hash": loader.code_of("toy").digest}
    return Version("toy", "1", "", "", stored(tags | values))


def chosen(snapshot, *comparisons):
    return window.name_of(recipe.plan(snapshot.model, snapshot, "demand", comparisons).split.window)


def test_without_a_record_it_is_all_history(snapshot):
    assert chosen(snapshot) == "all"


def test_the_window_that_did_best_is_chosen(snapshot):
    first, second = comparison("all", "16d", 0.02, 10), comparison("all", "8d", -0.1, 11)
    assert chosen(snapshot, first) == "all"
    assert chosen(snapshot, first, second) == "8d"
    assert chosen(snapshot, first, second, comparison("8d", "4d", -0.2, 12)) == "4d"


@pytest.mark.parametrize(
    "known",
    [
        {"days": 19.5},  # on rows of the holdout
        {"gain": math.nan},  # one of the windows could not be fitted
        {"share": 0.001},  # on hardly any rows
    ],
    ids=str,
)
def test_what_does_not_count(snapshot, known):
    clear = {"used": "all", "other": "8d", "gain": -0.5, "days": 10}
    assert chosen(snapshot, comparison(**clear)) == "8d"
    assert chosen(snapshot, comparison("all", "8d", 0.1, 9), comparison(**clear | known)) == "all"


@pytest.mark.parametrize("values", [{"code_hash": "another"}, {"window_record": ""}], ids=str)
def test_versions_of_other_code_and_without_a_record_add_nothing(snapshot, values):
    added = comparison("all", "8d", -0.5, 10)
    assert window.recorded(snapshot.model, [trained(added)]) == [added]
    assert window.recorded(snapshot.model, [trained(added, **values)]) == []


def test_the_record_is_in_the_order_of_its_rows(snapshot):
    old, new = comparison("all", "8d", -0.5, 10), comparison("all", "16d", -0.5, 11)
    assert window.recorded(snapshot.model, [trained(new), trained(old)]) == [old, new]


def test_windows_wait_for_their_turn():
    record = [comparison("all", "16d", math.nan, 9), comparison("all", "8d", 0.1, 10)]
    assert window.waiting(["16d", "8d", "4d"], record) == ["4d", "16d", "8d"]


@pytest.mark.parametrize(
    ("gains", "wide", "used"),
    [
        ([-0.05], 0.01, "8d"),
        ([-0.05], 0.30, "all"),  # within the error of the comparison
        ([-0.05, 0.03, -0.05], 0.01, "all"),  # they contradict each other
        ([-0.05, -0.04, -0.06], 0.01, "8d"),
        ([-0.001], 0.01, "all"),
    ],
)
def test_a_shorter_window_is_used_only_if_it_is_ahead_by_more_than_the_standard_error(snapshot, gains, wide, used):
    record = [
        comparison("all", "8d", gain, 10 + place, low=gain - wide, high=gain + wide) for place, gain in enumerate(gains)
    ]
    assert chosen(snapshot, *record) == used


def test_a_window_without_enough_rows_is_not_compared(snapshot):
    model = snapshot.model.model_copy(update={"training": snapshot.model.training.model_copy(update={"min_rows": 150})})
    few = replace(snapshot, model=model)
    assert window.lengths(few, START + 19 * DAY)[-1] == 8 * DAY


@pytest.mark.parametrize(
    ("holdout", "every", "shorter"),
    [
        ("1d", None, [16, 8, 4]),
        ("1d", "0d", [16, 8, 4]),
        ("1d", "7d", [16, 8, 4]),  # no window is longer because trainings are rare
        ("3d", "1d", [16, 8, 4]),  # nor because a verdict needs many rows
        ("3d", None, [12]),
    ],
)
def test_windows_follow_the_cadence_of_the_trainings_not_a_longer_holdout(snapshot, holdout, every, shorter):
    training = Training(holdout=holdout, window="auto", min_rows=50)
    model = snapshot.model.model_copy(update={"training": training, "policy": Policy(every=every)})
    lengths = window.lengths(replace(snapshot, model=model), START + 17 * DAY)
    assert lengths == [None, *(days * DAY for days in shorter)]
    assert [window.place(model, length) for length in lengths] == [0, *range(len(shorter), 0, -1)]
    old = comparison("all", "8d", -0.1, 10)
    week = window.unit(model) * 7
    assert window.weight(model, old, START + 10 * DAY + week) == pytest.approx(0.95**7)


def test_what_cannot_be_fitted_is_trained_on_the_next_longer_window(snapshot):
    planned = recipe.plan(snapshot.model, snapshot, "demand", [comparison("all", "4d", -0.5, 10)])
    used = []
    while planned is not None:
        used.append(window.name_of(planned.split.window))
        before, planned = planned, recipe.longer(planned)
    assert used == ["4d", "8d", "16d", "all"]
    noted = window.unfitted(planned_of(snapshot, "8d"), before.split)
    assert noted.sentence == "all rows; the newest 8d could not be compared"
    fixed = snapshot.model.model_copy(update={"training": Training(holdout="1d", window="8d")})
    assert recipe.longer(recipe.plan(fixed, replace(snapshot, model=fixed), "demand")) is None


def test_too_little_memory_is_no_reason_for_a_longer_window(snapshot):
    planned = recipe.plan(snapshot.model, snapshot, "demand", [comparison("all", "4d", -0.5, 10)])

    def few(plan):
        if plan.split.window is not None and plan.split.window < 10 * DAY:
            raise NotEnoughDataError("one class")
        return "fitted"

    used, fitted, failed = recipe.first_fitted(planned, few)
    assert (window.name_of(used.split.window), fitted) == ("16d", "fitted")
    assert [(pair.used, pair.other) for pair in failed] == [("8d", "4d"), ("16d", "8d")]

    def large(_):
        try:
            raise MemoryError
        except MemoryError:
            raise TrainingError("MemoryError") from None

    with pytest.raises(TrainingError, match="MemoryError"):
        recipe.first_fitted(planned, large)


def planned_of(snapshot, name):
    return recipe.plan(snapshot.model, snapshot, "demand", [comparison("all", name, -0.5, 10)]).split


def test_old_comparisons_count_less(snapshot):
    assert chosen(snapshot, comparison("all", "8d", -0.10, 2), comparison("all", "8d", 0.09, 18)) == "all"


def measured(pairs):
    return [WindowComparison(used, other, gain, gain - 0.1, gain + 0.1, 9, "") for used, other, gain in pairs]


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.floats(-0.2, 0.2)), max_size=20))
def test_the_effects_are_finite_and_balanced_whatever_is_recorded(recorded):
    pairs = measured(pair for pair in recorded if pair[0] != pair[1])
    found = effects(NAMES, pairs, [1.0] * len(pairs))
    assert list(found.values) == NAMES
    assert all(math.isfinite(effect) for effect in found.values.values())
    assert math.isclose(sum(found.values.values()), 0.0, abs_tol=1e-9)
    assert np.linalg.eigvalsh(found.covariance).min() >= -1e-12
    assert found.chosen(NAMES) in NAMES


@given(st.permutations([0.3, 0.1, 0.0, -0.2]), st.integers(0, 100))
def test_the_best_window_is_found_from_enough_comparisons(truth, seed):
    random, known = np.random.default_rng(seed), dict(zip(NAMES, truth, strict=True))
    pairs = [tuple(map(str, random.choice(NAMES, 2, replace=False))) for _ in range(60)]
    compared = measured((used, other, known[used] - known[other] + random.normal(0, 0.1)) for used, other in pairs)
    found = effects(NAMES, compared, [1.0] * len(compared))
    assert found.chosen(NAMES) == max(known, key=known.__getitem__)


def test_places_are_those_of_the_lengths(snapshot):
    lengths = window.lengths(snapshot, START + 19 * DAY)
    assert [window.name_of(length) for length in lengths] == NAMES
    assert [window.place(snapshot.model, length) for length in lengths] == [0, 3, 2, 1]


def test_a_module_that_the_model_file_imports_is_part_of_what_the_record_is_of(snapshot, tmp_path):
    (tmp_path / "toy.py").write_text("from lib import inner\n")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "inner.py").write_text("x = 1\n")
    known = [trained(comparison("all", "8d", -0.5, 10))]
    assert window.recorded(snapshot.model, known)
    (tmp_path / "lib" / "inner.py").write_text("x = 2\n")
    assert window.recorded(snapshot.model, known) == []
