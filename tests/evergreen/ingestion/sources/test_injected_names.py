"""Names of tables and columns that are made to inject SQL or Python."""

import pandas as pd
import pytest
import sqlalchemy

from evergreen.definition import loader
from evergreen.scaffold.draft import Choices
from evergreen.scaffold.reading.sample import source_of
from evergreen.scaffold.scaffold import scaffold
from tests.evergreen.ingestion.sources.small_table import DAY, LAKE, START

TAKEN = "taken.csv"
INJECTING = [
    f"x\") FROM rows; COPY (SELECT 1) TO '{TAKEN}'; --",
    f"x'); COPY (SELECT 1) TO '{TAKEN}'; --",
    "a :since",
    "a$since",
    "%s{b}\\",
    "read_csv('/etc/hosts')",
    '"""); import os; os.abort() #',
    "line\nbreak",
]


@pytest.mark.parametrize("kind", ["csv", "parquet", "database"])
@pytest.mark.parametrize("name", INJECTING)
def test_a_name_that_is_made_to_inject_is_a_name(tmp_path, monkeypatch, kind, name):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVERGREEN_MODELS", str(tmp_path / "models"))
    at, count = pd.date_range(START, periods=300, freq="h"), range(300)
    rows = pd.DataFrame({name: at, f"{name}1": [f"r{n:03}" for n in count], f"{name}2": [float(n % 7) for n in count]})
    rows[f"{name}y"] = rows[f"{name}2"] * 2
    if kind == "database":
        engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/shop.db")
        rows.to_sql(name, engine, index=False)
        where = source_of(f"sqlite:///{tmp_path}/shop.db")
    else:
        path = tmp_path / f"rows.{kind}"
        rows.to_csv(path, index=False) if kind == "csv" else rows.to_parquet(path)
        where = source_of(str(path))
    choices = Choices(time=name, key=[f"{name}1"], target=f"{name}y")
    scaffold("toy", where, choices)
    model = loader.load("toy")
    begin = model.source.begins(model, START + 30 * DAY, LAKE)
    assert begin == START
    assert len(model.source.read(model, START, START + 30 * DAY, LAKE)) == 300
    assert model.source.origin(model, START, START + DAY)
    assert not (tmp_path / TAKEN).exists()
