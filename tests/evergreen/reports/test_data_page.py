"""The page of the data itself."""

import re
from pathlib import Path

import pandas as pd
import pytest

from evergreen.definition import loader
from evergreen.errors import EvergreenError
from evergreen.lake.lake import INGEST
from evergreen.reports.data_page import table_page, write_page
from evergreen.stores import Stores

NOW = pd.Timestamp("2013-01-03", tz="UTC")
SOURCES = re.compile(r"""<(?:script|link|img|iframe)[^>]+(?:src|href)=["']?https?://|@import|url\(["']?https?://""")
MODEL = """
from datetime import UTC, datetime
import pandas as pd
from sklearn.linear_model import LinearRegression
from evergreen import Call, Model

def rows(since, until):
    at = pd.date_range(since, until, freq="h", inclusive="left")
    return pd.DataFrame({"id": range(len(at)), "at": at, "x": 1.5, "y": 2.5})

model = Model(
    name="hours", task="regression", source=Call(function=rows, start="2013-01-01", batch="1d"),
    key="id", time="at", target="y", features={"x": "number"}, estimator=LinearRegression,
)
"""


@pytest.fixture
def folder(home, monkeypatch):
    (home / "models").mkdir()
    monkeypatch.setenv("EVERGREEN_MODELS", str(home / "models"))
    (home / "models" / "hours.py").write_text(MODEL)
    return home


def test_a_page_asks_no_network_for_anything(rows):
    page = table_page(rows(), "Hours")
    assert "<script" in page
    assert not SOURCES.search(page)


def test_a_page_of_many_rows_says_that_it_shows_an_even_sample(rows):
    assert "Hours (one in 3 of 72 rows)" in table_page(rows(3), "Hours", plots=False, most=30)


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_file_has_a_page(folder, rows, suffix):
    path = folder / f"hours.{suffix}"
    rows().to_csv(path, index=False) if suffix == "csv" else rows().to_parquet(path)
    page = write_page(Stores.open().lake, str(path), NOW)
    assert (page.rows, page.title) == (24, f"hours.{suffix}")


def test_a_page_of_csv_shows_numbers_as_numbers(folder):
    (folder / "people.csv").write_text("id;paid\n" + "\n".join(f"{number};1.{number:03},5" for number in range(100)))
    page = Path(write_page(Stores.open().lake, str(folder / "people.csv"), NOW).path).read_text()
    assert "Float64DType" in page
    assert "Int64DType" in page


def test_a_model_without_rows_shows_its_source(folder):
    page = write_page(Stores.open().lake, "hours", NOW)
    assert (page.rows, page.title) == (24, "hours: rows of the source, nothing is ingested yet")


def test_a_model_with_rows_shows_them(folder, rows, toy):
    model = toy(name="hours", extra={}, slices=[], features={"x": "number"})
    Stores.open().lake.land(model, rows(2)[["id", "at", "x", "y"]], "first", NOW, app=INGEST, mark=NOW)
    page = write_page(Stores.open().lake, "hours", NOW)
    assert (page.rows, page.title) == (48, "hours: rows ingested")


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("nobody", "There is neither a model nor a file 'nobody'. Models: hours."),
        ("nothing.parquet", "There is no file"),
        ("sqlite:///nothing.db", "There is no database"),
    ],
)
def test_nothing_there_is_told(folder, what, says):
    with pytest.raises(EvergreenError) as error:
        write_page(Stores.open().lake, what, NOW)
    assert says in str(error.value)


@pytest.mark.parametrize("ingested", [False, True])
def test_the_page_of_a_model_leaves_private_columns_out(folder, ingested):
    private = MODEL.replace('"y": 2.5}', '"y": 2.5, "name": "Zebulon", "salary": 987654.0}')
    private = private.replace('{"x": "number"}', '{"x": "number", "name": "category", "salary": "number"}, serving=OWN')
    private = private.replace("model = ", 'OWN = Serving(private={"name": "hash", "salary": "omit"})\nmodel = ')
    (folder / "models" / "hours.py").write_text(private.replace("import Call, Model", "import Call, Model, Serving"))
    if ingested:
        model = loader.load("hours")
        given = model.source.function(NOW - pd.Timedelta("2D"), NOW)
        given["id"] = given["id"].astype("str")
        Stores.open().lake.land(model, given, "b", NOW, app=INGEST, mark=NOW)
    page = Path(write_page(Stores.open().lake, "hours", NOW).path).read_text()
    assert "1.5" in page
    assert ("Zebulon" in page, "987654" in page, "salary" in page) == (False, False, False)
