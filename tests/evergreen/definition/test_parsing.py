"""Parsers: what people write, read alike as a whole column and as one value of a request."""

import json
from datetime import UTC, datetime

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen import NumberFormat, TextFormat, TimeFormat, TimePart
from evergreen.definition.parsing import columns as parsing

WRITTEN = [
    ("%d/%m/%Y %H", ["1/12/2017", 5], "2017-12-01T05:00"),
    ("%d-%m-%y %H.%M", ["1-2-18 0.15"], "2018-02-01T00:15"),
    ("%m/%d/%y %H:%M", ["1/2/17 0:00"], "2017-01-02"),
    ("%d-%m-%Y %I.%M.%S %p", ["04-01-2015", "12.00.00 AM"], "2015-01-04"),
    ("%Y%m%dT%H%M%S", ["20141013T000000"], "2014-10-13"),
    ("%d %m %Y %H:%M", ["01 02 2018 00:00"], "2018-02-01"),
    ("%b %d %Y", ["Jan 02 2020"], "2020-01-02"),
    ("%G-W%V", ["2020-W05"], "2020-01-27"),
    ("%Y %m %d", [2020, 2.0, "3"], "2020-02-03"),
    ("%Y%m", [200801], "2008-01-01"),
    ("%Y%m%d", ["20080131.0"], "2008-01-31"),
    ("%Y %m", ["2008.0", "1.0"], "2008-01-01"),
    ("%d.%m.%Y %H.%M", ["01.02.2008 18.00"], "2008-02-01T18:00"),
    ("seconds", [1775001600], "2026-04-01T00:00+00:00"),
    ("milliseconds", ["1775001600500"], "2026-04-01T00:00:00.5+00:00"),
    ("nanoseconds", [1775001600000000000], "2026-04-01T00:00+00:00"),
    ("excel", [43831.25], "2020-01-01T06:00"),
    ("%d/%m/%Y %H", ["31/12/2018", 24], "2019-01-01"),
    ("%Y-%m-%d %H:%M", ["2018-12-31 24:00"], "2019-01-01"),
    ("%d.%m.%Y %H.%M", ["24.10.2018 23.24"], "2018-10-24T23:24"),
    ("%Y-Q%q", ["2011-Q3"], "2011-07-01"),
    ("Q%q %Y", ["Q4 2011"], "2011-10-01"),
    ("%Y-%m-%d %H:%M:%S UTC", ["2011-01-02 03:00:00 UTC"], "2011-01-02T03:00+00:00"),
    ("%a, %d %b %Y %H:%M:%S GMT", ["Mon, 04 Jan 2016 10:00:00 GMT"], "2016-01-04T10:00+00:00"),
    ("%a %b %d %H:%M:%S %z %Y", ["Mon Apr 06 22:19:45 +0200 2009"], "2009-04-06T20:19:45+00:00"),
]


@pytest.mark.parametrize(("format", "sent", "right"), WRITTEN)
def test_a_time_is_read_alike_as_a_column_and_as_a_value(format, sent, right):
    parser = TimeFormat(format=format, columns=[f"c{place}" for place in range(len(sent))])
    times, problem = parser.series([pd.Series([value, None]) for value in sent], "UTC")
    assert problem == ""
    assert times[0] == pd.Timestamp(right)
    assert pd.isna(times[1])
    assert pd.Timestamp(parser.value(sent, "UTC")) == pd.Timestamp(right)
    assert parser.value([None, *sent[1:]], "UTC") is None


@given(
    moment=st.datetimes(datetime(1970, 1, 2), datetime(2068, 1, 1)),
    format=st.sampled_from(
        ["%d/%m/%y %H:%M", "%m-%d-%Y %I.%M.%S %p", "%Y%m%d", "%d %b %Y %H", "%Y-%m-%d %H:%M:%S.%f", "%G-W%V-%u"]
    ),
)
def test_both_ways_agree_on_every_time(moment, format):
    parser, text = TimeFormat(format=format), moment.strftime(format)
    times, problem = parser.series([pd.Series([text])], "UTC")
    assert (problem, times[0]) == ("", pd.Timestamp(parser.value([text], "UTC")))
    assert times[0].strftime(format) == text


@pytest.mark.parametrize("text", ["31/02/2017", "yesterday", "1/13/2017 "])
def test_what_is_no_such_time_is_told_with_its_value(text):
    parser = TimeFormat(format="%d/%m/%Y")
    values, problem = parser.series([pd.Series(["1/2/2017", text])], "UTC")
    assert problem.startswith("1 of 2 rows are no time written as %d/%m/%Y")
    assert text.strip() in problem
    assert values[1] == text
    with pytest.raises(ValueError, match=r"does not match|out of range|unconverted"):
        parser.value([text], "UTC")


def test_a_column_that_holds_times_stays_as_it_is():
    times = pd.Series(pd.date_range("2020-01-01", periods=2))
    assert TimeFormat(format="%d/%m/%Y").series([times], "UTC")[0] is times


NUMBERS = [
    (NumberFormat(remove="$", thousands=","), "$1,234.50", 1234.5),
    (NumberFormat(remove="%"), "12.5 %", 12.5),
    (NumberFormat(decimal=",", thousands="."), "1.234,5", 1234.5),
    (NumberFormat(missing=["n/a", "-"]), "n/a", None),
    (NumberFormat(missing=["n/a", "-"]), "-1", -1.0),
    (NumberFormat(remove="kg "), "38.752 kg", 38.752),
    (NumberFormat(), 7, 7.0),
    (NumberFormat(), " ", None),
    (NumberFormat(remove="$", thousands=",", parentheses=True), "$(1,234.50)", -1234.5),
    (NumberFormat(remove="$"), "-$5", -5.0),
    (NumberFormat(), "\u22125", -5.0),
    (NumberFormat(), "5.5-", -5.5),
    (NumberFormat(remove="kg"), "5.5- kg", -5.5),
    (NumberFormat(remove="-"), "5.5-", 5.5),  # a stored version keeps what it was trained on
    (NumberFormat(decimal=",", thousands=" "), "5\u202f126,4\u00a0", 5126.4),
    (NumberFormat(missing=["-200"]), "-200.0", None),
    (NumberFormat(missing=["-200"]), -200, None),
    (NumberFormat(missing=["-200"]), 200.5, 200.5),
]


@pytest.mark.parametrize(("parser", "sent", "right"), NUMBERS)
def test_a_number_is_read_alike_as_a_column_and_as_a_value(parser, sent, right):
    values, problem = parser.series([pd.Series([sent])], "UTC")
    assert problem == ""
    assert (None if pd.isna(values[0]) else values[0]) == right
    assert parser.value([sent], "UTC") == right


@pytest.mark.parametrize(("sent", "right"), [("Yes", "Yes"), ("NA", None), (" NA ", None), (None, None), ("nA", "nA")])
def test_a_word_for_a_missing_text_is_read_alike_as_a_column_and_as_a_value(sent, right):
    parser = TextFormat(missing=["NA"])
    values, problem = parser.series([pd.Series([sent, "x"])], "UTC")
    assert (None if pd.isna(values[0]) else values[0], values[1], problem) == (right, "x", "")
    assert parser.value([sent], "UTC") == right


@pytest.mark.parametrize("remove", ["-", "+$", "m2", "\u2212"])
def test_a_model_that_removes_a_part_of_numbers_is_refused(toy, remove):
    with pytest.raises(ValueError, match=r"parsing of 'x' removes .*, which belong to numbers"):
        toy(parsing={"x": NumberFormat(remove=remove)})


def test_what_is_no_number_is_told_with_its_value():
    values, problem = NumberFormat(remove="$").series([pd.Series(["$1", "?"])], "UTC")
    assert problem == "1 of 2 rows hold no number: '?'"
    assert list(values) == ["$1", "?"]
    with pytest.raises(ValueError, match="could not convert"):
        NumberFormat().value(["?"], "UTC")


@given(
    moment=st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1)),
    part=st.sampled_from(["minute", "hour", "weekday", "day", "day_of_year", "week", "month", "year"]),
    zone=st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata"]),
)
def test_a_part_of_a_time_is_what_the_calendar_of_the_zone_shows(moment, part, zone):
    parser, aware = TimePart(part=part, column="at"), moment.replace(tzinfo=UTC)
    values, problem = parser.series([pd.Series([pd.Timestamp(aware)])], zone)
    assert problem == ""
    assert values[0] == parser.value([aware.isoformat()], zone)
    assert parser.value([None], zone) is None


def test_a_time_without_a_zone_is_in_the_zone_of_the_model():
    assert TimePart(part="hour", column="at").value(["2020-01-01T05:00"], "Asia/Kolkata") == 5
    assert TimePart(part="hour", column="at").series([pd.Series(["2020-01-01T05:00"])], "Asia/Kolkata")[0][0] == 5.0


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: TimeFormat(format="iso"),
        lambda: TimePart(part="decade", column="at"),
        lambda: NumberFormat(decimal=",", thousands=","),
        lambda: NumberFormat(decimal=""),
        lambda: TimeFormat(format="%Y %q"),
    ],
)
def test_what_can_never_be_read_is_refused(wrong):
    with pytest.raises(ValueError, match=r"directive|without the letter|Input should be|cannot be removed|at least 1"):
        wrong()


def test_parsers_can_be_kept_as_json():
    parsers = {"at": TimeFormat(format="%d/%m/%Y %H", columns=["a", "b"]), "h": TimePart(part="hour", column="at")}
    parsers |= {"n": NumberFormat(decimal=",", missing=["-"])}
    assert parsing.loaded(json.loads(json.dumps(parsing.stored(parsers)))) == parsers


def test_parts_are_read_from_a_time_that_is_read_first():
    parsers = {
        "hour": TimePart(part="hour", column="at"),
        "at": TimeFormat(format="%d/%m/%Y %H", columns=["Date", "Hour"]),
    }
    rows, problems = parsing.read(pd.DataFrame({"Date": ["1/12/2017"], "Hour": ["5"]}), parsers, "UTC")
    assert (problems, rows["hour"][0], rows["at"][0]) == ({}, 5.0, pd.Timestamp("2017-12-01T05:00"))


def test_a_column_that_was_sent_itself_stays_as_it_is():
    parsers = {"hour": TimePart(part="hour", column="at")}
    rows, _ = parsing.read(pd.DataFrame({"at": ["2020-01-01T05:00"], "hour": [7]}), parsers, "UTC")
    assert rows["hour"][0] == 7


def test_a_part_of_a_time_that_cannot_be_read_is_told_as_such():
    parsers = {"hour": TimePart(part="hour", column="at"), "at": TimeFormat(format="%d/%m/%Y")}
    _, problems = parsing.read(pd.DataFrame({"at": ["tomorrow"]}), parsers, "UTC")
    assert problems["hour"] == "'at' cannot be read"
    assert "tomorrow" in problems["at"]


@pytest.mark.parametrize("text", ["1e400", "-1e400", "1e999999999"])
def test_a_number_that_is_too_large_is_infinite_at_once(text):
    format = NumberFormat(thousands=",")
    found, problem = format.series([pd.Series([text, "9007199254740993"])], "UTC")
    assert [*map(str, found)] == [str(float(text)), "9007199254740993"]
    assert (problem, format.value([text], "UTC")) == ("", float(text))
