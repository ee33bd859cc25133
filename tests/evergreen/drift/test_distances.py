"""Distances between distributions, against their formulas."""

import math
from dataclasses import replace

import numpy as np
import pytest

from evergreen.drift.bins import Bins
from evergreen.drift.distances import jensen_shannon, psi, wasserstein
from evergreen.drift.profile import Column


def test_jensen_shannon_is_its_formula_and_nan_without_rows():
    rng = np.random.default_rng(7)
    reference, window = rng.poisson(5, (50, 12)), rng.poisson(4, (50, 12))
    window[0] = 0
    distance = jensen_shannon(reference, window)
    assert np.isnan(distance[0])
    for ours, counts, others in zip(distance[1:], reference[1:], window[1:], strict=True):
        p, q = counts / counts.sum(), others / others.sum()
        middle = (p + q) / 2
        bits = sum(share[share > 0] @ np.log2(share[share > 0] / middle[share > 0]) for share in (p, q)) / 2
        np.testing.assert_allclose(ours, np.sqrt(bits), atol=1e-12)


def test_alike_counts_have_no_distance_however_their_shares_are_rounded():
    counts = np.random.default_rng(0).poisson(5, (10_000, 7)) + 1
    assert jensen_shannon(counts, 3 * counts) == pytest.approx(0, abs=1e-7)


def test_psi_is_its_formula_with_half_a_row_more_in_every_bin():
    rng = np.random.default_rng(7)
    reference, window = rng.poisson(5, (50, 12)), rng.poisson(1, (50, 12))
    for ours, counts, others in zip(psi(reference, window), reference, window, strict=True):
        p, q = (side + 0.5 for side in (counts, others))
        p, q = p / p.sum(), q / q.sum()
        assert ours == pytest.approx(sum((q - p) * np.log(q / p)))


FOUR = Bins("number", edges=(0.0, 1.0, 2.0, 3.0, 4.0))
EVEN = ([0, 5, 5, 5, 5, 0], 0.0, 4.0)  # of a mean of 2


def within(counts, low, high, missing=0):
    """Values evenly spread within each bin, and to the least and the greatest value outside the edges."""
    return Column(FOUR, np.array([[*counts, missing]]), np.array([[20 * 2.0, 20 * 8.0, low, high]]))


@pytest.mark.parametrize(
    ("counts", "low", "high", "mean"),
    [
        (*EVEN, 2.0),
        ([0, 0, 0, 0, 7, 0], 3.0, 4.0, 3.5),
        ([0, 7, 0, 0, 0, 0], 0.0, 1.0, 0.5),
        ([0, 0, 0, 0, 7, 0], 3.2, 3.8, 3.5),
        ([0, 7, 0, 0, 0, 0], 0.2, 0.8, 0.5),
        ([0, 0, 5, 5, 0, 10], 1.0, 6.0, 3.5),
        ([10, 0, 5, 5, 0, 0], -2.0, 3.0, 0.5),
        ([20, 0, 0, 0, 0, 0], -2.0, 0.0, -1.0),
    ],
)
def test_values_that_moved_one_way_moved_by_the_difference_of_their_means(counts, low, high, mean):
    distance = wasserstein(within(*EVEN), within(counts, low, high, missing=50))
    assert distance == pytest.approx(abs(mean - 2.0) / 2)  # in spreads of the reference: root of 8 - 2 * 2


@pytest.mark.parametrize(
    ("reference", "window"),
    [
        (within([0] * 6, np.nan, np.nan), within(*EVEN)),
        (within(*EVEN), within([0] * 6, np.nan, np.nan, missing=9)),
        (replace(within(*EVEN), moments=np.array([[40.0, 80.0, 2.0, 2.0]])), within(*EVEN)),
        (replace(within(*EVEN), bins=Bins("category", categories=tuple("abcde"))), within(*EVEN)),
    ],
    ids=["no reference", "no known value", "no spread", "a category"],
)
def test_a_distance_that_has_no_unit_or_no_values_is_unknown(reference, window):
    assert math.isnan(wasserstein(reference, window))
