"""Drift: the measures' exact answers, thresholds that neither cry wolf nor sleep, data quality apart."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, wasserstein_distance

from evergreen import Monitoring
from evergreen.drift import bins as binning
from evergreen.drift import columns as drift_columns
from evergreen.drift import data_quality, profile
from evergreen.drift import thresholds as drift_thresholds
from evergreen.drift.bins import Bins
from evergreen.drift.columns import Measures, judge
from evergreen.drift.distances import jensen_shannon, psi, wasserstein
from evergreen.drift.profile import Column
from evergreen.drift.thresholds import Threshold

COUNTS = st.lists(st.integers(0, 1000), min_size=3, max_size=3).filter(any)
INNER = norm.ppf(np.linspace(0, 1, 11)[1:-1])


def column(counts, bins=None):
    counts = np.atleast_2d(counts).astype(np.int64)
    names = tuple(str(place) for place in range(counts.shape[1] - 2))
    return Column(
        bins or Bins("category", categories=names), counts, np.tile([0.0, 0.0, np.nan, np.nan], (len(counts), 1))
    )


@given(COUNTS, COUNTS)
def test_the_distances_are_symmetric_bounded_and_nought_for_alike(p, q):
    there, back = float(jensen_shannon(p, q)), float(jensen_shannon(q, p))
    assert there == pytest.approx(back)
    assert 0 <= there <= 1
    assert float(psi(p, q)) >= 0
    assert float(jensen_shannon(p, p)) == pytest.approx(0, abs=1e-7)
    assert float(psi(p, np.multiply(p, 1))) == pytest.approx(0, abs=1e-12)


@given(COUNTS, COUNTS, COUNTS)
def test_the_jensen_shannon_distance_keeps_to_the_triangle(p, q, r):
    assert float(jensen_shannon(p, r)) <= float(jensen_shannon(p, q)) + float(jensen_shannon(q, r)) + 1e-9


def test_of_no_rows_nothing_is_known():
    assert np.isnan(jensen_shannon([0, 0], [1, 2]))


@pytest.mark.parametrize("shift", [0.0, 0.25, 1.0, 2.0])
def test_the_earth_movers_distance_agrees_with_that_of_the_values_themselves(shift):
    random = np.random.default_rng(0)
    here, there = random.normal(size=20_000), random.normal(size=20_000) + shift
    bins = binning.bins_of(pd.Series(here), "number", most=40)
    counted = [profile.count(bins, values, np.zeros(len(values), int), 1) for values in (here, there)]
    exact = wasserstein_distance(here, there) / here.std()
    assert wasserstein(*counted) == pytest.approx(exact, abs=0.06 + 0.1 * shift)


def stream(seed, days, rows=2000, movement=0.2, memory=0.5, columns=6):
    """Days of numbers whose mean moves with the weather and with the week, as counts in ten bins."""
    random = np.random.default_rng(seed)
    columns_by_name = {}
    for name in range(columns):
        moved, moves = 0.0, []
        for _ in range(days + 30):
            moved = memory * moved + np.sqrt(1 - memory**2) * movement * (name % 3) / 2 * random.normal()
            moves.append(moved)
        mean = np.array(moves[30:]) + 0.3 * np.sin(2 * np.pi * (np.arange(days) % 7) / 7)
        below = norm.cdf(INNER[None, :] - mean[:, None])
        shares = np.diff(np.column_stack([np.zeros(days), below, np.ones(days)]), axis=1)
        counts = np.array([random.multinomial(rows, shares_of_day) for shares_of_day in shares])
        columns_by_name[f"c{name}"] = column(np.column_stack([counts, np.zeros(days), np.zeros(days)]))
    return columns_by_name


def cut(columns, low, high):
    return {
        name: Column(counted.bins, counted.counts[low:high], counted.moments[low:high])
        for name, counted in columns.items()
    }


def alarms(columns, reference_days, window, monitoring):
    """Which columns drifted in the window of days from `window` on."""
    base = cut(columns, 0, reference_days)
    thresholds = drift_thresholds.calibrate(base, monitoring)
    total = {name: counted.total() for name, counted in base.items()}
    now = {name: counted.total() for name, counted in cut(columns, window, window + 7).items()}
    results = judge(drift_columns.measure(total, now), thresholds, {}, 0.0)
    return [result.column for result in results if result.drifted]


def test_what_only_moves_as_it_always_did_is_no_drift():
    checks = [alarms(stream(seed, 140), 70, day, Monitoring()) for seed in range(6) for day in range(77, 133, 7)]
    assert sum(bool(check) for check in checks) <= 1  # 48 checks, at a rate of one in 365


@pytest.mark.parametrize("name", ["c0", "c3"])
def test_a_shift_of_a_quarter_of_a_standard_deviation_is_found(name):
    columns = stream(0, 140)
    shares = np.diff(np.concatenate([[0], norm.cdf(INNER - 0.25), [1]]))
    shifted = np.random.default_rng(1).multinomial(2000, shares, size=7)
    columns[name].counts[100:107] = np.column_stack([shifted, np.zeros(7), np.zeros(7)])
    assert alarms(columns, 70, 100, Monitoring()) == [name]


def test_a_reference_of_fewer_than_three_windows_never_alarms():
    columns = stream(0, 60)
    columns["c0"].counts[50:57] = 0
    columns["c0"].counts[50:57, 1] = 2000
    assert alarms(columns, 20, 50, Monitoring()) == []
    assert alarms(columns, 42, 50, Monitoring()) == ["c0"]


def test_what_is_missing_or_beyond_the_range_is_quality_and_no_drift():
    bins = Bins("number", edges=(0.0, 1.0, 2.0, 3.0))
    base = Column(bins, np.array([[0, 500, 300, 200, 0, 10]] * 28), np.zeros((28, 4)))
    window = Column(bins, np.array([[20, 480, 300, 180, 20, 9000]] * 7), np.zeros((7, 4)))
    (measures,) = drift_columns.measure({"x": base}, {"x": window}).values()
    assert (measures.jensen_shannon, measures.rows) == (0.0, 7000)
    gone = Column(bins, np.array([[0, 0, 0, 0, 0, 1000]] * 7), np.zeros((7, 4)))
    judged = judge(
        drift_columns.measure({"x": base}, {"x": gone}), drift_thresholds.calibrate({"x": base}, Monitoring()), {}, 0.0
    )
    assert not judged[0].drifted
    assert data_quality.quality({"x": base}, {"x": gone}, 1e-4) == ["x: 100% missing, 1% in the reference"]


def test_a_window_of_few_rows_must_differ_more():
    threshold = Threshold(movement=0.01, windows=10.0, level=1e-4, degrees=9)
    assert threshold.at(50, 100_000) > threshold.at(5_000, 100_000) > threshold.at(500_000, 100_000)
    assert threshold.at(0, 100_000) == float("inf")


def test_more_false_alarms_allowed_is_a_lower_threshold():
    columns = cut(stream(0, 70), 0, 70)
    strict, loose = (drift_thresholds.calibrate(columns, Monitoring(false_alarms=rate)) for rate in (0.1, 10.0))
    assert all(strict[name].at(14_000, 140_000) > loose[name].at(14_000, 140_000) for name in columns)


@pytest.mark.parametrize(
    ("importance", "important", "counts"),
    [
        ({"x": 0.9, "z": 0.1}, 0.05, {"x", "z", "y"}),
        ({"x": 0.99, "z": 0.001}, 0.05, {"x", "y"}),
        ({}, 0.5, {"x", "z", "y"}),
    ],
)
def test_drift_counts_where_the_champion_looks(importance, important, counts):
    far = Measures(0.5, 1.0, 1.0, 10_000, 10_000)
    thresholds = dict.fromkeys("xzy", Threshold(0.0, 10.0, 1e-4, 9))
    results = judge(dict.fromkeys("xzy", far), thresholds, importance, important)
    assert {result.column for result in results if result.drifted} == {"x", "z", "y"}
    assert {result.column for result in results if result.counts} == counts


THRESHOLD = Threshold(0.0, 10.0, 1e-4, 9)
AT = THRESHOLD.at(10_000, 10_000)
NEVER = Threshold(np.inf, 1.0, 1e-4, 9)


@pytest.mark.parametrize(("distance", "drifted"), [(AT, False), (np.nextafter(AT, 1), True), (np.nan, False)])
def test_a_column_drifted_if_its_distance_exceeds_its_threshold(distance, drifted):
    (result,) = judge({"x": Measures(distance, 1.0, 1.0, 10_000, 10_000)}, {"x": THRESHOLD}, {}, 0.0)
    assert (result.drifted, result.threshold) == (drifted, AT)
    assert result.times == pytest.approx(distance / AT, nan_ok=True)


@pytest.mark.parametrize(
    ("important", "counts"), [(0.25, {"x", "z", "y"}), (0.26, {"x", "y"}), (0.0, {"x", "z", "w", "y"})]
)
def test_the_share_of_importance_decides_what_counts(important, counts):
    """Importance in any unit: a negative one is none, and what is no feature always counts."""
    far = Measures(0.5, 1.0, 1.0, 10_000, 10_000)
    results = judge(dict.fromkeys("xzwy", far), dict.fromkeys("xzwy", THRESHOLD), {"x": 6, "z": 2, "w": -9}, important)
    assert {result.column: result.importance for result in results} == {"x": 0.75, "z": 0.25, "w": 0.0, "y": None}
    assert {result.column for result in results if result.counts} == counts


def test_the_largest_multiple_of_a_threshold_comes_first_and_what_has_none_last():
    distances = {"new": 0.9, "b": 0.5, "a": 0.5, "far": 0.6, "near": 0.01}
    measured = {name: Measures(distance, 1.0, 1.0, 10_000, 10_000) for name, distance in distances.items()}
    results = judge(measured, dict.fromkeys(measured, THRESHOLD) | {"new": NEVER}, {}, 0.0)
    assert [result.column for result in results] == ["far", "a", "b", "near", "new"]
    assert results[0].phrase == f"far 0.600 over {AT:.3f}"


def test_a_measure_has_all_distances_and_the_rows_with_a_value():
    base, now = column([50, 50, 0, 7]), column([20, 60, 0, 9])
    (measures,) = drift_columns.measure({"c": base, "gone": base}, {"c": now, "new": now}).values()
    known = [50, 50, 0], [20, 60, 0]
    assert (measures.jensen_shannon, measures.psi) == (float(jensen_shannon(*known)), float(psi(*known)))
    assert np.isnan(measures.wasserstein)
    assert (measures.rows, measures.reference_rows) == (80, 100)
    bins = Bins("number", edges=(0.0, 1.0, 2.0))
    base, now = (
        Column(bins, np.array([[0, low, high, 0, 0]]), np.array([[10.0, 14.0, 0.0, 2.0]]))
        for low, high in ((5, 5), (0, 9))
    )
    (measures,) = drift_columns.measure({"x": base}, {"x": now}).values()
    assert measures.wasserstein == wasserstein(base, now) > 0
