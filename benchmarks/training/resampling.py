"""A paired block bootstrap several ways: 1,000 resamples of 100,000 rows in 365 days.

python -m benchmarks.training.resampling evergreen|numpy mean_absolute_error|roc_auc
"""

import sys

import numpy as np

from benchmarks.harness.measuring import Stopwatch
from evergreen.definition.metrics import named
from evergreen.evaluation import bootstrap

ROWS, DAYS, RESAMPLES = 100_000, 365, 1_000


def rows(metric):
    """When, the target, and two predictions of it, the second worse."""
    random = np.random.default_rng(0)
    times = np.datetime64("2024-01-01", "us") + np.sort(random.integers(0, DAYS * 86_400 * 10**6, ROWS))
    truth = random.normal(100, 15, ROWS)
    ours, theirs = (truth + random.normal(0, spread, ROWS) for spread in (5, 6))
    if metric == "mean_absolute_error":
        return times, truth, ours, theirs
    chance = [1 / (1 + np.exp((100 - predicted) / 10)) for predicted in (ours, theirs)]
    return times, (truth > 100).astype(np.int64), *(np.column_stack([1 - p, p]) for p in chance)


def by_evergreen(metric, times, truth, ours, theirs):
    """As the gates do it: sums by day, then one product."""
    block, blocks = bootstrap.number_blocks(times, np.timedelta64(1, "D"))
    drawn = bootstrap.weights(blocks, RESAMPLES, seed=0)
    sums = [metric.sums(truth, predicted, block, blocks) for predicted in (ours, theirs)]
    gain = bootstrap.paired_gain(metric, *sums, drawn, level=0.95)
    return gain.high - gain.low


def by_numpy(metric, times, truth, ours, theirs):
    """A loop that draws days and computes the metric of their rows again."""
    random = np.random.default_rng(0)
    day = times.astype("datetime64[D]")
    of_day = np.split(np.arange(ROWS), np.flatnonzero(day[1:] != day[:-1]) + 1)
    gains = np.empty(RESAMPLES)
    for i in range(RESAMPLES):
        drawn = np.concatenate([of_day[k] for k in random.integers(0, len(of_day), len(of_day))])
        y, mine, other = truth[drawn], ours[drawn], theirs[drawn]
        gains[i] = np.abs(y - other).mean() - np.abs(y - mine).mean()
    low, high = np.quantile(gains, [0.025, 0.975])
    return high - low


def main() -> None:
    """Time one way, and tell the width of the interval that it found."""
    way, metric = {"evergreen": by_evergreen, "numpy": by_numpy}[sys.argv[1]], sys.argv[2]
    inputs = rows(metric)
    bootstrap.interval(0.0, np.zeros(2), 2, 0.95)  # imports what is imported where it is used
    stopwatch = Stopwatch()
    with stopwatch.running():
        width = way(named(metric), *inputs)
    print(f"width of the interval {width:.5f}")
    stopwatch.tell()


if __name__ == "__main__":
    main()
