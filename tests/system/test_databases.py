"""Tables and views of SQLite, DuckDB and Postgres, whatever their names: drafted, read whole, and read by period.

Postgres is started from the binaries of the machine; its tests are skipped where there are none.
"""

import threading
import time

import numpy as np
import pandas as pd
import pytest
import sqlalchemy

from evergreen import Sql
from evergreen.definition import loader
from evergreen.errors import SourceError
from evergreen.ingestion.batch import of_source, outstanding
from evergreen.ingestion.quarantine import Quarantine
from evergreen.lake.delta_lake import DeltaLake
from evergreen.scaffold.draft import Choices
from evergreen.scaffold.reading.sample import source_of
from evergreen.scaffold.scaffold import scaffold
from tests.running_postgres import execute, running

NOW = pd.Timestamp("2026-11-29", tz="UTC")
BERLIN = "Europe/Berlin"
RANDOM = np.random.default_rng(0)
ROWS = pd.DataFrame(
    {
        "select": [f"n{number}" for number in range(300)],
        "time": pd.date_range("2026-01-01", periods=300, freq="h"),
        "order": RANDOM.normal(size=300).round(3),
        "User Name": ["a", "b", "c"] * 100,
        "from:to": RANDOM.normal(size=300).round(3),
    }
).assign(group=lambda rows: rows["order"] + rows["from:to"] + RANDOM.normal(size=300).round(3))
pytestmark = pytest.mark.long


@pytest.fixture(scope="session")
def postgres():
    """The address of a server, in a zone of its own."""
    with running("shop", "timezone=America/New_York") as url:
        yield url


@pytest.fixture(params=["sqlite", "duckdb", "postgres"])
def address(request, tmp_path):
    """An empty database."""
    if request.param != "postgres":
        return f"{request.param}:///{tmp_path}/shop.{request.param}"
    url, name = request.getfixturevalue("postgres"), f"t{time.time_ns()}"
    run(url, f"CREATE DATABASE {name}")
    return url.removesuffix("postgres") + name


def run(url, *statements):
    if url.startswith("postgresql"):
        execute(url, *statements)
        return
    with sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool).begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def filled(url, *statements, rows=ROWS):
    """A table with a reserved word for a name, and what else is made."""
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        rows.to_sql("table", connection, index=False)
    run(url, *statements)


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setenv("EVERGREEN_MODELS", str(tmp_path / "models"))
    return DeltaLake(f"{tmp_path}/lake"), Quarantine(f"{tmp_path}/lake")


def landed(world, model, at=NOW):
    """Ingest up to a moment; the rows in the lake by time."""
    for cut in outstanding(model, *world, at):
        batch = of_source(model, *world, *cut, at)
        assert batch.fate in ("landed", "empty"), batch.notes
        if batch.fate == "landed":
            batch.land(world[0])
    return world[0].query(model, "SELECT * FROM rows").sort_values(model.time, ignore_index=True)


@pytest.mark.parametrize("name", ["table", "view"])
def test_tables_and_views_with_reserved_words(world, address, name):
    filled(address, 'CREATE VIEW "view" AS SELECT * FROM "table"')
    draft = scaffold("case", source_of(address, table=name), Choices(until=NOW, target="group"))
    model = loader.load("case")
    assert {"order", "User Name", "from:to"} <= set(draft.features)
    rows = landed(world, model)
    assert rows["order"].tolist() == ROWS["order"].tolist()
    assert rows["time"].tolist() == ROWS["time"].dt.tz_localize("UTC").tolist()


KEYWORDS = ["true", "false", "null", "current_date", "select", "order", "group", "column3"]


@pytest.mark.parametrize("time", ["time", "true"])
@pytest.mark.parametrize("asked", [{}, {"query": 'SELECT * FROM "table" WHERE 1 = 1'}], ids=["table", "query"])
def test_columns_may_be_called_as_words_of_sql_are(world, address, asked, time):
    names = [name for name in KEYWORDS if name != time]
    columns = {name: np.arange(len(ROWS)) % (3 + place) + 0.5 for place, name in enumerate(names)}
    filled(address, rows=pd.DataFrame({time: ROWS["time"].to_numpy(), **columns, "y": np.arange(len(ROWS)) * 1.5}))
    draft = scaffold("case", source_of(address, **asked), Choices(until=NOW, target="y"))
    assert draft.time == time
    assert {*names} <= {*draft.features}
    model = loader.load("case")
    rows = landed(world, model)
    for name in names:
        assert rows[name].tolist() == columns[name].tolist()
    until = pd.Timestamp("2026-01-03 12:00", tz="UTC")
    assert model.source.daily(model, until) == {"2026-01-01": 24, "2026-01-02": 24, "2026-01-03": 12}
    assert model.source.read_newest(model, until - pd.Timedelta("12h"), until, world[0])[1] == len(ROWS) - 60


def test_a_query_with_one_bound_is_drafted_with_both(world, address):
    filled(address)
    source = source_of(address, query='SELECT * FROM "table" WHERE "time" < :until')
    assert scaffold("case", source, Choices(until=NOW, target="group")).time == "time"
    assert len(landed(world, loader.load("case"))) == len(ROWS)


def test_which_table_is_asked_for(address):
    filled(address, 'CREATE VIEW "view" AS SELECT * FROM "table"')
    with pytest.raises(SourceError, match=r"The database holds 2 tables: table, view. Choose one with --table"):
        source_of(address)
    with pytest.raises(SourceError, match="The database has no table 'tables'; it has table, view"):
        source_of(address, table="tables")


def test_late_rows_of_a_database_are_counted_by_day(toy_of, address):
    filled(address)
    model = toy_of(address)
    counts = model.source.daily(model, pd.Timestamp("2026-01-03 12:00", tz="UTC"))
    assert counts == {"2026-01-01": 24, "2026-01-02": 24, "2026-01-03": 12}


@pytest.fixture
def toy_of(tmp_path, monkeypatch):
    """A model of the table, whose times without a zone are in one of its own."""
    monkeypatch.setenv("EVERGREEN_MODELS", str(tmp_path / "models"))

    def made(url, timezone="UTC", batch=None):
        scaffold("case", source_of(url, table="table"), Choices(until=NOW, target="group"), overwrite=True)
        model = loader.load("case")
        source = Sql(url=model.source.url, query=model.source.query, batch=batch)
        return model.model_copy(update={"timezone": timezone, "source": source})

    return made


def test_a_word_in_a_column_of_times_lies_in_no_period_and_is_told(world, tmp_path):
    url = f"sqlite:///{tmp_path}/shop.sqlite"
    filled(url)
    scaffold("case", source_of(url, table="table"), Choices(until=NOW, target="group"))
    model, after = loader.load("case"), NOW + pd.Timedelta("1d")
    landed(world, model)
    run(url, """INSERT INTO "table" SELECT 'new', 'another thing', 1, 'a', 1, 1""")
    (batch,) = [of_source(model, *world, *cut, after) for cut in outstanding(model, *world, after)]
    assert batch.fate == "quarantined"
    assert "another thing" in batch.rows["time"].tolist()
    assert any(note.startswith("time: ") for note in batch.notes)


def test_a_time_with_a_zone_is_compared_in_the_zone_of_the_model(world, postgres, toy_of):
    run(postgres, "CREATE DATABASE zoned")
    url = postgres.removesuffix("postgres") + "zoned"
    aware = ROWS.assign(time=pd.date_range("2026-03-27", periods=300, freq="h", tz="UTC"))
    filled(url, rows=aware)  # timestamptz, in a server of New York
    rows = landed(world, toy_of(url, BERLIN, batch="4d"))
    assert rows["time"].tolist() == aware["time"].tolist()


def test_materialized_views_are_tables_too(world, postgres):
    run(postgres, "CREATE DATABASE materialized")
    url = postgres.removesuffix("postgres") + "materialized"
    filled(url, 'CREATE SCHEMA "Order"', 'CREATE MATERIALIZED VIEW "Order"."all" AS SELECT * FROM "table"')
    scaffold("case", source_of(url, table="Order.all"), Choices(until=NOW, target="group"))
    assert len(landed(world, loader.load("case"))) == 300


def test_a_database_that_goes_away_in_the_middle_is_told(postgres, toy_of):
    run(postgres, "CREATE DATABASE gone")
    url = postgres.removesuffix("postgres") + "gone"
    filled(url)
    model = toy_of(url)
    slow = 'SELECT t.*, pg_sleep(0.05) AS pause FROM "table" AS t WHERE "time" >= :since AND "time" < :until'
    source = Sql(url=url, query=slow)
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'gone' AND pid <> pg_backend_pid()"
    killer = threading.Timer(1, run, [postgres, end])
    killer.start()
    with pytest.raises(SourceError, match=r"the query failed: .*terminat.* Check the URL and the query") as told:
        source.read(model, pd.Timestamp("2026-01-01", tz="UTC"), NOW, DeltaLake("nowhere"))
    killer.join()
    assert told.value.may_pass
    assert "\n" not in str(told.value)


def test_a_database_that_is_not_there_is_told(toy_of, tmp_path):
    url = f"sqlite:///{tmp_path}/shop.db"
    filled(url)
    model = toy_of(url)
    run(url, 'DROP TABLE "table"')
    with pytest.raises(SourceError, match="case: the query failed: no such table: table"):
        model.source.begins(model, NOW, DeltaLake("nowhere"))
    refused = Sql(url="postgresql+psycopg://shop@127.0.0.1:1/shop", query=model.source.query)
    with pytest.raises(SourceError, match=r"case: the query failed: connection .*refused"):
        refused.read(model, NOW, NOW, DeltaLake("nowhere"))
