"""Files of JSON: which column a key gives, and that values are read as they are written."""

import json

import pandas as pd
import pytest

from evergreen import Files, TimeFormat
from evergreen.errors import SourceShapeError
from evergreen.ingestion.schema import cast
from tests.evergreen.ingestion.sources.small_table import DAY, START, WIDE, read, table


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


@pytest.mark.parametrize("format", ["%m-%d-%Y", "%m-%d-%Y %H:%M:%S", "%m-%d-%y %I:%M:%S %p"])
def test_times_of_json_lines_are_read_as_the_model_file_says(toy, tmp_path, format):
    october = pd.date_range("2013-10-01", periods=11, freq="D", tz="UTC")
    for number, times in enumerate([october, october + pd.Timedelta(days=40)]):
        rows = table(times.strftime(format)).assign(id=times.astype("str"))
        rows.to_json(tmp_path / f"{number}.jsonl", orient="records", lines=True)
        model = toy(source=Files(path=str(tmp_path)), parsing={"at": TimeFormat(format=format)})
        rows, problems = cast(read(model, START, START + 400 * DAY), model)
        assert problems == []
        assert rows["at"].tolist() == [*october, *(october + pd.Timedelta(days=40))][: 11 * (number + 1)]


def test_text_in_json_is_kept_as_it_is_written(toy, tmp_path):
    text = {"a": "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "b": "3:00:00", "c": {"DATE": "2013-10-01"}, "d": ["1/2/13"]}
    (tmp_path / "rows.json").write_text(json.dumps([text | {"at": "2013-01-01", "Age": 1, "n": None}] * 2))
    rows = read(toy(source=Files(path=str(tmp_path / "rows.json"))))
    assert rows[["a", "b"]].iloc[0].tolist() == [text["a"], text["b"]]
    assert (rows["c"][0], list(rows["d"][0]), rows["Age"][0]) == (text["c"], text["d"], 1)


def json_lines(path, *rows):
    path.write_text(
        "".join(f"{json.dumps({'at': '2013-01-01', 'id': str(number)} | row)}\n" for number, row in enumerate(rows))
    )


def of_lines(toy, folder, *names, **changes):
    """Rows of JSON lines, as a model that declares numbers of these names reads them."""
    model = toy(source=Files(path=str(folder)), features={"y2": "number"} | dict.fromkeys(names, "number"), **changes)
    return read(model).sort_values("id", ignore_index=True)


@pytest.mark.parametrize("names", [("age", "Age_1"), ("age_1", "Age")])
def test_keys_of_json_that_differ_in_case_give_their_own_column_whatever_file_comes_first(toy, tmp_path, names):
    """The names are those of the model file; in its absence the key in small letters keeps its own."""
    json_lines(tmp_path / "b.jsonl", {"age": 1, "Age": 10}, {"age": 2, "Age": 20, "big": 2**53 + 1})
    for first in ({"Age": 30, "age": 3}, {"AGE": 7, "Age": 30}, {"Age": 30}, {"big": None}):
        json_lines(tmp_path / "a.jsonl", first | {"id": "9"})
        rows = of_lines(toy, tmp_path, *names)
        small, large = (names[0], names[1]) if "age" in names else ("age_1", "Age")
        assert rows[small].astype("float64").fillna(-1).tolist() == [1, 2, first.get("age", -1)]
        assert rows[large].astype("float64").fillna(-1).tolist() == [10, 20, first.get("Age", -1)]
        assert rows["big"][1] == 2**53 + 1
    json_lines(tmp_path / "b.jsonl", {"Age": 4})
    json_lines(tmp_path / "a.jsonl", {"Age": 5, "id": "9"})
    assert of_lines(toy, tmp_path, *names)[names[1]].tolist() == [4, 5], "which no other key is beside"


def test_a_key_of_json_with_a_number_beside_one_of_another_case_is_itself(toy, tmp_path):
    json_lines(tmp_path / "a.jsonl", {"Age_1": 1, "age": 2, "s": {"p": [1]}}, {"age": 3})
    rows = of_lines(toy, tmp_path, "age", "Age_1")
    assert rows["age"].tolist() == [2, 3]
    assert rows["Age_1"].dropna().tolist() == [1]
    json_lines(tmp_path / "b.jsonl", {"Age": 4, "id": "9"})
    with pytest.raises(
        SourceShapeError, match=r"The column 'Age_1' of the model file may be the key 'Age_1'.* or 'Age'"
    ):
        of_lines(toy, tmp_path, "age", "Age_1")
    rows = of_lines(toy, tmp_path, "age", "Age_1", "Age_2")
    assert (rows["Age_1"][0], rows["age"][1], rows["Age_2"][2]) == (1, 3, 4)


def test_values_of_every_sort_are_the_same_beside_keys_that_differ_in_case(toy, tmp_path):
    rows = [
        {"n": 1, "f": 1.5, "b": True, "t": "1/2/13", "o": {"p": [1.5], "q": None}, "m": 1, "g": 2**63, "x/y~": 1},
        {"n": None, "f": 2, "b": False, "t": None, "o": None, "m": "one", "g": 1, "x/y~": 2},
    ]
    json_lines(tmp_path / "a.jsonl", *rows)
    plain = of_lines(toy, tmp_path)
    json_lines(tmp_path / "a.jsonl", *({**row, "K": 1, "k": 2} for row in rows))
    beside = of_lines(toy, tmp_path)
    assert beside[["k", "K_1"]].iloc[0].tolist() == [2, 1]
    assert beside[plain.columns].to_dict("list").__repr__() == plain.to_dict("list").__repr__()


def test_an_object_within_json_with_keys_that_differ_in_case_is_refused(toy, tmp_path):
    json_lines(tmp_path / "a.jsonl", {"s": {"A": 1, "a": 2}})
    with pytest.raises(SourceShapeError, match=r"An object within a row has two keys that differ only in case, 'a'"):
        of_lines(toy, tmp_path)


@pytest.mark.parametrize("beside", [{}, {"K": 1, "k": 2}])
@pytest.mark.parametrize("kind", ["category", "number"])
def test_a_key_in_json_keeps_its_digits_beside_fractions(toy, tmp_path, kind, beside):
    json_lines(tmp_path / "a.jsonl", *({"id": number} | beside for number in (WIDE, 1.5, 7.0)))
    model = toy(source=Files(path=str(tmp_path)), extra={"id": kind, "group": "category"})
    rows = read(model)
    assert rows["id"].tolist() == [str(WIDE), "1.5", "7"]
    problem = cast(rows.assign(x=1.0, y=1.0, group="a"), model)[1]
    assert [found.column for found in problem] == ([] if kind == "category" else ["id"]), "a number would round it"
