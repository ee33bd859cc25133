"""Early labels that differ from late ones by outcome are found, and those that do not are not."""

import numpy as np
import pytest

from evergreen.ingestion.early_labels import EarlyLabels, compared
from evergreen.ingestion.label_times import LabelTimes

DAY = 86_400.0


def seen(outcome, age, followed):
    return LabelTimes(age * DAY, np.ones(len(age), dtype=bool), followed * DAY, outcome.astype(np.int64))


def drawn(rows, seed=0):
    random = np.random.default_rng(seed)
    return random, random.random(rows) < 0.3, 100 + np.sort(random.uniform(0, 300, rows))


@pytest.mark.parametrize(
    ("age", "told"),
    [
        (lambda random, y, at: np.where(y, random.uniform(5, 20, len(y)), random.uniform(45, 60, len(y))), True),
        (lambda random, y, at: random.exponential(np.where(y, 5, 9)), True),
        (lambda random, y, at: np.where(y, 1.0, 20.0), True),
        (lambda random, y, at: np.where(~y, 1.0, 20.0), True),
        (lambda random, y, at: random.uniform(0, 60, len(y)), False),
        (lambda random, y, at: np.full(len(y), 3.0), False),
        (lambda random, y, at: np.where(at > 250, 3.0, 40.0), False),
    ],
    ids=["by outcome", "somewhat by outcome", "two ages", "most late", "not", "all at once", "changed with time"],
)
def test_a_difference_is_told_where_there_is_one(age, told):
    random, y, followed = drawn(2000)
    assert compared(seen(y, age(random, y, followed), followed), 90 * DAY).biased is told


def test_outcomes_and_delays_that_both_change_with_time_are_no_difference():
    random, _, followed = drawn(4000)
    y = random.random(len(followed)) < followed / 500
    age = random.uniform(0, 1, len(followed)) + followed / 10
    assert not compared(seen(y, age, followed), 90 * DAY).biased


def test_a_year_of_looks_seldom_errs():
    found = []
    for seed in range(400):
        random, y, followed = drawn(300, seed)
        found.append(compared(seen(y, random.uniform(0, 60, len(y)), followed), 90 * DAY).chance)
    assert np.mean(np.array(found) < 0.1) == pytest.approx(0.1, abs=0.04)
    assert min(found) > 1e-5


def test_of_few_rows_or_one_outcome_nothing_is_told():
    random, y, followed = drawn(99)
    assert compared(seen(y, random.uniform(0, 60, 99), followed), 90 * DAY) is None
    assert not compared(seen(np.ones(500), np.arange(500) / 10, np.full(500, 200.0)), 90 * DAY).biased


def test_the_exact_shares_are_told_without_a_value():
    y = np.tile([1, 1, 1, 0], 100)
    found = compared(seen(y, np.where(y == 1, 2.0, 30.0), np.full(400, 100.0)), 60 * DAY)
    assert (found.within, found.early, found.late) == (2 * DAY, 1.0, 0.0)
    assert EarlyLabels.parse(found.dump()) == found
    assert "one quarter of the values makes up" in found.sentence("regression")
