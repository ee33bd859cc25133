"""Features that tell a number nearly alone, and honest ones that do."""

import numpy as np
import pandas as pd
import pytest

from evergreen.scaffold.reading import near_copies

COUNT = 2000
RANDOM = np.random.default_rng(0)
AT = pd.Series(pd.date_range("2026-01-01", periods=COUNT, freq="h", tz="UTC"))
X, NOISE, MORE = RANDOM.normal(size=(3, COUNT))
WALK = np.cumsum(RANDOM.normal(size=COUNT))
CYCLE = 10 * np.sin(np.arange(COUNT) * 2 * np.pi / 24)
PRICE = np.exp(X + 0.5 * NOISE)


def named(y, **columns):
    rows = pd.DataFrame({"x": X, "y": y} | columns)
    features = {
        name: "number" if pd.api.types.is_numeric_dtype(rows[name]) else "category" for name in rows if name != "y"
    }
    return near_copies.found(rows, features, "y", AT)


@pytest.mark.parametrize(
    "copy",
    [
        lambda y: 3.5 * y - 20,
        lambda y: -y,
        lambda y: y + 0.03 * y.std() * MORE,
        lambda y: np.where(np.arange(COUNT) % 10 == 0, np.nan, y * 1.2),
        lambda y: y.round(1),
    ],
    ids=["a scale", "its negative", "noise", "gaps", "rounded"],
)
@pytest.mark.parametrize("y", [X + NOISE, PRICE, CYCLE + 3 * NOISE], ids=["normal", "prices", "cycle"])
def test_a_copy_but_for_a_scale_and_noise_is_named_with_its_evidence(y, copy):
    found = named(y, charged=copy(y))
    assert [*found] == ["charged"]
    assert found["charged"].startswith("it alone tells ")
    assert found["charged"].endswith("is it known before?")


def test_two_copies_hide_each_other_not():
    y = X + NOISE
    assert {*named(y, one=2 * y + 0.02 * MORE, two=y - 0.02 * MORE)} == {"one", "two"}


SERIES = np.arange(COUNT) % 20
LEVEL = 100.0 * SERIES + np.repeat(np.cumsum(RANDOM.normal(size=COUNT // 20)), 20)
HONEST = {
    "the value before": (WALK, {"before": pd.Series(WALK).shift()}),
    "a second station": (WALK, {"other": WALK + 0.5 * NOISE}),
    "both grow": (np.arange(COUNT) + NOISE, {"other": 2.0 * np.arange(COUNT) + NOISE}),
    "the value before of each store": (LEVEL, {"store": SERIES.astype(str), "before": pd.Series(LEVEL).shift(20)}),
    "the best of several": (X * 5 + NOISE, {}),
    "a price without its tax": (PRICE, {"rough": PRICE * np.exp(0.3 * MORE)}),
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_feature_is_not_named_however_much_it_tells(name):
    y, columns = HONEST[name]
    assert named(y, **columns) == {}


def test_few_rows_and_constants_are_no_evidence():
    assert near_copies.found(pd.DataFrame({"a": [1.0] * 9, "y": range(9)}), {"a": "number"}, "y", AT[:9]) == {}
    y = X + NOISE
    late = [np.nan] * (COUNT // 2) + [*range(COUNT // 2)]
    assert [*named(y, charged=2 * y, constant=1.0, empty=np.nan, late=late)] == ["charged"]
