"""Tables as people publish them: what is drafted from each, and that its own rows meet the draft.

The tables of `shared/data` are skipped where they are not; each kind of trouble has a table of its own here too.
"""

import bz2
import csv
import gzip
import zipfile
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evergreen import Csv, NumberFormat, TimeFormat, TimePart
from evergreen.definition import loader
from evergreen.definition.model import ROW_KEY
from evergreen.errors import EvergreenError, ScaffoldError, SourceError, SourceShapeError
from evergreen.ingestion.batch import check
from evergreen.lake.delta_lake import DeltaLake
from evergreen.scaffold.draft import Choices
from evergreen.scaffold.reading.sample import Table, source_of
from evergreen.scaffold.scaffold import scaffold

DATA = Path(__file__).parents[4] / "shared" / "data"
NOW, LAKE = pd.Timestamp("2027-01-01", tz="UTC"), DeltaLake("nowhere")


@pytest.fixture
def landed(home, monkeypatch):
    """Draft a model of a file; the draft, the model, and the rows that would land."""
    monkeypatch.setenv("EVERGREEN_MODELS", str(home / "models"))

    def drafted(path, **wishes):
        draft = scaffold("table", source_of(str(path)), Choices(**wishes), overwrite=True)
        model = loader.load("table")
        rows = model.source.read(model, model.source.begins(model, NOW, LAKE), NOW, LAKE)
        checked = check(model, rows, NOW)
        assert [result for result in checked.report.results if not (result.success or result.warn)] == []
        return draft, model, checked.rows

    return drafted


CASES = {
    "decimal_comma.csv": ({"spend": NumberFormat(decimal=","), "target": NumberFormat(decimal=",")}, ["id"], 1500),
    "either_day_or_month.csv": ({"ts": TimeFormat(format="%m/%d/%Y")}, ["id"], None),
    "ended_years_ago.csv": ({}, ["id"], 1500),
    "epoch_beside_clock.csv": ({"UNIX": TimeFormat(format="seconds")}, ["UNIX"], 1500),
    "header_one_short.txt": ({}, ["ts"], 1500),
    "hidden_clock.csv": ({"hour": TimePart(part="hour", column="ts")}, ["ts", "place"], None),
    "key_with_time.csv": ({}, ["ts", "store"], None),
    "months_as_numbers.csv": ({"period": TimeFormat(format="%Y%m")}, ["period", "line"], None),
    "names_by_case.csv": ({}, ["id"], 1500),
    "numbers_for_people.csv": (
        {
            "age": NumberFormat(missing=["-", "NULL", "n/a"]),
            "spend": NumberFormat(remove="$", thousands=","),
            "rate": NumberFormat(remove="%"),
        },
        ["id"],
        1500,
    ),
    "one_bad_cell.csv": ({"spend": NumberFormat(missing=["12.4.1"])}, ["id"], 1500),
    "own_names.csv": ({}, ["_time"], 1500),
    "rows_twice.csv": ({}, ["id"], 1500),
    "same_key_other_values.csv": ({}, [], 1500),
    "space_after_comma.csv": ({}, ["id"], 1500),
    "target_as_text.csv": ({"target": NumberFormat(remove="kg")}, ["id"], 1500),
}
TARGETS = {"own_names.csv": "known_at", "months_as_numbers.csv": "flights"}


@pytest.mark.skipif(not DATA.is_dir(), reason="the tables are not here")
@pytest.mark.parametrize("name", CASES)
def test_a_table_with_one_trouble_is_read_rightly(landed, name):
    parsing, key, rows = CASES[name]
    draft, model, read = landed(DATA / "cases" / name, target=TARGETS.get(name, "target"))
    assert draft.parsing | parsing == draft.parsing
    assert sorted(draft.key) == sorted(key)
    assert rows in (None, len(read))
    assert read[model.target].notna().any()


RAW = {
    "SeoulBikeData.csv": ("Rented_Bike_Count", TimeFormat(format="%d/%m/%Y %H", columns=["Date", "Hour"]), ["time"]),
    "Metro_Interstate_Traffic_Volume.csv": ("traffic_volume", None, []),
    "ETTh1.csv": ("OT", None, ["date"]),
    "Steel_industry_data.csv": ("Usage_kWh", TimeFormat(format="%d-%m-%y %H.%M"), ["date"]),
    "Tetuan City power consumption.csv": (
        "Zone 1 Power Consumption",
        TimeFormat(format="%m/%d/%y %H:%M"),
        ["DateTime"],
    ),
    "avocado.csv": ("AveragePrice", TimeFormat(format="%m-%d-%Y"), None),
    "london_merged.csv": (
        "Count of bike shares",
        TimeFormat(format="%d-%m-%Y %I.%M.%S %p", columns=["date", "time"]),
        ["timestamp"],
    ),
}


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the tables are not here")
@pytest.mark.parametrize("name", RAW)
def test_a_published_table_is_read_rightly(landed, name):
    target, time, key = RAW[name]
    draft, model, rows = landed(DATA / "raw" / name, target=target)
    assert draft.parsing.get(draft.time) == time
    assert key in (None, draft.key)
    assert len(rows) >= 0.99 * draft.rows
    assert rows[model.time].between("2011-01-01", "2022-01-01").all()


def written(home, text, name="table.csv", encoding="utf-8"):
    path = home / name
    path.write_bytes(text.encode(encoding))
    return path


def hours(count=400):
    """A table of hours whose target is told by the clock."""
    at = pd.date_range("2026-01-01", periods=count, freq="h")
    x, noise = np.random.default_rng(0).normal(size=(2, count)).round(3)
    return pd.DataFrame({"at": at, "x": x, "y": (x + at.hour + noise).round(3)})


def test_hour_and_weekday_are_drafted_where_the_history_supports_them(landed, home):
    path = written(home, hours(1000).to_csv(index=False))
    draft, _, rows = landed(path)
    assert {"hour", "weekday"} <= set(draft.features)
    assert (rows["hour"] == rows["at"].dt.hour).all()
    assert "weekday" not in landed(written(home, hours(100).to_csv(index=False), "few.csv"))[0].features


def test_a_part_of_the_time_that_is_a_column_already_is_not_drafted_again(landed, home):
    path = written(home, hours(1000).assign(clock=lambda rows: rows["at"].dt.hour).to_csv(index=False))
    features = set(landed(path, target="y")[0].features)
    assert {"clock", "weekday"} <= features
    assert "hour" not in features


def test_day_or_month_first_is_asked_for_where_no_row_decides(landed, home):
    text = "at,x,y\n" + "\n".join(f"0{1 + n % 2}/0{1 + n % 2}/2026,{n % 7},{n % 11}" for n in range(60))
    with pytest.raises(ScaffoldError, match=r"can be read as .* or as .*, and no row decides: .*--time-format"):
        landed(written(home, text))


def test_the_format_of_the_time_can_be_named(landed, home):
    text = "at,x,y\n" + "\n".join(f"0{1 + n % 2}/0{1 + n % 2}/2026,{n % 7},{n % 11}" for n in range(60))
    draft, _, _ = landed(written(home, text), time="at", time_format="%m/%d/%Y", target="y")
    assert draft.parsing["at"] == TimeFormat(format="%m/%d/%Y")
    with pytest.raises(ScaffoldError, match=r"'at' is not written as %Y-%m-%d in 60 rows"):
        scaffold("other", source_of(str(home / "table.csv")), Choices(time="at", time_format="%Y-%m-%d", target="y"))


def test_rows_of_the_future_are_told_and_left_out_of_account(landed, home):
    path = written(home, hours(4000).to_csv(index=False))
    now = pd.Timestamp("2026-01-31", tz="UTC")
    draft, _, _ = landed(path, target="y", until=now)
    assert draft.why["time"] == "the only time; 3,280 of 4,000 rows lie in the future and wait"
    assert draft.rhythm == landed(written(home, hours(720).to_csv(index=False)), target="y")[0].rhythm
    with pytest.raises(ScaffoldError, match=r"All times of 'at' lie in the future, from 2026-01-01 on\. Correct them"):
        landed(path, target="y", until=pd.Timestamp("2025-01-01", tz="UTC"))


def test_the_holdout_is_longer_where_a_class_is_rare(landed, home):
    rows = hours(4000).assign(at=pd.date_range("2019-01-01", periods=4000, freq="2h"))
    even, rare = (
        landed(written(home, rows.assign(y=(rows["x"].rank() > 4000 - ones) * 1).to_csv(index=False)), target="y")[1]
        for ones in (2000, 40)
    )
    assert (even.training.holdout.days, rare.training.holdout.days) == (33, 99)


def test_exact_doubles_are_dropped_and_told(landed, home):
    rows = hours().assign(id=range(400))
    draft, _, read = landed(written(home, pd.concat([rows, rows.head(7)]).to_csv(index=False)), target="y")
    assert draft.key == ["id"]
    assert draft.why["key"] == "7 of 407 rows are exact doubles of others"
    assert len(read) == 400


def test_rows_without_a_key_are_identified_by_what_they_hold(landed, home):
    rows = hours()
    rows = pd.concat([rows, rows.head(5).assign(x=9.5), rows.head(3)])
    path = written(home, rows.to_csv(index=False))
    draft, model, read = landed(path, target="y")
    assert (draft.key, model.key) == ([], [ROW_KEY])
    assert "no columns identify a row (10 rows of 'at' differ in others)" in draft.why["key"]
    assert read[ROW_KEY].is_unique
    again = landed_again(model, path, rows.sample(frac=1, random_state=0), hours(403).tail(3))
    assert set(read[ROW_KEY]) < set(again[ROW_KEY])
    assert len(again) == len(rows) + 3


def landed_again(model, path, *rows):
    """The rows of the file once it was written anew, in another order and with more rows."""
    path.write_text(pd.concat(rows).to_csv(index=False))
    return check(model, model.source.read(model, NOW - pd.Timedelta(days=900), NOW, LAKE), NOW).rows


def test_a_label_that_becomes_known_is_no_other_row(landed, home):
    rows = hours()
    rows = pd.concat([rows, rows.head(5).assign(x=9.5)]).reset_index(drop=True)
    path = written(home, rows.assign(y=rows["y"].where(rows.index > 9)).to_csv(index=False))
    _, model, read = landed(path, target="y")
    again = landed_again(model, path, rows)
    assert set(again[ROW_KEY]) == set(read[ROW_KEY])


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


def test_a_column_that_nearly_separates_the_classes_is_a_suspect(landed, home):
    chance = np.random.default_rng(0)
    rows = hours(2000)
    label = (chance.random(2000) < 0.3).astype(int)
    known_after = np.where(chance.random(2000) < 0.995, label, 1 - label)
    path = written(home, rows.assign(paid_back=known_after, y=label).to_csv(index=False))
    draft, _, _ = landed(path, target="y")
    assert draft.left_out["paid_back"].startswith("it alone separates the target to 0.98")
    assert '# Left out: "paid_back" (it alone' in draft.path.read_text()
    assert "x" in draft.features


def test_what_names_single_rows_or_has_ended_is_no_feature(landed, home):
    rows = hours(2000).assign(
        customer=[f"customer {number % 1500}" for number in range(2000)],
        loan_id=np.arange(2000) % 1900 * 7,
        old=np.where(np.arange(2000) < 1500, 1.5 * np.arange(2000) % 7, np.nan),
        region=[f"region {number % 40}" for number in range(2000)],
    )
    draft, _, _ = landed(written(home, rows.to_csv(index=False)), target="y")
    assert draft.left_out["customer"] == "names single rows: 1,500 different values in 2,000 rows"
    assert draft.left_out["loan_id"] == "names single rows: 1,900 different values in 2,000 rows"
    assert draft.left_out["old"] == "no value since 2026-03-04"
    assert {"x", "region"} <= set(draft.features)


def test_columns_whose_names_differ_in_case_only_are_told_with_the_name_to_send(landed, home):
    draft, model, rows = landed(
        written(home, "id,ID,ts,y\n" + "".join(f"{n},{n % 7},2026-01-{n},{n * n}\n" for n in range(1, 31)))
    )
    assert draft.notes == {"ID_2": "'ID' in the file, which has 'id' too"}
    assert "# ID_2: 'ID' in the file" in draft.path.read_text()
    assert ("ID_2" in model.features, rows["ID_2"].tolist()[:3]) == (True, [1, 2, 3])


CASES_OF_NAMES = {
    "table.parquet": lambda rows, path: pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), path),
    "table.jsonl": lambda rows, path: rows.to_json(path, orient="records", lines=True, date_format="iso"),
    "table.feather": lambda rows, path: rows.to_feather(path),
    "table.xlsx": lambda rows, path: rows.to_excel(path, index=False),
}


@pytest.mark.long
@pytest.mark.parametrize("name", CASES_OF_NAMES)
def test_names_that_differ_in_case_are_told_in_every_format(landed, home, name):
    rows = hours(300).assign(age=[n % 7 for n in range(300)], Age=[n % 5 + 0.5 for n in range(300)])
    CASES_OF_NAMES[name](rows, home / name)
    draft, _, read = landed(home / name, target="y")
    assert draft.renamed["Age_1"] == draft.notes["Age_1"] == "'Age' in the file, which has 'age' too"
    assert "# Age_1: 'Age' in the file" in draft.path.read_text()
    assert read[["age", "Age_1"]].iloc[6].tolist() == [6, 1.5]


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


@pytest.mark.parametrize(
    ("freq", "window", "unit"), [("h", "7d", "1d"), ("D", "7d", "1d"), ("W", "112d", "28d"), ("MS", "112d", "28d")]
)
def test_the_monitor_looks_at_a_window_that_holds_rows(landed, home, freq, window, unit):
    rows = hours(900).assign(at=pd.date_range("1990-01-01", periods=900, freq=freq)).tail(400)
    _, model, _ = landed(written(home, rows.to_csv(index=False)), target="y")
    assert (model.monitoring.window, model.monitoring.unit) == (pd.Timedelta(window), pd.Timedelta(unit))


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


def test_a_column_of_numbers_with_words_is_told_as_such(landed, home):
    rows = hours(800).assign(id=range(800), speed=lambda rows: (1000 * rows["x"]).astype(str))
    bad = rows["speed"].where(rows["id"] % 30 > 0, "ERR")
    missing = ["n/a", "NULL", "-", "none", "missing", "unknown", "?"]
    known = rows["speed"].where(rows["id"] % 10 > 0, [missing[number % 7] for number in range(800)])
    path = written(home, rows.assign(bad=bad, known=known).to_csv(index=False))
    draft, _, read = landed(path, target="y")
    assert draft.left_out["bad"].startswith("mostly numbers, but 'ERR' in 27 of 800 rows; `NumberFormat")
    assert (draft.features["known"], read["known"].isna().sum()) == ("number", 80)


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


def test_comments_far_below_are_passed_over(landed, home):
    lines = hours(800).to_csv(index=False).splitlines()
    path = written(home, "\n".join([*lines[:500], "# the sensor was moved", *lines[500:]]))
    _, model, read = landed(path, target="y")
    assert (model.source.csv, len(read)) == (Csv(comment="#"), 800)


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


def test_years_and_weeks_in_two_columns_are_the_time(landed, home):
    weeks = pd.date_range("2016-01-04", periods=520, freq="7D")
    rows = hours(520).assign(year=weeks.isocalendar().year.to_numpy(), week=weeks.isocalendar().week.to_numpy())
    path = written(home, rows.drop(columns="at").to_csv(index=False))
    draft, _, read = landed(path, target="y")
    assert draft.parsing[draft.time] == TimeFormat(format="%G %V", columns=["year", "week"])
    assert read[draft.time].tolist() == weeks.tz_localize("UTC").tolist()


@pytest.mark.parametrize(("unit", "factor"), [("seconds", 1e9), ("milliseconds", 1e6), ("microseconds", 1e3)])
def test_times_counted_since_1970_are_read_in_their_unit(landed, home, unit, factor):
    rows = hours()
    path = written(
        home,
        rows.assign(at=(rows["at"].astype("datetime64[ns]").astype("int64") / factor).astype("int64"))
        .rename(columns={"at": "ts"})
        .to_csv(index=False),
    )
    draft, _, read = landed(path, target="y")
    assert draft.parsing["ts"] == TimeFormat(format=unit)
    assert read["ts"].tolist() == rows["at"].dt.tz_localize("UTC").tolist()


def test_blocks_follow_the_steps_of_all_rows_not_of_the_sample(landed, home, monkeypatch):
    rows = hours(6000)
    whole = landed(written(home, rows.to_csv(index=False)), target="y")[0].rhythm
    sample = Table.sample
    monkeypatch.setattr(Table, "sample", lambda table: sample(table, 300))
    assert landed(written(home, rows.to_csv(index=False)), target="y")[0].rhythm.block == whole.block == "1d"
