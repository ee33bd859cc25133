"""What the model file calls private, keys and texts: no value leaves the rows themselves, on any way of the loop."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from evergreen.definition import loader
from evergreen.errors import SourceError, TrainingError
from evergreen.settings import Settings
from evergreen.stores import Stores
from flows.ingest import ingest
from flows.monitor import monitor
from flows.refresh import refresh
from flows.score import score
from flows.train import train
from tests.command_line import called
from tests.conftest import SESSION
from tests.running_service import serving
from tests.running_system import until
from tests.system.home_scan import holders

NAME, MOST, LEAST, DIARY = "Zebulon", "9876543219", "-76543219", "zygote"  # private, of one row each
REMARK, KEY = "quince jelly", "KEYXYLO"  # a text, and how all keys of the person begin
SHARED = ("Adalbertine", "Bohemund")  # private, of many rows
WORLD = """
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from evergreen import Serving

def estimator():
    return make_pipeline(make_column_transformer(("passthrough", ["x", "z"])), LinearRegression())

def personal(since, until):
    found = rows(since, until)
    found["name"] = np.where(found["x"] > 0, "Adal" + "bertine", "Bo" + "hemund")
    found["salary"] = (50_000 + 1000 * found["x"]).round()
    found["diary"], found["remark"] = "none", "nothing to say"
    known = found["id"].isin(["20130103-7", "20130125-7", "20130204-7", "20130210-7"])
    person = ["Zeb" + "ulon", 9_876_543_219.0, "zyg" + "ote", "quince" + " jelly"]  # so that the file does not tell
    found.loc[known, ["name", "salary", "diary", "remark"]] = person
    found.loc[found["id"] == "20130204-8", "salary"] = -76_543_219.0
    found.loc[known, "id"] = "KEY" + "XYLO-" + found.loc[known, "id"]
    found.loc[found["id"] == "KEY" + "XYLO-20130204-7", "y"] = -71.25
    return found

private = {"name": "hash", "salary": "omit", "diary": "omit"}
model = model.model_copy(update={
    "source": model.source.model_copy(update={"function": personal}),
    "features": {**model.features, "name": "category", "salary": "number"},
    "extra": {**model.extra, "diary": "text", "remark": "text"},
    "slices": ["side", "name", "remark"],
    "contract": [
        *model.contract,
        expect("column_values_to_match_regex", "name", regex="^B", warn=True),
        expect("column_max_to_be_between", "salary", max_value=80_000, warn=True),
        expect("column_values_to_be_between", "salary", min_value=0),
        expect("column_values_to_match_regex", "id", regex="^2013", warn=True),
        expect("column_value_lengths_to_equal", "remark", value=14, warn=True),
    ],
    "serving": Serving(private=private),
    "estimator": estimator,
})
"""
FIRST, WATCHED, SECOND = (datetime(2013, *day, tzinfo=UTC) for day in ((1, 29), (2, 5), (2, 19)))
pytestmark = pytest.mark.long


def lived(home):
    """The whole loop: ingest, quarantine, train, promote, monitor, judge, score, serve, all pages, all commands."""
    refresh("toy", as_of=FIRST)
    ingest("toy", as_of=WATCHED)
    monitor("toy", as_of=WATCHED)
    refresh("toy", as_of=SECOND)
    monitor("toy", as_of=SECOND)
    definition = loader.load("toy")
    rows = definition.source.function(pd.Timestamp(FIRST) - pd.Timedelta("7D"), pd.Timestamp(FIRST))
    rows.drop(columns="y").to_parquet(home.parent / "asked.parquet")
    score("toy", str(home.parent / "asked.parquet"), str(home.parent / "answers.parquet"), as_of=SECOND)
    with serving() as service:
        service.wait()
        row = rows[rows["id"].str.startswith(KEY)].drop(columns="y").iloc[0]
        sent = {name: value.isoformat() if name == "at" else value for name, value in row.items()}
        assert service.ask("/models/toy/invocations", {"dataframe_records": [sent]})[0] == 200
        shown = f"{service.ask('/openapi.json')} {service.ask('/models')}"
        logged = "SELECT count(*) AS n FROM served WHERE \"_role\" = 'champion'"
        until(lambda: Stores.open().lake.query(definition, logged, tables=["served"])["n"][0], "the log in the lake")
    said = [shown]
    for command in ("look", "report", "why", "lineage", "model-card", "audit", "status", "models", "verdict"):
        done = called(command, *(["toy"] if command != "status" else []))
        assert done.returncode == 0, done
        said += [done.stdout, done.stderr]
    (entry,) = Stores.open().quarantine.entries("toy")
    done = called("quarantine", "show", "toy", entry.batch)
    return "".join([*said, done.stdout, done.stderr])


@pytest.fixture(scope="module")
def loop(worlds, server):
    """The folder of the home, and what the commands said."""
    with worlds("toy") as write:
        write(WORLD)
        home = Settings.read().home
        yield home, lived(home)


def lies_with_the_rows(place):
    """Whether a file is of the rows themselves: the lake's tables of rows, and rows in quarantine."""
    return re.match(r"lake/toy/(rows/|quarantine/[^/]+/rows\.parquet)", place) is not None


def is_keyed(place):
    """Whether a file is of a table that knows a row by its key, and of served rows the columns that are not private."""
    return re.match(r"lake/toy/(served|predictions)/", place) is not None


@pytest.mark.slow
def test_no_value_of_a_private_column_is_outside_of_the_rows(loop):
    home, said = loop
    assert (home / "reports" / "look-toy.html").is_file()
    found = holders(home, NAME, MOST, LEAST, DIARY)
    assert {place for places in found.values() for place in places if not lies_with_the_rows(place)} == set()
    assert all(found.values()), "the scan sees them where they are"
    assert [value for value in (NAME, MOST, LEAST, DIARY, *SHARED) if value in said] == []


@pytest.mark.slow
def test_a_key_and_a_text_are_outside_of_the_rows_only_in_the_tables_that_need_them(loop):
    home, said = loop
    look = "reports/look-toy.html"  # made because a person asked for it
    for value, places in holders(home, KEY, REMARK).items():
        assert {place for place in places if not (lies_with_the_rows(place) or is_keyed(place))} <= {look}
        assert value not in said


@pytest.mark.slow
def test_a_category_that_many_share_is_only_where_the_monitor_compares_with_it(loop):
    home, _ = loop
    found = set.union(*holders(home, *SHARED).values())
    places = {Path(place).name for place in found if not lies_with_the_rows(place)}
    allowed = {"input_example.json", "serving_input_example.json", "reference.json"}
    assert {place for place in places if not place.startswith("spec-")} == allowed


@pytest.mark.slow
def test_the_server_of_the_runs_knows_none_of_it(loop):
    assert not any(holders(SESSION / "prefect", NAME, MOST, LEAST, DIARY, REMARK, KEY).values())


@pytest.mark.slow
def test_what_was_found_is_counted(loop):
    (entry,) = Stores.open().quarantine.entries("toy")
    shown = {f"{result.column}: {result.shown}" for result in entry.results if not result.success}
    assert any(re.fullmatch(r"name: \d+ of 350 rows", text) for text in shown)
    assert shown >= {
        "salary: 1 of 350 rows",
        "id: 1 of 350 rows",
        "remark: 1 of 350 rows",
        "y: 1 of 350 rows: -71.25",
    }


BREAKS = """
class Breaking(LinearRegression):
    def fit(self, X, y):
        raise ValueError(f"cannot learn from {X['name'].iloc[0]} who has {X['salary'].max()}")

model = model.model_copy(update={"estimator": Breaking})
"""
METRIC = """
def losses(target, prediction):
    raise ValueError(f"bad loss for {target.max() * 1e6:.0f} and {'Zeb' + 'ulon'!r}")

from evergreen import mean_of
model = model.model_copy(update={"metric": mean_of("own loss", losses)})
"""
SOURCE = """
def failing(since, until):
    raise ValueError("no line for " + repr("Zeb" + "ulon"))

model = model.model_copy(update={"source": model.source.model_copy(update={"function": failing})})
"""


@pytest.mark.parametrize(
    ("fault", "run", "says"),
    [
        (BREAKS, train, "the estimator raised ValueError in toy.py, line"),
        (METRIC, train, "The metric own loss raised ValueError: bad loss for … and '…'"),
        (SOURCE, ingest, "the source function raised ValueError: no line for '…'"),
    ],
    ids=["estimator", "metric", "source"],
)
def test_an_error_of_the_model_files_code_tells_no_value_to_state_or_log(home, write_model, fault, run, says):
    write_model(WORLD)
    ingest("toy", as_of=FIRST)
    write_model(WORLD + fault)
    with pytest.raises((TrainingError, SourceError), match=says):
        run("toy", as_of=WATCHED)
    assert not any(holders(SESSION / "prefect", NAME, MOST).values())


def test_of_rows_that_do_not_even_fit_the_schema_only_the_count_is_told(home, write_model):
    write_model(WORLD.replace("9_876_543_219.0,", "'much',").replace(".round()", ".round().astype(object)"))
    batches = ingest("toy", as_of=FIRST)
    assert {note for batch in batches for note in batch.notes if "salary" in note} == {
        "salary: schema (a column of kind number); found 1 of 350 rows hold no number"
    }
