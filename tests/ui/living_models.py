"""Models with a history, as the UI shows them: made by the loop itself, and grown by what a store can hold."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from evergreen.definition import loader
from evergreen.ingestion.contract import Result
from evergreen.ingestion.quarantine import Entry
from evergreen.lake import prediction_log
from evergreen.lifecycle import decision_log
from evergreen.lifecycle.decision import Decision, State
from evergreen.monitoring import observation
from evergreen.settings import Settings
from evergreen.stores import Stores

JANUARY = datetime(2013, 1, 29, tzinfo=UTC)
DAYS = [datetime(2013, 2, day, tzinfo=UTC) for day in (1, 2, 9)]
PATIENT = """
model = model.model_copy(update={"policy": model.policy.model_copy(update={"suspicion": None})})
"""
MARKUP = '<script>alert("1")</script>'


def watched() -> None:
    """A champion of January that is watched on three days, and proven worse on the last."""
    from flows.ingest import ingest
    from flows.monitor import monitor
    from flows.refresh import refresh

    refresh("toy", as_of=JANUARY)
    for day in DAYS:
        ingest("toy", as_of=day)
        monitor("toy", as_of=day)


def observe_for(days: int, names: list[str]) -> None:
    """Observations of so many days before the newest one, each like it, of columns with these names."""
    model, lake = loader.load("toy"), Stores.open().lake
    last = observation.read(lake, model)[-1]
    drift = [replace(last.drift[place % len(last.drift)], column=name) for place, name in enumerate(names)]
    ends = pd.date_range(end=pd.Timestamp(last.until) - pd.Timedelta(days=1), periods=days)
    seen = [
        replace(
            last,
            drift=drift,
            as_of=end.isoformat(),
            since=(end - pd.Timedelta(days=7)).isoformat(),
            until=end.isoformat(),
            ripened=end.isoformat(),
            estimated=1 + place % 7 / 10,
        )
        for place, end in enumerate(ends)
    ]
    observation.store(lake, *seen)


def decide(at: datetime, action: Any, reason: str, wish: str = "", **state: Any) -> None:
    """Log a decision on the toy model."""
    weighed = State(pd.Timestamp(at), wish, None, 0, **state)
    decision_log.record(Stores.open().lake, "toy", weighed, Decision(action, reason))


def hold(batch: str, text: str, model: str = "toy") -> Entry:
    """Put a batch into quarantine, whose failed expectation tells a text."""
    failed = Result("expect_column_values_to_be_between", text, False, False, text, "3 of 9 rows", text)
    at = JANUARY.isoformat()
    entry = Entry(model, batch, at, at, at, 9, "held", [failed])
    return Stores.open().quarantine.hold(entry, pd.DataFrame({"x": [1.0]}), "<p>page</p>")


def register(count: int) -> None:
    """So many more versions like the first one, in MLflow's own tables: a training of each takes seconds."""
    with closing(sqlite3.connect(Settings.read().home / "mlflow.db")) as store, store:
        (newest,) = store.execute("SELECT max(version) FROM model_versions WHERE name = 'toy'").fetchone()
        for table in ("model_versions", "model_version_tags"):
            columns = [row[1] for row in store.execute(f"PRAGMA table_info({table})")]
            rows = store.execute(f"SELECT * FROM {table} WHERE name = 'toy' AND version = 1").fetchall()
            place = columns.index("version")
            more = [
                (*row[:place], newest + number, *row[place + 1 :]) for number in range(1, count + 1) for row in rows
            ]
            store.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", more)


def predict(row: str, version: str, at: datetime, role: str = "champion") -> None:
    """Land one prediction for a caller in the log, as the service ships it."""
    name, asked = f"toy@{version}", int(at.timestamp() * 1e6)
    head = {"head": name, "model": "toy", "version": version, "features": {"x": "number"}, "beside": {}, "role": role}
    line = {"of": name, "ids": [row], "asked": [asked], "latency": [1.5], "rows": [[1.0]], "answers": [[2.5]]}
    lines = [(line | {"beside": {}}, head | {"timezone": "UTC"})]
    prediction_log.land(Stores.open().lake, "toy", lines, "tests", asked, at)
