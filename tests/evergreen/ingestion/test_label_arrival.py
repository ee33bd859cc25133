"""The arrival curve of labels: what it is on known streams, and what holds of any."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.ingestion import label_arrival
from evergreen.ingestion.label_arrival import ARRIVED, ArrivalCurve, learn, mature, observed_at

START = np.datetime64("2013-01-01", "us")
DAY = np.timedelta64(1, "D")
NEVER = np.datetime64("NaT", "us")
PINNED = [0.8924151579282403, 2141396.0, 500694.0, 0.015000000000000013, 0.33571617537043996, 0.6867198808445889]


def stream(rows, days, delay, never=0.0, seed=0):
    """Rows spread over days, and when their labels come: after `delay` draws of seconds, or never."""
    random = np.random.default_rng(seed)
    times = START + np.sort(random.integers(0, days * 86_400, rows)).astype("timedelta64[s]")
    known = times + delay(random, rows).astype("timedelta64[s]")
    return times, np.where(random.random(rows) < never, NEVER, known)


def exponential(mean_days):
    return lambda random, rows: random.exponential(mean_days * 86_400, rows)


rows_of = st.lists(st.tuples(st.integers(0, 1000), st.one_of(st.none(), st.integers(0, 1000))), min_size=1, max_size=60)


def arrays_of(rows):
    times = START + np.array([at for at, _ in rows]).astype("timedelta64[s]")
    known = [
        NEVER if after is None else time + np.timedelta64(after, "s")
        for time, (_, after) in zip(times, rows, strict=True)
    ]
    return times, np.array(known, dtype="datetime64[us]")


@given(rows_of, st.integers(0, 2500))
def test_any_curve_rises_within_nought_and_one(rows, now):
    curve = learn(*arrays_of(rows), START + np.timedelta64(now, "s"))
    shares = np.array([0.0, *curve.shares])
    assert (np.diff(shares) >= 0).all()
    assert 0 <= shares[-1] <= 1
    assert list(curve.ages) == sorted(set(curve.ages))


@given(rows_of)
def test_when_every_label_has_come_the_curve_is_the_share_of_delays(rows):
    delays = np.array([0 if after is None else after for _, after in rows])
    times = START + np.array([at for at, _ in rows]).astype("timedelta64[s]")
    curve = learn(times, times + delays.astype("timedelta64[s]"), START + 100 * DAY)
    ages = np.arange(0, 1001, 7)
    assert curve.known(ages) == pytest.approx([(delays <= age).mean() for age in ages])
    assert curve.ever == pytest.approx(1)


@given(rows_of)
def test_labels_of_later_are_not_known_now(rows):
    times, known = arrays_of(rows)
    now = START + np.timedelta64(1000, "s")
    assert learn(times, known, now) == learn(times, np.where(known <= now, known, NEVER), now)


@pytest.mark.parametrize("never", [0.0, 0.3])
def test_waiting_rows_do_not_bend_the_curve(never):
    times, known = stream(20_000, days=120, delay=exponential(10), never=never)
    curve = learn(times, known, START + 120 * DAY)
    days = np.array([1, 5, 10, 30])
    assert curve.known(days * 86_400) == pytest.approx((1 - never) * (1 - np.exp(-days / 10)), abs=0.015)
    assert curve.ever == pytest.approx(1 - never, abs=0.02)
    assert (known <= START + 120 * DAY).mean() < (1 - never) * 0.93  # the plain share would be too low
    assert curve.matures_after() / timedelta(days=1) == pytest.approx(-10 * np.log(0.05), rel=0.08)


@pytest.mark.parametrize(
    ("watched", "told"), [(20, False), (40, False), (80, True)], ids=["shorter than a delay", "than two", "longer"]
)
def test_an_age_is_told_only_when_rows_were_watched_for_twice_as_long(watched, told):
    times, known = stream(2000, days=watched, delay=lambda random, rows: np.full(rows, 30 * 86_400))
    after = learn(times, known, START + watched * DAY).matures_after()
    assert after == (timedelta(days=30) if told else None)


def test_a_few_old_rows_do_not_tell():
    times, known = stream(29, days=1, delay=exponential(0.1))
    assert learn(times, known, START + 900 * DAY).matures_after() is None


def test_a_label_that_comes_years_late_does_not_hold_up_the_others():
    times, known = stream(5000, days=300, delay=exponential(1))
    known[0] = times[0] + 299 * DAY
    assert learn(times, known, START + 300 * DAY).matures_after() < timedelta(days=4)


def test_no_label_ever_is_never_mature():
    times = START + np.arange(100) * DAY
    curve = learn(times, np.full(100, NEVER), START + 200 * DAY)
    assert curve.ever == 0
    assert curve.matures_after() is None
    assert not mature(curve, times, np.zeros(100, dtype=bool), START + 200 * DAY)


def test_a_kept_curve_of_a_thousand_steps_waits_longer_and_never_shorter():
    times, known = stream(50_000, days=100, delay=exponential(3))
    now = START + 100 * DAY
    curve = learn(times, known, now)
    assert len(curve.ages) <= 1000
    delays = np.sort((known - times)[times < START + 50 * DAY] / np.timedelta64(1, "s"))
    exact = np.searchsorted(delays, curve.ages, side="right") / len(delays)
    assert np.array(curve.shares) == pytest.approx(exact, abs=0.01)
    assert len(curve.dump()) < 50_000


def test_exact_answers_on_a_seeded_stream():
    curve = learn(*stream(200, days=30, delay=exponential(2), never=0.1, seed=2013), START + 30 * DAY)
    figures = [curve.ever, curve.watched, curve.matures_after().total_seconds(), *curve.known([3600, 86_400, 259_200])]
    assert figures == pytest.approx(PINNED, rel=1e-9)


@pytest.mark.parametrize("share", [0, -0.1, 1.1, float("nan")])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ValueError, match="share must be above 0"):
        ArrivalCurve.declared(timedelta(days=1)).matures_after(share)


@pytest.mark.parametrize(
    ("labelled", "days_later", "expected"),
    [(1.0, 2, True), (0.9, 2, True), (0.7, 2, False), (1.0, 0.5, False), (0.0, 2, False)],
    ids=["old, all there", "a few never came", "something holds them up", "too young", "none"],
)
def test_a_window_is_ripe_when_its_youngest_row_is_and_its_labels_are_there(labelled, days_later, expected):
    times = START + np.arange(100) * np.timedelta64(1, "h")
    there = np.arange(100) < labelled * 100
    now = times[-1] + np.timedelta64(round(days_later * 24), "h")
    assert mature(ArrivalCurve.declared(timedelta(days=1)), times, there, now) is expected


def test_no_rows_are_not_mature():
    assert not mature(
        ArrivalCurve.declared(timedelta(0)), np.array([], dtype="datetime64[us]"), np.array([], dtype=bool), START
    )


def test_a_curve_comes_back_from_json():
    for curve in (ArrivalCurve.declared(timedelta(hours=12)), learn(*stream(100, 9, exponential(1)), START + 9 * DAY)):
        assert ArrivalCurve.parse(curve.dump()) == curve


def test_a_label_is_seen_when_its_row_is_corrected_and_never_where_there_is_none():
    known, arrived = START + np.arange(3) * DAY, np.full(3, START + 1 * DAY)
    seen = observed_at(known, np.array([True, True, False]), arrived)
    assert list(seen[:2]) == [START + DAY, START + DAY]
    assert np.isnat(seen[2])
    assert list(observed_at(known, np.full(3, True))) == list(known)


def lake_rows(days=60, corrected_after=5):
    """A row an hour whose label arrives with a correction some days later, loaded from a year before, too."""
    at = pd.date_range("2012-12-01", periods=24 * days, freq="h", tz="UTC").as_unit("us")
    began = pd.Timestamp("2012-12-11", tz="UTC")
    arrived = (at + pd.Timedelta(days=corrected_after)).where(at >= began, began)
    y = pd.Series(1.0, index=range(len(at))).where(arrived <= at[-1])
    return pd.DataFrame({"at": at, "y": y, ARRIVED: arrived}), began, at[-1]


def test_labels_by_correction_are_learned_from_rows_that_were_seen_without_one(toy):
    rows, began, now = lake_rows()
    curve = label_arrival.of(toy(), rows, now, began)
    assert curve.matures_after() == timedelta(days=5)
    assert label_arrival.of(toy(), rows[rows["at"] >= now - pd.Timedelta(days=3)], now, began).matures_after() is None


@pytest.mark.parametrize(("days", "delay"), [(1, 7), (60, 2)], ids=["promised", "learned"])
def test_until_rows_were_watched_the_model_files_delay_is_believed(toy, days, delay):
    rows, _, now = lake_rows(days=days)
    model = toy(label_delay=timedelta(days=delay))
    assert label_arrival.of(model, rows.drop(columns=ARRIVED), now).matures_after() == timedelta(days=delay)


def test_a_label_time_is_learned_and_promised_by_nobody(toy):
    rows, _, now = lake_rows()
    model = toy(label_time="paid")
    rows["paid"] = rows["at"] + pd.Timedelta(days=3)
    assert label_arrival.of(model, rows, now).matures_after() == timedelta(days=3)
    assert label_arrival.of(model, rows.head(20), rows["at"][20]).matures_after() is None


@pytest.mark.parametrize(
    ("given", "waiting"),
    [({"label_time": "told"}, 9), ({}, 9), ({"label_delay": timedelta(days=5)}, 5), ({"label_time": "later"}, 0)],
    ids=["its time", "its arrival", "promised later", "not known yet"],
)
def test_rows_since_the_newest_label_wait_once_they_are_twice_as_old_as_one_was(toy, given, waiting):
    at = pd.Series(pd.date_range("2013-01-01", periods=20, freq="D", tz="UTC").as_unit("us"))
    label_time = at + pd.Timedelta(hours=6)
    rows = pd.DataFrame({"at": at, "y": [1.0] * 10 + [None] * 10, "told": label_time, ARRIVED: label_time})
    rows["later"] = at + pd.Timedelta(days=15)
    overdue = label_arrival.overdue_rows(toy(**given), rows, at[19])
    assert (len(overdue), overdue["y"].notna().sum()) == (waiting, 0)


def test_where_no_label_was_ever_known_all_rows_wait_that_are_old_enough(toy):
    at = pd.Series(pd.date_range("2013-01-01", periods=20, freq="D", tz="UTC").as_unit("us"))
    rows = pd.DataFrame({"at": at, "y": [None] * 20, ARRIVED: at})
    assert len(label_arrival.overdue_rows(toy(label_delay=timedelta(days=5)), rows, at[19])) == 15


@pytest.mark.parametrize("came", [0.0, 0.3, 0.9, 1.0])
def test_the_curve_is_the_product_limit_estimate(came):
    rng = np.random.default_rng(7)
    waited, labelled = rng.integers(1, 30, 200), rng.random(200) < came
    now = np.datetime64("2013-03-01", "us")
    days = waited * np.timedelta64(1, "D")
    known = np.where(labelled, now, now + np.timedelta64(1, "D"))
    curve = label_arrival.learn(now - days, known, now)
    ages, waiting, share = np.unique(waited[labelled]), 1.0, []
    for age in ages:
        waiting *= 1 - ((waited == age) & labelled).sum() / (waited >= age).sum()
        share.append(1 - waiting)
    np.testing.assert_allclose(curve.ages, ages * 86400.0, rtol=0)
    np.testing.assert_allclose(curve.shares, share, atol=1e-12)
