"""CSV files as they are written by others, read as the model file declares them."""

import bz2
import gzip
import lzma
import zipfile

import pandas as pd
import pyarrow as pa
import pytest

from evergreen import Csv, Files, TimeFormat, TimePart
from evergreen.errors import SourceError, SourceShapeError
from evergreen.ingestion.schema import cast
from evergreen.lake.delta_lake import DeltaLake
from evergreen.scaffold.reading.encodings import guess_encoding

START, LAKE = pd.Timestamp("2013-01-01", tz="UTC"), DeltaLake("nowhere")
HEADER = "id,at,group,x,y"
LINES = [HEADER, "a,2013-01-01 01:00,café,1.5,2", "b,2013-01-01 02:00,q,2.5,"]


def rows_of(toy, path, csv, days=1, **more):
    model = toy(source=Files(path=str(path), csv=csv), **more)
    rows, problems = cast(model.source.read(model, START, START + pd.Timedelta(days=days), LAKE), model)
    return rows, [f"{problem.found}: {problem.examples}" for problem in problems]


PACKINGS = {
    "rows.csv": lambda path, data: path.write_bytes(data),
    "rows.csv.gz": lambda path, data: path.write_bytes(gzip.compress(data)),
    "rows.csv.bz2": lambda path, data: path.write_bytes(bz2.compress(data)),
    "rows.csv.xz": lambda path, data: path.write_bytes(lzma.compress(data)),
    "rows.csv.zst": lambda path, data: path.write_bytes(pa.compress(data, "zstd", asbytes=True)),
    "rows.txt": lambda path, data: path.write_bytes(data),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("name", PACKINGS)
def test_every_encoding_and_packing_gives_the_same_rows(toy, tmp_path, name, encoding):
    PACKINGS[name](tmp_path / name, "\n".join(LINES).encode(encoding))
    guessed = guess_encoding([tmp_path / name])[tmp_path / name]
    assert guessed == ("utf-8" if encoding == "utf-8-sig" else encoding)
    rows, problems = rows_of(toy, tmp_path / name, Csv(encoding=guessed))
    assert problems == []
    assert rows["group"].tolist() == ["café", "q"]
    assert rows["x"].tolist() == [1.5, 2.5]


def test_a_zip_of_one_file_is_read_and_one_of_two_is_refused(toy, tmp_path):
    path = tmp_path / "rows.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rows.csv", "\n".join(LINES))
    assert len(rows_of(toy, path, Csv())[0]) == 2
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("more.csv", "")
    with pytest.raises(SourceError, match=r"holds 2 files: rows.csv, more.csv. Unpack it, and name one"):
        rows_of(toy, path, Csv())


FORMS = {
    "semicolons": ([line.replace(",", ";") for line in LINES], Csv(delimiter=";")),
    "tabs": ([line.replace(",", "\t") for line in LINES], Csv(delimiter="\t")),
    "a space after each comma": ([line.replace(",", ", ") for line in LINES], Csv(trim=True)),
    "no quotes": ([line.replace("café", 'ca"fé') for line in LINES], Csv(quote="")),
    "comments": (["# exported", *LINES, "# end"], Csv(comment="#")),
    "two lines before the header": (["a report", "of january", *LINES], Csv(skip=2)),
    "blank lines": ([HEADER, ",,,,", LINES[1], "", ",,,,", LINES[2]], Csv()),
    "a header that lacks a name": (["at,group,x,y", *LINES[1:]], Csv(names=HEADER.split(","), skip=0)),
    "a line break in quotes": ([*LINES[:2], 'b,2013-01-01 02:00,"q",2.5,'], Csv()),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_rows(toy, tmp_path, form):
    lines, csv = FORMS[form]
    (tmp_path / "rows.csv").write_text("\r\n".join(lines))
    rows, problems = rows_of(toy, tmp_path / "rows.csv", csv)
    assert problems == []
    assert rows["id"].tolist() == ["a", "b"]
    assert rows["group"].tolist() == ["café" if csv.quote else 'ca"fé', "q"]
    assert rows["y"].isna().tolist() == [False, True]


COMMENTED = [
    "# exported, by hand", "", "# twice", HEADER,
    "a,2013-01-01 01:00,blue #5,1.5,2", "# moved", "#b,2013-01-01 02:00,q,2.5,",
    '"c",2013-01-01 03:00,"a value', "# within quotes",
    '# and on",3.5,1', "", "# the end, of it",
]  # fmt: skip


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.bz2"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_comments_are_whole_lines_and_no_rows(toy, tmp_path, name, encoding):
    PACKINGS[name](tmp_path / name, "\r\n".join(COMMENTED).encode(encoding))
    csv = Csv(comment="#", encoding="utf-8" if encoding == "utf-8-sig" else encoding)
    rows, problems = rows_of(toy, tmp_path / name, csv)
    assert (problems, rows["id"].tolist(), rows["x"].tolist()) == ([], ["a", "#b", "c"], [1.5, 2.5, 3.5])
    assert rows["group"].tolist() == ["blue #5", "q", "a value\r\n# within quotes\r\n# and on"]
    source = Files(path=str(tmp_path / name), csv=csv)
    assert source.passed_over().endswith(f"begin with '#' and have not as many values as the header: 2 of {name}")


HEADERS = {  # of the columns id, at, group, x, y and another, in two files
    "a blank name": ("{},at,group,x,y,", "{},at,group,y,x,"),
    "a blank name first": (",{},at,group,x,y", ",{},at,group,y,x"),
    "a name that comes again": ("{},at,group,x,y,At", "{},at,group,y,x,At"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_files_that_order_their_columns_otherwise_are_each_read_by_their_own_header(toy, tmp_path, case):
    for number, header in enumerate(HEADERS[case]):
        values = {"{}": f"a{number}", "at": "2013-01-01 01:00", "group": "q", "x": "1.5", "y": "2", "": "7", "At": "7"}
        names = header.split(",")
        lines = [header.format("id"), ",".join(values[name] for name in names)]
        (tmp_path / f"{number}.csv").write_text("\n".join(lines))
    rows, problems = rows_of(toy, tmp_path, Csv())
    assert (problems, rows["x"].tolist(), rows["y"].tolist()) == ([], [1.5, 1.5], [2.0, 2.0])


DISORDERED = {
    "names by place": (Csv(names=HEADER.split(",")), "at,group,x,y", "at,group,y,x"),
    "names that differ in case": (Csv(), f"{HEADER},X", "id,at,group,X,y,x"),
}


@pytest.mark.parametrize("case", DISORDERED)
def test_files_whose_columns_are_told_by_their_places_stand_in_one_order(toy, tmp_path, case):
    csv, *headers = DISORDERED[case]
    for number, header in enumerate(headers):
        (tmp_path / f"{number}.csv").write_text(f"{header}\na{number},2013-01-01 01:00,q,1.5,2,3\n")
    with pytest.raises(SourceShapeError, match=r"1.csv has the columns .*, and .*0.csv .* Write the files alike"):
        rows_of(toy, tmp_path, csv)


def test_a_cell_that_is_no_number_quarantines_the_batch_and_is_named(toy, tmp_path):
    (tmp_path / "rows.csv").write_text("\n".join([*LINES, "c,2013-01-01 03:00,q,twelve,1"]))
    rows, problems = rows_of(toy, tmp_path / "rows.csv", Csv())
    assert problems == ["1 of 3 rows hold no number: 'twelve'"]
    assert len(rows) == 3


def test_a_later_file_is_read_by_the_format_of_the_first(toy, tmp_path):
    header = "id,at,group,x,y"
    october = [f"a{day},{10}/{day}/2013,q,1.5,2" for day in range(20, 31)]
    november = [f"b{day},{11}/{day}/2013,q,1.5,2" for day in range(1, 13)]
    for number, lines in enumerate([october, november]):
        (tmp_path / f"{number}.csv").write_text("\n".join([header, *lines]))
    rows, problems = rows_of(toy, tmp_path, Csv(), days=400, parsing={"at": TimeFormat(format="%m/%d/%Y")})
    assert problems == []
    assert rows["at"].dt.month.value_counts().to_dict() == {10: 11, 11: 12}


def test_a_time_in_two_columns_is_one_and_its_hour_a_feature(toy, tmp_path):
    lines = ["id,Date,Hour,group,x,y", "a,31/12/2012,23,q,1.5,2", "b,1/1/2013,5,q,1.5,2", "c,2/1/2013,0,q,1.5,2"]
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    parsers = {
        "at": TimeFormat(format="%d/%m/%Y %H", columns=["Date", "Hour"]),
        "hour": TimePart(part="hour", column="at"),
    }
    features = {"x": "number", "hour": "number"}
    rows, problems = rows_of(toy, tmp_path / "rows.csv", Csv(), features=features, parsing=parsers)
    assert problems == []
    assert (rows["id"].tolist(), rows["hour"].tolist()) == (["b"], [5.0])
    model = toy(source=Files(path=str(tmp_path / "rows.csv"), csv=Csv()), features=features, parsing=parsers)
    assert model.source.begins(model, START, LAKE) == pd.Timestamp("2012-12-31T23:00", tz="UTC")


def test_a_quote_that_is_never_closed_is_named_by_its_line(toy, tmp_path):
    (tmp_path / "rows.csv").write_text("\n".join([*LINES, 'c,"2013-01-01 03:00,q,1,1', "d,2013-01-01 04:00,q,1,1"]))
    with pytest.raises(SourceError, match=r"line 4: .*quote"):
        rows_of(toy, tmp_path / "rows.csv", Csv())


def test_a_line_with_too_few_values_is_named(toy, tmp_path):
    (tmp_path / "rows.csv").write_text("\n".join([*LINES, "c,2013-01-01 03:00"]))
    with pytest.raises(SourceError, match=r"line 4: .*Expected Number of Columns: 5 Found: 2"):
        rows_of(toy, tmp_path / "rows.csv", Csv())


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.bz2", "rows{1}.csv.xz"])
def test_a_line_of_a_file_that_is_rewritten_is_named_with_the_file_itself(toy, tmp_path, name):
    pack = bz2.compress if name.endswith("bz2") else lzma.compress if name.endswith("xz") else bytes
    (tmp_path / name).write_bytes(pack("\n".join([*LINES, "c,2013-01-01 03:00"]).encode("cp1252")))
    with pytest.raises(SourceError) as told:
        rows_of(toy, tmp_path / name, Csv(encoding="cp1252"))
    assert name in str(told.value)
    assert "0.csv" not in str(told.value)


def test_bytes_that_are_no_text_of_the_encoding_are_named(toy, tmp_path):
    (tmp_path / "rows.csv").write_bytes("\n".join(LINES).encode("utf-16") + b"\x00")
    with pytest.raises(SourceError, match=r"is not written in utf-16"):
        rows_of(toy, tmp_path / "rows.csv", Csv(encoding="utf-16"))


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "cp1250"])
@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz"])
def test_a_file_of_utf_8_among_others_is_refused(toy, tmp_path, name, encoding):
    for letters, fine in (("café", False), ("cafe", True)):
        PACKINGS[name](tmp_path / name, "\n".join(LINES).replace("café", letters).encode())
        if fine:
            assert rows_of(toy, tmp_path / name, Csv(encoding=encoding))[1] == []
        else:
            with pytest.raises(SourceError, match=r"rows.csv.* is written in utf-8, where `csv` .* declares"):
                rows_of(toy, tmp_path / name, Csv(encoding=encoding))


def test_a_file_of_bytes_is_no_table(tmp_path):
    (tmp_path / "rows.csv").write_bytes(bytes(range(256)))
    with pytest.raises(SourceError, match="is no text"):
        guess_encoding([tmp_path / "rows.csv"])


def test_an_encoding_that_nobody_knows_is_refused():
    with pytest.raises(ValueError, match="Python knows no encoding 'latin-99'"):
        Csv(encoding="latin-99")
