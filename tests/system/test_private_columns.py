"""What the model file calls private: no value of one row's own leaves the lake."""

from datetime import UTC, datetime

import pytest

from evergreen.definition import loader
from evergreen.reports import model_page
from evergreen.stores import Stores
from flows.ingest import ingest
from flows.monitor import monitor
from flows.refresh import refresh

NAME, MOST, LEAST = "Zebulon", "987654", "-123456"  # of one row each
WORLD = """
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from evergreen import Serving

def estimator():
    return make_pipeline(make_column_transformer(("passthrough", ["x", "z"])), LinearRegression())

def personal(since, until):
    found = rows(since, until)
    found["name"] = np.where(found["x"] > 0, "Ada", "Bo")
    found["salary"] = (50_000 + 1000 * found["x"]).round()
    known = found["id"].isin(["20130103-7", "20130125-7", "20130204-7"])
    found.loc[known, ["name", "salary"]] = ["Zeb" + "ulon", 987_654.0]
    found.loc[found["id"] == "20130204-8", "salary"] = -123_456.0  # written so that the file itself does not tell
    return found

model = model.model_copy(update={
    "source": model.source.model_copy(update={"function": personal}),
    "features": {**model.features, "name": "category", "salary": "number"},
    "columns": {**model.columns, "name": "category", "salary": "number"},
    "contract": [
        *model.contract,
        expect("column_values_to_be_in_set", "name", value_set=["Ada", "Bo"], warn=True),
        expect("column_max_to_be_between", "salary", max_value=80_000, warn=True),
        expect("column_values_to_be_between", "salary", min_value=0),
    ],
    "serving": Serving(private={"name": "hash", "salary": "omit"}),
    "estimator": estimator,
})
"""
FIRST, WATCHED = datetime(2013, 1, 29, tzinfo=UTC), datetime(2013, 2, 5, tzinfo=UTC)


@pytest.fixture
def toy(home, write_model):
    write_model(WORLD)
    return home


def test_no_value_of_one_row_is_in_any_artifact_report_or_event(toy, caplog):
    definition = loader.load("toy")
    first = refresh("toy", as_of=FIRST)
    batches = ingest("toy", as_of=WATCHED)
    outcome = monitor("toy", as_of=WATCHED)
    assert (first.decision, batches[0].fate) == ("promote", "quarantined")
    assert batches[0].notes == [
        "name: column values to be in set (value_set ['Ada', 'Bo']); found 1 of 350 rows",
        "salary: column max to be between (max_value 80000.0); found a value that is not shown",
        "salary: column values to be between (min_value 0.0); found 1 of 350 rows",
    ]
    model_page.write(Stores.open(), definition)

    output = "".join([str(first), str(batches), str(outcome), caplog.text])
    for path in toy.rglob("*"):
        if path.is_file() and (path.suffix in (".html", ".json") or "lake" not in path.relative_to(toy).parts):
            output += path.read_bytes().decode(errors="replace") if "_delta_log" not in path.parts else ""
    assert output.count("salary") > 10
    shown = [
        (value, output[max(0, at - 80) : at + 40]) for value in (NAME, MOST, LEAST) if (at := output.find(value)) >= 0
    ]
    assert shown == []
    assert NAME in set(Stores.open().lake.query(definition, "SELECT name FROM rows")["name"])


def test_of_rows_that_do_not_even_fit_the_schema_only_the_count_is_told(toy, write_model):
    write_model(WORLD.replace("987_654.0]", "'much']").replace(".round()", ".round().astype(object)"))
    batches = ingest("toy", as_of=FIRST)
    assert {note for batch in batches for note in batch.notes if "salary" in note} == {
        "salary: schema (a column of kind number); found 1 of 350 rows hold no number"
    }
