"""A bad cell of a CSV file is told with its file and line."""

import pandas as pd
import pytest

from evergreen import Csv, Files, NumberFormat, TimeFormat, expect
from evergreen.ingestion.batch import of_source
from evergreen.ingestion.quarantine import Quarantine
from evergreen.ingestion.sources.text_lines import places
from evergreen.lake.delta_lake import DeltaLake

START = pd.Timestamp("2013-01-01", tz="UTC")
END = START + pd.Timedelta("9D")
PLAIN = Csv()


def lines(number, **changes):
    rows = [
        {"id": f"r{number}{n:02}", "at": f"2013-01-{n // 10 + 1:02} 10:00", "x": "1.5", "group": "a", "y": "2"}
        for n in range(30)
    ]
    for name, cells in changes.items():
        for place, cell in cells.items():
            rows[place][name] = cell
    return rows


@pytest.fixture
def failures(toy, tmp_path):
    """What is told of two files, the second of which has these changes."""

    def told(form=PLAIN, above="", between="", given=None, **changes):
        folder = tmp_path / "files"
        folder.mkdir()
        for number, rows in enumerate([lines(0), lines(1, **changes)]):
            written = pd.DataFrame(rows).to_csv(index=False, sep=form.delimiter).splitlines()
            text = [*above.splitlines(), *written[:10], *between.splitlines(), *written[10:]]
            (folder / f"{number}.csv").write_text("\n".join(text), encoding=form.encoding)
        model = toy(source=Files(path=str(folder), csv=form), **(given or {}))
        batch = of_source(model, DeltaLake(str(tmp_path / "lake")), Quarantine(str(tmp_path / "lake")), START, END, END)
        return {result.column: result.shown for result in batch.checked.report.failures}

    return told


def test_a_value_that_is_no_number_is_named_with_its_line(failures):
    told = failures(x={17: "abc", 21: "def"})
    assert told == {"x": "2 of 60 rows hold no number, the first in line 19 of 1.csv: 'abc', 'def'"}


@pytest.mark.parametrize(
    ("form", "options", "line"),
    [
        (Csv(delimiter=";"), {}, 19),
        (Csv(encoding="utf-16"), {}, 19),
        (Csv(skip=2), {"above": "a title\n\n"}, 21),
        (Csv(comment="#"), {"above": "# made by hand", "between": "\n# the sensor was moved\n\n"}, 23),
        (Csv(names=["id", "at", "x", "group", "y"]), {}, 19),
    ],
)
def test_lines_are_counted_as_an_editor_does(failures, form, options, line):
    assert f"the first in line {line} of 1.csv" in failures(form, x={17: "abc"}, **options)["x"]


def test_a_line_break_within_quotes_is_a_line(failures):
    told = failures(group={3: "a\nb"}, x={17: "abc"})
    assert "the first in line 20 of 1.csv" in told["x"]


def test_values_that_a_contract_refuses_or_a_parser_cannot_read_are_named_with_their_line(failures):
    given = {
        "contract": [
            expect("column_values_to_be_between", "x", max_value=5),
            expect("column_values_to_not_be_null", "group"),
        ],
        "parsing": {"y": NumberFormat(remove="$")},
    }
    told = failures(x={4: "9", 5: "8"}, group={6: ""}, given=given)
    assert told == {
        "x": "2 of 60 rows, the first in line 6 of 1.csv: 9.0, 8.0",
        "group": "1 of 60 rows, the first in line 8 of 1.csv",
    }


def test_a_price_and_a_time_that_cannot_be_read_are_named_with_their_line(failures):
    parsing = {"y": NumberFormat(remove="$"), "at": TimeFormat(format="%Y-%m-%d %H:%M")}
    told = failures(y={8: "$1x"}, at={9: "soon"}, given={"parsing": parsing})
    assert "the first in line 10 of 1.csv" in told["y"]
    assert "the first in line 11 of 1.csv" in told["at"]


def test_a_key_is_named_by_its_line_without_its_value(failures):
    told = failures(id={12: "", 13: ""})
    assert told["id"].startswith("2 of 60 rows, the first in line 14 of 1.csv")
    assert "r1" not in told["id"]


def test_a_source_without_lines_tells_what_it_told(toy, rows, tmp_path):
    model = toy(source=Files(path=str(tmp_path / "a.parquet")))
    rows().assign(x="abc").to_parquet(tmp_path / "a.parquet")
    batch = of_source(model, DeltaLake(str(tmp_path)), Quarantine(str(tmp_path)), START, END, END)
    assert [result.found for result in batch.checked.report.failures] == ["24 of 24 rows hold no number"]


@pytest.mark.parametrize("missing", [pd.NA, None, float("nan"), pd.NaT])
def test_a_missing_value_is_found_by_its_empty_cell(tmp_path, missing):
    (tmp_path / "a.csv").write_text("id,n\na,1\nb,\n")
    assert places([tmp_path / "a.csv"], Csv(), [{"id": "b", "n": missing}]) == ["line 3 of a.csv"]
