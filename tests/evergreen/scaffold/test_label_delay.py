"""What a draft guesses of when labels are known, and that it asks where the table does not show it."""

import numpy as np
import pandas as pd
import pytest

from evergreen.scaffold.label_delay import Labels, guess, learned, time_column

START = pd.Timestamp("2013-01-01", tz="UTC")
DAYS = 400


def loans(never=0.0, until=DAYS, seed=0):
    """Times, labels and when these became known: a default after 5 to 20 days, a repayment after 45 to 60."""
    random = np.random.default_rng(seed)
    at = np.sort(random.uniform(0, DAYS, 4000))
    y = random.random(4000) < 0.4
    delay = np.where(y, random.uniform(5, 20, 4000), random.uniform(45, 60, 4000))
    there = (at + delay <= until) & (random.random(4000) >= never)
    times = pd.Series(START + pd.to_timedelta(at, unit="D")).dt.as_unit("us")
    known = pd.Series(START + pd.to_timedelta(at + delay, unit="D")).dt.as_unit("us")
    return Labels("paid", "classification", times, pd.Series(y.astype(float)).where(there)), known.where(there)


@pytest.mark.parametrize("never", [0.0, 0.3])
def test_nearly_all_labels_of_every_class_are_in_after_the_delay_and_bias_is_told(never):
    labels, known = loans(never)
    delay, why = learned(labels, "closed", known)
    assert delay == "60d"
    assert "of every class are in by then, by 'closed'; the early ones are a biased sample: one class makes up" in why


def test_of_labels_that_come_alike_no_bias_is_told():
    labels, _ = loans()
    known = (labels.times + pd.to_timedelta(np.random.default_rng(1).uniform(0, 9, 4000), unit="D")).dt.as_unit("us")
    delay, why = learned(labels, "closed", known.where(labels.values.notna()))
    assert delay == "9d"
    assert "biased" not in why


def test_label_times_of_the_future_are_not_known():
    labels, known = loans()
    later = known.where(known.index % 5 > 0, pd.Timestamp("2099-01-01", tz="UTC")).where(known.notna())
    assert learned(labels, "closed", later, START + pd.Timedelta(DAYS, "D"))[0] == "60d"
    none = later.where(later.isna(), START + pd.Timedelta(9 * DAYS, "D"))
    assert learned(labels, "closed", none, START)[0] == "59d"  # where the first labels are lacking


@pytest.mark.parametrize("never", [0.0, 0.1])
def test_without_label_times_the_delay_is_the_age_from_which_on_labels_are_there(never):
    delay, why = guess(loans(never)[0])
    assert pd.Timedelta("50d") <= pd.Timedelta(delay) <= pd.Timedelta("62d")
    assert "of younger rows not all have a 'paid' yet" in why


def test_labels_that_are_missing_anywhere_are_no_delay_and_the_question_is_asked():
    labels, _ = loans(until=9 * DAYS)
    missing = np.random.default_rng(2).random(4000) < 0.3
    values = labels.values.mask(missing & (labels.times < labels.times.max()))
    assert guess(Labels("paid", "classification", labels.times, values)) == (
        "0d",
        "how long after the row's time is 'paid' known?",
    )


def test_newest_days_with_a_tenth_less_of_labels_are_no_delay():
    random, times = np.random.default_rng(3), hourly(30 * 24 * 36, 1 / 36)
    missing = random.random(len(times)) < np.where(times > times.max() - pd.Timedelta("2d"), 0.11, 0.02)
    missing[-1] = False
    values = pd.Series(np.arange(len(times), dtype=float)).mask(missing)
    assert guess(Labels("air_time", "regression", times, values))[0] == "0d"


def hourly(rows, step=1.0):
    return pd.Series(START + pd.to_timedelta(np.arange(rows) * step, unit="h")).dt.as_unit("us")


@pytest.mark.parametrize(
    ("name", "column", "expected"),
    [
        ("closed", lambda times, there: (times + pd.Timedelta("2d")).where(there), "closed"),
        ("whatever", lambda times, there: (times + pd.Timedelta("2d")).where(there), "whatever"),
        ("closed", lambda times, there: times + pd.Timedelta("2d"), ""),
        ("closed", lambda times, there: (times - pd.Timedelta("2d")).where(there), ""),
        ("closed", lambda times, there: times.where(there & (times.index % 2 == 0)), ""),
        ("closed", lambda times, there: times.where(~times.notna()), ""),
    ],
    ids=["with the label", "by no name", "without the label, too", "before the row", "with a part", "never"],
)
def test_a_column_is_the_label_time_if_it_is_there_with_the_label_and_later_than_the_row(name, column, expected):
    times = hourly(500)
    values = pd.Series(np.arange(500) % 2.0).where(times.index < 450)
    found, _ = time_column(Labels("y", "classification", times, values), {name: column(times, values.notna())})
    assert found == expected


@pytest.mark.parametrize(("name", "expected"), [("label_known", "label_known"), ("shipped", "")])
def test_where_no_label_is_missing_only_a_name_says_it(name, expected):
    times = hourly(500)
    labels = Labels("y", "regression", times, pd.Series(np.arange(500.0)))
    assert time_column(labels, {name: times + pd.Timedelta("1d")})[0] == expected


@pytest.mark.parametrize(("lacking", "delay"), [(5, "5d"), (30, "30d"), (90, "90d"), (150, "0d")])
def test_labels_that_the_newest_rows_lack_are_the_delay_where_half_of_the_time_has_them(lacking, delay):
    times = pd.Series(pd.date_range(START, periods=24 * 200 + 1, freq="h"))
    values = pd.Series(np.arange(len(times)) % 7.0).where(times <= times.max() - pd.Timedelta(days=lacking))
    found, why = guess(Labels("y", "regression", times, values))
    assert pd.Timedelta(0) <= pd.Timedelta(delay) - pd.Timedelta(found) <= pd.Timedelta("2h")
    if delay == "0d":
        assert why.startswith("no row of the newest 150d has a 'y'; ")
