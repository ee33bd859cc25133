"""From somebody's own table to a champion, as a newcomer goes: new, ingest, train."""

import json

import numpy as np
import pandas as pd
import pytest
import sqlalchemy

from tests.command_line import called, run

pytestmark = pytest.mark.long


def orders() -> pd.DataFrame:
    chance = np.random.default_rng(0)
    x, group = chance.normal(size=600), chance.choice(["a", "b"], 600)
    return pd.DataFrame(
        {
            "order_id": np.arange(600),
            "placed": pd.date_range("2013-01-01", periods=600, freq="2h"),
            "x": x,
            "group": group,
            "paid": 10 + 2 * x + (group == "a") + chance.normal(scale=0.3, size=600),
        }
    )


@pytest.fixture(params=["parquet", "sqlite"])
def table(request, tmp_path) -> str:
    if request.param == "parquet":
        orders().to_parquet(tmp_path / "orders.parquet")
        return str(tmp_path / "orders.parquet")
    url = f"sqlite:///{tmp_path}/shop.db"
    orders().to_sql("orders", sqlalchemy.create_engine(url), index=False)
    return url


def test_a_table_of_ones_own_is_trained_at_once(home, server, table):
    command = run if "parquet" in table else called
    drafted = command("new", "orders", "--from", table, "--json")
    assert json.loads(drafted.stdout)["target"] == "paid", drafted.stderr
    assert isinstance(json.loads(drafted.stdout)["source"], dict)
    ingested = command("ingest", "orders", "--json")
    assert [(batch["fate"], batch["new"]) for batch in json.loads(ingested.stdout)] == [("landed", 600)]
    trained = command("train", "orders", "--json")
    assert json.loads(trained.stdout)["decision"] == "promote", trained.stderr
    assert trained.returncode == 0


def test_a_person_is_shown_what_is_a_guess(home, tmp_path):
    orders().to_csv(tmp_path / "orders.csv", index=False)
    done = called("new", "orders", "--from", str(tmp_path / "orders.csv"))
    assert done.returncode == 0
    assert "guessed: the last column" in done.stdout


def test_a_table_without_a_time_is_an_error_in_one_sentence(home, tmp_path):
    orders().drop(columns="placed").to_csv(tmp_path / "orders.csv", index=False)
    done = called("new", "orders", "--from", str(tmp_path / "orders.csv"))
    assert done.returncode == 1
    assert "No column holds times" in done.stderr
    assert "Traceback" not in done.stderr
