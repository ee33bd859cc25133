"""The whole loop on a model whose columns have names that SQL, Delta or Evergreen itself gives a meaning."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from evergreen.definition import loader
from evergreen.governance import lineage
from evergreen.governance.erasure import erase
from evergreen.governance.integrity import examine
from evergreen.ingestion.label_feedback import FEEDBACK
from evergreen.ingestion.release import release
from evergreen.lake import prediction_log
from evergreen.lake.lake import LABELS, PREDICTIONS, SERVED
from evergreen.monitoring import observation
from evergreen.reports.data_page import write_page
from evergreen.row_id import plain, row_id
from evergreen.sql import columns
from evergreen.stores import Stores
from flows.ingest import ingest
from flows.monitor import monitor
from flows.refresh import refresh
from flows.replay import replay
from flows.score import score

NAMES = r"""
NAMES = {"x": 'he"ight', "z": "a b", "y": "_value", "at": "_time", "side": "select"}
NUMBERS = ["Größe", "x'y", "_version", "_answers", "a.b", "$x", "_prediction", "prediction", "unit", "_Landed"]
NUMBERS += ['x") FROM rows; COPY (SELECT 1) TO \'taken.csv\'; --', "a :since", "b'; DROP TABLE rows; --"]
NUMBERS += ["{c}%s\\\n$since"]
WORDS = ["_batch", "_arrived", "_role", "batch"]


def odd(since, until):
    found = rows(since, until)
    day, number = found["id"].str[:8], found["id"].str[9:]
    pipes = number.astype(int) % 3 == 0
    keys = {"_id": day.where(~pipes, day + "|"), "key": number.where(~pipes, "|" + number)}
    more = {name: found["x"] * 0.1 + place for place, name in enumerate(NUMBERS)}
    words = {name: found["side"] + name for name in WORDS}
    told = {"_known": found["at"] + pd.Timedelta("1h")}
    bad = found["at"].dt.floor("D") == pd.Timestamp("2013-02-05", tz="UTC")
    y = found["y"].where(~bad, 1e6)
    return found.drop(columns="id").assign(y=y, **keys, **more, **words, **told).rename(columns=NAMES)


model = Model(
    name="toy",
    task="regression",
    source=Call(function=odd, start="2013-01-01", batch="7d"),
    key=["_id", "key"],
    time="_time",
    target="_value",
    label_time="_known",
    features={'he"ight': "number", "a b": "number", **dict.fromkeys(NUMBERS, "number")},
    extra={"select": "category", **dict.fromkeys(WORDS, "category")},
    contract=[expect("column_values_to_be_between", "_value", min_value=-50, max_value=100)],
    estimator=LinearRegression,
    slices=["select", "_batch"],
    training=Training(window="21d", holdout="7d"),
    gates=Gates(resamples=200),
    policy=Policy(every="7d"),
)
"""
FIRST = datetime(2013, 1, 29, tzinfo=UTC)
WATCHED = datetime(2013, 2, 5, tzinfo=UTC)
HELD = datetime(2013, 2, 12, tzinfo=UTC)
SECOND = datetime(2013, 2, 26, tzinfo=UTC)
THIRD = datetime(2013, 3, 5, tzinfo=UTC)


@pytest.fixture
def model(home, write_model):
    write_model(NAMES)
    return loader.load("toy")


def table(model):
    sql = f"SELECT {columns(model.columns)} FROM rows ORDER BY {columns([model.time, *model.key])}"
    return Stores.open().lake.query(model, sql)


def answered(model, rows, version, form=row_id):
    """What the service logs of rows that it predicted."""
    features = model.features
    micro = rows[model.time].astype("datetime64[us, UTC]").astype("int64").tolist()
    line = {
        "ids": [form(key) for key in rows[model.key].itertuples(index=False)],
        "asked": micro,
        "latency": [1.0] * len(rows),
        "rows": rows[list(features)].to_numpy().tolist(),
        "answers": [[10.0]] * len(rows),
        "beside": {name: rows[name].tolist() for name in [*model.key, "_batch"]},
    }
    kinds = dict.fromkeys([*model.key, "_batch"], "category")
    return line, {"head": "toy@1", "version": version, "features": features, "beside": kinds, "timezone": "UTC"}


def posted(model, rows, values, at, form=row_id):
    ids = [form(key) for key in rows[model.key].itertuples(index=False)]
    micro = round(at.timestamp() * 1e6)
    return {"ids": ids, "known": [micro] * len(ids), "values": values, "arrived": micro}, {
        "head": "labels of toy",
        "table": LABELS,
    }


@pytest.mark.slow
def test_the_whole_loop_runs_whatever_its_columns_are_called(model, tmp_path):
    stores = Stores.open()
    lake = stores.lake
    assert refresh("toy", as_of=FIRST).moved
    first = table(model)
    expected = model.source.read(model, pd.Timestamp("2013-01-01", tz="UTC"), pd.Timestamp(FIRST), lake)
    expected = expected.sort_values([model.time, *model.key], ignore_index=True)
    for name in model.columns:
        assert first[name].tolist() == expected[name].tolist(), name
    assert set(lake.columns("toy")) == set(model.columns)

    # The service answers; what it answered counts as the prediction, whether its ids are of now or of before.
    ingest("toy", as_of=WATCHED)
    known = stores.registry.champion("toy").number
    week = table(model)
    week = week[week[model.time] >= pd.Timestamp(FIRST)].reset_index(drop=True)
    now, before = week.iloc[:40], week.iloc[40:80]
    lines = [answered(model, now, known), answered(model, before, known, plain)]
    prediction_log.land(lake, "toy", lines, "test", 1, WATCHED)
    monitor("toy", as_of=WATCHED)
    answers = lake.query(model, 'SELECT "_answers"[1] AS a FROM predictions', tables=[PREDICTIONS])
    assert len(answers) == len(week)
    assert (answers["a"] == 10.0).sum() == 80

    # A batch that breaks the contract is put aside, and released as it came.
    ingest("toy", as_of=HELD)
    entries = stores.quarantine.entries("toy")
    assert [entry.state for entry in entries] == ["held"]
    landed = release(lake, stores.quarantine, model, entries[0].batch, "the world is so", pd.Timestamp(HELD))
    assert landed.new == entries[0].rows

    # Labels that are posted under either form of the id reach their rows.
    whole = table(model)
    rows = whole.tail(30).reset_index(drop=True)
    pair = [posted(model, rows.iloc[:10], [1.5] * 10, HELD), posted(model, rows.iloc[10:20], [2.5] * 10, HELD, plain)]
    prediction_log.land(lake, "toy", pair, "test", 2, HELD)
    ingest("toy", as_of=HELD + timedelta(minutes=30))
    assert lake.watermark("toy", FEEDBACK) is not None
    after = table(model)[model.target].tolist()[len(whole) - 30 : len(whole)]
    assert after[:20] == [1.5] * 10 + [2.5] * 10
    assert after[20:] == rows[model.target].tolist()[20:]

    assert refresh("toy", as_of=SECOND).challenger
    monitor("toy", as_of=SECOND)
    assert {column.column for column in observation.read(lake, model)[-1].drift} >= {
        "_prediction",
        "prediction",
        "evergreen:prediction",
    }

    # Score: the key keeps its name, and the log has what was sent.
    given = tmp_path / "given.parquet"
    rows.to_parquet(given)
    scored = score("toy", str(given), str(tmp_path / "scored.parquet"), as_of=SECOND)
    written = pd.read_parquet(tmp_path / "scored.parquet")
    assert scored.rows == len(written) == 30
    assert written[model.key].to_numpy().tolist() == rows[model.key].to_numpy().tolist()
    served = lake.query(
        model, 'SELECT "_user:_batch", "_version" FROM served WHERE "_role" = \'batch\'', tables=[SERVED]
    )
    assert (sorted(served["_batch"]), set(served["_version"])) == (sorted(rows["_batch"]), {scored.version})

    assert write_page(lake, "toy", pd.Timestamp(SECOND)).rows == len(table(model))
    row = dict(rows.iloc[3])
    assert lineage.of_prediction(stores, "toy", row_id([row[name] for name in model.key])).role == "batch"
    assert lineage.of_batch(stores, "toy", entries[0].batch).rows > 0
    assert [examined.problems for examined in examine(stores, model) if examined.problems] == []

    # Nothing holds an erased row any more.
    for place in (3, 12):  # a label that was posted under the id of now, and under that of before
        gone = {name: str(rows[name][place]) for name in model.key}
        erased = erase(stores, model, gone, "asked for", pd.Timestamp(SECOND)).rows
        assert (erased["rows"], erased[SERVED], erased[LABELS]) == (1, 1, 1)
        assert set(erase(stores, model, gone, "asked for", pd.Timestamp(SECOND)).rows.values()) == {0}
    assert refresh("toy", as_of=THIRD).challenger
    assert len(replay("toy", policies="never,every-7d").replayed.policies) >= 2
