"""Distances between distributions, against their formulas."""

import numpy as np

from evergreen.drift.distances import jensen_shannon


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
