"""Thresholds: their formulas, by scipy's distributions, and the windows that a reference must hold."""

import math
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2
from scipy.stats import t as student

from evergreen import Monitoring
from evergreen.drift.bins import Bins
from evergreen.drift.profile import Column
from evergreen.drift.thresholds import Threshold, calibrate, comparable, level

ROWS = st.integers(1, 10**6)


@given(ROWS, ROWS, st.floats(0, 0.1), st.floats(3, 50), st.floats(1e-6, 0.1), st.integers(1, 20))
def test_a_threshold_is_the_distance_by_chance_and_the_prediction_limit_of_movement(
    rows, others, movement, windows, chance, degrees
):
    by_chance = chi2.isf(chance, degrees) * (1 / rows + 1 / others) / 8 / math.log(2)
    moved = student.isf(chance / 2, windows) * movement * math.sqrt(1 + 1 / windows)
    threshold = Threshold(movement, windows, chance, degrees).at(rows, others)
    assert threshold == pytest.approx(math.hypot(math.sqrt(by_chance), moved))


@pytest.mark.parametrize(
    ("movement", "rows", "others"),
    [(0.01, 0, 100), (0.01, 100, 0), (math.inf, 100, 100)],
    ids=["no rows", "no reference", "not calibrated"],
)
def test_what_cannot_be_compared_never_drifts(movement, rows, others):
    assert Threshold(movement, 7.0, 0.01, 3).at(rows, others) == math.inf


def test_a_column_of_one_bin_has_the_threshold_of_two():
    assert Threshold(0.0, 7.0, 0.01, 0).at(100, 100) == Threshold(0.0, 7.0, 0.01, 1).at(100, 100)


@pytest.mark.parametrize("columns", [1, 2, 20])
@pytest.mark.parametrize(("unit", "a_year"), [(timedelta(days=1), 365), (timedelta(days=7), 365 / 7)])
def test_all_checks_of_a_year_raise_as_many_false_alarms_as_are_allowed(columns, unit, a_year):
    chance = level(Monitoring(unit=unit, window=unit, false_alarms=2.0), columns)
    assert a_year * (1 - (1 - chance) ** columns) == pytest.approx(2.0)


def test_at_most_every_second_check_is_a_false_alarm():
    often = Monitoring(unit="7d", window="7d", false_alarms=36.5)
    assert (level(often, 1), level(often, 0)) == (0.5, 0.5)


def column(counts):
    counts = np.array(counts)
    bins = Bins("category", categories=tuple("abcdefgh"[: counts.shape[1] - 2]))
    return Column(bins, counts, np.full((len(counts), 4), np.nan))


def test_movement_is_how_far_windows_lie_from_the_rest_beyond_chance():
    """Fifteen days, the sixth of them without rows; windows of three days, by hand."""
    counts = np.random.default_rng(0).multinomial(200, [0.7, 0.3, 0.0], size=15) + np.arange(15)[:, None] * [9, 0, 0]
    counts[3] = [0, 0, 1]  # a day of a single row, the only one of its category
    stored = np.column_stack([counts, np.zeros((15, 2), dtype=int)])
    stored[5] = [0, 0, 0, 0, 77]  # only missing values
    found = calibrate({"c": column(stored)}, Monitoring(window="3d", unit="1d"))["c"]
    known = np.delete(counts, 5, axis=0)
    distances, chances = [], []
    for first in range(len(known) - 2):
        inside = known[first : first + 3].sum(axis=0)
        outside = known.sum(axis=0) - inside
        distances.append(jensenshannon(outside, inside, base=2) ** 2)
        chances.append(2 * (1 / inside.sum() + 1 / outside.sum()) / 8 / math.log(2))
    chance, windows = np.mean(chances), 14 / 3
    expected = np.mean(distances) - chance + chance * math.sqrt(2 / 2 / windows)
    assert found.movement == pytest.approx(math.sqrt(expected))
    assert (found.windows, found.degrees) == (pytest.approx(windows), 2)


@pytest.mark.parametrize(("days", "calibrated"), [(8, False), (9, True)])
def test_a_reference_holds_at_least_three_windows(days, calibrated):
    found = calibrate({"c": column([[50, 50, 0, 0]] * days)}, Monitoring(window="3d", unit="1d"))["c"]
    assert math.isfinite(found.movement) is calibrated
    assert (found.windows, found.degrees, found.level) == (days / 3, 1, level(Monitoring(window="3d", unit="1d"), 1))


@pytest.mark.parametrize(
    ("edges", "counts", "expected"),
    [
        ((0.0, 1.0, 2.0, 3.0), [1, 2, 3, 4, 5, 9], [3, 3, 9]),
        ((0.0, 1.0, 2.0), [1, 5, 6, 2, 9], [6, 8]),
        ((0.0, 1.0), [1, 5, 2, 9], [1, 5, 2]),
        ((), [5, 9], [5]),
    ],
    ids=["three bins", "two bins", "a constant", "no values"],
)
def test_a_number_out_of_range_counts_in_the_nearest_bin_and_a_missing_one_nowhere(edges, counts, expected):
    stored = Column(Bins("number", edges=edges), np.array([counts]), np.zeros((1, 4)))
    assert comparable(stored).tolist() == [expected]
    assert stored.counts.tolist() == [counts]  # as it was
