"""After an erasure no file of a home holds the key of the person or a value that only the person had, decoded too."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from evergreen.definition import loader
from evergreen.governance.erasure import Erased, erase
from evergreen.lake import prediction_log
from evergreen.reports.data_page import write_page
from evergreen.reports.html import quarantined
from evergreen.row_id import plain, row_id
from evergreen.settings import Settings
from evergreen.stores import Stores
from flows.ingest import ingest
from flows.monitor import monitor
from flows.refresh import refresh
from flows.score import score
from tests.command_line import called
from tests.conftest import SESSION
from tests.system.home_scan import holders
from tests.system.test_served_source import HEAD, TOLD

DAYS = ((1, 29), (2, 5), (2, 12), (2, 19))
FIRST, WATCHED, PREDICTED, SECOND = (datetime(2013, *day, tzinfo=UTC) for day in DAYS)
NOW = pd.Timestamp("2013-02-20", tz="UTC")
WORLD = """
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline

def estimator():
    return make_pipeline(make_column_transformer(("passthrough", ["x", "z"])), LinearRegression())

def person(found, days, who, salary, remark):
    known = found["id"].isin(days)
    found.loc[known, ["who", "salary", "remark"]] = [who, salary, remark]
    found.loc[known, "id"] = who[:4] + "|KEY-" + found.loc[known, "id"]

def personal(since, until):
    found = rows(since, until).assign(who="everybody", salary=0.0, remark="nothing to say", part="p")
    found["salary"] = (50_000 + 1000 * found["x"]).round()
    days = [day + "-7" for day in ("20130103", "20130125", "20130204", "20130210")]
    person(found, days, "Zebu" + "lon", 9_876_543_219.0, "quince" + " jam")
    days = [day + "-3" for day in ("20130104", "20130125", "20130210")]
    person(found, days, "Xant" + "ippe", -76_543_219.0, "medlar" + " jam")
    found.loc[found["id"].str.endswith("KEY-20130204-7"), "y"] = -70 - 1.25
    found["part"] = np.where(found["who"] == "everybody", "p", found["who"].str[:2] + "|part")
    return found

model = model.model_copy(update={
    "source": model.source.model_copy(update={"function": personal}),
    "features": {**model.features, "salary": "number", "who": "category"},
    "extra": {**model.extra, "remark": "text", "part": "category"},
    "contract": [
        *model.contract,
        expect("column_max_to_be_between", "salary", max_value=80_000, warn=True),
        expect("column_values_to_be_in_set", "who", value_set=["everybody"], warn=True),
        expect("column_values_to_match_regex", "id", regex="^2013", warn=True),
    ],
    "estimator": estimator,
})
"""
COMPOSITE = """
model = model.model_copy(update={"key": ["id", "part"]})
"""
ZEBULON = ["Zebulon", "Zebu|KEY", "Zebu\\|KEY", "9876543219", "quince jam", "-71.25"]
XANTIPPE = ["Xant|KEY-20130210-3", "Xant\\|KEY-20130210-3"]


def lived(key):
    """Two persons in every store: rows, history, quarantine, predictions, labels, pages, versions."""
    refresh("toy", as_of=FIRST)
    ingest("toy", as_of=WATCHED)
    ingest("toy", as_of=PREDICTED)
    monitor("toy", as_of=PREDICTED)
    refresh("toy", as_of=SECOND)
    model, stores = loader.load("toy"), Stores.open()
    person = stores.lake.query(model, "SELECT id, part FROM rows WHERE who <> 'everybody'")
    ids = [make([str(part) for part in row]) for row in person[key].to_numpy() for make in (row_id, plain)]
    line = {"ids": ids, "asked": [1360972800000000] * len(ids), "latency": [1.0] * len(ids), "beside": {}}
    line |= {"rows": [[0.5, 0.1]] * len(ids), "answers": [[8.5]] * len(ids)}
    label = {"ids": ids, "known": [None] * len(ids), "values": [9.0] * len(ids), "arrived": 1360972800000000}
    number = stores.registry.champion("toy").number
    prediction_log.land(stores.lake, "toy", [(line, HEAD | {"version": number}), (label, TOLD)], "test", 1, SECOND)
    asked = Settings.read().home.parent / "asked.parquet"
    model.source.function(pd.Timestamp(FIRST) - pd.Timedelta("7D"), pd.Timestamp(FIRST)).to_parquet(asked)
    score("toy", str(asked), str(asked.with_name("answers.parquet")), as_of=SECOND)
    monitor("toy", as_of=SECOND)
    write_page(stores.lake, "toy", NOW)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "key"),
    [("", ["id"]), (COMPOSITE, ["id", "part"])],
    ids=["single key", "composite key"],
)
def test_nothing_of_an_erased_person_is_in_any_file(home, write_model, server, more, key):
    write_model(WORLD + more)
    lived(key)
    model, stores = loader.load("toy"), Stores.open()
    before = holders(home, *ZEBULON[:2], *ZEBULON[3:])
    assert all(before.values()), "the scan sees each of them"
    places = {Path(place).name for value in before.values() for place in value}
    assert places >= {"reference.json", "look-toy.html", "entry.json", "report.html", "rows.parquet"}

    erased = erase(stores, model, {"who": "Zebulon"}, "request 1", NOW, page=quarantined)  # a column that is no key
    assert {table for table, rows in erased.rows.items() if rows} == {
        "rows",
        "predictions",
        "served",
        "labels",
        "quarantine",
    }
    assert len(erased.left) == 1
    assert {value: places for value, places in holders(home, *ZEBULON).items() if places} == {}

    words = {"id": "Xant|KEY-20130210-3"} | ({"part": "Xa|part"} if len(key) > 1 else {})
    asked = [word for name, text in words.items() for word in ("--key", f"{name}={text}")]
    done = called("erase", "--model", "toy", *asked, "--reason", "request 2", "--yes", "--json")
    by_key = Erased(**json.loads(done.stdout))
    assert by_key.rows["served"] == by_key.rows["labels"] == 2
    assert by_key.rows["rows"] == 1
    assert {value: places for value, places in holders(home, *XANTIPPE).items() if places} == {}
    assert holders(home, "Xant|KEY-20130125-3")["Xant|KEY-20130125-3"], "another row of hers stays"

    again = erase(stores, model, words, "request 2", NOW)
    assert (again.versions, again.unknown) == (by_key.versions, []), "which the hashes of the rows' ids tell"
    nobody = erase(stores, model, {"id": "nobody", **dict.fromkeys(key[1:], "p")}, "request 3", NOW)
    assert (nobody.versions, nobody.unknown) == ([], [])
    assert not any(holders(SESSION / "prefect", *ZEBULON[:2], "9876543219", "quince jam", "Xant|KEY").values())

    monitor("toy", as_of=SECOND)
    refresh("toy", as_of=datetime(2013, 2, 20, tzinfo=UTC))
    assert stores.registry.champion("toy") is not None
