"""The tree of errors: as scikit-learn's own, and blind to what only tells days apart."""

import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeRegressor

from evergreen.monitoring import error_tree
from evergreen.monitoring.error_tree import ErrorTree


def table(random, rows=4000, days=7):
    at = pd.Timestamp("2013-01-01", tz="UTC") + pd.to_timedelta(np.sort(random.uniform(0, days * 24, rows)), unit="h")
    return pd.DataFrame(
        {
            "at": at.as_unit("us"),
            "x": np.where(random.random(rows) < 0.1, np.nan, random.normal(size=rows)),
            "group": random.choice(["a", "b", "c"], rows),
            "weekday": at.weekday,
            "flag": random.random(rows) < 0.5,
        }
    )


@pytest.fixture
def model(toy):
    kinds = {"x": "number", "group": "category", "weekday": "integer", "flag": "boolean"}
    return toy(features=kinds, extra={}, slices=[])


def fitted(model, seed=0, effect="group"):
    random = np.random.default_rng(seed)
    rows = table(random)
    hard = {"group": rows["group"] == "c", "x": rows["x"].isna(), "flag": rows["flag"], "weekday": rows["weekday"] > 3}
    prediction = random.normal(size=len(rows))
    loss = np.abs(random.normal(size=len(rows))) * np.where(hard[effect], 5.0, 1.0)
    return rows, prediction, np.column_stack([loss, np.ones(len(rows))]), hard[effect].to_numpy()


@pytest.mark.parametrize("effect", ["group", "x", "flag"])
def test_rows_that_are_hard_are_told_by_what_makes_them_so(model, effect):
    rows, prediction, sums, hard = fitted(model, effect=effect)
    tree = ErrorTree.fit(model, rows, prediction, sums)
    expected = tree.expected(rows, prediction)[:, 0]
    assert effect in [encoding.column for encoding in tree.encodings]
    assert expected[hard].mean() > 4 * expected[~hard].mean()
    assert expected.mean() == pytest.approx(sums[:, 0].mean())


def test_a_column_that_only_tells_the_days_of_a_week_is_not_learnt_from(model):
    rows, prediction, sums, _ = fitted(model, effect="weekday")
    tree = ErrorTree.fit(model, rows, prediction, sums)
    assert "weekday" not in [encoding.column for encoding in tree.encodings]


def test_the_tree_answers_as_scikit_learns_own(monkeypatch, model):
    grown = []
    original = DecisionTreeRegressor.fit
    monkeypatch.setattr(DecisionTreeRegressor, "fit", lambda self, *given: grown.append(self) or original(self, *given))
    rows, prediction, sums, _ = fitted(model)
    tree = ErrorTree.fit(model, rows, prediction, sums)
    inputs = error_tree._stacked([prediction, *(encoding.numbers(rows) for encoding in tree.encodings)])
    assert tree.expected(rows, prediction) == pytest.approx(grown[-1].predict(inputs))


def test_a_category_not_seen_before_and_a_missing_value_are_answered(model):
    rows, prediction, sums, _ = fitted(model)
    tree = ErrorTree.fit(model, rows, prediction, sums)
    strange = rows.head(50).assign(group="z", x=np.nan, flag=None)
    assert np.isfinite(tree.expected(strange, prediction[:50])).all()


@pytest.mark.parametrize("rows", [1, 2, 10])
def test_few_rows_of_one_day_give_their_mean(model, rows):
    some, prediction, sums, _ = fitted(model)
    tree = ErrorTree.fit(model, some.head(rows), prediction[:rows], sums[:rows])
    assert tree.expected(some.head(rows), prediction[:rows]).mean(axis=0) == pytest.approx(sums[:rows].mean(axis=0))


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.parametrize("huge", [1e39, 1e200, -1.7e308])
def test_values_that_no_tree_can_hold_are_the_largest_number(model, huge):
    rows, prediction, sums, _ = fitted(model, effect="x")
    rows.loc[rows.index[::50], "x"] = huge
    sums[::50, 0] = abs(huge)
    tree = ErrorTree.fit(model, rows, prediction, sums)
    assert np.isfinite(tree.expected(rows, prediction)).all()
