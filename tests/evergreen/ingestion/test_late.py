"""Rows that come late, whatever the lookback: they land once, and cost nothing once that is known."""

import pandas as pd
import pytest
import sqlalchemy

from evergreen import Call, Csv, Files, Sql, TimeFormat
from evergreen.governance.erasure import erase
from evergreen.ingestion import late
from evergreen.ingestion.batch import of_source, outstanding
from evergreen.ingestion.quarantine import Quarantine
from evergreen.lake.delta_lake import DeltaLake
from evergreen.registry.mlflow_registry import MlflowRegistry
from evergreen.stores import Stores

START = pd.Timestamp("2024-01-01", tz="UTC")
DAY = pd.Timedelta(days=1)


def hours(first, days):
    """A row an hour from the first day on."""
    at = pd.date_range(START + first * DAY, periods=24 * days, freq="h").as_unit("us")
    return pd.DataFrame({"id": at.strftime("h%m%d%H"), "at": at, "group": "a", "x": 1.0, "y": 2.0})


def files(folder, **fields):
    """Parquet files, one for each call of `add`."""

    def add(rows):
        rows.to_parquet(folder / f"{len(list(folder.glob('*')))}.parquet", index=False)

    return Files(path=f"{folder}/*.parquet", **fields), add, {}


def csv_files(folder, **fields):
    """CSV files whose time is written in a form of its own."""

    def add(rows):
        written = rows.assign(at=rows["at"].dt.strftime("%d.%m.%Y %H"))
        written.to_csv(folder / f"{len(list(folder.glob('*')))}.csv", index=False)

    parsing = {"at": TimeFormat(format="%d.%m.%Y %H")}
    return Files(path=f"{folder}/*.csv", csv=Csv(), **fields), add, {"parsing": parsing}


def database(folder, **fields):
    """A table of SQLite."""
    url = f"sqlite:///{folder}/a.db"

    def add(rows):
        rows.assign(at=rows["at"].dt.tz_localize(None)).to_sql(
            "t", sqlalchemy.create_engine(url), index=False, if_exists="append"
        )

    return Sql(url=url, query="SELECT * FROM t WHERE at >= :since AND at < :until", **fields), add, {}


SOURCES = {"parquet": files, "csv": csv_files, "sqlite": database}


@pytest.fixture(params=SOURCES)
def made(request, toy, tmp_path):
    """A model with a source, and what adds rows to it."""

    def make(**fields):
        (tmp_path / "rows").mkdir()
        changes = {name: fields.pop(name) for name in ("key", "timezone", "contract") if name in fields}
        source, add, others = SOURCES[request.param](tmp_path / "rows", **fields)
        return toy(source=source, **others, **changes), add

    return make


@pytest.fixture
def take_in(tmp_path):
    """Ingest up to a day as the flow does, and give the batches of late rows."""
    lake, quarantine = DeltaLake(str(tmp_path / "lake")), Quarantine(str(tmp_path / "lake"))

    def settled(batch):
        if batch.fate == "landed":
            batch.land(lake)
        if batch.fate == "quarantined":
            quarantine.hold(batch.entry, batch.rows, "")
        return batch

    def run(model, days):
        at = START + days * DAY
        cut = outstanding(model, lake, quarantine, at)
        batches = []
        for batch in (of_source(model, lake, quarantine, low, high, at) for low, high in cut):
            assert settled(batch).fate in ("landed", "empty")
        more = late.surplus(model, lake, cut[0][0])
        periods = late.periods(model, more, quarantine.surplus(model.name), cut[0][0])
        for place, (low, high) in enumerate(periods):
            batch = late.of_period(model, lake, quarantine, low, high, at + place * pd.Timedelta(1, "us"), late.missing)
            batches += [settled(batch)] if batch else []
        quarantine.keep_surplus(model.name, late.surplus(model, lake, cut[0][0]))
        run.compared = periods
        return batches

    run.lake = lake
    run.stores = Stores(lake, MlflowRegistry(f"sqlite:///{tmp_path}/mlflow.db"), quarantine)
    return run


def ids(take_in, model):
    return sorted(take_in.lake.query(model, "SELECT id FROM rows")["id"])


@pytest.mark.long
@pytest.mark.parametrize("fields", [{}, {"lookback": "2d"}, {"batch": "7d"}, {"timezone": "Asia/Tokyo"}], ids=str)
def test_rows_of_long_ago_land_and_are_counted(made, take_in, fields):
    model, add = made(**fields)
    add(hours(31, 29))
    take_in(model, 60)
    add(hours(0, 31))  # an old month
    add(hours(60, 2))
    batches = take_in(model, 62)
    assert {batch.fate for batch in batches} == {"landed"}
    assert ids(take_in, model) == sorted(hours(0, 62)["id"])
    assert sum(len(batch.rows) for batch in batches) == 24 * 31
    assert all("came after that time had been ingested" in note for batch in batches for note in batch.notes)
    assert take_in(model, 63) == []
    assert take_in.compared == []


def test_a_row_between_those_that_are_there(made, take_in):
    model, add = made(lookback="1d")
    add(hours(0, 30).drop(index=[100, 101]))
    take_in(model, 30)
    add(hours(0, 5)[100:102])
    [batch] = take_in(model, 31)
    assert (batch.id[:5], batch.rows["id"].tolist()) == ("late-", hours(0, 5)["id"][100:].tolist()[:2])
    assert batch.notes == ["2 rows of before 2024-01-06 00:00 came after that time had been ingested"]


def test_rows_without_a_key_are_told_apart_by_what_they_hold(made, take_in):
    model, add = made(key=None)
    add(hours(0, 10))
    take_in(model, 10)
    add(hours(3, 1)[5:6])  # the same as a row that is there: another row, since nothing identifies one
    [batch] = take_in(model, 11)
    assert len(batch.rows) == 1
    rows = take_in.lake.query(model, 'SELECT * FROM rows ORDER BY "at"')
    assert len(rows) == 241
    assert rows.iloc[:, 0].is_unique


@pytest.mark.long
def test_late_rows_that_break_the_contract_are_quarantined_once(made, take_in):
    model, add = made()
    add(hours(10, 10))
    take_in(model, 20)
    add(hours(0, 5).assign(x=float("inf")))
    assert [batch.fate for batch in take_in(model, 21)] == ["quarantined"]
    assert take_in(model, 22) == []
    assert take_in.compared == []
    add(hours(5, 5))
    assert [batch.fate for batch in take_in(model, 23)] == ["landed"]
    assert ids(take_in, model) == sorted(hours(5, 15)["id"])


@pytest.mark.long
def test_what_the_source_has_doubled_is_compared_once(made, take_in):
    model, add = made()
    add(pd.concat([hours(0, 10), hours(2, 1)]))
    take_in(model, 10)
    assert take_in(model, 11) == []
    assert len(take_in.compared) == 1
    add(hours(11, 1))
    take_in(model, 12)
    assert take_in.compared == []


def test_rows_that_left_the_source_hide_no_late_ones(toy, tmp_path, take_in):
    model = toy(source=Files(path=str(tmp_path / "*.parquet")))
    hours(10, 20).to_parquet(tmp_path / "a.parquet", index=False)
    take_in(model, 30)
    hours(0, 10).to_parquet(tmp_path / "a.parquet", index=False)
    take_in(model, 31)
    assert ids(take_in, model) == sorted(hours(0, 30)["id"])


def test_a_function_that_gives_older_rows_than_it_was_asked_for_is_heard(toy, take_in):
    held = [hours(5, 5)]
    model = toy(source=Call(function=lambda since, until: pd.concat(held), start="2024-01-01"))
    take_in(model, 10)
    held.append(hours(0, 5))
    take_in(model, 11)
    assert ids(take_in, model) == sorted(hours(0, 10)["id"])


@pytest.mark.parametrize("recount", [True, False])
def test_a_function_is_asked_for_all_rows_again_if_it_may_be(toy, take_in, recount):
    held = [hours(5, 5)]

    def given(since, until):
        rows = pd.concat(held)
        return rows[(rows["at"] >= since) & (rows["at"] < until)].reset_index(drop=True)

    model = toy(source=Call(function=given, start="2024-01-01", recount=recount))
    take_in(model, 10)
    held.append(hours(0, 5))
    assert sum(len(batch.rows) for batch in take_in(model, 11)) == 120 * recount


@pytest.mark.long
def test_rows_that_were_erased_do_not_come_back_as_late_ones(made, take_in):
    model, add = made()
    add(hours(0, 10))
    take_in(model, 10)
    request = {"id": hours(3, 1)["id"][0]}
    erase(take_in.stores, model, request, "request 1", START)
    assert take_in(model, 11) == []
    add(hours(-5, 1))
    add(hours(3, 1)[:1].assign(id="another"))
    assert sum(len(batch.rows) for batch in take_in(model, 12)) == 25
    assert request["id"] not in ids(take_in, model)
