"""A source whose times have no zone, on the days on which clocks are set: every row lands once, under its own time."""

import pandas as pd
import pytest
import sqlalchemy

from evergreen import Csv, Files, Sql, TimeFormat, TimePart
from evergreen.errors import SourceShapeError
from evergreen.ingestion import zones
from evergreen.ingestion.batch import of_source, outstanding
from evergreen.ingestion.quarantine import Quarantine
from evergreen.lake.delta_lake import DeltaLake

BERLIN = "Europe/Berlin"
HOURS = pd.date_range("2024-10-25", "2024-10-29", freq="30min", tz="UTC", inclusive="left")
HERE = HOURS.tz_convert(BERLIN).tz_localize(None)


def table(times=HERE):
    return pd.DataFrame({"at": times, "group": "a", "x": range(len(times)), "y": 1.0})


def files(path, format):
    rows = table()
    if format == "parquet":
        rows.to_parquet(path / "a.parquet", index=False)
        return {"source": Files(path=str(path / "a.parquet"), batch="1d")}
    if format == "csv":
        rows.to_csv(path / "a.csv", index=False)
        return {"source": Files(path=str(path / "a.csv"), csv=Csv(), batch="1d")}
    rows = rows.assign(day=rows["at"].dt.strftime("%d.%m.%Y"), clock=rows["at"].dt.strftime("%H.%M")).drop(columns="at")
    rows.to_csv(path / "a.csv", index=False)
    parser = TimeFormat(format="%d.%m.%Y %H.%M", columns=["day", "clock"])
    features = {"x": "number", "hour": "number"}
    parsing = {"at": parser, "hour": TimePart(part="hour", column="at")}
    return {"source": Files(path=str(path / "a.csv"), csv=Csv(), batch="1d"), "parsing": parsing, "features": features}


def sql(path):
    url = f"sqlite:///{path}/a.db"
    table().to_sql("t", sqlalchemy.create_engine(url), index=False)
    return {"source": Sql(url=url, query="SELECT * FROM t WHERE at >= :since AND at < :until", batch="1d")}


WAYS = {
    "parquet": lambda path: files(path, "parquet"),
    "csv": lambda path: files(path, "csv"),
    "two columns": lambda path: files(path, "columns"),
    "sqlite": lambda path: sql(path),
}


def take_in(model, path, *moments):
    """Ingest up to each of these moments, and give the fates and the rows of the lake."""
    lake, quarantine, batches = DeltaLake(str(path)), Quarantine(str(path)), []
    for moment in [pd.Timestamp(moment, tz="UTC") for moment in moments]:
        for low, high in outstanding(model, lake, quarantine, moment):
            batch = of_source(model, lake, quarantine, low, high, moment)
            batches.append(batch)
            if batch.fate == "landed":
                batch.land(lake)
    return batches, lake.query(model, 'SELECT * FROM rows ORDER BY "at"') if lake.exists(model.name) else None


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "moments",
    [["2024-10-29"], ["2024-10-27 00:30", "2024-10-27 01:10", "2024-10-27 02:00", "2024-10-27 03:00", "2024-10-29"]],
    ids=["at once", "within the hour"],
)
def test_the_doubled_hour_lands_once_and_its_key_stays_single(toy, tmp_path, way, moments):
    model = toy(key="at", timezone=BERLIN, **WAYS[way](tmp_path))
    batches, rows = take_in(model, tmp_path / "lake", *moments)
    assert {batch.fate for batch in batches} <= {"landed", "empty"}
    assert rows["at"].tolist() == HOURS.tolist()
    assert rows["x"].tolist() == list(range(len(HOURS)))
    assert "hour" not in rows or rows["hour"].tolist() == HERE.hour.tolist()


def test_what_comes_within_the_doubled_hour_waits_until_it_is_over(toy, tmp_path):
    model = toy(key="at", timezone=BERLIN, **WAYS["parquet"](tmp_path))
    _, rows = take_in(model, tmp_path / "lake", "2024-10-27 01:10")
    assert rows["at"].max() == pd.Timestamp("2024-10-26 23:30", tz="UTC")


@pytest.mark.parametrize("way", ["parquet", "csv", "sqlite"])
def test_a_time_that_does_not_exist_is_told_with_its_value(toy, tmp_path, monkeypatch, way):
    times = pd.to_datetime(["2024-03-31 01:30", "2024-03-31 02:30", "2024-03-31 03:30"])
    monkeypatch.setitem(globals(), "table", lambda: pd.DataFrame({"at": times, "group": "a", "x": range(3), "y": 1.0}))
    model = toy(key="at", timezone=BERLIN, **WAYS[way](tmp_path))
    [batch], _ = take_in(model, tmp_path / "lake", "2024-04-01")
    [failure] = batch.checked.report.failures
    assert batch.fate == "quarantined"
    assert "1 of 3 rows do not exist in Europe/Berlin" in failure.shown
    assert ("2024-03-31 02:30:00" in failure.shown) == ("at" not in model.key)


def test_a_doubled_hour_that_the_order_does_not_tell_is_quarantined(toy, tmp_path, monkeypatch):
    times = pd.to_datetime(["2024-10-27 01:30", "2024-10-27 02:30", "2024-10-27 03:30"])
    rows = pd.DataFrame({"id": ["a", "b", "c"], "at": times, "group": "a", "x": range(3), "y": 1.0})
    monkeypatch.setitem(globals(), "table", lambda: rows)
    [batch, *_], _ = take_in(toy(timezone=BERLIN, **WAYS["csv"](tmp_path)), tmp_path / "lake", "2024-11-01")
    [failure] = batch.checked.report.failures
    assert "ambiguous in Europe/Berlin (clocks set back), and the order of the rows does not tell" in failure.shown
    assert "2024-10-27 02:30:00" in failure.shown


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_files_with_and_without_a_time_zone_are_not_taken_in_together(toy, tmp_path, format):
    for name, times in {"a": HOURS, "b": HERE, "c": HERE}.items():
        rows = table(times).assign(id=[f"{name}{number}" for number in range(len(times))])
        path = tmp_path / f"{name}.{format}"
        rows.to_parquet(path, index=False) if format == "parquet" else rows.to_csv(path, index=False)
    with pytest.raises(
        SourceShapeError, match=r"'at' has a time zone in a\..*, and none in b\..*, c\..* \(2 of 3 files"
    ):
        take_in(toy(source=Files(path=str(tmp_path / f"*.{format}"))), tmp_path / "lake", "2024-11-01")


@pytest.mark.long
@pytest.mark.parametrize("declared", [{}, {"timezone": "UTC"}], ids=["zone not declared", "zone declared"])
@pytest.mark.parametrize("first", [True, False], ids=["with, then without", "without, then with"])
def test_times_that_come_with_a_zone_after_others_without(toy, tmp_path, first, declared):
    model = toy(source=Files(path=str(tmp_path / "a.parquet")), **declared)
    for zone, moment in ((first, "2024-10-26"), (not first, "2024-10-29")):
        rows = table(HOURS if zone else HOURS.tz_localize(None))
        rows.assign(id=rows["x"].astype(str)).to_parquet(tmp_path / "a.parquet", index=False)
        batches, _ = take_in(model, tmp_path / "lake", moment)
    says = "at: time zone (with a zone, as before); found without a zone; `timezone` in the model file says what"
    says = says if first else says.replace("with a", "WITH").replace("without a", "with a").replace("WITH", "without a")
    lake = DeltaLake(str(tmp_path / "lake"))
    if declared:
        assert batches[-1].fate == "landed"
        zones.require_alike(model, lake, rows)
        return
    assert batches[-1].fate == "quarantined"
    assert batches[-1].notes[0].startswith(says)
    with pytest.raises(SourceShapeError, match=f"'at' of the input is {'without' if first else 'with'} a zone, and"):
        zones.require_alike(model, lake, rows)
