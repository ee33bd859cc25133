"""Names that files outside of the project use, in model files, policies, model stores and old checkouts, stay."""

import importlib

import pytest

from tests.system.old_state import run

# By module: what model files (and the docs for them), policies of a replay, and scripts of commit 716df15 import.
FORMER = {
    "evergreen": [
        "Call", "Check", "Fairness", "Files", "Gates", "Model", "Monitoring", "Policy", "Search", "Served", "Serving",
        "Sql", "Training", "expect",
    ],
    "evergreen.metric": ["METRICS", "Floats", "Metric", "mean_of", "named"],
    "evergreen.decision": ["Decision", "State", "decide", "trigger"],
    "evergreen.nycflights": ["FAULT", "flights", "flights_with_a_fault"],
    "evergreen.reproduction": [],
    # Entry points: of the command line, of deployments that a Prefect server has, of `python -m flows.NAME`.
    "cli.main": ["app", "main"],
    "flows.approve": ["approve"],
    "flows.ingest": ["ingest"],
    "flows.judge": ["judge"],
    "flows.monitor": ["monitor"],
    "flows.refresh": ["refresh"],
    "flows.replay": ["replay"],
    "flows.rollback": ["rollback"],
    "flows.score": ["score"],
    "flows.train": ["train"],
}  # fmt: skip

# A model file as commit 716df15 read it, with every argument that it took.
WHOLE = """
import numpy as np
import pandas as pd
from sklearn.dummy import DummyRegressor

from evergreen import (
    Call, Check, Fairness, Files, Gates, Model, Monitoring, Policy, Search, Served, Serving, Sql, Training, expect,
)
from evergreen.metric import METRICS, Metric, mean_of, named


def rows(since, until):
    return pd.DataFrame({"id": [], "at": [], "x": [], "y": []})


def space(trial):
    return {"strategy": trial.suggest_categorical("strategy", ["mean", "median"])}


def own(challenger, champion, rows):
    return Check("own", "passed", 1.0, 0.0, "fine")


SOURCES = [
    Files(path="sales/*.parquet", batch="7d", lookback="1d"),
    Sql(url="sqlite:///$HOME/x.db", query="SELECT * FROM x WHERE at >= :since AND at < :until", batch="1d"),
    Served(lookback="10min"),
]
pinball = mean_of(
    "pinball", lambda y, p: np.maximum(0.9 * (y - p), 0.1 * (p - y)), greater_is_better=False, tasks=("regression",),
    root=False,
)
assert named("mean_absolute_error") is METRICS["mean_absolute_error"]
assert isinstance(pinball, Metric)

model = Model(
    name="whole",
    purpose="All of it.",
    owner="me",
    task="regression",
    source=Call(function=rows, start="2013-01-01", batch="7d", lookback="2d"),
    key=["id"],
    time="at",
    timezone="Europe/Berlin",
    target="y",
    target_kind="number",
    features={"x": "number"},
    extra={
        "side": "category", "note": "text", "many": "integer", "holds": "boolean", "then": "datetime",
        "name": "category",
    },
    label_delay="1d",
    label_time="known",
    contract=[expect("column_values_to_be_between", "x", min_value=0, mostly=0.9, warn=True)],
    estimator=DummyRegressor,
    metric=pinball,
    slices=["side"],
    training=Training(
        window="42d", holdout="7d", half_life="14d", min_rows=10, refit=True, refit_tolerance=0.2,
        search=Search(space=space, trials=5, seconds=10, folds=2),
    ),
    gates=Gates(
        floor=40.0, margin=0.03, alpha=0.05, slice_rows=100, slice_margin=0.2, calibration=0.1, latency_ms=50.0,
        size_mb=10.0, separation=0.99, same_signature=True, min_rows=50, min_blocks=5, block="1d", resamples=200,
        fairness=[Fairness(column="side", error=0.5, group_rows=10)], own=[own], undecided="champion",
    ),
    policy=Policy(
        every="7d", min_new_rows=10, cooldown="1d", suspicion=0.25, estimated=True, contenders=2, probation="7d",
        approval="7d",
    ),
    monitoring=Monitoring(window="7d", unit="1d", false_alarms=2.0, important=0.02),
    serving=Serving(private={"name": "hash", "note": "omit"}, retention="90d"),
    trusted=["sklearn.dummy.DummyRegressor"],
    seed=7,
)
"""
POLICY = """
from evergreen.decision import Decision, State

def cautious(state: State):
    seen = (
        state.as_of, state.wish, state.last_trained, state.new_rows, state.pending, state.rejections, state.failures,
        state.running, state.champion, state.champion_age, state.drift, state.performance, state.foreseen,
        state.predecessor, state.quality,
    )
    if state.performance and state.new_rows > 5_000:
        return Decision("train", f"performance: {state.performance}")
    return Decision("nothing", f"not now: {len(seen)}")
"""


@pytest.mark.parametrize("module", FORMER)
def test_a_module_of_then_offers_what_is_imported_from_it(module):
    imported = importlib.import_module(module)
    assert [name for name in FORMER[module] if not hasattr(imported, name)] == []


def test_a_model_file_of_then_is_read(home, monkeypatch):
    (home.parent / "models" / "whole.py").write_text(WHOLE)
    notes = {state["model"]: state["note"] for state in run("status", "--json").json}
    assert notes["whole"] == ""


def test_a_policy_of_then_decides():
    from datetime import timedelta

    import pandas as pd

    from evergreen.decision import Decision, State

    names: dict[str, object] = {}
    exec(POLICY, names)
    at = pd.Timestamp("2013-01-31", tz="UTC")
    state = State(
        as_of=at, wish="demand", last_trained=at, new_rows=6_000, pending=False, rejections=0, failures=0,
        running=False, champion="1", champion_age=timedelta(days=1), drift=(), performance="worse by 3",
        foreseen="", predecessor="", quality=(),
    )  # fmt: skip
    decided = names["cautious"](state)  # type: ignore[operator]
    assert decided == Decision(action="train", reason="performance: worse by 3", news=True)
    assert decided.train
