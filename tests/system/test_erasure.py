"""Erasure: no file holds the rows any more, who learnt from them is said, and the model goes on."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from evergreen.definition import loader
from evergreen.errors import ErasureError, LakeError, ReproductionError
from evergreen.governance import lineage
from evergreen.governance.erasure import erase, parsed
from evergreen.governance.reproduction import reproduce
from evergreen.lake import audit_log, maintenance, prediction_log
from evergreen.settings import Settings
from evergreen.stores import Stores
from flows.ingest import ingest
from flows.monitor import monitor
from flows.refresh import refresh
from flows.rollback import rollback
from tests.system.test_served_source import HEAD, TOLD

FIRST = datetime(2013, 1, 29, tzinfo=UTC)
WATCHED = datetime(2013, 2, 5, tzinfo=UTC)
SECOND = datetime(2013, 2, 26, tzinfo=UTC)
THIRD = datetime(2013, 3, 12, tzinfo=UTC)
NOW = pd.Timestamp("2013-02-26T12:00", tz="UTC")
PERSON, AT_ONCE, HELD = "20130215-7", "20130131-8", "20130205-7"
WORLD = """
def faulty(since, until):
    found = rows(since, until)
    gone = pd.Index(["20130215-7"])
    found = found[~(found["id"].isin(gone) & (since > pd.Timestamp("2013-02-26", tz="UTC")))]
    return found.assign(y=found["y"].where(found["at"].dt.floor("D") != pd.Timestamp("2013-02-05", tz="UTC"), 1e6))

model = model.model_copy(update={"source": model.source.model_copy(update={"function": faulty})})
"""
pytestmark = pytest.mark.long


def kept(*values):
    """Every file of the lake that holds one of these: rows, their history, and what Delta's logs tell of either."""
    paths = []
    for path in (Settings.read().home / "lake").rglob("_delta_log/*"):
        text = str(pq.read_table(path).to_pylist()) if path.suffix == ".parquet" else path.read_text()
        if any(f"{value}{end}" in text for value in values for end in ("'", '"', '\\"')):
            paths.append(path)
    for path in (Settings.read().home / "lake").rglob("*.parquet"):
        if "_delta_log" in path.parts:
            continue
        table = pq.read_table(path)
        for column in {"id", "_id"} & set(table.column_names):
            if set(values) & set(table[column].to_pylist()):
                paths.append(path)
    return paths


def watched_and_called():
    """Two champions, a batch in quarantine, answers to the monitor and to a caller."""
    refresh("toy", as_of=FIRST)
    ingest("toy", as_of=WATCHED)
    monitor("toy", as_of=WATCHED)
    refresh("toy", as_of=SECOND)
    number = Stores.open().registry.champion("toy").number
    line = {"ids": [PERSON, "other"], "asked": [1360972800000000] * 2, "latency": [1.0] * 2, "rows": [[0.5, 0.1]] * 2}
    line |= {"answers": [[8.5]] * 2, "beside": {}}
    label = {"ids": [PERSON], "known": [None], "values": [9.0], "arrived": 1360972800000000}
    prediction_log.land(
        Stores.open().lake, "toy", [(line, HEAD | {"version": number}), (label, TOLD)], "test", 1, SECOND
    )
    monitor("toy", as_of=SECOND)


@pytest.fixture
def toy(home, write_model, begun):
    write_model(WORLD)
    begun(watched_and_called)
    return loader.load("toy")


def test_no_file_holds_the_rows_any_more_and_the_model_goes_on(toy):
    assert {path.parent.name for path in kept(PERSON)} == {"rows", "served", "labels", "_delta_log"}
    assert {path.parent.name for path in kept(AT_ONCE)} == {"rows", "predictions"}
    taught = [
        version.number
        for version in Stores.open().registry.versions("toy")
        if version.data_until > pd.Timestamp("2013-02-16", tz="UTC")
    ]

    erasure = erase(Stores.open(), toy, parsed(toy, [PERSON]), "request 12", NOW, "Ada")
    assert erasure.rows == {"rows": 1, "predictions": 0, "served": 1, "labels": 1, "quarantine": 0}
    assert erasure.versions == sorted(taught, key=int)
    assert kept(PERSON) == []
    assert len(kept(AT_ONCE)) == 2
    assert sorted(path.parent.name for path in kept("other")) == ["_delta_log", "_delta_log", "served"]
    (line,) = [line for line in audit_log.read(Stores.open().lake, "toy") if line.act == "deletion"]
    assert (line.by, PERSON in str(vars(line)), "request 12" in line.detail) == ("Ada", False, True)

    assert erase(Stores.open(), toy, parsed(toy, [AT_ONCE]), "request 12b", NOW).rows["predictions"] == 1
    assert kept(AT_ONCE) == []

    again = erase(Stores.open(), toy, parsed(toy, [PERSON]), "request 12", NOW, "Ada")
    assert again.rows == {"rows": 0, "predictions": 0, "served": 0, "labels": 0, "quarantine": 0}
    assert set(erasure.versions) <= {*again.versions, *again.unknown}

    champion = Stores.open().registry.champion("toy").number
    with pytest.raises((ReproductionError, LakeError)):
        reproduce(Stores.open().registry, "toy", champion)
    assert lineage.origin(Stores.open(), "toy", champion).batches == []
    assert reproduce(Stores.open().registry, "toy", "2").same, "whose files hold none of the rows"
    rollback("toy", "a test", as_of=NOW)
    ingest("toy", as_of=THIRD)
    refresh("toy", as_of=THIRD)
    monitor("toy", as_of=THIRD)
    assert kept(PERSON) == []


def test_lines_that_an_earlier_release_wrote_with_examples_are_told(toy):
    lake, old = Stores.open().lake, {"notes": ["x: column values to be between (max 1); found 1 of 9 rows: 7.5"]}
    assert erase(Stores.open(), toy, {"id": "nobody"}, "request 18", NOW).left == []
    audit_log.write(lake, "toy", "ingest", "b1", NOW, detail=old)
    (told,) = erase(Stores.open(), toy, {"id": "nobody"}, "request 19", NOW).left
    assert told.startswith("1 of the audit log's lines were written by an earlier release with examples of rows")


def test_a_key_that_nobody_has_costs_no_history(toy):
    lake = Stores.open().lake
    row = lake.query(toy, 'SELECT id, "at", x, z, side, y FROM rows WHERE id = $id', {"id": PERSON}).assign(y=9.0)
    lake.land(toy, row, "mended", NOW, app="mended", mark=NOW)
    before = sorted(path.name for path in (Settings.read().home / "lake").rglob("*.parquet"))
    erasure = erase(Stores.open(), toy, {"id": "nobody"}, "request 16", NOW)
    assert set(erasure.rows.values()) == {0}
    assert (erasure.versions, erasure.unknown) == ([], [])
    assert set(before) <= {path.name for path in (Settings.read().home / "lake").rglob("*.parquet")}
    assert reproduce(Stores.open().registry, "toy", "champion").same


def test_what_only_the_history_holds_is_erased_too(toy):
    lake = Stores.open().lake
    lake.opened("toy").delete(f"id = '{PERSON}'")
    assert maintenance.count_matching(lake, toy, "rows", [{"id": PERSON}]) == 0
    assert "rows" in {path.parent.name for path in kept(PERSON)}
    erase(Stores.open(), toy, {"id": PERSON}, "request 17", NOW)
    assert kept(PERSON) == []


def test_what_is_in_quarantine_is_erased_there_and_by_any_column(toy):
    quarantine = Stores.open().quarantine
    (entry,) = quarantine.entries("toy")
    rows = len(quarantine.rows(entry))
    assert erase(Stores.open(), toy, {"id": HELD}, "request 13", NOW).rows["quarantine"] == 1
    assert len(quarantine.rows(entry)) == rows - 1
    up = int((Stores.open().lake.query(toy, "SELECT side FROM rows")["side"] == "up").sum())
    erasure = erase(Stores.open(), toy, parsed(toy, ["side=up"]), "request 14", NOW)
    assert erasure.rows["rows"] == up
    assert erasure.rows["predictions"] > 0, "which the table of predictions knows by their key only"
    assert set(Stores.open().lake.query(toy, "SELECT side FROM rows")["side"]) == {"down"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"nobody": "1"}, "declares no column"),
        ({}, "declares no column"),
        ({"x": "much"}, "'x' is of kind number; 'much' is not a valid value"),
    ],
)
def test_what_cannot_be_told_erases_nothing(home, given, says):
    with pytest.raises(ErasureError, match=says):
        erase(Stores.open(), loader.load("toy"), given, "request 15", NOW)


def test_a_value_alone_is_of_the_only_key(home, write_model):
    toy = loader.load("toy")
    assert parsed(toy, ["a=b=c", "x=1"]) == {"a": "b=c", "x": "1"}
    several = toy.model_copy(update={"key": ["id", "side"]})
    with pytest.raises(ErasureError, match="give 'u1' as column=value"):
        parsed(several, ["u1"])
    assert Path(loader.path_of("toy")).is_file()
