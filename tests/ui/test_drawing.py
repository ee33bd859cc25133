"""What the server draws: lines that break where nothing is known, marks that are told, and no markup of others."""

import json
import math

import pandas as pd
import pytest

from evergreen.evaluation.bootstrap import Interval
from evergreen.reports.monitoring_plots import MARKS
from evergreen.reports.timeline import Event
from tests.ui.living_models import MARKUP
from ui.drawing import distribution, interval, marks
from ui.drawing.performance import drawn
from ui.facts.drift import Bar
from ui.facts.performance import Moment, Performance

DAYS = [f"{day:%Y-%m-%d}T00:00:00+00:00" for day in pd.date_range("2013-01-01", periods=1_200)]


def moments(places, value=1.0):
    return [Moment(DAYS[place], Interval(value, value - 0.1, value + 0.1), value, 0.9) for place in places]


@pytest.mark.parametrize(("places", "lines"), [(range(10), 1), ([*range(10), 100, 101, 102], 2), ([5], 1)])
def test_a_line_breaks_where_for_long_nothing_is_known(places, lines):
    picture = drawn(Performance("mae", False, moments(places)))
    for name in ("realised", "estimated", "baseline"):
        assert picture.count(f'<path class="line {name}"') == lines
    assert picture.count('<path class="reach"') == lines


def test_what_is_not_known_is_not_drawn():
    unknown = [Moment(day, Interval.unknown(), math.nan, math.nan) for day in DAYS[:3]]
    picture = drawn(Performance("mae", False, unknown))
    assert 'class="line' not in picture
    assert "nan" not in picture
    assert drawn(Performance("mae", False)) == ""


def test_each_kind_of_mark_has_its_row_and_says_what_it_is_about():
    events = [Event(kind, DAYS[3], DAYS[5], MARKUP) for kind in MARKS]
    found = Performance("mae", False, moments(range(10)), events)
    picture = drawn(found)
    assert found.kinds == list(MARKS)
    assert len({picture.index(marks.name(kind)) for kind in MARKS}) == len(MARKS)
    assert "<script" not in picture


def test_years_of_checks_and_alarms_stay_small_in_the_picture_and_in_the_data():
    events = [Event("alarm", day, day, MARKUP * 20) for day in DAYS]
    found = Performance("mae", False, moments(range(1_200)), events)
    assert len(drawn(found)) < 120_000
    assert len(json.dumps(found.data())) < 220_000


def test_bars_and_intervals_escape_what_they_tell():
    picture = distribution.bars([Bar(MARKUP, 0.5, 0.25), Bar("missing", 0.0, math.nan)])
    assert "<script" not in picture
    assert picture.count('class="bar reference"') == picture.count('class="bar current"') == 1


@pytest.mark.parametrize(
    ("low", "value", "high", "word"), [(0.1, 0.2, 0.3, "better"), (-0.1, 0.1, 0.3, "neither"), (-3, -2, -1, "worse")]
)
def test_a_gain_is_better_or_worse_only_if_its_whole_interval_is(low, value, high, word):
    found = Interval(value, low, high)
    assert f'class="interval {word}"' in interval.gain(found, interval.reach([found]))


def test_a_gain_that_is_not_known_has_no_picture():
    assert interval.gain(Interval.unknown(), interval.reach([])) == interval.gain(None, interval.reach([])) == ""
