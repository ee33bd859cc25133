"""Keys of several columns, and what is told of rows that share one."""

import numpy as np
import pandas as pd
import pytest

from evergreen.definition import loader
from evergreen.errors import ScaffoldError
from evergreen.ingestion.batch import check
from evergreen.scaffold.draft import Choices
from evergreen.scaffold.reading.sample import source_of
from evergreen.scaffold.scaffold import scaffold
from tests.evergreen.scaffold.drafted_tables import LAKE, NOW

DIFFER = r"they differ in 'line', 'x', 'y'; 'line' beside the key tells them apart"


def orders(count=200):
    """Three lines of each order."""
    random, number = np.random.default_rng(0), np.arange(3 * count)
    at = pd.Timestamp("2026-01-01") + pd.to_timedelta(number // 3 * 6, unit="h")
    x = random.normal(size=len(number)).round(3)
    columns = {"order_id": 1000 + number // 3, "line": number % 3 + 1, "at": at, "x": x}
    return pd.DataFrame(columns | {"y": (x + number % 3 + random.normal(size=len(number))).round(3)})


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_lines_of_an_order_are_identified_by_order_and_line(landed, home, ending):
    rows = orders()
    rows.to_csv(home / "table.csv", index=False) if ending == "csv" else rows.to_parquet(home / "table.parquet")
    draft, _, read = landed(home / f"table.{ending}", target="y")
    assert (draft.key, len(read)) == (["order_id", "line"], 600)
    assert "order_id" not in draft.features
    assert draft.features["line"] == "integer"  # so that an id is 1000|1, not 1000|1.0
    assert {"line", "x"} <= set(draft.ranges)


def test_a_station_that_measures_again_is_identified_by_its_time(landed, home):
    rows = orders().assign(station_id=np.arange(600) % 3).drop(columns=["order_id", "line"])
    rows.to_csv(home / "table.csv", index=False)
    assert landed(home / "table.csv", target="y")[0].key == ["at", "station_id"]


@pytest.mark.parametrize("name", ["customer_id", "PatientNo", "deviceid"])
def test_a_thing_that_may_come_again_is_identified_with_its_time(landed, home, name):
    rows = orders().drop(columns=["order_id", "line"]).assign(**{name: [f"C{number:03}" for number in range(600)]})
    rows.assign(at=pd.date_range("2026-01-01", periods=600, freq="h")).to_csv(home / "table.csv", index=False)
    draft, _, _ = landed(home / "table.csv", target="y")
    assert draft.key == [name, "at"]
    assert "names a thing, which may come again" in draft.why["key"]


def test_an_event_with_a_number_of_its_own_is_identified_by_it(landed, home):
    rows = orders().drop(columns=["line"]).assign(order_id=range(600), customer_id=[f"C{n:03}" for n in range(600)])
    rows.to_csv(home / "table.csv", index=False)
    assert landed(home / "table.csv", target="y")[0].key == ["order_id"]


def test_rows_that_share_the_key_asked_for_are_told_with_what_holds_them_apart(landed, home):
    orders().to_csv(home / "table.csv", index=False)
    with pytest.raises(
        ScaffoldError, match=rf"No key: 'order_id' has 200 .*{DIFFER}; 'order_id' 1000 has 'line' 1, 2, 3"
    ):
        landed(home / "table.csv", target="y", key=["order_id"])


def test_rows_without_a_key_are_told_with_an_example(landed, home):
    rows = orders().drop(columns="line").assign(order_id=lambda rows: rows["order_id"] % 7)
    rows.to_csv(home / "table.csv", index=False)
    draft, model, _ = landed(home / "table.csv", target="y")
    assert model.identified_by_content
    assert "differ in others), so its content does; 'at' 2026-01-01" in draft.why["key"]


def test_rows_of_one_key_that_differ_are_told_at_ingest_by_the_columns(home, monkeypatch):
    monkeypatch.setenv("EVERGREEN_MODELS", str(home / "models"))
    orders().to_csv(home / "table.csv", index=False)
    scaffold("table", source_of(str(home / "table.csv")), Choices(target="y"))
    model = loader.load("table")
    rows = model.source.read(model, model.source.begins(model, NOW, LAKE), NOW, LAKE)
    single = model.model_copy(update={"key": ["order_id"]})
    assert [f"{result.found}".partition("; ")[2] for result in check(single, rows, NOW).report.failures] == [
        "they differ in 'x', 'line', 'y'; 'line' beside the key tells them apart"
    ]
    rows.loc[5, "line"] = rows.loc[4, "line"]
    told = [result.found for result in check(model, rows, NOW).report.failures]
    assert told == ["2 of 600 rows; they differ in 'x', 'y'"]
