"""A model whose only data are what its own service answered and the labels that came for it."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from deltalake import DeltaTable

from evergreen.lake import prediction_log
from evergreen.lake.lake import LABELS, PREDICTIONS
from evergreen.stores import Stores
from flows.monitor import monitor
from flows.refresh import refresh
from tests.toy import DAY, day_of

FROM_SERVICE = """
from evergreen import Served

model = Model(
    name="toy",
    task="regression",
    source=Served(),
    key="id",
    time="asked_at",
    label_time="labelled_at",
    target="y",
    features={"x": "number", "z": "number"},
    estimator=LinearRegression,
    training=Training(window="21d", holdout="7d"),
    gates=Gates(resamples=200),
    policy=Policy(every="7d"),
)
"""
HEAD = {
    "head": "toy@1",
    "version": "1",
    "features": {"x": "number", "z": "number"},
    "beside": {"id": "text"},
    "timezone": "UTC",
}
TOLD = {"head": "labels of toy", "table": LABELS}
pytestmark = pytest.mark.long


def served_on(day: pd.Timestamp, number: int) -> None:
    """A day's rows were answered; their labels came two days later."""
    lake = Stores.open().lake
    rows = day_of(day)
    micro = (rows["at"].astype("datetime64[us, UTC]").astype("int64")).tolist()
    answered = {
        "ids": rows["id"].tolist(),
        "asked": micro,
        "latency": [1.0] * len(rows),
        "rows": rows[["x", "z"]].to_numpy().tolist(),
        "answers": [[10.0]] * len(rows),
        "beside": {},
    }
    end = (day + DAY).to_pydatetime()
    prediction_log.land(lake, "toy", [(answered, HEAD)], "test", 2 * number, end)
    later = end + timedelta(days=2)
    arrived = round(later.timestamp() * 1e6)
    line = {"ids": rows["id"].tolist(), "known": [None] * len(rows), "values": rows["y"].tolist(), "arrived": arrived}
    prediction_log.land(lake, "toy", [(line, TOLD)], "test", 2 * number + 1, later)


def test_the_loop_needs_no_other_data_than_what_was_served_and_labelled(home, write_model):
    write_model(FROM_SERVICE)
    for number, day in enumerate(pd.date_range("2013-01-01", "2013-01-29", tz="UTC"), start=1):
        served_on(day, number)
    assert refresh("toy", as_of=datetime(2013, 1, 29, tzinfo=UTC)).moved
    monitor("toy", as_of=datetime(2013, 2, 5, tzinfo=UTC))
    predictions = DeltaTable(Stores.open().lake.uri("toy", PREDICTIONS)).to_pandas()
    assert len(predictions) == 50, "what was really answered is watched, not what would be answered now"
    answers = predictions["_answers"].map(tuple)
    assert {(*answer, version) for answer, version in zip(answers, predictions["_version"], strict=True)} == {
        (10.0, "1")
    }
    monitor("toy", as_of=datetime(2013, 2, 5, tzinfo=UTC))
    assert len(DeltaTable(Stores.open().lake.uri("toy", PREDICTIONS)).to_pandas()) == len(predictions)
