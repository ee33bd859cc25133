"""The first difference between two objects: none between equals, and one wherever they differ."""

import copy

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from evergreen.governance.deep_compare import difference

X = np.random.default_rng(0).normal(size=(200, 3))
Y = X[:, 0] + X[:, 1] ** 2
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


class Holder:
    """Anything with attributes."""

    def __init__(self, **given):
        self.__dict__ |= given


@given(PLAIN)
def test_a_copy_is_the_same(thing):
    assert difference(thing, copy.deepcopy(thing)) == ""


@given(st.lists(st.floats(allow_nan=False), min_size=1), st.data())
def test_one_number_that_moved_by_a_bit_is_found_where_it_is(numbers, data):
    place = data.draw(st.integers(0, len(numbers) - 1))
    other = list(numbers)
    other[place] = np.nextafter(other[place], -np.inf if other[place] == np.inf else np.inf)
    assert difference(numbers, other, "x").startswith(f"x[{place}]: ")
    assert difference(np.array(numbers), np.array(other), "x").startswith(f"x[{place}]: ")


@pytest.mark.parametrize(
    ("one", "other", "says"),
    [
        (1, 1.0, "it: a int then, a float now"),
        ([1, 2], [1, 2, 3], "it: the parts ['[0]', '[1]'] then"),
        ({"a": 1}, {"b": 1}, "it: the parts ['.a'] then"),
        ({1, 2}, {1, 3}, "[1]: 2 then, 3 now"),
        (Holder(a=Holder(b=[1, 2])), Holder(a=Holder(b=[1, 3])), "a.b[1]: 2 then, 3 now"),
        (np.zeros(2), np.zeros(2, dtype=np.float32), "it: an array float64[2] then, float32[2] now"),
        (np.zeros(2), np.zeros((2, 1)), "it: an array float64[2] then, float64[2, 1] now"),
        (np.array([1, None]), np.array([1, 2]), "it: an array object[2] then, int64[2] now"),
        (np.array(["a", None], dtype=object), np.array(["a", "b"], dtype=object), "[1]: a NoneType then, a str now"),
        (pd.Series([1.0]), pd.Series([2.0]), "it: a table then, another now"),
        (np.add, np.subtract, "it: "),
        (LinearRegression, Ridge, "it: "),
        (np.random.RandomState(1), np.random.RandomState(2), "[1][0]: "),
    ],
)
def test_what_differs_is_said_with_its_place(one, other, says):
    assert difference(one, copy.deepcopy(one)) == ""
    assert difference(one, other).startswith(says)


@pytest.mark.parametrize(
    "make",
    [
        lambda value: np.array([(value, 2.0)], dtype=[("a", float), ("b", float)]),
        lambda value: np.array([value, "x"], dtype=object),
        lambda value: np.random.RandomState(int(value)),
        lambda value: {int(value), 1000},
        lambda value: Holder(a=[value]),
    ],
    ids=["a record", "objects", "a random state", "a set", "attributes"],
)
def test_what_is_made_on_the_way_is_never_taken_for_something_seen_before(make):
    """Parts are made and let go while walking, and the next ones lie at the same addresses."""
    one, other = [make(5.0) for _ in range(50)], [make(5.0) for _ in range(49)]
    assert difference(one, [*other, make(5.0)]) == ""
    assert difference(one, [*other, make(6.0)]).startswith("[49]")


def test_nan_is_nan_and_what_refers_to_itself_ends():
    assert difference([float("nan"), np.array([np.nan])], [float("nan"), np.array([np.nan])]) == ""
    one, other = Holder(), Holder()
    one.me, other.me = one, other
    assert difference(one, other) == ""


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: HistGradientBoostingRegressor(max_iter=5, random_state=seed, early_stopping=True),
        lambda seed: RandomForestRegressor(3, random_state=seed),
        lambda seed: GradientBoostingRegressor(n_estimators=3, subsample=0.5, random_state=seed),
        lambda seed: make_pipeline(StandardScaler(), Ridge(alpha=1 + seed)),
        lambda seed: make_pipeline(
            OneHotEncoder(handle_unknown="ignore"), Ridge(solver="lsqr", tol=10.0 ** -(4 + seed))
        ),
    ],
)
def test_two_fits_are_the_same_and_one_of_other_rows_is_not(make):
    fitted = make(0).fit(X, Y)
    assert difference(fitted, make(0).fit(X, Y)) == ""
    assert difference(fitted, make(0).fit(X, Y + 0.001 * X[:, 2])) != ""
    assert difference(fitted, make(1).fit(X, Y)) != ""


def test_where_a_part_lies_in_memory_is_no_difference():
    from sklearn.feature_extraction.text import TfidfVectorizer

    recorded, now = (TfidfVectorizer(stop_words=[*words]).fit(["a word", "one more"]) for words in (["a"], ["a"]))
    assert recorded._stop_words_id != now._stop_words_id
    assert difference(recorded, now) == ""
