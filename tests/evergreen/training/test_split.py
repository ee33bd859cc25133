"""Splits by time: no row on both sides, no overlap, the gap respected, whatever the times."""

from datetime import timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.errors import NotEnoughDataError
from evergreen.training.split import folds, refit, split

START = pd.Timestamp("2013-01-01", tz="UTC")
SECONDS = st.integers(0, 100 * 86_400)
LENGTHS = st.timedeltas(timedelta(minutes=1), timedelta(days=30))
GAPS = st.timedeltas(timedelta(0), timedelta(days=5))


def moments(least):
    listed = st.lists(SECONDS, min_size=least, max_size=60)
    return listed.map(lambda seconds: pd.Series(START + pd.to_timedelta(sorted(seconds), unit="s")))


TIMES = moments(1)


@given(TIMES, st.none() | LENGTHS, LENGTHS, GAPS)
def test_no_row_is_on_both_sides_and_the_gap_lies_between(times, window, holdout, gap):
    bounds = split(times.max(), window=window, holdout=holdout, gap=gap)
    trained, validation = times[bounds.training(times)], times[bounds.holdout(times)]
    assert not set(trained.index) & set(validation.index)
    assert validation.max() == times.max()
    assert all(times.max() - validation <= holdout)
    if len(trained):
        assert validation.min() - trained.max() > gap


@given(TIMES, LENGTHS, LENGTHS, GAPS)
def test_the_window_holds_every_row_that_it_reaches_and_no_other(times, window, holdout, gap):
    bounds = split(times.max(), window=window, holdout=holdout, gap=gap)
    inside = [bounds.train_until - window <= at < bounds.train_until for at in times]
    assert bounds.training(times).tolist() == inside


@given(TIMES, LENGTHS, GAPS)
def test_without_a_window_only_the_gap_is_left_out(times, holdout, gap):
    bounds = split(times.max(), window=None, holdout=holdout, gap=gap)
    left = times[~bounds.training(times) & ~bounds.holdout(times)]
    assert all((bounds.train_until <= left) & (left < bounds.holdout_from))


@given(TIMES, st.none() | LENGTHS, LENGTHS, GAPS)
def test_a_refit_takes_the_holdout_in_and_holds_nothing_out(times, window, holdout, gap):
    again = refit(split(times.max(), window=window, holdout=holdout, gap=gap))
    assert again.training(times).iloc[-1]
    assert not again.holdout(times).any()
    assert again.train_from == (None if window is None else again.train_until - window)


@given(moments(30), st.integers(1, 5), st.randoms(use_true_random=False))
def test_folds_are_fitted_on_what_was_known_before_and_validated_on_the_future(times, count, random):
    known = times + pd.to_timedelta([random.randint(-5, 30) for _ in times], unit="h")
    try:
        cuts = list(folds(times, known, count))
    except NotEnoughDataError:
        return  # too few rows for so many folds is said, and tested below
    assert len(cuts) == count
    for fit, validation in cuts:
        began = times[validation].min()
        assert times[fit].max() < began
        assert known[fit].max() < began
        assert fit.tolist() == [
            at < began and label_known < began for at, label_known in zip(times, known, strict=True)
        ]
    validated = pd.concat([validation for _, validation in cuts], axis=1)
    assert validated.sum(axis=1).max() == 1
    assert validated.iloc[-1].any()


@given(st.permutations(range(24)))
def test_folds_do_not_depend_on_the_order_of_rows(order):
    times = pd.Series(START + pd.to_timedelta(list(range(24)), unit="h"))
    shuffled = times.iloc[list(order)]
    plain = [set(times[validation]) for _, validation in folds(times, times, 3)]
    assert [set(shuffled[validation]) for _, validation in folds(shuffled, shuffled, 3)] == plain


@pytest.mark.parametrize(
    ("hours", "count", "delay"),
    [
        ([0], 1, timedelta(0)),
        ([5] * 40, 2, timedelta(0)),
        (range(40), 2, timedelta(hours=40)),
        (range(3), 3, timedelta(0)),
    ],
    ids=["one row", "one time", "labels later than the rows", "more folds than rows"],
)
def test_too_few_rows_for_the_folds_is_an_error_that_says_so(hours, count, delay):
    times = pd.Series(START + pd.to_timedelta(list(hours), unit="h"))
    with pytest.raises(NotEnoughDataError, match=f"too few for {count} folds"):
        list(folds(times, times + delay, count))
