"""The training of a window that cannot be fitted."""

import pandas as pd
import pytest

from evergreen.definition import loader
from evergreen.lake.lake import INGEST
from evergreen.stores import Stores
from evergreen.training import window
from evergreen.training.window import WindowComparison
from tasks.train import train

PAUSED = """
from sklearn.linear_model import LogisticRegression


def paused(since, until):
    found = rows(since, until)
    return found.assign(y=((found["x"] > 0) & (found["at"] < TURN)).astype("int64"))


model = Model(
    name="toy", task="classification", source=Call(function=paused, start="2013-01-01", batch="7d"),
    key="id", time="at", target="y", target_kind="integer", features={"x": "number", "z": "number"},
    estimator=LogisticRegression, metric="log_loss", training=Training(holdout="7d", window="auto"),
    policy=Policy(every="7d"),
)
"""
BEGIN, END = pd.Timestamp("2013-01-01", tz="UTC"), pd.Timestamp("2013-04-20", tz="UTC")


@pytest.mark.long
@pytest.mark.usefixtures("home")
def test_a_window_without_a_second_class_gives_way_to_the_next_longer_one_and_the_version_says_so(write_model):
    write_model(PAUSED)
    stores, model = Stores.open(), loader.load("toy")
    stores.lake.land(model, model.source.function(BEGIN, END), "b", BEGIN, app=INGEST, mark=END)
    clear = [
        WindowComparison("28d", "all", 0.3, 0.29, 0.31, 500, f"2013-04-{day:02}T00:00:00+00:00") for day in range(1, 9)
    ]
    version = train.fn(stores, "toy", END, "demand", clear)
    assert window.name_of(version.train_until - version.train_from if version.train_from else None) == "all"
    assert "the newest 28d could not be compared" in window.told(version)
    assert train.fn(stores, "toy", END, "demand", clear).number == version.number
