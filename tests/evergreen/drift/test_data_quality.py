"""Data quality: missing values, new categories and values out of range, against the reference."""

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from evergreen.drift.bins import Bins
from evergreen.drift.data_quality import quality
from evergreen.drift.profile import Column

NUMBER = Bins("number", edges=(0.0, 1.0))
CATEGORY = Bins("category", categories=("a", "b", "c"))


def category(known, new, missing):
    return Column(CATEGORY, np.array([[known, 0, 0, new, missing]]), np.full((1, 4), np.nan))


def number(low, high, rows=50):
    """A column of numbers from `low` to `high`; only its moments say how far they reach."""
    return Column(NUMBER, np.array([[0, rows, 0, 0]]), np.array([[0.0, 0.0, low, high]]))


@pytest.mark.parametrize(
    ("base", "now", "says"),
    [
        (category(100, 0, 0), category(100, 0, 0), []),
        (category(100, 0, 0), category(60, 0, 40), ["c: 40% missing, 0% in the reference"]),
        (category(1000, 0, 0), category(600, 400, 0), ["c: 40% in new categories, 0% in the reference"]),
        (
            category(900, 100, 0),
            category(200, 300, 500),
            ["c: 50% missing, 0% in the reference", "c: 30% in new categories, 10% in the reference"],
        ),
        (category(100, 0, 0), category(0, 0, 0), []),
        (category(0, 0, 0), category(0, 0, 100), []),
    ],
    ids=["alike", "missing", "new categories", "both", "no rows", "no reference"],
)
def test_a_share_that_grew_is_a_problem(base, now, says):
    assert quality({"c": base}, {"c": now}, level=1e-4) == says


@pytest.mark.parametrize(
    ("rows", "missing", "base_missing", "problem"),
    [(1000, 99, 0, False), (1000, 100, 0, True), (1000, 590, 500, False), (29, 29, 0, False), (30, 30, 0, True)],
    ids=["less than a tenth more", "a tenth more", "less than a tenth more than half", "too few rows", "enough rows"],
)
def test_a_share_must_grow_by_a_tenth_of_at_least_thirty_rows(rows, missing, base_missing, problem):
    base, now = category(1000 - base_missing, 0, base_missing), category(rows - missing, 0, missing)
    assert bool(quality({"c": base}, {"c": now}, level=0.01)) == problem


def chance(rows, missing, base_rows, base_missing):
    """The probability of so many more missing rows where both shares are alike: half of Pearson's chi-squared test."""
    table = [[missing, rows - missing], [base_missing, base_rows - base_missing]]
    return chi2_contingency(table, correction=False).pvalue / 2


@pytest.mark.parametrize("level", [0.01, 1e-4])
@pytest.mark.parametrize("base_missing", [1, 10, 30, 45])
def test_a_share_must_grow_beyond_chance(base_missing, level):
    """In 40 rows after 60: from what number of missing rows on is it a problem?"""
    expected = [
        missing
        for missing in range(1, 41)
        if missing / 40 - base_missing / 60 >= 0.1 and chance(40, missing, 60, base_missing) < level
    ]
    base = category(60 - base_missing, 0, base_missing)
    found = [
        missing for missing in range(1, 41) if quality({"c": base}, {"c": category(40 - missing, 0, missing)}, level)
    ]
    assert found == expected


def far(side, times, name="c"):
    """The phrase; it names no value, since that is of one row."""
    return f"{name}: values far {side} the reference's range, by {times} times its width"


@pytest.mark.parametrize(
    ("base", "now", "says"),
    [
        ((10, 12), (10, 12), []),
        ((10, 12), (8, 14), []),
        ((10, 12), (7.9, 12), [far("below", "1")]),
        ((10, 12), (10, 14.1), [far("above", "1")]),
        ((10, 12), (-1, 99), [far("below", "5.5"), far("above", "44")]),
        ((10, 12), (20, 30), [far("above", "9")]),
        ((-12, -10), (-14.1, -10), [far("below", "1")]),
        ((5, 5), (4, 6), []),
        ((np.nan, np.nan), (4, 6), []),
        ((10, 12), (np.nan, np.nan), []),
    ],
)
def test_a_value_is_a_problem_if_it_lies_farther_outside_the_range_than_the_range_is_wide(base, now, says):
    assert quality({"c": number(*base)}, {"c": number(*now)}, level=1e-4) == says


def test_every_column_is_checked_after_one_without_rows_too():
    base = {"empty": category(100, 0, 0), "c": category(100, 0, 0), "n": number(0, 1)}
    now = {"empty": category(0, 0, 0), "c": category(0, 0, 100), "n": number(0, 9)}
    assert quality(base, now, level=1e-4) == ["c: 100% missing, 0% in the reference", far("above", "8", "n")]
