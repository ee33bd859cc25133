"""The doctor: every known-bad challenger is refused by the gate that is there for it, for numbers and for classes."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from evergreen import Gates, Serving, Training
from evergreen.gates.honest_model import HonestModel
from evergreen.gates.known_bad import Diagnosis, Spoiled, examine
from evergreen.lake.delta_lake import DeltaLake
from evergreen.lake.lake import INGEST
from evergreen.training.snapshot import Snapshot

START = pd.Timestamp("2013-01-01", tz="UTC")
FAULTS = {
    "shuffled labels": "not worse than the champion",
    "a constant": "better than the dummy",
    "NaN predictions": "finite predictions",
    "a feature that callers do not send": "signature",
    "trained on the holdout": "holdout unseen",
    "worse in group a only": "no slice is worse",
}
TASKS = {
    "numbers": {"estimator": LinearRegression},
    "two classes": {"task": "classification", "estimator": LogisticRegression},
    "three classes, by name": {
        "task": "classification",
        "target_kind": "category",
        "estimator": LogisticRegression,
        "metric": "accuracy",
    },
}


def labels(rows: pd.DataFrame, of: str) -> pd.Series:
    """What the toy's target is made into for a task."""
    if of == "numbers":
        return rows["y"]
    parts = [-float("inf"), 0.0, float("inf")] if of == "two classes" else [-float("inf"), -1.0, 1.0, float("inf")]
    cut = pd.cut(rows["y"], parts, labels=False)
    return cut.astype("Int64") if of == "two classes" else cut.map(dict(enumerate(["low", "middle", "high"])))


@pytest.fixture(params=TASKS)
def snapshot(request, toy, rows, tmp_path):
    """Sixty days of rows for one kind of task, the group among the features so that it can be spoiled."""
    changes = {"gates": Gates(slice_rows=150, resamples=200, calibration=1), "training": Training(holdout="20d")}
    spoilt = {"features": {"x": "number", "group": "category"}, "extra": {}}
    given = TASKS[request.param]
    model = toy(**changes | spoilt | given | {"estimator": lambda: encoded(given["estimator"]())})
    lake, frame = DeltaLake(str(tmp_path)), rows(60)
    lake.land(model, frame.assign(y=labels(frame, request.param)), "b", START, app=INGEST, mark=START)
    return Snapshot.pin(lake, model, START + pd.Timedelta(days=60))


def encoded(last):
    encode = make_column_transformer((OneHotEncoder(sparse_output=False), ["group"]), remainder="passthrough")
    return make_pipeline(encode, last)


def test_every_known_bad_challenger_is_refused_for_the_right_reason(snapshot):
    trials = examine(snapshot, HonestModel.fitted(snapshot))
    assert {trial.challenger: trial.expected for trial in trials} == FAULTS
    assert {trial.challenger: (trial.decision, trial.stopped_by) for trial in trials if not trial.refused} == {}


@pytest.mark.long
@pytest.mark.parametrize("snapshot", ["numbers"], indirect=True)
def test_a_group_of_a_private_column_is_not_named(snapshot):
    private = snapshot.model.model_copy(update={"serving": Serving(private={"group": "hash"})})
    hidden = replace(snapshot, model=private)
    trials = {trial.challenger: trial for trial in examine(hidden, HonestModel.fitted(hidden))}
    assert trials["worse in group one group only"].refused
    assert "group group 1 (" in trials["worse in group one group only"].found


@pytest.mark.parametrize(
    ("decision", "stopped_by", "refused"),
    [
        ("reject", ["signature"], True),
        ("reject", ["latency"], False),
        ("not enough evidence", ["signature"], False),
        ("promote", [], False),
    ],
)
def test_a_challenger_is_refused_only_if_it_is_rejected_by_the_gate_that_is_there_for_it(decision, stopped_by, refused):
    assert Diagnosis("needy", "signature", decision, stopped_by, "").refused == refused


ROWS = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0], "group": ["a", "b", "a", "b"], "unsent": 1.0})
SHIFT = 0.5 * np.std([0.0, 2.0, 4.0, 6.0]) + 1e-9


@pytest.mark.parametrize(
    ("how", "where", "predicted"),
    [
        (["as it is"], "nowhere", [0, 2, 4, 6]),
        (["as it is", "group", "a"], "nowhere", [0, 2, 4, 6]),
        (["nan"], "everywhere", [np.nan] * 4),
        (["nan", "group", "b"], "in b", [0, np.nan, 4, np.nan]),
        (["worse"], "everywhere", [SHIFT, 2 + SHIFT, 4 + SHIFT, 6 + SHIFT]),
        (["worse", "group", "a"], "in a", [SHIFT, 2, 4 + SHIFT, 6]),
    ],
)
def test_numbers_are_spoiled_where_they_should_be_and_columns_that_the_model_never_saw_are_left_out(
    how, where, predicted
):
    spoiled = Spoiled(LinearRegression().fit(ROWS[["x"]], [0.0, 2.0, 4.0, 6.0]), *how)
    assert spoiled.fit(ROWS, None) is spoiled
    assert spoiled.predict(ROWS) == pytest.approx(predicted, nan_ok=True, abs=1e-12)
    assert not hasattr(spoiled, "predict_proba")


def test_an_estimator_that_does_not_say_what_it_was_fitted_on_gets_what_it_was_given():
    class Nameless:
        def predict(self, rows):
            return rows.sum(axis=1).to_numpy()

    assert Spoiled(Nameless(), "as it is", features=["x"]).predict(ROWS).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("how", "rows"),
    [("as it is", {}), ("worse", {0: "turned", 2: "turned"}), ("nan", {0: "nan", 2: "nan"})],
)
def test_probabilities_are_turned_round_or_nan_where_they_should_be(how, rows):
    inner = LogisticRegression().fit(ROWS[["x"]], ["n", "n", "y", "y"])
    spoiled = Spoiled(inner, how, "group", "a")
    expected = inner.predict_proba(ROWS[["x"]])
    for row, fault in rows.items():
        expected[row] = np.nan if fault == "nan" else expected[row][::-1]
    assert spoiled.predict_proba(ROWS) == pytest.approx(expected, nan_ok=True)
    assert list(spoiled.classes_) == ["n", "y"]
    assert list(spoiled.predict(ROWS)) == list(inner.predict(ROWS[["x"]]))
