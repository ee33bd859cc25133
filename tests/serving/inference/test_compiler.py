"""A compiled pipeline answers as the pipeline does, or is not there."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lightgbm import LGBMClassifier, LGBMRegressor, early_stopping
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from xgboost import XGBClassifier, XGBRegressor, XGBRFRegressor

from evergreen.training import fitting
from serving.inference.compiled_pipeline import Compiled, Lookup, Number
from serving.inference.compiler import candidates, compiled
from serving.inference.equivalence import AGREED, agrees, difference
from serving.inference.loaded_model import predictor_of
from tests.conftest import CHECKOUT

KINDS = {"a": "category", "b": "category", "n": "number", "i": "integer", "m": "number", "t": "boolean"}
NUMBERS = {name: kind for name, kind in KINDS.items() if kind in ("number", "integer")}


def rows_of(kinds, missing=0.1, count=600):
    """Rows that have gaps where the kind may have them."""
    chance = np.random.default_rng(3)
    drawn = {
        "category": lambda: chance.choice(["x", "y", "z", "rare"], count, p=[0.5, 0.3, 0.19, 0.01]),
        "number": lambda: chance.normal(size=count).round(3),
        "integer": lambda: chance.integers(-5, 50, count),
        "boolean": lambda: chance.random(count) < 0.5,
    }
    columns = [drawn[kind]().tolist() for kind in kinds.values()]
    gaps = [chance.random(count) < (0 if kind in ("integer", "boolean") else missing) for kind in kinds.values()]
    return [
        [None if gap else value for value, gap in zip(row, holes, strict=True)]
        for row, holes in zip(zip(*columns, strict=True), zip(*gaps, strict=True), strict=True)
    ]


def fitted(estimator, kinds, missing, regression):
    rows = rows_of(kinds, missing)
    frame = fitting.frame(rows, kinds)
    number = np.nan_to_num(frame["n"].to_numpy(dtype=float)) + frame["i"].to_numpy() / 20
    label = number if regression else np.digitize(number, [0.5, 1.5]) if regression is None else number > 1
    estimator.fit(frame, label)
    task = "regression" if regression else "classification"
    return rows, predictor_of(estimator, "toy", task, kinds, "UTC")


def ordinal(**more):
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, **more)


def encoded(encoder, last):
    return make_pipeline(make_column_transformer((encoder, ["a", "b"]), remainder="passthrough"), last)


FORESTS = {
    "like late": (
        encoded(ordinal(max_categories=3), HistGradientBoostingClassifier(categorical_features=[0, 1], max_iter=20)),
        0.1,
        False,
    ),
    "like airtime": (
        encoded(ordinal(), HistGradientBoostingRegressor(loss="absolute_error", categorical_features=[0], max_iter=20)),
        0.1,
        True,
    ),
    "missing has a code": (
        encoded(ordinal(encoded_missing_value=-2), HistGradientBoostingRegressor(max_iter=20)),
        0.1,
        True,
    ),
    "codes as numbers": (encoded(ordinal(), HistGradientBoostingClassifier(max_iter=20)), 0.1, False),
    "three classes": (encoded(ordinal(), HistGradientBoostingClassifier(max_iter=20)), 0.1, None),
    "three classes of categories": (
        encoded(ordinal(), HistGradientBoostingClassifier(categorical_features=[0, 1], max_iter=20)),
        0.1,
        None,
    ),
    "counts": (encoded(ordinal(), HistGradientBoostingRegressor(max_iter=20, loss="squared_error")), 0.1, True),
    "unknown is an error": (encoded(OrdinalEncoder(), HistGradientBoostingRegressor(max_iter=20)), 0.0, True),
    "one-hot": (
        encoded(OneHotEncoder(handle_unknown="ignore", sparse_output=False, drop=None), RandomForestClassifier(20)),
        0.0,
        False,
    ),
    "one-hot, rare together": (
        encoded(
            OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=20, sparse_output=False),
            RandomForestRegressor(20),
        ),
        0.0,
        True,
    ),
    "filled and scaled": (
        make_pipeline(
            make_column_transformer(
                (ordinal(), ["b", "a"]),
                (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), ["m", "n"]),
                remainder="drop",
            ),
            GradientBoostingClassifier(n_estimators=20),
        ),
        0.0,
        False,
    ),
}


@pytest.fixture(scope="module")
def made():
    """Each forest fitted and compiled, once."""
    compiled_by_name = {}

    def of(name):
        if name not in compiled_by_name:
            estimator, missing, regression = FORESTS[name]
            rows, ask = fitted(estimator, KINDS, missing, regression)
            compiled_by_name[name] = compiled(estimator, KINDS), rows, ask
        return compiled_by_name[name]

    return of


def test_a_split_of_one_category_against_missing_ones_takes_no_other_column_s_categories():
    kinds = {"a": "category", "b": "category", "n": "number"}
    chance = np.random.default_rng(3)
    many = [f"c{number:03}" for number in range(200)]
    rows = [
        [chance.choice(["x", None]), str(chance.choice(many)), float(number)] for number in chance.normal(size=5_000)
    ]
    place = {name: number for number, name in enumerate(many)}
    label = [(row[0] is None) + 2 * (place[row[1]] % 2) + (row[2] > 0) for row in rows]
    estimator = encoded(ordinal(), HistGradientBoostingClassifier(categorical_features=[0, 1], max_iter=20))
    estimator.fit(fitting.frame(rows, kinds), label)

    predictors = [predictor for several in estimator[-1]._predictors for predictor in several]
    nodes = np.concatenate([predictor.nodes for predictor in predictors])
    assert (nodes["is_categorical"].astype(bool) & np.isinf(nodes["num_threshold"])).any()  # there is such a split
    fast, ask = compiled(estimator, kinds), predictor_of(estimator, "toy", "classification", kinds, "UTC")
    assert fast is not None
    assert difference(fast, ask, kinds, rows[:5]) <= AGREED


@pytest.mark.parametrize("name", FORESTS)
def test_a_forest_is_compiled_and_answers_as_it_does_itself(made, name):
    fast, rows, ask = made(name)
    assert fast is not None
    assert difference(fast, ask, KINDS, rows[:5]) <= AGREED
    np.testing.assert_allclose(fast.predict(rows), ask(rows), rtol=AGREED, atol=AGREED)


@pytest.mark.parametrize(
    "last", [ExtraTreesRegressor(10), RandomForestRegressor(10), HistGradientBoostingRegressor(max_iter=20)]
)
def test_a_forest_without_a_pipeline_is_compiled(last):
    rows, ask = fitted(last, NUMBERS, 0.0, regression=True)
    assert difference(compiled(last, NUMBERS), ask, NUMBERS, rows[:5]) <= AGREED


BOOSTED = {
    "lightgbm": (encoded(ordinal(), LGBMRegressor(n_estimators=20, verbose=-1, n_jobs=1)), True),
    "lightgbm, two classes": (encoded(ordinal(), LGBMClassifier(n_estimators=20, verbose=-1, n_jobs=1)), False),
    "lightgbm, three classes": (encoded(ordinal(), LGBMClassifier(n_estimators=20, verbose=-1, n_jobs=1)), None),
    "lightgbm, counts": (
        encoded(ordinal(), LGBMRegressor(n_estimators=20, objective="quantile", alpha=0.9, verbose=-1, n_jobs=1)),
        True,
    ),
    "lightgbm, large trees": (
        encoded(ordinal(), LGBMRegressor(n_estimators=5, num_leaves=90, min_child_samples=1, verbose=-1, n_jobs=1)),
        True,
    ),
    "xgboost": (encoded(ordinal(), XGBRegressor(n_estimators=200, n_jobs=1)), True),
    "xgboost, two classes": (encoded(ordinal(), XGBClassifier(n_estimators=20, n_jobs=1)), False),
    "xgboost, three classes": (encoded(ordinal(), XGBClassifier(n_estimators=20, n_jobs=1)), None),
    "xgboost, a forest": (encoded(ordinal(), XGBRFRegressor(n_estimators=20, n_jobs=1)), True),
    "xgboost, large trees": (encoded(ordinal(), XGBRegressor(n_estimators=5, max_depth=9, n_jobs=1)), True),
}


def agreeing(estimator, ask, kinds, rows):
    """The compiled pipeline that the service takes."""
    found = candidates(estimator, kinds)
    return next(fast for fast in found if agrees(fast, difference(fast, ask, kinds, rows[:5])))


@pytest.mark.long
@pytest.mark.parametrize("name", BOOSTED)
def test_boosted_trees_of_other_packages_are_compiled_and_answer_as_they_do_themselves(name, tmp_path):
    estimator, regression = BOOSTED[name]
    rows, ask = fitted(estimator, KINDS, 0.1, regression)
    fast = agreeing(estimator, ask, KINDS, rows)
    assert (fast.leaves is None) == ("large" in name)
    fast.save(tmp_path)
    np.testing.assert_array_equal(Compiled.load(tmp_path).predict(rows), fast.predict(rows))


def test_xgboost_after_encoders_that_give_numbers_alone_is_compiled():
    kinds = {"a": "category", "n": "number", "i": "integer"}
    encode = make_column_transformer((ordinal(), ["a"]), remainder="passthrough")
    estimator = make_pipeline(encode, XGBRegressor(n_estimators=5, n_jobs=1))
    rows, ask = fitted(estimator, kinds, 0.1, regression=True)
    assert agreeing(estimator, ask, kinds, rows) is not None


def test_early_stopping_counts():
    rows = rows_of(NUMBERS)
    frame = fitting.frame(rows, NUMBERS)
    number = np.nan_to_num(frame["n"].to_numpy(dtype=float)) + np.random.default_rng(0).normal(size=len(rows))
    for last in (XGBRegressor(n_jobs=1, early_stopping_rounds=3), LGBMRegressor(n_jobs=1, verbose=-1)):
        stops = (
            {"callbacks": [early_stopping(3, verbose=False)]} if "LGBM" in type(last).__name__ else {"verbose": False}
        )
        last.fit(frame[:400], number[:400], eval_set=[(frame[400:], number[400:])], **stops)
        ask = predictor_of(last, "toy", "regression", NUMBERS, "UTC")
        assert agreeing(last, ask, NUMBERS, rows) is not None


CELLS = {
    "category": st.sampled_from(["x", "y", "z", "rare", "other", ""]) | st.none() | st.text(max_size=3),
    "number": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53) | st.none(),
    "integer": st.integers(-(2**63), 2**63 - 1),
    "boolean": st.booleans() | st.none(),
}


def test_a_number_that_overflows_once_it_is_scaled_is_refused_without_a_warning():
    column = Number(source=0, shift=-1.7e308, scale=0.5)
    with pytest.raises(ValueError, match="too large"):
        column.values([1.7e308])


@pytest.mark.parametrize(
    "name", ["like late", "like airtime", "missing has a code", "unknown is an error", "filled and scaled"]
)
@settings(max_examples=30)
@given(rows=st.lists(st.tuples(*[CELLS[kind] for kind in KINDS.values()]).map(list), min_size=1, max_size=4))
def test_whatever_comes_is_answered_or_refused_alike(made, name, rows):
    fast, _, ask = made(name)
    try:
        own = ask(rows)
    except Exception:
        own = None
    try:
        answered = fast.predict(rows)
    except ValueError:
        answered = None
    assert (own is None) == (answered is None)
    if own is not None:
        np.testing.assert_allclose(answered, own, rtol=AGREED, atol=AGREED)


@pytest.mark.parametrize(
    "estimator",
    [
        LinearRegression(),
        make_pipeline(FunctionTransformer(np.abs), HistGradientBoostingRegressor(max_iter=5)),
        make_pipeline(SimpleImputer(add_indicator=True), HistGradientBoostingRegressor(max_iter=5)),
    ],
)
def test_what_is_not_understood_is_not_compiled(estimator):
    fitted(estimator, NUMBERS, 0.0, regression=True)
    assert compiled(estimator, NUMBERS) is None


def test_what_answers_otherwise_is_found(made):
    fast, rows, ask = made("like late")
    at = next(place for place, column in enumerate(fast.columns) if isinstance(column, Lookup))
    wrong = [
        replace(fast.columns[at], unknown=0.0),
        replace(fast.columns[at], missing=0.0),
        replace(fast.columns[at], table=fast.columns[at].table | {"x": fast.columns[at].table["y"]}),
    ]
    for column in wrong:
        spoilt = replace(fast, columns=[*fast.columns[:at], column, *fast.columns[at + 1 :]])
        assert difference(spoilt, ask, KINDS, rows[:5]) > AGREED
    assert difference(replace(fast, link="identity"), ask, KINDS, rows[:5]) == np.inf


def test_a_pipeline_that_answers_nothing_proves_nothing(made):
    fast, rows, _ = made("like late")

    def broken(_):
        raise ValueError("no answer")

    spoilt = replace(fast, columns=[])
    assert difference(spoilt, broken, KINDS, rows[:5]) == np.inf


def test_it_is_saved_and_loaded_without_what_it_was_made_of(made, tmp_path):
    fast, rows, _ = made("like late")
    fast.save(tmp_path)
    assert np.array_equal(Compiled.load(tmp_path).predict(rows), fast.predict(rows))
    program = (
        "import json, sys\nfrom pathlib import Path\nfrom serving.inference.compiled_pipeline import Compiled\n"
        "rows = json.loads(sys.argv[2])\nprint(json.dumps(Compiled.load(Path(sys.argv[1])).predict(rows).tolist()))\n"
        "assert not {'sklearn', 'pandas', 'mlflow', 'skops', 'pyarrow'} & set(sys.modules), 'loaded'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), json.dumps(rows[:5])],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == fast.predict(rows[:5]).tolist()
