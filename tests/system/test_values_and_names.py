"""Every kind of value and every name of the random tables: drafted, ingested as it was, learnt from, predicted.

`make fuzz` combines them; here a fault is named by its case.
"""

import warnings
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from evergreen import Files, Model, Sql
from evergreen.definition import loader
from evergreen.ingestion.batch import of_source, outstanding
from evergreen.ingestion.quarantine import Quarantine
from evergreen.lake.delta_lake import DeltaLake
from evergreen.scaffold.draft import Choices
from evergreen.scaffold.reading.sample import source_of
from evergreen.scaffold.scaffold import scaffold
from evergreen.sql import columns
from evergreen.training import batch_scoring, fitting
from tests.system import random_tables, table_files
from tests.system.random_tables import NAMES, VALUES, Column, RandomTable

NOW = pd.Timestamp("2026-11-29", tz="UTC")
PLAIN = RandomTable(seed=1, count=300, days=100, columns=[], form="parquet")
TYPED = {"1e200", "largest", "tiny", "decimal", "negative zero", "number", "integer", "boolean"}
pytestmark = pytest.mark.long


@pytest.fixture
def landed(tmp_path, monkeypatch):
    """Draft a model of a random table and ingest it; the model and the rows of the lake."""
    monkeypatch.setenv("EVERGREEN_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("EVERGREEN_HOME", str(tmp_path / "home"))
    lake, quarantine = DeltaLake(str(tmp_path / "lake")), Quarantine(str(tmp_path / "lake"))

    def through(table):
        rows, place = random_tables.rows_of(table), table_files.source_of(table, tmp_path)
        table_files.write(rows, table.form, place)
        wishes = Choices(target=table.target, time=table.time_name, key=[table.key_name], until=NOW)
        scaffold("case", source_of(place), wishes, overwrite=True)
        model = loader.load("case")
        for period in outstanding(model, lake, quarantine, NOW):
            batch = of_source(model, lake, quarantine, *period, NOW)
            assert batch.fate == "landed", batch.notes
            batch.land(lake)
        names = columns(model.columns)
        return rows, model, lake.query(model, f"SELECT {names} FROM rows ORDER BY {columns([model.time])}")

    return through


def answers(model, rows):
    """The estimator learns these rows; it predicts them as stored and as a file gives them."""
    with warnings.catch_warnings(action="ignore"):
        estimator = fitting.fit(model, rows)
        stored = fitting.predict(model, estimator, rows.tail(9))
        given = batch_scoring.prepared(model, rows.tail(9))
        assert batch_scoring.predictions(model, estimator, given)[:, 0].tolist() == stored.tolist()
        return batch_scoring.table(model, estimator, "1", given, batch_scoring.predictions(model, estimator, given))


FORMS = ["parquet", "csv", "jsonl", "sqlite"]


@pytest.mark.parametrize(("form", "gaps"), [("parquet", "first"), *[(form, "some") for form in FORMS]])
def test_any_values_are_stored_as_they_were_and_learnt_from(landed, form, gaps):
    rows, model, stored = landed(replace(PLAIN, columns=[Column(name, name, gaps) for name in VALUES], form=form))
    assert np.isfinite(answers(model, stored)["prediction"]).all()
    assert {*TYPED} <= {*model.features}
    assert "beyond 2^53" not in model.features
    for name in TYPED - ({"negative zero"} if form == "sqlite" else set()):  # of which SQLite keeps no sign
        assert [None if pd.isna(value) else written(value) for value in stored[name]] == [
            None if value is None else written(value) for value in rows[name]
        ], name


def written(value):
    """A number by all its digits, which a comparison of floats rounds, and by its sign, which it does not see."""
    whole = isinstance(value, bool | np.bool)  # which SQLite has as 1 and 0
    exact = Decimal(repr(float(value))) if isinstance(value, float) else Decimal(int(value) if whole else value)
    return str(exact.normalize())


@pytest.mark.parametrize("form", FORMS)
def test_any_names_are_stored_as_they_were_and_answered_for(landed, form):
    apart = ["Amount", "AMOUNT"]  # only by case: in test_small_cases.py
    names = [name for name in NAMES if name not in apart and (form != "csv" or name == name.strip())]
    rows, model, stored = landed(replace(PLAIN, columns=[Column(name, "number") for name in names], form=form))
    assert {*names} <= {*model.features}
    for name in names:
        assert stored[name].tolist() == rows[name].tolist(), name
    assert answers(model, stored)["key"].tolist() == stored["key"].tail(9).tolist()


@pytest.mark.parametrize("form", FORMS)
def test_whole_numbers_beyond_2_53_identify_rows_by_every_digit(tmp_path, monkeypatch, form):
    monkeypatch.setenv("EVERGREEN_MODELS", str(tmp_path / "models"))
    place = table_files.source_of(replace(PLAIN, form=form), tmp_path)
    at = pd.date_range("2026-01-01", periods=40, freq="6h").repeat(2)
    wide = [2**53 + 100 * (row // 2) + row % 2 for row in range(80)]
    rows = pd.DataFrame(
        {"when": at, "device": wide, "x": np.arange(80) // 2 % 7 * 1.5, "y": np.arange(80) // 2 % 9 * 1.5}
    )
    table_files.write(rows.astype(object), form, place)
    scaffold("case", source_of(place), Choices(target="y", time="when", key=["when", "device"]), overwrite=True)
    model, lake = loader.load("case"), DeltaLake(str(tmp_path / "lake"))
    for period in outstanding(model, lake, quarantine := Quarantine(str(tmp_path / "lake")), NOW):
        of_source(model, lake, quarantine, *period, NOW).land(lake)
    assert sorted(map(int, lake.query(model, f"SELECT {columns(['device'])} FROM rows")["device"])) == wide


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["number", "category", "boolean", "integer"])
@pytest.mark.parametrize("filled", ["first", "later"])
def test_a_column_that_only_one_delivery_fills_is_stored_as_it_was(home, form, kind, filled):
    """All null in the first delivery and filled in the second, or the other way round."""
    values = {"number": [-0.5, 1.5], "category": ["a", "b"], "boolean": [True, False], "integer": [2**53 + 1, 7]}[kind]
    declared = "category" if kind == "integer" else kind  # of 2^53 + 1
    at = pd.date_range("2026-01-01", periods=8, freq="D")
    rows = pd.DataFrame({"id": [f"r{n}" for n in range(8)], "at": at.strftime("%Y-%m-%d %H:%M:%S"), "y": 1.5})
    gone = [None] * 4
    rows["c"] = pd.Series([*values, *values, *gone] if filled == "first" else [*gone, *values, *values], dtype=object)
    place = table_files.source_of(replace(PLAIN, form=form), home.parent)
    source = Files(path=place) if form != "sqlite" else Sql(url=place, query='SELECT * FROM "table"')
    model = Model(
        name="case",
        task="regression",
        source=source,
        key="id",
        time="at",
        target="y",
        features={"c": declared},
        estimator=print,
    )
    lake, quarantine = DeltaLake(str(home / "lake")), Quarantine(str(home / "lake"))
    for count, until in ((4, at[4]), (8, NOW)):
        table_files.write(rows.head(count), form, place)
        for period in outstanding(model, lake, quarantine, until.tz_localize(None).tz_localize("UTC")):
            batch = of_source(model, lake, quarantine, *period, period[1])
            assert batch.fate == "landed", batch.notes
            batch.land(lake)
    stored = lake.query(model, f"SELECT {columns(['c'])} FROM rows ORDER BY {columns(['at'])}")["c"]
    plain = [None if pd.isna(value) else value for value in stored]
    assert plain == [value if value is None or declared != "category" else str(value) for value in rows["c"]]


ODD_NAMES = ["version", "prediction", "_batch", "self", "evergreen", "select", "🚀 speed", 'he"ight']


@pytest.mark.parametrize("turn", range(len(ODD_NAMES)))
def test_any_name_can_be_that_of_the_key_the_time_or_the_target(landed, turn):
    key, time, target, *_ = ODD_NAMES[turn:] + ODD_NAMES[:turn]
    table = replace(PLAIN, key_name=key, time_name=time, target=target, columns=[Column("x", "number")])
    rows, model, stored = landed(table)
    assert len(stored) == len(rows)
    scored = answers(model, stored)
    assert scored[key].tolist() == stored[key].tail(9).tolist()
    assert scored[time].tolist() == stored[time].tail(9).tolist()
