"""Times without a zone on the days on which clocks are set."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.definition.kinds.local_times import doubled_hour, earliest, localized
from evergreen.definition.kinds.register import kind_of

BERLIN = "Europe/Berlin"
ZONES = [BERLIN, "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kolkata", "America/Havana"]


def clocks(times, timezone=BERLIN):
    """What a clock on the wall shows."""
    return times.tz_convert(timezone).tz_localize(None)


def hours(start, count, freq="h"):
    return pd.date_range(start, periods=count, freq=freq, tz="UTC").as_unit("us")


@given(
    zone=st.sampled_from(ZONES),
    start=st.datetimes(pd.Timestamp("2005-01-01"), pd.Timestamp("2023-01-01")),
    freq=st.sampled_from(["30min", "15min", "7min"]),
    newest_first=st.booleans(),
)
def test_times_in_order_are_what_they_were(zone, start, freq, newest_first):
    times = hours(start, 24 * 30, freq).floor("min")
    times = times[::-1] if newest_first else times
    local, problem = localized(pd.Series(clocks(times, zone)), zone)
    assert problem == ""
    assert (local == times).all()


def test_the_doubled_hour_of_several_series_is_that_of_each():
    times = hours("2024-10-26 12:00", 24)
    rows = pd.DataFrame({"at": times.repeat(3), "place": ["a", "b", "c"] * 24, "part": 1})
    for order in (["at", "place"], ["place", "at"]):
        given_rows = rows.sort_values(order, ignore_index=True)
        wall = given_rows["at"].dt.tz_convert(BERLIN).dt.tz_localize(None)
        local, problem = localized(wall, BERLIN, given_rows[["place", "part"]])
        assert problem == ""
        assert (local == given_rows["at"]).all()


@pytest.mark.parametrize(
    ("wall", "problem"),
    [
        (["01:30", "02:30", "03:30"], "ambiguous"),  # one of both is gone, and nothing tells which
        (["02:10", "02:40"], "ambiguous"),
        (["01:00", "01:00", "02:00", "02:00", "03:00", "03:00"], "ambiguous"),  # rows of two series, not two hours
        (["05:00", "02:30", "02:10", "03:00"], "ambiguous"),  # in no order
        (["01:40", "02:10", "02:40", "02:05", "03:00"], ""),
    ],
)
def test_what_the_order_does_not_tell_is_told(wall, problem):
    values = pd.Series(pd.to_datetime([f"2024-10-27 {time}" for time in wall]))
    local, found = localized(values, BERLIN)
    assert (problem in found) if problem else (found == "" and local.is_monotonic_increasing)
    assert not problem or "02:" in found or "'2024-10-27 02" in found


def test_an_hour_that_clocks_leave_out_is_told_with_its_value():
    values = pd.Series(pd.to_datetime(["2024-03-31 01:30", "2024-03-31 02:30"]))
    same, problem = localized(values, BERLIN)
    assert same.equals(values)
    assert problem.startswith("1 of 2 rows do not exist in Europe/Berlin")
    assert problem.endswith("'2024-03-31 02:30:00'")


def test_dates_are_the_first_moment_of_their_day():
    days = pd.Series(pd.to_datetime(["2018-11-03", "2018-11-04", None]))  # a day that began at one o'clock
    local, problem = localized(days, "America/Sao_Paulo")
    assert problem == ""
    assert local[1] == pd.Timestamp("2018-11-04 03:00", tz="UTC")


@pytest.mark.parametrize("zone", ZONES)
def test_bounds_of_the_doubled_hour(zone):
    year, reach = hours("2015-01-01", 24 * 365), pd.Timedelta("3h")
    shifted = (clocks(year + reach, zone) - clocks(year - reach, zone)) != 2 * reach
    for moment in [*year[shifted], *year[::500]]:
        found = doubled_hour(moment, zone)
        walls = clocks(hours(moment - reach, 6 * 12 + 1, "5min"), zone)
        shown = clocks(pd.DatetimeIndex([moment]), zone)[0]
        assert (found is not None) == ((walls == shown).sum() > 1)
        if found:
            low, high = found
            before, after = clocks(pd.DatetimeIndex([low - pd.Timedelta("1s"), high]), zone)
            assert low <= moment < high
            assert after - before == (high - low) / 2 + pd.Timedelta("1s")
            assert earliest(shown, zone) <= moment


def test_moments_of_text_follow_their_zone():
    times, problem = kind_of("datetime").cast(pd.Series(["2013-01-01T00:00"]), "America/New_York")
    assert (times[0], problem) == (pd.Timestamp("2013-01-01T05:00", tz="UTC"), "")
