"""Models that are drafted of databases whose queries and columns are out of the ordinary."""

import json

import pandas as pd
import pytest
import sqlalchemy

from evergreen.definition import loader
from evergreen.ingestion.batch import check
from evergreen.scaffold.draft import Choices
from evergreen.scaffold.reading.sample import source_of
from evergreen.scaffold.scaffold import scaffold
from tests.evergreen.scaffold.drafted_tables import LAKE, NOW, hours
from tests.running_postgres import running


def drafted(home, monkeypatch, url, query):
    monkeypatch.setenv("EVERGREEN_MODELS", str(home / "models"))
    draft = scaffold("table", source_of(url, query), Choices(target="y"), overwrite=True)
    model = loader.load("table")
    rows = model.source.read(model, pd.Timestamp("2020-01-01", tz="UTC"), NOW, LAKE)
    assert check(model, rows, NOW).report.success
    return draft, rows


@pytest.mark.parametrize("ending", ["", " -- all of it", " -- of shops\n", "\n-- WHERE x > 0", ";\n"])
def test_a_query_that_ends_in_a_comment_is_drafted(home, monkeypatch, ending):
    url = f"sqlite:///{home}/shop.db"
    hours(300).assign(id=range(300)).to_sql("sold", sqlalchemy.create_engine(url), index=False)
    draft, rows = drafted(home, monkeypatch, url, f"SELECT id, at, x, y FROM sold{ending}")
    assert (draft.key, draft.rows, len(rows)) == (["id"], 300, 300)


def test_json_of_postgres_keeps_no_table_from_being_drafted(home, monkeypatch):
    rows = hours(300).assign(id=range(300), more=[json.dumps({"n": number % 7}) for number in range(300)])
    with running("shop", "timezone=UTC") as url:
        engine = sqlalchemy.create_engine(url)
        rows.to_sql("sold", engine, index=False, dtype={"more": sqlalchemy.JSON()} | {"at": sqlalchemy.TIMESTAMP()})
        draft, read = drafted(home, monkeypatch, url, "SELECT * FROM sold")
        engine.dispose()
    assert (draft.key, draft.rows, len(read)) == (["id"], 300, 300)
    assert draft.features["more"] == "category"
