"""Slow drift: how often it is called where there is none, how soon where there is, and what has no limit."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen import Monitoring
from evergreen.drift import cusum
from evergreen.drift.bins import Bins
from evergreen.drift.profile import Column, Profile

REFERENCE, YEAR = 91, 365
START = np.datetime64("2022-01-03", "us")
DAY = np.timedelta64(1, "D")


def numbers(levels, rows=50, unit=DAY):
    """A profile of numbers with these means, one a unit, in a column each."""
    units = START + np.arange(len(levels)) * unit
    bins = Bins("number", edges=(-1.0, 0.0, 1.0))
    counts = np.zeros((len(levels), bins.slots), dtype=np.int64)
    counts[:, 0] = rows
    moments = [np.column_stack([column * counts[:, 0], column**2, column, column]) for column in np.transpose(levels)]
    return Profile(units, {f"x{place}": Column(bins, counts, each) for place, each in enumerate(moments)})


def wandering(columns, memory, seed, units=REFERENCE + YEAR, noise=0.0):
    """Columns without drift: autoregressions, with a share of noise and a week of their own."""
    random = np.random.default_rng(seed)
    values = np.empty((units, columns))
    values[0] = random.normal(size=columns)
    for unit in range(1, units):
        values[unit] = memory * values[unit - 1] + np.sqrt(1 - memory**2) * random.normal(size=columns)
    values = np.sqrt(1 - noise) * values + np.sqrt(noise) * random.normal(size=values.shape)
    return values + 3 * np.sin(np.arange(units) * 2 * np.pi / 7)[:, None]


def split(profile, at=REFERENCE):
    before = np.arange(len(profile.units)) < at
    return profile.only(before), profile.only(~before)


def first_alarm(profile):
    """The first day after the reference on which any column has drifted, checked weekly; None without one."""
    reference, later = split(profile)
    for until in range(7, len(later.units) + 1, 7):
        known = later.only(np.arange(len(later.units)) < until)
        if any(slide.drifted for slide in cusum.slides(reference, known, Monitoring()).values()):
            return until
    return None


def alarms_a_year(memory, years=80, noise=0.0):
    """The share of years, of twenty columns each, in which a sum exceeded its limit."""
    reference, later = split(numbers(wandering(20 * years, memory, seed=1, noise=noise)))
    alarms = 0
    for year in range(years):
        names = [f"x{20 * year + column}" for column in range(20)]
        own, after = (Profile(part.units, {name: part.columns[name] for name in names}) for part in (reference, later))
        found = cusum.sums(own, after, Monitoring(false_alarms=1.0)).values()
        alarms += any(np.maximum(each.up, each.down).max() > each.limit for each in found)
    return alarms / years


STATED = 1 - np.exp(-cusum.SHARE)  # of one false alarm a year; the rest is left to the distances


def test_years_without_drift_alarm_as_often_as_stated():
    memories = np.random.default_rng(3).uniform(0.0, 0.95, 20 * 80)
    assert alarms_a_year(memories) == pytest.approx(STATED, abs=0.15)


@pytest.mark.long
@pytest.mark.parametrize("memory", [0.0, 0.4, 0.7])
def test_columns_that_all_remember_alike_alarm_about_as_often(memory):
    assert STATED / 3 < alarms_a_year(memory) <= STATED + 0.2


@pytest.mark.long
def test_a_long_memory_below_noise_is_seen():
    assert alarms_a_year(np.full(20 * 80, 0.9), noise=0.5) <= STATED + 0.2


def test_a_slide_that_no_week_shows_is_found_within_the_year():
    values = wandering(8, 0.3, seed=2)
    sliding = values.copy()
    sliding[REFERENCE:, 0] += np.arange(YEAR) * 3 / YEAR  # three standard deviations of a day in a year
    assert first_alarm(numbers(sliding)) is not None
    reference, later = split(numbers(sliding))
    slide = cusum.slides(reference, later, Monitoring())["x0"]
    assert slide.drifted
    assert slide.upwards
    assert str(START + REFERENCE * DAY)[:10] <= slide.since[:10] <= str(START + (REFERENCE + 200) * DAY)[:10]
    assert slide.phrase.startswith(f"has risen since {slide.since[:10]}: ")


def test_a_jump_is_found_soon():
    values = wandering(8, 0.1, seed=3)
    values[REFERENCE + 100 :, 0] -= 1.5
    assert 100 < first_alarm(numbers(values)) < 140


def test_a_single_wild_day_is_no_slow_drift():
    values = wandering(1, 0.1, seed=4)
    values[REFERENCE + 10] += 1e6
    reference, later = split(numbers(values), REFERENCE)
    assert not cusum.slides(reference, later.only(np.arange(YEAR) < 11), Monitoring())["x0"].drifted


@pytest.mark.parametrize(
    "levels",
    [np.ones(200), 0.1 + np.arange(200) % 3 * 1e-17, np.arange(200.0), np.full(200, np.nan)],
    ids=["constant", "rounding", "a trend", "nothing"],
)
def test_what_has_no_limit(levels):
    assert cusum.slides(*split(numbers(levels[:, None])), Monitoring()) == {}


def test_a_reference_of_less_than_four_weeks_has_no_limit_and_leaves_all_alarms_to_the_distances():
    values = numbers(wandering(1, 0.1, seed=5))
    short, long = split(values, 27), split(values, 28)
    assert cusum.slides(*short, Monitoring()) == {}
    assert set(cusum.slides(*long, Monitoring())) == {"x0"}
    assert cusum.left_for_windows(short[0], Monitoring()).false_alarms == 1.0
    assert cusum.left_for_windows(long[0], Monitoring()).false_alarms == pytest.approx(1 - cusum.SHARE)


def test_the_share_of_the_commonest_category_is_a_level():
    random, units = np.random.default_rng(6), REFERENCE + 120
    share = np.r_[np.full(REFERENCE, 0.7), np.linspace(0.7, 0.5, 120)]
    common = random.binomial(100, share)
    bins = Bins("category", categories=("a", "b"))
    counts = np.column_stack([100 - common, common, np.zeros(units), np.zeros(units)]).astype(np.int64)
    column = Column(bins, counts, np.tile([0.0, 0.0, np.nan, np.nan], (units, 1)))
    reference, later = split(Profile(START + np.arange(units) * DAY, {"c": column}))
    slide = cusum.slides(reference, later, Monitoring())["c"]
    assert slide.drifted
    assert not slide.upwards


def test_units_of_an_hour_are_added_up_to_whole_days():
    hour = np.timedelta64(1, "h")
    day_and_night = np.tile(np.r_[np.zeros(12), np.full(12, 10.0)], 40)[:, None] + wandering(1, 0.0, 7, 960)
    profile = numbers(day_and_night, unit=hour)
    found = cusum.levels(profile.only(np.arange(960) < 950), "x0", timedelta(hours=1))
    assert len(found.units) == 39  # the last day is not whole
    assert np.allclose(found.values, [day_and_night[24 * day : 24 * day + 24].mean() for day in range(39)])


@settings(max_examples=25)
@given(st.floats(1e-6, 1e6), st.floats(-1e6, 1e6))
def test_the_unit_of_measurement_does_not_matter(scale, shift):
    values = wandering(2, 0.3, seed=8)
    plain = cusum.slides(*split(numbers(values)), Monitoring())
    other = cusum.slides(*split(numbers(values * scale + shift * scale)), Monitoring())
    assert {name: pytest.approx(slide.value, rel=1e-3, abs=1e-3) for name, slide in plain.items()} == {
        name: slide.value for name, slide in other.items()
    }


def test_nothing_after_the_reference_is_no_drift():
    reference, later = split(numbers(wandering(1, 0.1, seed=9)))
    slide = cusum.slides(reference, later.only(np.zeros(YEAR, dtype=bool)), Monitoring())["x0"]
    assert (slide.value, slide.since, slide.drifted) == (0.0, "", False)
