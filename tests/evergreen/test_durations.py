"""Durations: what people write is read, and what cannot be meant is refused where it is written."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen import Call, Gates, Policy, Training
from evergreen.durations import as_text, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30min", timedelta(minutes=30)),
        ("12h", timedelta(hours=12)),
        ("7d", timedelta(days=7)),
        ("4w", timedelta(weeks=4)),
        ("1.5d", timedelta(hours=36)),
        (" 7 d ", timedelta(days=7)),
        ("0d", timedelta(0)),
    ],
)
def test_what_people_write_is_read(text, expected):
    assert parse(text) == expected


@pytest.mark.parametrize("text", ["", "7", "d", "7 days", "-7d", "1m", "P7D", "7d12h", "seven d"])
def test_what_is_no_duration_is_named_beside_what_is(text):
    with pytest.raises(ValueError, match=f"such as '30min', '12h', '7d' or '4w', not {text!r}"):
        parse(text)


@pytest.mark.parametrize("value", [timedelta(days=7), None])
def test_what_is_no_text_is_left_as_it_is(value):
    assert parse(value) is value


@given(st.integers(0, 10**6).map(lambda minutes: timedelta(minutes=minutes)))
def test_what_is_written_reads_as_no_less_and_little_more(length):
    assert length <= parse(as_text(length)) <= length * 8 / 7


NOTHING = [
    (Training, {"window": "0d"}),
    (Training, {"holdout": "0d"}),
    (Training, {"half_life": "0h"}),
    (Training, {"holdout": timedelta(days=-1)}),
    (Gates, {"block": "0d"}),
    (Call, {"function": print, "batch": "0d"}),
    (Call, {"function": print, "lookback": timedelta(days=-1)}),
    (Policy, {"every": timedelta(days=-1)}),
]


@pytest.mark.parametrize(("part", "given"), NOTHING)
def test_a_length_of_nothing_is_refused_by_name(part, given):
    with pytest.raises(ValueError, match=list(given)[-1]):
        part(**given)


def test_a_label_that_is_known_before_its_row_is_refused(toy):
    with pytest.raises(ValueError, match="label_delay"):
        toy(label_delay=timedelta(days=-1))
