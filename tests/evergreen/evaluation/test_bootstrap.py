"""The block bootstrap: its coverage on streams with good and bad days, and its exact answers."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import binom
from scipy.stats import t as student

from evergreen.definition.gates import Gates
from evergreen.definition.metrics import named
from evergreen.evaluation.bootstrap import (
    Gain,
    Interval,
    interval,
    number_blocks,
    paired_gain,
    pooled,
    score_interval,
    weights,
)

MAE = named("mean_absolute_error")
PINNED = [
    *[4.970063383118468, 4.617325380504125, 5.322801385732811],
    *[0.2343328083568208, -0.1258157534894141, 0.5944813702030557],
]


def stream(random, days, rows_a_day=60, better_by=0.3):
    """Targets, and the predictions of two contenders; whole days suit the one or the other."""
    block = np.repeat(np.arange(days), rows_a_day)
    ours = random.normal(size=days)[block] * 0.5 + random.normal(size=len(block)) + 5
    theirs = ours + better_by + random.normal(size=days)[block] * 0.4 + random.normal(size=len(block)) * 0.2
    return np.zeros(len(block)), ours, theirs, block


def sums_of(prediction, target, block, days):
    return MAE.sums(target, prediction, block, days)


@pytest.mark.parametrize("days", [7, 28])
def test_the_nominal_95_percent_interval_covers_the_true_gain(days):
    covered = 0
    for seed in range(400):
        target, ours, theirs, block = stream(np.random.default_rng(seed), days)
        gain = paired_gain(
            MAE,
            sums_of(ours, target, block, days),
            sums_of(theirs, target, block, days),
            weights(days, 1000, seed),
            0.95,
        )
        covered += gain.low <= 0.3 <= gain.high
    assert 0.92 <= covered / 400 <= 0.98


SETS = 500
LEAST = binom.ppf(1e-5, SETS, 0.95) / SETS  # fewer are covered once in 100,000 runs where 95 % are: 0.904


def sums_of_days(random, days, rows_a_day, effect, better_by=0.3):
    """The sums by day, as the metric makes them of absolute errors, of many data sets at once."""
    shape, count = (SETS, days, rows_a_day), np.full((SETS, days), float(rows_a_day))
    ours = random.normal(size=(SETS, days, 1)) * 0.5 + random.normal(size=shape) + 20
    theirs = ours + better_by + random.normal(size=(SETS, days, 1)) * effect + random.normal(size=shape) * 0.2
    return [np.stack([np.abs(errors).sum(axis=2), count], axis=-1) for errors in (ours, theirs)]


@settings(max_examples=8)
@given(st.integers(10, 40), st.integers(1, 40), st.floats(0, 2), st.integers(0, 2**32))
def test_the_interval_covers_the_true_gain_whatever_the_days_their_rows_and_their_effect(days, rows, effect, seed):
    random = np.random.default_rng(seed)
    gains = [
        paired_gain(MAE, ours, theirs, weights(days, 200, int(random.integers(2**32))), 0.95)
        for ours, theirs in zip(*sums_of_days(random, days, rows, effect), strict=True)
    ]
    assert sum(interval.low <= 0.3 <= interval.high for interval in gains) / SETS >= LEAST


def test_rows_taken_for_independent_would_cover_far_too_seldom():
    covered = 0
    for seed in range(100):
        target, ours, theirs, block = stream(np.random.default_rng(seed), days=7)
        alone = np.arange(len(block))
        gain = paired_gain(
            MAE,
            sums_of(ours, target, alone, len(alone)),
            sums_of(theirs, target, alone, len(alone)),
            weights(len(alone), 200, seed),
            0.95,
        )
        covered += gain.low <= 0.3 <= gain.high
    assert covered < 50


def test_pairing_cancels_what_good_and_bad_days_do_to_both():
    target, ours, theirs, block = stream(np.random.default_rng(0), days=28)
    sums = [sums_of(prediction, target, block, 28) for prediction in (ours, theirs)]
    drawn = weights(28, 1000, seed=0)
    other = paired_gain(MAE, sums[0], sums[1][np.random.default_rng(1).permutation(28)], drawn, 0.95)
    paired = paired_gain(MAE, *sums, drawn, 0.95)
    assert paired.high - paired.low < 0.7 * (other.high - other.low)


def test_exact_answers_on_a_seeded_stream():
    target, ours, theirs, block = stream(np.random.default_rng(2013), days=7)
    sums = [sums_of(prediction, target, block, 7) for prediction in (ours, theirs)]
    drawn = weights(7, 1000, seed=0)
    figures = [
        *vars(score_interval(MAE, sums[0], drawn, 0.95)).values(),
        *vars(paired_gain(MAE, *sums, drawn, 0.95)).values(),
    ]
    assert figures == pytest.approx(PINNED, rel=1e-9)


@given(
    arrays.arrays(np.float64, (5, 2), elements=st.floats(0.1, 100)),
    arrays.arrays(np.float64, (5, 1), elements=st.floats(0.1, 100)),
)
def test_a_gain_turned_round_is_the_same_loss(ours, other):
    theirs = np.column_stack([other, ours[:, 1]])
    drawn = weights(5, 100, seed=0)
    there, back = paired_gain(MAE, ours, theirs, drawn, 0.95), paired_gain(MAE, theirs, ours, drawn, 0.95)
    assert [there.value, there.low, there.high] == pytest.approx([-back.value, -back.high, -back.low])


@pytest.mark.parametrize("blocks", [1, 3, 30])
def test_every_resample_draws_as_many_blocks_as_there_are(blocks):
    drawn = weights(blocks, 200, seed=1)
    assert drawn.shape == (200, blocks)
    assert set(drawn.sum(axis=1)) == {float(blocks)}


@pytest.mark.parametrize(
    ("value", "resampled", "blocks"),
    [(1.0, [1.0, 1.0], 1), (math.nan, [1.0, 1.0], 7), (1.0, [1.0, math.nan], 7), (math.inf, [1.0, 1.0], 7)],
    ids=["one block", "no value", "a resample without a value", "an infinite value"],
)
def test_bounds_that_cannot_be_had_are_unknown(value, resampled, blocks):
    bounds = interval(value, np.array(resampled), blocks, 0.95)
    assert math.isnan(bounds.low)
    assert math.isnan(bounds.high)


@given(st.floats(0.5, 0.98))
def test_more_confidence_is_a_wider_interval(level):
    resampled = np.random.default_rng(0).normal(size=200)
    narrow, wide = interval(0.0, resampled, 7, level), interval(0.0, resampled, 7, level + 0.01)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_nothing_is_known_of_the_unknown():
    assert all(math.isnan(bound) for bound in vars(Interval.unknown()).values())


@given(st.lists(st.integers(-1000, 1000), min_size=1), st.sampled_from([1, 6, 24, 24 * 7]))
def test_rows_share_a_block_if_they_share_its_span(hours, length):
    times = np.datetime64("2013-01-01", "us") + np.array(hours).astype("timedelta64[h]")
    block, blocks = number_blocks(times, np.timedelta64(length, "h"))
    span = (times.astype("datetime64[h]").astype(int)) // length
    assert blocks == len(set(span))
    assert sorted(set(block)) == list(range(blocks))
    assert all((block[i] == block[0]) == (span[i] == span[0]) for i in range(len(span)))


def gain_of(days, level=0.95):
    """A gain as an evaluation gives it: the mean of so many days, with Student's interval."""
    error = days.std(ddof=1) / math.sqrt(len(days))
    return Gain(interval(float(days.mean()), days.mean() + error * NORMAL, len(days), level), level, len(days))


NORMAL = np.random.default_rng(0).normal(size=4000)
NORMAL /= NORMAL.std(ddof=1)


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_a_pooled_gain_covers_what_is_true_as_often_as_it_says(parts):
    random, hits = np.random.default_rng(parts), 0
    for _ in range(600):
        spread = random.uniform(0.5, 2, size=parts)  # some weeks are wilder than others
        pooled_gain = pooled([gain_of(random.normal(0.3, scale, size=7)) for scale in spread], 0.9)
        hits += pooled_gain.low <= 0.3 <= pooled_gain.high
    assert 0.86 <= hits / 600 <= 0.97


def test_looking_week_after_week_takes_no_more_that_are_worse_than_is_stated():
    gates, random, taken, margin = Gates(alpha=0.2), np.random.default_rng(1), 0, 0.3
    for _ in range(400):
        before = []
        for _ in range(10):
            before.append(gain_of(random.normal(-margin, 1, size=7)))  # just as much worse as is tolerated
            if pooled(before, gates.level(len(before) - 1, 2)).low > -margin:
                taken += 1
                break
    assert taken / 400 <= gates.alpha / 2 + 0.03


def test_a_gain_is_read_as_it_was_written_and_nothing_is_proven_by_what_is_not_known():
    gain = Gain(Interval(1.0, 0.5, 1.5), 0.9, 7)
    assert Gain.parse(gain.dump()) == gain
    for lost in (Gain(Interval.unknown(), 0.95, 7), Gain(Interval(1.0, math.nan, math.nan), 0.95, 1)):
        assert math.isnan(pooled([gain, Gain.parse(lost.dump())], 0.95).low)
    certain = Gain(Interval(1.0, 1.0, 1.0), 0.95, 7)
    assert pooled([certain, certain], 0.95) == Interval(1.0, 1.0, 1.0)


@pytest.mark.parametrize("blocks", [1, 2, 7])
def test_the_error_of_a_gain_is_the_one_that_its_interval_was_made_of(blocks):
    reach = 0.5 * student.ppf(0.95, blocks - 1) if blocks > 1 else math.nan
    gain = Gain(Interval(3.0, 3.0 - reach, 3.0 + reach), 0.9, blocks)
    assert gain.error == pytest.approx(0.5 if blocks > 1 else math.nan, nan_ok=True)


def test_gains_are_pooled_by_their_blocks_with_the_degrees_of_freedom_of_welch_and_satterthwaite():
    blocks, values, errors = np.array([7, 14]), np.array([1.0, 4.0]), np.array([0.3, 0.6])
    reaches = errors * student.ppf(0.975, blocks - 1)
    gains = [
        Gain(Interval(value, value - reach, value + reach), 0.95, int(count))
        for value, reach, count in zip(values, reaches, blocks, strict=True)
    ]
    parts = (blocks / 21 * errors) ** 2
    reach = math.sqrt(parts.sum()) * student.ppf(0.95, parts.sum() ** 2 / (parts**2 / (blocks - 1)).sum())
    found = pooled(gains, 0.9)
    assert [found.value, found.low, found.high] == pytest.approx([3.0, 3.0 - reach, 3.0 + reach])
