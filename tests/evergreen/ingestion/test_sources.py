"""Sources on real files, a real SQLite file and a real in-memory file system."""

import json
import threading
import traceback
from datetime import UTC, timedelta
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import duckdb
import fsspec
import pandas as pd
import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st

from evergreen import Call, Files, Sql, TimeFormat
from evergreen.definition import loader
from evergreen.definition.kinds.register import kind_of
from evergreen.definition.sources import BEFORE_ANY_ROW, periods
from evergreen.errors import SourceError, SourceSetupError
from evergreen.ingestion.schema import cast
from evergreen.ingestion.sources import files as file_source
from evergreen.ingestion.sources.file_access import reading
from evergreen.lake.delta_lake import DeltaLake
from evergreen.scaffold.draft import Choices
from evergreen.scaffold.reading.sample import source_of
from evergreen.scaffold.scaffold import scaffold

DAY = pd.Timedelta(days=1)
START = pd.Timestamp("2013-01-01", tz="UTC")
YORK = "America/New_York"
LAKE = DeltaLake("nowhere")  # which none of these sources asks


def table(at):
    return pd.DataFrame({"id": [f"r{i:03}" for i in range(len(at))], "at": at, "group": "a", "x": 1.0, "y": 2.0})


def written(path: Path, at, format="parquet") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    table(at).to_parquet(path, index=False) if format == "parquet" else table(at).to_csv(path, index=False)
    return str(path)


def read(model, since=START, until=START + DAY):
    return model.source.read(model, since, until, LAKE)


HOURS = pd.date_range(START - DAY, START + 2 * DAY, freq="6h")
TIMES = {
    "aware": (HOURS, "UTC"),
    "aware, elsewhere": (HOURS.tz_convert("Asia/Tokyo"), "UTC"),
    "aware, in nanoseconds": (HOURS.as_unit("ns"), "UTC"),
    "naive": (HOURS.tz_localize(None), "UTC"),
    "naive, in nanoseconds": (HOURS.tz_localize(None).as_unit("ns"), "UTC"),
    "naive, local": (HOURS.tz_convert(YORK).tz_localize(None), YORK),
    "text with Z": (HOURS.strftime("%Y-%m-%dT%H:%M:%SZ"), YORK),
    "text with an offset": (HOURS.tz_convert("Asia/Tokyo").strftime("%Y-%m-%d %H:%M:%S+09:00"), YORK),
    "text, local": (HOURS.tz_convert(YORK).strftime("%Y-%m-%d %H:%M:%S"), YORK),
}


@pytest.mark.parametrize("format", ["parquet", "csv"])
@pytest.mark.parametrize("kind", TIMES)
def test_a_file_gives_the_rows_of_the_period_whatever_its_times_are(toy, tmp_path, kind, format):
    at, timezone = TIMES[kind]
    model = toy(source=Files(path=written(tmp_path / f"rows.{format}", at, format)), timezone=timezone)
    rows, problems = cast(read(model), model)
    assert problems == []
    assert rows["at"].tolist() == [moment for moment in HOURS if START <= moment < START + DAY]
    assert model.source.begins(model, START, LAKE) == HOURS[0]


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_dates_begin_at_local_midnight(toy, tmp_path, format):
    days = pd.Series(pd.date_range("2013-01-01", periods=4, freq="D").date)
    model = toy(source=Files(path=written(tmp_path / f"rows.{format}", days, format)), timezone=YORK)
    rows, problems = cast(read(model, START, START + 2 * DAY), model)
    assert problems == []
    assert rows["at"].tolist() == [START + pd.Timedelta(hours=5), START + pd.Timedelta(hours=29)]


def test_rows_of_parquet_that_wait_are_counted_and_not_read(toy, tmp_path, monkeypatch):
    path = written(tmp_path / "a.parquet", HOURS)
    fetched, frame = [], file_source._Scan.frame
    monkeypatch.setattr(file_source._Scan, "frame", lambda *args: fetched.append(frame(*args)) or fetched[-1])
    rows, waiting = Files(path=path).read_newest(toy(), START, START + DAY, LAKE)
    assert (len(rows), waiting) == (4, 5)
    assert max(len(some) for some in fetched if "id" in some) == 4


def test_rows_without_a_time_come_too_so_that_the_contract_can_refuse_them(toy, tmp_path):
    model = toy(source=Files(path=written(tmp_path / "rows.parquet", pd.Series([START, pd.NaT, START - DAY]))))
    assert read(model)["id"].tolist() == ["r000", "r001"]


FOLDERS = {
    "a file": ("data/one.parquet", ["data/one.parquet"]),
    "a folder": ("data", ["data/one.parquet", "data/more/two.parquet"]),
    "a folder of CSV": ("data", ["data/one.csv", "data/more/two.csv"]),
    "a folder of packed CSV": ("data", ["data/one.csv.gz"]),
    "a glob": ("data/*.parquet", ["data/one.parquet", "data/two.parquet"]),
    "a glob of folders": ("data/*/rows.csv", ["data/one/rows.csv", "data/two/rows.csv"]),
    "a deep glob": ("data/**/*.parquet", ["data/one.parquet", "data/more/still/two.parquet"]),
    "a quote in the name": ("data/o'clock.parquet", ["data/o'clock.parquet"]),
}


@pytest.mark.parametrize("relative", [True, False], ids=["relative", "absolute"])
@pytest.mark.parametrize("case", FOLDERS)
def test_files_folders_and_globs(toy, tmp_path, monkeypatch, case, relative):
    path, files = FOLDERS[case]
    for file in files:
        written(tmp_path / file, pd.Series([START]), "csv" if ".csv" in file else "parquet")
    monkeypatch.setenv("EVERGREEN_MODELS", str(tmp_path / "models"))
    assert len(read(toy(source=Files(path=path if relative else str(tmp_path / path))))) == len(files)


@pytest.mark.parametrize("path", ["rows.parquet", "gone/*.csv", "empty", "gone/**/*.parquet"])
def test_a_path_without_files_is_named(toy, tmp_path, path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=r"No file matches .*Check `path`"):
        read(toy(source=Files(path=str(tmp_path / path))))


@pytest.mark.parametrize(
    ("path", "count"),
    [("memory://shop/one.parquet", 1), ("memory://shop/*.parquet", 1), ("memory://shop", 2), ("file://{}", 1)],
)
def test_uris_that_fsspec_knows(toy, tmp_path, path, count):
    memory = fsspec.filesystem("memory")
    for name in ("one.parquet", "more/two.parquet"):
        with memory.open(f"/shop/{name}", "wb") as file:
            table([START]).to_parquet(file)
    local = written(tmp_path / "one.parquet", [START])
    assert len(read(toy(source=Files(path=path.format(local))))) == count


@pytest.mark.parametrize("path", ["memory://nowhere/one.parquet", "memory://nowhere"])
def test_a_uri_without_files_is_named(toy, path):
    with pytest.raises(SourceError, match="toy: cannot read memory://nowhere") as raised:
        read(toy(source=Files(path=path)))
    assert "Traceback" not in str(raised.value)


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("s3://bucket/rows.parquet", "Install s3fs to access S3"),
        ("gs://bucket/rows.parquet", "Please install gcsfs to access Google Storage"),
        ("foo://bucket/rows.parquet", "Protocol not known: foo"),
    ],
)
def test_a_store_that_cannot_be_spoken_to_is_an_error_of_the_source_that_will_not_pass(toy, uri, reason):
    with pytest.raises(SourceSetupError, match=rf"Cannot read {uri}: {reason}\. Check the address") as raised:
        read(toy(source=Files(path=uri)))
    assert not raised.value.may_pass


@pytest.mark.parametrize("uri", ["foo://u:secret@h/x.parquet", "http://u:secret@127.0.0.1:9/x.parquet"])
def test_the_password_of_an_address_is_not_shown(toy, uri):
    with pytest.raises(SourceError, match=r"u:\*\*\*@") as raised:
        read(toy(source=Files(path=uri)))
    assert "secret" not in str(raised.value)


def test_the_address_of_files_comes_from_the_environment_and_its_signature_is_shown_nowhere(toy, monkeypatch, signed):
    monkeypatch.setenv("SIGNATURE", "se/cret=")
    monkeypatch.setenv("SALES", f"{signed.url}/rows.parquet?sig=se/cret=")
    for path in (f"{signed.url}/rows.parquet?sig=$SIGNATURE", "$SALES"):
        with pytest.raises(SourceError) as raised:
            read(toy(source=Files(path=path)))
        assert "se/cret" not in "".join(traceback.format_exception(raised.value))
    assert signed.asked
    assert all("sig=se/cret=" in asked for asked in signed.asked)
    for path in (f"{signed.url}/rows.csv?sig=se/cret=", f"{signed.url}/rows.csv?password=se/cret"):
        assert "se/cret" not in Files(path=path).origin(toy(), START, START + DAY)


def test_a_folder_of_files_is_named_by_the_environment(toy, tmp_path, monkeypatch):
    written(tmp_path / "rows.parquet", pd.Series([START]))
    table([START]).to_csv(tmp_path / "rows.csv", index=False)
    monkeypatch.setenv("SALES", str(tmp_path / "rows.parquet"))
    source = Files(path="$SALES")
    assert (len(read(toy(source=source))), source.format) == (1, "parquet")
    monkeypatch.setenv("SALES", str(tmp_path / "rows.csv"))
    assert (len(read(toy(source=source))), source.format) == (1, "csv")


@pytest.fixture
def signed(tmp_path):
    """A server of a folder without the files that are asked for."""
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *given):
            super().__init__(*given, directory=str(tmp_path))

        def log_message(self, *_):
            asked.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}", asked=asked)
    server.shutdown()
    server.server_close()


def test_a_variable_of_files_that_is_not_set_is_told(toy):
    with pytest.raises(SourceError, match=r"\$NOWHERE_SET is not set"):
        read(toy(source=Files(path="$NOWHERE_SET")))


@pytest.mark.parametrize(
    "url", ["postgresql:/u:secret@h/db", "mssql+pyodbc//u:secret@h", "x?odbc_connect=PWD%3Dsecret"]
)
def test_a_malformed_url_is_said_without_the_password(toy, url):
    with pytest.raises(SourceError, match="toy: SQLAlchemy cannot open") as raised:
        read(toy(source=Sql(url=url, query=QUERY)))
    assert "secret" not in "".join(traceback.format_exception(raised.value))


def test_a_file_without_the_time_column_says_what_it_has(toy, tmp_path):
    table([START]).rename(columns={"at": "when"}).to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(SourceError, match=r"has no time column 'at'; it has \['id', 'when'"):
        read(toy(source=Files(path=str(tmp_path / "rows.parquet"))))


def test_a_file_that_is_no_parquet_is_an_error_of_the_source(toy, tmp_path):
    (tmp_path / "rows.parquet").write_text("id,at")
    with pytest.raises(SourceError, match=r"toy: cannot read .*rows\.parquet"):
        read(toy(source=Files(path=str(tmp_path / "rows.parquet"))))


def test_a_file_without_rows_has_no_beginning(toy, tmp_path):
    model = toy(source=Files(path=written(tmp_path / "rows.parquet", pd.Series([], dtype="datetime64[us, UTC]"))))
    assert model.source.begins(model, START, LAKE) is None


def test_columns_that_are_categories_are_not_read_as_numbers_from_csv(toy, tmp_path):
    (tmp_path / "rows.csv").write_text("id,at,group,x,y\n007,2013-01-01T00:00:00Z,01,1.5,2\n")
    rows = read(toy(source=Files(path=str(tmp_path / "rows.csv"))))
    assert (rows["id"][0], rows["group"][0], rows["x"][0]) == ("007", "01", 1.5)


def test_files_that_grew_a_column_are_read_by_name(toy, tmp_path):
    table([START]).to_parquet(tmp_path / "a.parquet")
    table([START])[["y", "x", "group", "at", "id"]].assign(z=1).to_parquet(tmp_path / "b.parquet")
    rows = read(toy(source=Files(path=str(tmp_path))))
    assert rows[["group", "x"]].to_numpy().tolist() == [["a", 1.0], ["a", 1.0]]


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


@pytest.mark.parametrize(
    "lines",
    [
        [{f"c{number}": 1.0 for number in range(250)} | {"at": "2013-01-01"}] * 3,
        [{f"c{number}_{line}": 1.0 for number in range(5)} | {"at": "2013-01-01"} for line in range(40)],
    ],
    ids=["many columns", "columns that few rows have"],
)
def test_objects_of_json_lines_are_rows_however_many_columns_there_are(toy, tmp_path, lines):
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, lines)))
    rows = read(toy(source=Files(path=str(tmp_path / "rows.jsonl"))))
    assert {*rows.columns} == {name for line in lines for name in line}


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


def raising(since, until):
    raise ConnectionError("the shop is shut")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (raising, "toy: the source function raised ConnectionError: the shop is shut"),
        (lambda since, until: None, "toy: the source function returned NoneType, not a DataFrame"),
        (lambda since, until: [{"id": "a"}], "toy: the source function returned list"),
        (lambda since, until: pd.DataFrame([[1, 2]], columns=["x", "x"]), r"\['x'\] more than once"),
    ],
)
def test_a_function_that_gives_no_rows_says_so(toy, function, message):
    with pytest.raises(SourceError, match=message):
        read(toy(source=Call(function=function)))


def test_a_function_is_asked_for_the_period(toy):
    rows = read(toy())
    assert (rows["at"].min(), rows["at"].max()) == (START, START + pd.Timedelta(hours=23))


@pytest.mark.parametrize(
    ("start", "begin"),
    [
        (None, BEFORE_ANY_ROW),
        ("2013-01-01", START),
        ("2013-01-01T05:00+05:00", START),
        (START.to_pydatetime().astimezone(UTC), START),
    ],
)
def test_where_the_history_of_a_function_begins(toy, start, begin):
    model = toy(source=Call(function=print, start=start))
    assert model.source.begins(model, START + DAY, LAKE) == begin


@given(
    st.timedeltas(timedelta(0), timedelta(days=40)),
    st.none() | st.timedeltas(timedelta(hours=6), timedelta(days=60)),
)
def test_periods_follow_each_other_without_a_gap_from_beginning_to_end(length, batch):
    end = START + length
    cut = periods(Call(function=print, batch=batch), START, end)
    edges = [START, *(high for _, high in cut)]
    assert [low for low, _ in cut] == edges[:-1]
    assert edges[-1] == end
    assert all(low < high for low, high in cut)
    assert batch is None or all(high - low <= batch for low, high in cut)


@pytest.mark.parametrize("bad", [{"batch": "often"}, {"lookback": "7 bananas"}, {"pth": "x"}])
def test_a_source_that_cannot_be_is_refused_where_it_is_written(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        Files(path="x.parquet", **bad)


def test_moments_of_text_follow_their_zone():
    times, problem = kind_of("datetime").cast(pd.Series(["2013-01-01T00:00"]), YORK)
    assert (times[0], problem) == (START + pd.Timedelta(hours=5), "")


def test_files_are_named_as_the_origin_whatever_their_columns_are_called(toy, tmp_path):
    table([START]).assign(filename="from the data").to_parquet(tmp_path / "rows.parquet")
    model = toy(source=Files(path=str(tmp_path)))
    assert model.source.origin(model, START, START + DAY) == str(tmp_path / "rows.parquet")
    assert read(model)["filename"].tolist() == ["from the data"]


def test_no_extension_is_downloaded_whatever_a_file_asks_for():
    with reading("UTC") as connection, pytest.raises(duckdb.Error, match="httpfs"):
        connection.sql("SELECT * FROM read_csv('https://127.0.0.1:9/a.csv')")


TAKEN = "taken.csv"
INJECTING = [
    f"x\") FROM rows; COPY (SELECT 1) TO '{TAKEN}'; --",
    f"x'); COPY (SELECT 1) TO '{TAKEN}'; --",
    "a :since",
    "a$since",
    "%s{b}\\",
    "read_csv('/etc/hosts')",
    '"""); import os; os.abort() #',
    "line\nbreak",
]


@pytest.mark.parametrize("kind", ["csv", "parquet", "database"])
@pytest.mark.parametrize("name", INJECTING)
def test_a_name_that_is_made_to_inject_is_a_name(tmp_path, monkeypatch, kind, name):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVERGREEN_MODELS", str(tmp_path / "models"))
    at, count = pd.date_range(START, periods=300, freq="h"), range(300)
    rows = pd.DataFrame({name: at, f"{name}1": [f"r{n:03}" for n in count], f"{name}2": [float(n % 7) for n in count]})
    rows[f"{name}y"] = rows[f"{name}2"] * 2
    if kind == "database":
        engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/shop.db")
        rows.to_sql(name, engine, index=False)
        where = source_of(f"sqlite:///{tmp_path}/shop.db")
    else:
        path = tmp_path / f"rows.{kind}"
        rows.to_csv(path, index=False) if kind == "csv" else rows.to_parquet(path)
        where = source_of(str(path))
    choices = Choices(time=name, key=[f"{name}1"], target=f"{name}y")
    scaffold("toy", where, choices)
    model = loader.load("toy")
    begin = model.source.begins(model, START + 30 * DAY, LAKE)
    assert begin == START
    assert len(model.source.read(model, START, START + 30 * DAY, LAKE)) == 300
    assert model.source.origin(model, START, START + DAY)
    assert not (tmp_path / TAKEN).exists()
