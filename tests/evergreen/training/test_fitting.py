"""Fitting: what is seeded, weighed and aligned, and what is said of rows or estimators that cannot be fitted."""

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import LinearSVC

from evergreen import Serving, Training
from evergreen.definition.metrics import named
from evergreen.errors import NotEnoughDataError, TrainingError
from evergreen.evaluation.evidence import compare
from evergreen.gates.verdict import judge
from evergreen.training import fitting

CATEGORIES = {"x": "number", "group": "category"}


def encoded():
    encode = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, max_categories=200)
    return make_pipeline(
        make_column_transformer((encode, ["group"]), remainder="passthrough"),
        HistGradientBoostingRegressor(max_iter=5, categorical_features=[0]),
    )


def test_a_fitted_estimator_has_seen_the_features_and_nothing_else(toy, rows):
    fitted = fitting.fit(toy(), rows(10))
    assert list(fitted.feature_names_in_) == ["x"]
    assert fitted.coef_ == pytest.approx([2], abs=0.1)


@pytest.mark.parametrize(
    ("task", "change", "says"),
    [
        ("regression", lambda rows: rows[:99], "99 labelled rows in the training window, at least 100 are needed"),
        ("regression", lambda rows: rows[:0], "0 labelled rows .*Ingest more, lengthen `window`, or lower `min_rows`"),
        ("classification", lambda rows: rows.assign(y=1), "every label in the training window is 1; two classes are"),
    ],
    ids=["too few", "none, as after a split with a long holdout", "one class"],
)
def test_rows_that_teach_nothing_are_not_enough_data(toy, rows, task, change, says):
    with pytest.raises(NotEnoughDataError, match=says):
        fitting.fit(toy(task=task), change(rows(10)))


def test_where_labels_have_a_time_it_is_told_which_train(toy, rows):
    told = r"0 labelled rows .*Only labels known before the holdout began, by 'closed', are used for training\."
    with pytest.raises(NotEnoughDataError, match=told):
        fitting.fit(toy(label_time="closed"), rows(10)[:0])


def raising():
    raise KeyError("no such file")


@pytest.mark.parametrize(
    ("estimator", "change", "says"),
    [
        (raising, {}, "the estimator raised KeyError: '…'"),
        (lambda: LinearRegression(depth=3), {}, "the estimator raised TypeError"),
        (lambda: LogisticRegression(C=-1), {}, "the estimator raised InvalidParameterError"),
        (LinearRegression, {"x": np.nan}, "the estimator raised ValueError: Input X contains NaN"),
        (LinearRegression, {"x": np.inf}, "the estimator raised ValueError: Input X contains infinity"),
        (encoded, {"x": np.nan}, "the estimator raised ValueError"),
        (LinearRegression, {"x": "many"}, "the estimator raised ValueError"),
    ],
    ids=["made", "its parameters", "when it checks", "NaN", "infinity", "all gaps", "text"],
)
def test_an_estimator_that_raises_is_named_with_its_model(toy, rows, estimator, change, says):
    with pytest.raises(TrainingError, match=f"(?s)toy: {says}.*Fix it in the model file"):
        fitting.fit(toy(estimator=estimator), rows(10).assign(**change))


@pytest.mark.parametrize("value", [1e200, -1.7e308, np.inf])
def test_a_target_that_cannot_be_squared_is_told(toy, rows, value):
    given = rows(10).assign(y=lambda rows: rows["y"].where(rows.index > 0, value))
    with pytest.raises(TrainingError, match=r"the target 'y' holds values up to .*Divide it in the source"):
        fitting.fit(toy(), given)


def test_an_estimator_that_raises_when_it_is_asked_is_named_too(toy, rows):
    strict = toy(features=CATEGORIES, estimator=lambda: make_pipeline(OneHotEncoder(), LinearRegression()))
    fitted = fitting.fit(strict, rows(10))
    with pytest.raises(TrainingError, match=r"toy: .* raised ValueError: Found unknown categories.*Fix it"):
        fitting.predict(strict, fitted, rows(1).assign(group="never seen"))


@pytest.mark.parametrize(
    "change",
    [
        {"x": 1.0},
        {"group": "one"},
        {"group": None},
        {"group": [f"g{number}" for number in range(10_008)]},
    ],
    ids=["a constant", "one category", "no category", "ten thousand categories"],
)
def test_odd_features_are_fitted_and_answered_for(toy, rows, change):
    model = toy(features=CATEGORIES, estimator=encoded)
    given = pd.concat([rows(139)] * 3, ignore_index=True).assign(**change)
    answer = fitting.predict(model, fitting.fit(model, given), given[-10:])
    assert np.isfinite(answer).all()


def test_a_category_never_seen_is_answered_for(toy, rows):
    model = toy(features=CATEGORIES, estimator=encoded)
    answer = fitting.predict(model, fitting.fit(model, rows(10)), rows(1).assign(group="never seen"))
    assert np.isfinite(answer).all()


class Nan(BaseEstimator):
    """It answers, but never with a number."""

    def fit(self, rows, target):
        return self

    def predict(self, rows):
        return np.full(len(rows), np.nan)


def test_a_predict_that_gives_nan_passes_through_to_the_gate_that_rejects_it(toy, rows):
    model, holdout = toy(estimator=Nan), rows(10)
    answer = fitting.predict(model, fitting.fit(model, holdout), holdout)
    evidence = compare(
        model, holdout, fitting.target(model, holdout), {"challenger": answer, "dummy": np.zeros(len(holdout))}
    )
    verdict = judge(evidence, model.gates)
    assert (evidence.finite, verdict.decision) == (0.0, "reject")
    assert "finite predictions" in verdict.reason


def forest(**params):
    return RandomForestRegressor(n_estimators=3, **params)


@pytest.mark.parametrize("estimator", [forest, lambda: make_pipeline(StandardScaler(), SGDRegressor())])
def test_the_seed_reaches_every_part_so_that_twice_is_the_same(toy, rows, estimator):
    fitted, again, other = (fitting.fit(toy(estimator=estimator, seed=seed), rows(10)) for seed in (1, 1, 2))
    asked = fitting.features(toy(), rows(10))
    assert np.array_equal(fitted.predict(asked), again.predict(asked))
    assert not np.array_equal(fitted.predict(asked), other.predict(asked))


def test_a_seed_that_the_model_file_sets_is_kept(toy, rows):
    assert fitting.fit(toy(estimator=lambda: forest(random_state=7), seed=1), rows(10)).random_state == 7


def test_what_a_search_found_is_given_to_the_estimator(toy, rows):
    assert fitting.fit(toy(estimator=forest), rows(10), {"max_depth": 2}).max_depth == 2


@pytest.mark.parametrize("estimator", [LinearRegression, lambda: make_pipeline(StandardScaler(), LinearRegression())])
def test_old_rows_weigh_less_in_a_plain_estimator_and_in_the_last_step_of_a_pipeline(toy, rows, estimator):
    turned = rows(20).assign(y=lambda rows: np.where(rows.index < 240, -rows["x"], rows["x"]))
    plain, fading = (
        fitting.fit(toy(estimator=estimator, training=Training(half_life=half_life)), turned)
        for half_life in (None, "1d")
    )
    question = pd.DataFrame({"x": [1.0]})
    assert abs(plain.predict(question)[0]) < 0.2
    assert fading.predict(question)[0] > 0.9


def classes(toy, **changes):
    return toy(task="classification", estimator=LogisticRegression, **changes)


def three(rows):
    return rows.assign(y=np.clip(np.round(rows["x"]), -1, 1).astype(int) + 1)


def test_probabilities_stand_under_their_classes_and_a_class_never_seen_has_none(toy, rows):
    model, given = classes(toy), three(rows(20))
    fitted = fitting.fit(model, given[given["y"] != 1])
    prediction = fitting.predict(model, fitted, given, np.array([0, 1, 2]))
    assert prediction.sum(axis=1) == pytest.approx(1)
    assert (prediction[:, 1] == 0).all()
    assert prediction[given["y"] == 2, 2].mean() > 0.9


def test_a_classifier_without_probabilities_counts_as_certain(toy, rows):
    model, given = (
        classes(toy).model_copy(update={"estimator": LinearSVC, "metric": named("accuracy")}),
        three(rows(20)),
    )
    prediction = fitting.predict(model, fitting.fit(model, given), given)
    assert set(np.unique(prediction)) == {0.0, 1.0}
    assert (prediction.sum(axis=1) == 1).all()


@pytest.mark.parametrize("kind", ["integer", "category", "boolean"])
def test_labels_of_any_kind_are_classes(toy, rows, kind):
    raw = rows(20)["x"] > 0
    labels = {"integer": raw.astype("Int64"), "category": raw.map({True: "yes", False: "no"}), "boolean": raw}
    model, given = classes(toy, target_kind=kind), rows(20).assign(y=labels[kind])
    prediction = fitting.predict(model, fitting.fit(model, given), given)
    assert prediction[raw.to_numpy(), 1].mean() > 0.8


def test_the_dummy_says_the_median_or_the_shares_and_looks_at_nothing(toy, rows):
    given = rows(10)
    number = fitting.predict(toy(), fitting.dummy(toy(), given), given)
    assert set(number) == {given["y"].median()}
    labelled = given.assign(y=[0, 0, 1] * 80)
    shares = fitting.predict(classes(toy), fitting.dummy(classes(toy), labelled), labelled.drop(columns="x"))
    assert shares[0] == pytest.approx([2 / 3, 1 / 3])
    assert fitting.is_dummy(DummyClassifier())


def test_ages_halve_by_half_life_whatever_the_order(toy):
    times = pd.Series(pd.to_datetime(["2013-01-29", "2013-01-01", "2013-01-15"]))
    weights = fitting.age_weights(times, pd.Timedelta(days=14))
    assert weights.tolist() == [1.0, 0.25, 0.5]
    assert not math.isnan(weights.sum())


@pytest.mark.parametrize(
    ("kind", "values", "shown"),
    [
        ("number", [float(place) for place in range(24)], 12),
        ("integer", list(range(24)), 12),
        ("category", ["everybody"] * 20 + ["Ada", "Bo", "Cy", "Di"], "everybody"),
        ("text", [f"name {place}" for place in range(24)], "private"),
        ("boolean", [True] * 20 + [False] * 4, True),
        ("number", [None] * 24, None),
    ],
)
def test_an_example_shows_nothing_private_that_is_one_rows_own(toy, rows, kind, values, shown):
    given = rows(1).assign(secret=values)
    features = {"x": "number", "secret": kind}
    model = toy(features=features, serving=Serving(private={"secret": "hash"}))
    example = fitting.example(model, given)
    assert list(example) == ["x", "secret"]
    assert len(set(example["x"])) == 5
    assert not set(example["x"]) & set(given["x"])
    assert [None if pd.isna(value) else value for value in example["secret"]] == [shown] * 5
