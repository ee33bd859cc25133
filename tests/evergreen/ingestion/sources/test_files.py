"""The source `Files` on real files, a real in-memory file system and a real server."""

import gzip
import threading
import traceback
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import duckdb
import fsspec
import pandas as pd
import pytest
from deltalake import write_deltalake

from evergreen import Csv, Files
from evergreen.errors import SourceError, SourceSetupError, SourceShapeError
from evergreen.ingestion.batch import check
from evergreen.ingestion.schema import cast
from evergreen.ingestion.sources import files as file_source
from evergreen.ingestion.sources.file_access import reading
from tests.evergreen.ingestion.sources.small_table import DAY, LAKE, START, WIDE, YORK, read, table, written

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
    assert len(read(toy(source=source))) == 1
    monkeypatch.setenv("SALES", str(tmp_path / "rows.csv"))
    (tmp_path / "rows.parquet").unlink()
    assert len(read(toy(source=source))) == 1


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


def test_a_name_that_looks_like_a_pattern_is_one_file(toy, tmp_path):
    for format in ("parquet", "csv"):
        folder = tmp_path / format
        for name in ("b?", "bx", "[a]", "c*"):
            written(folder / f"{name}.{format}", pd.Series([START]), format)
        assert len(read(toy(source=Files(path=str(folder))))) == 4
        assert len(read(toy(source=Files(path=str(folder), csv=Csv() if format == "csv" else None)))) == 4


def test_a_folder_is_listed_once_for_each_read(toy, tmp_path, monkeypatch):
    """Whatever its format; a pattern and a folder alike."""
    listings = []
    walks, globs = Path.rglob, Path.glob
    monkeypatch.setattr(Path, "rglob", lambda self, *args: listings.append(args) or walks(self, *args))
    monkeypatch.setattr(Path, "glob", lambda self, *args: listings.append(args) or globs(self, *args))
    for format, write in {"parquet": pd.DataFrame.to_parquet, **FOLDER_FORMATS}.items():
        folder = tmp_path / format
        folder.mkdir()
        for name in "ab":
            write(table([START]), folder / f"{name}.{format}")
        for path in (folder, folder / f"*.{format}"):
            listings.clear()
            assert len(read(toy(source=Files(path=str(path))))) == 2
            assert len(listings) == 1


def test_files_are_named_as_the_origin_whatever_their_columns_are_called(toy, tmp_path):
    table([START]).assign(filename="from the data").to_parquet(tmp_path / "rows.parquet")
    model = toy(source=Files(path=str(tmp_path)))
    assert model.source.origin(model, START, START + DAY) == str(tmp_path / "rows.parquet")
    assert read(model)["filename"].tolist() == ["from the data"]


FOLDER_FORMATS = {
    "jsonl": lambda rows, path: rows.to_json(path, orient="records", lines=True, date_format="iso"),
    "feather": lambda rows, path: rows.to_feather(path),
    "xlsx": lambda rows, path: rows.assign(at=rows["at"].dt.tz_localize(None)).to_excel(path, index=False),
}


@pytest.mark.long
@pytest.mark.parametrize("ending", FOLDER_FORMATS)
def test_a_folder_of_any_format_is_ingested_with_its_origin_and_what_waits(toy, tmp_path, ending):
    for number, times in enumerate([HOURS[:6], HOURS[6:]]):
        FOLDER_FORMATS[ending](table(times).assign(id=times.astype("str")), tmp_path / f"{number}.{ending}")
    model = toy(source=Files(path=str(tmp_path)))
    rows, waiting = model.source.read_newest(model, START, START + DAY, LAKE)
    assert (len(rows), waiting) == (4, 5)
    assert model.source.origin(model, START, START + DAY) == str(tmp_path)


def test_no_extension_is_downloaded_whatever_a_file_asks_for():
    with reading("UTC") as connection, pytest.raises(duckdb.Error, match="httpfs"):
        connection.sql("SELECT * FROM read_csv('https://127.0.0.1:9/a.csv')")


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_whole_numbers_with_gaps_keep_all_their_digits(toy, tmp_path, format):
    path = tmp_path / f"rows.{format}"
    rows = table([START, START]).assign(code=pd.array([WIDE, None], dtype="Int64"))
    rows.to_parquet(path) if format == "parquet" else rows.to_csv(path, index=False)
    source = Files(path=str(path))
    pieces = source.pieces(toy(source=source), 10)
    for found in (read(toy(source=source)), source.read_newest(toy(), START, START + DAY, LAKE)[0], *pieces):
        assert found["code"].tolist() == [WIDE, pd.NA]


def test_keys_of_numbers_keep_their_digits_in_csv(toy, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("z,at,x,y\n9007199254740992,2013-01-01,1,2\n9007199254740993,2013-01-01,1,2\n")
    model = toy(
        source=Files(path=str(path), csv=Csv()), features={"x": "number"}, extra={"z": "number"}, slices=[], key=["z"]
    )
    checked = check(model, read(model), START + DAY)
    assert "more digits than a number keeps" in checked.report.failures[0].found
    assert read(model)["z"].tolist() == ["9007199254740992", "9007199254740993"]


def test_structs_whose_names_differ_in_case_in_another_order_are_refused(toy, tmp_path):
    for name, order in (("1", ["age", "Age"]), ("2", ["Age", "age"])):
        rows = table([START]).assign(age=[{"a": 1}], Age=[{"a": 2}])
        rows[[*table([START]), *order]].to_parquet(tmp_path / f"{name}.parquet")
    with pytest.raises(SourceShapeError, match=r"2.parquet has the columns Age, age"):
        read(toy(source=Files(path=f"{tmp_path}/*.parquet")))


BESIDE = [
    "s.csv.bak",
    "s.csv.part",
    "s.csv~",
    ".ipynb_checkpoints/s.csv",
    ".s.csv",
    "~$s.csv",
    "_tmp/0/s.csv",
    "_s.csv",
]


def test_copies_of_editors_and_halves_of_writers_are_no_files_of_a_folder(toy, tmp_path):
    for name in ["s.csv", "_x=1/s.csv.gz", *BESIDE]:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        pack = gzip.compress if name.endswith(".gz") else bytes
        path.write_bytes(pack(f"id,at,x,y\n{name},2013-01-01 01:00,1,2\n".encode()))
    model = toy(source=Files(path=str(tmp_path), csv=Csv()), features={"x": "number"}, extra={}, slices=[])
    assert sorted(read(model)["id"]) == ["_x=1/s.csv.gz", "s.csv"]
    told = "_s.csv, s.csv.bak, s.csv.part and 1 more; their names do not end so, or begin with _"
    assert model.source.passed_over().endswith(told)
    spread = toy(source=Files(path=f"{tmp_path}/**/s.csv", csv=Csv()), features={"x": "number"}, extra={}, slices=[])
    assert sorted(read(spread)["id"]) == ["_tmp/0/s.csv", "s.csv"]


@pytest.mark.parametrize("partitioned", [False, True])
def test_of_a_delta_table_the_live_files_are_read(toy, tmp_path, partitioned):
    rows = table(HOURS).assign(at=HOURS, group="a b").head(10)
    by = {"partition_by": ["group"]} if partitioned else {}
    write_deltalake(tmp_path / "t", rows, **by)
    write_deltalake(tmp_path / "t", rows.tail(3), mode="overwrite", **by)
    assert len(list((tmp_path / "t").rglob("*.parquet"))) == 2
    model = toy(source=Files(path=str(tmp_path / "t")))
    assert read(model, until=START + 9 * DAY)["id"].tolist() == rows["id"].tail(3).tolist()


def test_a_delta_table_that_deletes_rows_within_files_is_refused(toy, tmp_path):
    write_deltalake(tmp_path, table(HOURS), configuration={"delta.enableDeletionVectors": "true"})
    log = tmp_path / "_delta_log" / f"{0:020}.json"
    log.write_text(log.read_text().replace('"timestampNtz"', '"timestampNtz","deletionVectors"'))
    with pytest.raises(SourceSetupError, match="uses deletionVectors, so its files alone do not tell its rows"):
        read(toy(source=Files(path=str(tmp_path))))


def test_what_lies_beside_tables_and_is_none_is_not_told(tmp_path):
    written(tmp_path / "a.parquet", pd.Series([START]))
    for name in (".a.parquet.crc", "_SUCCESS", "README.txt", "a.parquet.bak", "_delta/b.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert Files(path=str(tmp_path)).passed_over() == ""
    (tmp_path / "b.csv.gz").touch()
    assert "b.csv.gz; of a folder" in Files(path=str(tmp_path)).passed_over()
