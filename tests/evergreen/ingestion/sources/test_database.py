"""The source `Sql` on a real SQLite file."""

import traceback
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy

from evergreen import Sql, TimeFormat
from evergreen.definition.sources import periods
from evergreen.errors import SourceError, SourceSetupError
from evergreen.ingestion.schema import cast
from tests.evergreen.ingestion.sources.small_table import DAY, LAKE, START, WIDE, YORK, read, table

FORMATS = {
    "SQLite's own": "%Y-%m-%d %H:%M:%S",
    "SQLAlchemy's": "%Y-%m-%d %H:%M:%S.%f",
    "with a T": "%Y-%m-%dT%H:%M:%S",
    "to the minute": "%Y-%m-%d %H:%M",
    "with Z": "%Y-%m-%dT%H:%M:%SZ",
    "with an offset": "%Y-%m-%d %H:%M:%S+00:00",
}
QUERY = "SELECT * FROM sold WHERE at >= :since AND at < :until"


def database(path: Path, rows: pd.DataFrame) -> str:
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    rows.to_sql("sold", engine, index=False, if_exists="replace")
    engine.dispose()
    return f"sqlite:///{path}"


@pytest.mark.long
@pytest.mark.parametrize("timezone", ["UTC", YORK, "Asia/Tokyo"])
@pytest.mark.parametrize("format", FORMATS)
def test_nothing_is_lost_or_too_early_at_the_edges_of_sqlite_batches(toy, tmp_path, format, timezone):
    at = pd.date_range(START, periods=72, freq="h")
    zoned = "Z" in format or "offset" in format
    text = (at if zoned else at.tz_convert(timezone)).strftime(FORMATS[format])
    url = database(tmp_path / "shop.db", table(text))
    model = toy(source=Sql(url=url, query=QUERY, batch="12h"), timezone=timezone)
    assert model.source.begins(model, START + 4 * DAY, LAKE) == START
    ids = set()
    for since, until in periods(model.source, START, START + 4 * DAY):
        rows, problems = cast(read(model, since, until), model)
        assert problems == []
        assert not (rows["at"] >= until).any()
        ids |= set(rows["id"])
    assert ids == set(table(text)["id"])


@pytest.mark.parametrize("format", FORMATS)
def test_rows_of_a_database_that_wait_are_counted(toy, tmp_path, format):
    url = database(tmp_path / "shop.db", table(pd.date_range(START, periods=72, freq="h").strftime(FORMATS[format])))
    asked, whole = Sql(url=url, query=QUERY), Sql(url=url, query="SELECT * FROM sold")
    for source, parsing in ((asked, {}), (whole, {"at": TimeFormat(format=FORMATS[format].replace("+00:00", "%z"))})):
        model = toy(source=source, parsing=parsing)
        rows, waiting = source.read_newest(model, START, START + DAY, LAKE)
        assert (len(rows), waiting) == (24, 48)
        rows, waiting = source.read_newest(model, START, START + 1.5 * DAY, LAKE)  # to the middle of a day
        assert (len(rows), waiting) == (36, 36)
    assert whole.read_newest(toy(source=whole), START, START + DAY, LAKE)[1] == 0  # nothing says which it would give


def test_rows_of_the_far_future_are_not_hidden_from_the_contract(toy, tmp_path):
    rows = table(["2013-01-01 06:00:00", "2031-01-01 00:00:00"])
    model = toy(source=Sql(url=database(tmp_path / "shop.db", rows), query="SELECT * FROM sold"))
    assert read(model)["id"].tolist() == ["r000", "r001"]


def test_a_password_comes_from_the_environment(toy, tmp_path, monkeypatch):
    monkeypatch.setenv("SHOP", database(tmp_path / "shop.db", table(["2013-01-01 06:00:00"])))
    assert len(read(toy(source=Sql(url="$SHOP", query=QUERY)))) == 1


@pytest.mark.parametrize(
    ("url", "query", "reason"),
    [
        ("sqlite:///{}", "SELECT * FROM bought", "no such table: bought"),
        ("sqlite:///{}", "SELEC", "syntax error"),
        ("sqlite:////nowhere/shop.db", QUERY, "unable to open database file"),
        ("shop.db", QUERY, "Could not parse SQLAlchemy URL"),
        ("sqlite:///{}", "SELECT id, at, x, x FROM sold", r"the columns \['x'\] more than once"),
    ],
)
def test_a_query_that_fails_says_why(toy, tmp_path, url, query, reason):
    database(tmp_path / "shop.db", table(["2013-01-01 06:00:00"]))
    with pytest.raises(SourceError, match=f"toy: .*{reason}"):
        read(toy(source=Sql(url=url.format(tmp_path / "shop.db"), query=query)))


def test_a_driver_that_is_not_installed_is_said_without_the_password(toy):
    with pytest.raises(SourceSetupError, match=r"toy: The driver .* No module named 'psycopg2'. Install it") as raised:
        read(toy(source=Sql(url="postgresql://u:secret@h/db", query=QUERY)))
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("ending", ["", ";", " ; \n", " -- newest last"])
def test_the_beginning_of_a_query_is_found_however_it_ends(toy, tmp_path, ending):
    url = database(tmp_path / "shop.db", table(["2013-01-01 06:00:00", "2013-01-01 03:00:00"]))
    model = toy(source=Sql(url=url, query=QUERY + ending))
    assert model.source.begins(model, START + DAY, LAKE) == START + pd.Timedelta(hours=3)
    assert model.source.begins(model, START, LAKE) is None


def test_a_beginning_that_is_no_time_is_an_error_of_the_source(toy, tmp_path):
    model = toy(source=Sql(url=database(tmp_path / "shop.db", table(["soon"])), query="SELECT * FROM sold"))
    with pytest.raises(SourceError, match=r"'at' of the query: .*'soon'"):
        model.source.begins(model, START, LAKE)


def test_a_sqlite_file_is_only_read(toy, tmp_path):
    url = database(tmp_path / "shop.db", table(["2013-01-01 06:00:00"]))
    before = (tmp_path / "shop.db").read_bytes()
    read(toy(source=Sql(url=url, query=QUERY)))
    assert (tmp_path / "shop.db").read_bytes() == before


@pytest.mark.parametrize(
    "url", ["postgresql:/u:secret@h/db", "mssql+pyodbc//u:secret@h", "x?odbc_connect=PWD%3Dsecret"]
)
def test_a_malformed_url_is_said_without_the_password(toy, url):
    with pytest.raises(SourceError, match="toy: SQLAlchemy cannot open") as raised:
        read(toy(source=Sql(url=url, query=QUERY)))
    assert "secret" not in "".join(traceback.format_exception(raised.value))


def test_whole_numbers_with_gaps_keep_all_their_digits_and_all_else_is_as_pandas_reads_it(toy, tmp_path):
    at = ["2013-01-01 06:00:00"] * 3
    rows = table(at).assign(code=pd.array([WIDE, None, 7], dtype="Int64"), share=[0.5, None, 1.0], name=["a", None, ""])
    rows = rows.assign(raw=[b"\0", None, b"\1"], count=[1, 2, 3], none=None)
    source = Sql(url=database(tmp_path / "shop.db", rows), query="SELECT * FROM sold")
    with sqlalchemy.create_engine(source.url).connect() as connection:
        usual = pd.read_sql_query(sqlalchemy.text(source.query), connection)
    for found in (read(toy(source=source)), *source.pieces(toy(source=source), 3)):
        assert found.pop("code").tolist() == [WIDE, pd.NA, 7]
        pd.testing.assert_frame_equal(found, usual[found.columns])


def test_a_table_is_given_in_pieces_and_one_without_rows_as_one(toy, tmp_path):
    for count, sizes in ((5, [2, 2, 1]), (0, [0])):
        url = database(tmp_path / f"{count}.db", table(["2013-01-01 06:00:00"] * count))
        source = Sql(url=url, query="SELECT * FROM sold")
        assert [len(piece) for piece in source.pieces(toy(source=source), 2)] == sizes
