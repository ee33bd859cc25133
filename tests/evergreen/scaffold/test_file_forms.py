"""Files of every format and form: what is read of them, and what is told of those that cannot be."""

import bz2
import csv
import gzip
import zipfile
from dataclasses import replace
from functools import partial

import fsspec
import pandas as pd
import pytest

from evergreen import Csv
from evergreen.definition.sources import BEFORE_ANY_ROW
from evergreen.errors import EvergreenError, SourceError, SourceShapeError
from evergreen.scaffold.reading import csv_form
from evergreen.stores import Stores
from tasks.ingest import ingest
from tests.evergreen.scaffold.drafted_tables import LAKE, NOW, hours, written


def test_files_of_parquet_in_which_a_column_is_new_are_in_one_order(landed, home):
    rows = hours(300).assign(age=range(300), Age=[number % 7 + 0.5 for number in range(300)])
    rows.drop(columns="Age").to_parquet(home / "1.parquet")
    later = rows.assign(at=rows["at"] + pd.Timedelta("300h"))
    later.to_parquet(home / "2.parquet")
    _, _, read = landed(home / "*.parquet", target="y")
    assert (read["age"].tolist(), read["Age_1"].dropna().tolist()) == ([*range(300)] * 2, rows["Age"].tolist())


def test_a_remark_beside_the_first_row_of_a_sheet_is_no_header(landed, home):
    rows = hours(300).assign(remark=["by hand", *[None] * 299]).rename(columns={"remark": ""})
    rows.to_excel(home / "table.xlsx", index=False)
    assert len(landed(home / "table.xlsx", target="y")[2]) == 300


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no row: there is no header"),
        ("id,ts,y\n", "holds no row"),
        ("id,ts,y\n1,2026-01-01,2\n", "in all of 1 rows"),
        ('id,ts,y\n1,2026-01-01,2\n2,"2026-01-02,3\n3,2026-01-03,4\n', "line 3: .*quote [a-z]+[.]$"),
    ],
)
def test_a_file_that_is_no_table_is_told_as_such(landed, home, text, says):
    with pytest.raises(EvergreenError, match=says):
        landed(written(home, text))


def test_files_in_different_encodings_are_named(landed, home):
    (home / "folder").mkdir()
    written(home / "folder", "id,at,y\n1,2026-01-01,é\n", "a.csv", "utf-8")
    written(home / "folder", "id,at,y\n1,2026-01-01,é\n", "b.csv", "cp1252")
    with pytest.raises(SourceError, match=r"differ in encoding: a.csv: utf-8, b.csv: cp1252"):
        landed(home / "folder")


REMOTE = {
    "one.csv": lambda text: text.encode(),
    "western.csv": lambda text: text.replace(",", ";").encode("cp1252"),
    "packed.csv.bz2": lambda text: bz2.compress(text.encode("cp1252")),
    "*.csv.gz": lambda text: gzip.compress(text.encode()),
}


@pytest.mark.parametrize("name", REMOTE)
def test_the_form_of_a_csv_at_a_uri_is_found_once_and_written_down(landed, home, name):
    names = ["Orléans", "Besançon", "Nîmes", "Mâcon"]
    rows = hours(264).assign(town=[names[hour % 4] for hour in range(264)], id=range(264))
    text = rows.assign(at=rows["at"].dt.strftime("%m-%d-%Y %H:%M:%S")).to_csv(index=False)
    with fsspec.filesystem("memory").open(f"/forms/{name.replace('*', '1')}", "wb") as file:
        file.write(REMOTE[name](text))
    draft, model, read = landed(f"memory://forms/{name}", target="y")
    assert draft.unusual_form == {"western.csv": "cp1252, semicolons", "packed.csv.bz2": "cp1252"}.get(name, "")
    assert model.source.csv == draft.source.csv
    assert read["at"].tolist() == rows["at"].dt.tz_localize("UTC").tolist()
    assert read["town"].tolist() == rows["town"].tolist()


def test_a_uri_without_a_file_is_told_when_a_model_is_drafted(landed):
    with pytest.raises(SourceError, match=r"memory://forms/gone.csv"):
        landed("memory://forms/gone.csv", target="y")


FORMATS = {
    "table.parquet": lambda rows, path: rows.to_parquet(path),
    "table.csv": lambda rows, path: rows.to_csv(path, index=False),
    "table.tsv": lambda rows, path: rows.to_csv(path, index=False, sep="\t"),
    "table.jsonl": lambda rows, path: rows.to_json(path, orient="records", lines=True, date_format="iso"),
    "table.jsonl.gz": lambda rows, path: rows.to_json(path, orient="records", lines=True, date_format="iso"),
    "table.feather": lambda rows, path: rows.to_feather(path),
    "table.xlsx": lambda rows, path: rows.to_excel(path, index=False),
}


@pytest.mark.long
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_draft_and_rows(landed, home, name):
    rows = hours(1000).assign(id=range(1000), group=lambda rows: (rows["id"] % 3).map("group {}".format))
    FORMATS[name](rows, home / name)
    draft, _, read = landed(home / name, target="y")
    assert (draft.time, draft.key, draft.rows) == ("at", ["id"], 1000)
    assert draft.features == {"x": "number", "group": "category", "hour": "number", "weekday": "number"}
    assert read["y"].sum() == pytest.approx(rows["y"].sum())


def test_folders_by_month_and_files_with_more_columns_are_one_table(landed, home):
    rows = hours(1500)
    for month, part in rows.groupby(rows["at"].dt.month):
        folder = home / "parts" / f"month={month:02}"
        folder.mkdir(parents=True)
        part.assign(**({"late": 1.5 * part["x"]} if month == 2 else {})).to_parquet(folder / "part.parquet")
    draft, _, read = landed(home / "parts", target="y")
    assert len(read) == 1500
    assert {"x", "late"} <= set(draft.features)


def test_columns_whose_names_differ_in_case_only_are_told_with_the_name_to_send(landed, home):
    draft, model, rows = landed(
        written(home, "id,ID,ts,y\n" + "".join(f"{n},{n % 7},2026-01-{n},{n * n}\n" for n in range(1, 31)))
    )
    assert draft.notes == {"ID_2": "'ID' in the file, which has 'id' too"}
    assert "# ID_2: 'ID' in the file" in draft.path.read_text()
    assert ("ID_2" in model.features, rows["ID_2"].tolist()[:3]) == (True, [1, 2, 3])


@pytest.mark.long
@pytest.mark.parametrize("name", ["table.parquet", "table.jsonl", "table.feather", "table.xlsx"])
def test_names_that_differ_in_case_are_told_in_every_format(landed, home, name):
    rows = hours(300).assign(age=[n % 7 for n in range(300)], Age=[n % 5 + 0.5 for n in range(300)])
    FORMATS[name](rows, home / name)
    draft, _, read = landed(home / name, target="y")
    assert draft.renamed["Age_1"] == draft.notes["Age_1"] == "'Age' in the file, which has 'age' too"
    assert "# Age_1: 'Age' in the file" in draft.path.read_text()
    assert read[["age", "Age_1"]].iloc[6].tolist() == [6, 1.5]


def test_a_name_with_a_line_break_ends_no_comment_of_the_model_file(landed, home):
    rows = hours(300).assign(**{"a\nb = 1": 1.5, "A\nb = 1": range(300)})
    rows.to_json(home / "table.jsonl", orient="records", lines=True, date_format="iso")
    draft, model, _ = landed(home / "table.jsonl", target="y")
    assert "A\nb = 1_1" in draft.renamed
    assert [line for line in draft.path.read_text().splitlines() if line.startswith("b = 1")] == []
    assert model.target == "y"


def test_a_number_at_the_end_of_a_name_is_no_other_case(landed, home):
    rows = hours(300).assign(age=1.5, age_1=range(300), Speed=2.5, speed_2=range(300))
    rows.to_parquet(home / "table.parquet")
    assert landed(home / "table.parquet", target="y")[0].renamed == {}


def test_files_whose_names_differ_in_case_in_another_order_are_refused(landed, home):
    rows = hours(300).assign(age=range(300), Age=range(300, 0, -1))
    rows.to_parquet(home / "1.parquet")
    _, model, _ = landed(home / "*.parquet", target="y")
    rows[["at", "x", "y", "Age", "age"]].to_parquet(home / "2.parquet")
    with pytest.raises(SourceShapeError, match=r"2.parquet has the columns Age, age, and .*1.parquet age, Age"):
        model.source.read(model, NOW - pd.Timedelta("9d"), NOW, LAKE)


FORMS = {
    "a title": (["hourly counts", "", "at;x;y"], {"skip": 2, "delimiter": ";"}),
    "a title without delimiters": (["hourly counts", "of one year", "at;x;y"], {"skip": 2, "delimiter": ";"}),
    "comments": (["# made by hand", "# in a year", "at,x,y"], {"comment": "#"}),
    "a blank line first": (["", "at,x,y"], {"skip": 1}),
    "bars": (["at|x|y"], {"delimiter": "|"}),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_form_of_a_csv_is_found_from_its_first_lines(landed, home, form):
    above, expected = FORMS[form]
    delimiter = expected.get("delimiter", ",")
    lines = hours().to_csv(index=False, header=False, sep=delimiter)
    path = written(home, "\n".join(above) + "\n" + lines)
    _, model, rows = landed(path, target="y")
    assert model.source.csv == Csv(**expected)
    assert len(rows) == 400


QUOTINGS = {
    "apostrophes": (Csv(quote="'"), {"quotechar": "'"}),
    "apostrophes around all": (Csv(quote="'"), {"quotechar": "'", "quoting": csv.QUOTE_ALL}),
    "backslashes": (Csv(escape="\\"), {"quoting": csv.QUOTE_NONNUMERIC, "doublequote": False, "escapechar": "\\"}),
    "semicolons": (Csv(quote="'", delimiter=";"), {"quotechar": "'", "sep": ";"}),
    "as usual": (Csv(), {}),
    "as usual around all": (Csv(), {"quoting": csv.QUOTE_ALL}),
}


@pytest.mark.long
@pytest.mark.parametrize("name", QUOTINGS)
def test_values_in_any_quotes_are_read_as_they_were(landed, home, name):
    form, options = QUOTINGS[name]
    said = ["it's, ok", 'he "said"; so', "'t Hooft", "O'Brien", "a\nb, c", 'a 5" pipe']
    rows = hours().assign(said=[said[number % 6] for number in range(400)])
    rows.to_csv(home / "table.csv", index=False, **options)
    _, model, read = landed(home / "table.csv", target="y")
    assert (model.source.csv, read["said"].tolist()) == (form, rows["said"].tolist())


def test_an_apostrophe_at_the_beginning_of_values_is_no_quote(landed, home):
    rows = hours().assign(who=["'t Hooft", "O'Brien", "rock 'n' roll", "'n'"] * 100)
    rows.to_csv(home / "table.csv", index=False)
    _, model, read = landed(home / "table.csv", target="y")
    assert (model.source.csv, read["who"].tolist()) == (Csv(), rows["who"].tolist())


@pytest.mark.parametrize("name", ["table.jsonl.bz2", "table.jsonl.xz", "table.jsonl.zip"])
def test_json_lines_are_read_from_archives(landed, home, name):
    rows = hours(300)
    rows.to_json(home / name, orient="records", lines=True, date_format="iso")
    assert landed(home / name, target="y")[2]["y"].sum() == pytest.approx(rows["y"].sum())


def test_an_archive_of_something_else_is_told_with_the_cure(landed, home):
    rows = hours(300)
    (home / "table.parquet.gz").write_bytes(gzip.compress(rows.to_parquet()))
    with pytest.raises(SourceError, match=r"table.parquet.gz is an archive, from which Parquet is not read. Unpack it"):
        landed(home / "table.parquet.gz", target="y")
    rows.to_json(home / "table.jsonl", orient="records", lines=True)
    with zipfile.ZipFile(home / "all.zip", "w") as archive:
        archive.write(home / "table.jsonl", "table.jsonl")
    with pytest.raises(SourceError, match=r"all.zip holds table.jsonl. Unpack it, or name it all.jsonl.zip"):
        landed(home / "all.zip", target="y")


NAMELESS = {
    "an index": ({"index": True}, Csv(), {"column0": "has no name in the file"}),
    "a name that comes again": (
        {"header": ["at", "x", "y", "Y"]},
        Csv(),
        {"Y_2": "'Y' in the file, which has 'y' too"},
    ),
}


@pytest.mark.parametrize("case", NAMELESS)
def test_a_header_with_blank_or_doubled_names_is_read_by_name(landed, home, case):
    options, form, renamed = NAMELESS[case]
    rows = hours().assign(z=range(400))
    rows.to_csv(home / "table.csv", **{"index": False} | options)
    draft, model, read = landed(home / "table.csv", target="y")
    assert (model.source.csv, draft.renamed, read["y"].tolist()) == (form, renamed, rows["y"].tolist())


def test_comments_far_below_are_passed_over(landed, home):
    lines = hours(800).to_csv(index=False).splitlines()
    path = written(home, "\n".join([*lines[:500], "# the sensor was moved", *lines[500:]]))
    _, model, read = landed(path, target="y")
    assert (model.source.csv, len(read)) == (Csv(comment="#"), 800)


def test_comments_are_found_without_reading_a_file_again(landed, home, monkeypatch):
    """Its encoding is found from all its bytes, and that is the only time they are read for it."""

    def counted(opened, calls, path):
        calls.append(path)
        return opened(path)

    lines = hours(800).to_csv(index=False).splitlines()
    for encoding, ending in (("utf-8", "\n"), ("cp1252", "\r\n"), ("utf-16", "\n")):
        text = [*lines[:500], "# the sensor of Zürich was moved", *lines[500:]]
        path = written(home, ending.join(text), encoding=encoding)
        calls = []
        with monkeypatch.context() as patch:
            patch.setattr(csv_form, "opened", partial(counted, csv_form.opened, calls))
            form = csv_form.csv_of([path])
        assert (form.comment, form.encoding) == ("#", encoding)
        assert len(calls) == (2 if encoding == "utf-16" else 1), "its first lines, and all of wide letters"


def test_a_sign_of_comments_that_begins_a_value_is_none(landed, home):
    rows = hours(800).assign(tag=[f"#{number % 5}" if number > 400 else "none" for number in range(800)])
    path = written(home, rows[["tag", "at", "x", "y"]].to_csv(index=False))
    _, model, read = landed(path, target="y")
    assert (model.source.csv, len(read)) == (Csv(), 800)


@pytest.mark.long
def test_the_largest_sheet_of_a_spreadsheet_is_read(landed, home):
    with pd.ExcelWriter(home / "table.xlsx") as book:
        pd.DataFrame({"about": ["made by hand"]}).to_excel(book, sheet_name="Read me", index=False)
        hours(300).to_excel(book, sheet_name="Data", index=False)
    assert len(landed(home / "table.xlsx", target="y")[2]) == 300


@pytest.mark.long
def test_a_header_over_two_rows_of_a_sheet_is_told(landed, home):
    rows = hours(300).assign(z=1.5)
    above = pd.DataFrame([["at", "measured", None, "y"], [None, "x", "z", None]])
    below = rows[["at", "x", "z", "y"]].set_axis(range(4), axis=1)
    pd.concat([above, below]).to_excel(home / "table.xlsx", index=False, header=False)
    with pytest.raises(SourceError, match=r"the header takes two rows of the sheet. Write the names into one"):
        landed(home / "table.xlsx", target="y")


@pytest.mark.parametrize("edited", [False, True])
def test_a_column_that_comes_between_draft_and_first_ingest_is_told_once(landed, home, edited):
    """Those that the draft left out are told by it; a file that no draft wrote need not name them."""
    rows = hours(300).assign(constant=1)
    rows.to_csv(home / "table.csv", index=False)
    draft, _, _ = landed(home / "table.csv", target="y")
    if edited:
        draft.path.write_text(draft.path.read_text().replace("drafted by `evergreen new`", "of tests"))
    assert "constant" in draft.left_out
    rows.assign(late=["a", "b"] * 150, rate=0.5).to_csv(home / "table.csv", index=False)
    stores = replace(Stores.open(), live=False)
    first = rows["at"].iloc[150].tz_localize("UTC")
    periods = [(BEFORE_ANY_ROW, first), (first, NOW)]
    ingested = [ingest.fn(stores, "table", since, until, NOW) for since, until in periods]
    told = (
        "the source has new columns that the model file does not declare: 'late', 'rate'; to take them in, add "
        '"late": "category", "rate": "number" to `features` or `extra`'
    )
    assert [told in batch.notes for batch in ingested] == [not edited, False]
    assert [batch.fate for batch in ingested] == ["landed"] * 2
