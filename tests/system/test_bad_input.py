"""Files that are no tables, or no longer those that the model was drafted from: each is told in a sentence, at once."""

import gzip
import os
import random
import tempfile
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evergreen.definition import loader
from evergreen.errors import EvergreenError, SourceError
from evergreen.ingestion.batch import of_source, outstanding
from evergreen.ingestion.quarantine import Quarantine
from evergreen.ingestion.sources.growth import unless_growing
from evergreen.lake.delta_lake import DeltaLake
from evergreen.scaffold.draft import Choices
from evergreen.scaffold.reading.sample import source_of
from evergreen.scaffold.scaffold import scaffold

NOW = pd.Timestamp("2026-11-29", tz="UTC")
GOOD = pd.DataFrame(
    {
        "id": range(300),
        "ts": pd.date_range("2026-01-01", periods=300, freq="h"),
        "x": np.random.default_rng(0).normal(size=300).round(3),
        "g": ["a", "b", "c"] * 100,
    }
).assign(y=lambda rows: rows["x"] * 2 + rows["id"] % 5)
CSV = GOOD.to_csv(index=False)
NOISE = bytes(random.Random(0).choices(range(1, 256), k=50_000))
pytestmark = pytest.mark.long


@pytest.fixture(autouse=True)
def at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("EVERGREEN_MODELS", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def new(path):
    return scaffold("case", source_of(str(path)), Choices(until=NOW, target="y"), overwrite=True)


def ingested(folder):
    """The batches of the model as it is, none of which lands."""
    lake, quarantine, model = DeltaLake(f"{folder}/lake"), Quarantine(f"{folder}/lake"), loader.load("case")
    return [of_source(model, lake, quarantine, *cut, NOW) for cut in outstanding(model, lake, quarantine, NOW)]


def sheet(path, rows):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    if rows:
        book.active.merge_cells("A1:D1")
    book.save(path)


def zipped(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", CSV)
        archive.writestr("b.csv", CSV)


WRITE = {
    "empty": ("t.csv", b"", "t.csv holds no row: there is no header"),
    "a header alone": ("t.csv", b"id,ts,x,y\n", "t.csv holds no row"),
    "one row": ("t.csv", b"id,ts,x,y\n1,2026-01-01,2,3\n", "'ts' is 2026-01-01 00:00:00 in all of 1 rows"),
    "binary": ("t.csv", os.urandom(50_000), "t.csv is no text"),
    "binary without bytes 0": ("t.csv", NOISE, "t.csv is no text, but binary"),
    "bytes 0": ("t.csv", CSV.replace(",a,", ",a\0,", 1).encode(), "t.csv has bytes 0 in line 2"),
    "bytes 0 far below": ("t.csv", CSV.encode() + b"1,2026-01-01,1,\0,1\n", "t.csv has bytes 0 in line 302"),
    "two files in a zip": ("t.csv.zip", zipped, "t.csv.zip holds 2 files: a.csv, b.csv. Unpack it"),
    "no zip": ("t.csv.zip", b"PK\x03\x04nothing", "t.csv.zip cannot be read: .*zip.* Is it complete"),
    "a cut gz": ("t.csv.gz", gzip.compress(CSV.encode())[:-300], "t.csv.gz cannot be read: .*ended.* Is it complete"),
    "a gz that is none": ("t.csv.gz", CSV.encode(), "t.csv.gz cannot be read: Not a gzipped file"),
    "CSV named Parquet": ("t.parquet", CSV.encode(), "t.parquet cannot be read: .*No magic bytes"),
    "CSV named JSON": ("t.json", CSV.encode(), "t.json cannot be read: .*Malformed JSON"),
    "CSV named Excel": ("t.xlsx", CSV.encode(), "t.xlsx is no spreadsheet, or is damaged"),
    "CSV named Arrow": ("t.feather", CSV.encode(), "t.feather is no Arrow file, or is damaged"),
    "another ending": ("t.docx", CSV.encode(), "t.docx is none of Parquet, CSV"),
    "an empty sheet": ("t.xlsx", lambda path: sheet(path, []), "t.xlsx holds no row in any sheet"),
    "a merged title": (
        "t.xlsx",
        lambda path: sheet(path, [["Report", None, None, None], ["id", "ts", "x", "y"], [1, "2026-01-01", 1, 2]]),
        "t.xlsx: the first row of the sheet names 1 of its 4 columns",
    ),
    "a folder named so": ("t.csv", lambda path: path.mkdir(), "t.csv is a folder without a file"),
    "a link to itself": ("t.csv", lambda path: path.symlink_to(path), "t.csv is a link that leads to no file"),
    "1 MB without a line": ("t.csv", b"x" * 1_000_000, "t.csv holds no row"),
    "a number of 1 MB": ("t.csv", f"{CSV}300,2026-01-20,1,a,{'9' * 1_000_000}\n".encode(), "'y' is infinite in some"),
    "a line of 3 MB": ("t.csv", f"{CSV}300,2026-01-20,1,{'z' * 3_000_000},1\n".encode(), "line 302: Maximum line size"),
    "a value too few": (
        "t.csv",
        f"{CSV}300,2026-01-20,1\n".encode(),
        "line 302: Expected Number of Columns: 5 Found: 3",
    ),
}


@pytest.mark.parametrize("case", WRITE)
def test_what_is_no_table_is_told_by_new(at_home, case):
    name, content, says = WRITE[case]
    content(at_home / name) if callable(content) else (at_home / name).write_bytes(content)
    start = time.process_time()
    with pytest.raises(EvergreenError, match=says) as told:
        new(at_home / name)
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 500
    assert time.process_time() - start < 2


def test_one_column_leaves_nothing_to_predict(at_home):
    (at_home / "t.csv").write_text(GOOD[["ts"]].to_csv(index=False))
    with pytest.raises(EvergreenError, match="No column is left to predict besides time and key: 'ts'"):
        scaffold("case", source_of(str(at_home / "t.csv")), Choices(until=NOW))


def test_a_long_text_is_a_text(at_home):
    (at_home / "t.csv").write_text(f"{CSV}300,2026-01-20,1,{'z' * 1_000_000},1\n")
    new(at_home / "t.csv")
    [batch] = ingested(at_home)
    assert (batch.fate, batch.rows["g"].str.len().max()) == ("landed", 1_000_000)


@pytest.mark.slow
def test_2000_columns_are_drafted(at_home):
    values = np.random.default_rng(1).normal(size=(300, 2000)).round(3)
    wide = pd.concat([GOOD, pd.DataFrame(values, columns=[f"c{place}" for place in range(2000)])], axis=1)
    wide.to_csv(at_home / "t.csv", index=False)
    assert len(new(at_home / "t.csv").features) > 2000
    [batch] = ingested(at_home)
    assert (batch.fate, len(batch.checked.rows.columns) > 2000) == ("landed", True)


def changed(**columns):
    return lambda path: GOOD.assign(**columns).to_csv(path, index=False)


LATER = {
    "empty": (b"", "t.csv: there is no header"),
    "a header alone": (b"id,ts,x,g,y\n", "the source holds no row"),
    "binary": (NOISE, "t.csv is not written in utf-8: line 1 has the bytes"),
    "another encoding": (CSV.replace(",a,", ",ä,").encode("cp1252"), "not written in utf-8: line 2 has the bytes e4"),
    "another delimiter": (CSV.replace(",", ";").encode(), "has no time column 'ts'"),
    "an open quote": (CSV.replace(",a,", ',"a,', 1).encode(), "line 2: Value with unterminated quote"),
    "gone": (None, "No file matches .*t.csv"),
    "no time": (lambda path: GOOD.drop(columns="ts").to_csv(path, index=False), "has no time column 'ts'; it has"),
}
UNFIT = {
    "a column gone": (lambda path: GOOD.drop(columns="x").to_csv(path, index=False), "x: .*found no such column$"),
    "a column renamed": (
        lambda path: GOOD.rename(columns={"x": "xx"}).to_csv(path, index=False),
        "x: .*no such column; did 'xx' take its place",
    ),
    "a column of another type": (
        changed(x="high"),
        r"x: .*found 300 of 300 rows hold no number, the first in line 2 of t\.csv$",
    ),
    "no times": (changed(ts=range(300)), "ts: .*found 300 of 300 rows are no ISO 8601 time"),
    "a number of 1 MB": (
        lambda path: path.write_text(f"{CSV}300,2026-01-20,{'9' * 1_000_000},a,1\n"),
        "x: .*found 1 of 301 rows are infinite",
    ),
}


def replaced(folder, content):
    """A model of a good file, in whose place something else stands now."""
    path = folder / "t.csv"
    path.write_text(CSV)
    new(path)
    path.unlink()
    if content is not None:
        content(path) if callable(content) else path.write_bytes(content)


@pytest.mark.parametrize("case", LATER)
def test_what_became_unreadable_is_told_by_ingest(at_home, case):
    content, says = LATER[case]
    replaced(at_home, content)
    with pytest.raises(EvergreenError, match=says):
        ingested(at_home)


@pytest.mark.parametrize("case", UNFIT)
def test_what_no_longer_fits_is_quarantined_with_the_reason(at_home, case):
    content, says = UNFIT[case]
    replaced(at_home, content)
    [batch] = ingested(at_home)
    assert batch.fate == "quarantined"
    assert pd.Series(batch.notes).str.contains(says).any(), batch.notes
    assert all(len(result.shown) < 500 for result in batch.checked.report.failures)


def test_a_new_column_changes_nothing(at_home):
    replaced(at_home, changed(more=1))
    assert [batch.fate for batch in ingested(at_home)] == ["landed"]


def test_files_that_differ_in_their_columns_are_named(at_home):
    (at_home / "files").mkdir()
    (at_home / "files" / "a.csv").write_text(CSV)
    GOOD.rename(columns={"x": "speed"}).to_csv(at_home / "files" / "b.csv", index=False)
    notes = new(at_home / "files").notes
    assert notes == {"x": "not in b.csv (1 of 2 files)", "speed": "not in a.csv (1 of 2 files)"}
    (at_home / "files" / "b.csv").write_text(CSV.replace(",", ";"))
    with pytest.raises(SourceError, match=r"b.csv has the columns id;ts;x;g;y, and a.csv has id, ts, x, g, y: none is"):
        new(at_home / "files")


def test_parquet_files_of_other_types_are_named(at_home):
    (at_home / "files").mkdir()
    GOOD.to_parquet(at_home / "files" / "a.parquet")
    GOOD.assign(x="a").to_parquet(at_home / "files" / "b.parquet")
    assert new(at_home / "files").notes == {"x": "a number or time in a.parquet and text in b.parquet"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_file_that_may_not_be_read_is_told():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "t.csv")
        path.write_text(CSV)
        path.chmod(0o000)
        Path(folder).chmod(0o755)
        os.seteuid(65534)
        try:
            with pytest.raises(SourceError, match=r"t.csv cannot be read: Permission denied"):
                source_of(str(path))
        finally:
            os.seteuid(0)


def test_a_file_that_grows_while_it_is_read_gives_no_half_row(at_home):
    path = at_home / "t.csv"
    path.write_text(CSV + "300,2026-01-20,1.5,a,1")
    with (
        pytest.raises(SourceError, match="grew while it was read, and its last line was not complete"),
        unless_growing([path]),
        path.open("a") as file,
    ):
        file.write("23.5\n")
    with unless_growing([path]), path.open("a") as file:  # whole lines only
        file.write("301,2026-01-21,1.5,a,1")


def test_every_row_of_a_file_that_grows_lands_whole(at_home):
    path = at_home / "t.csv"
    path.write_text(CSV)
    new(path)
    stop = threading.Event()

    def grow():
        number = 300
        with path.open("a", buffering=1) as file:
            while not stop.is_set():
                file.write(f"{number},2026-01-20 00:00:00,1.2345678,")
                file.flush()
                file.write("b,12345.5\n")
                number += 1

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        for _ in range(8):
            try:
                [batch] = ingested(at_home)
            except SourceError:  # the last line had not all its values
                continue
            assert set(batch.rows["y"][300:]) <= {12345.5}
    finally:
        stop.set()
        writer.join()
