"""Many rows at once: streamed, written whole or not at all, and logged once."""

import sqlite3
from datetime import UTC, datetime

import pandas as pd
import pytest
from deltalake import DeltaTable
from prefect import get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.utilities.callables import parameter_schema

from evergreen import Files
from evergreen.definition import loader
from evergreen.errors import RegistryError, SourceError, SourceShapeError
from evergreen.lake.lake import SERVED
from evergreen.stores import Stores
from evergreen.training import fitting
from flows.score import score
from tasks import score as stage
from tests.command_line import called
from tests.running_service import JANUARY, promoted
from tests.toy import rows

SINCE = pd.Timestamp("2013-02-01", tz="UTC")
NOW = datetime(2013, 2, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def lived(worlds, server):
    """A champion of January."""
    with worlds("toy") as write:
        write()
        yield promoted(JANUARY)


@pytest.fixture
def given(tmp_path):
    """Rows of February, and their file."""
    some = rows(SINCE, SINCE + pd.Timedelta(days=4))
    some.to_parquet(tmp_path / "in.parquet")
    return some, tmp_path / "in.parquet", tmp_path / "out.parquet"


def own(version, some):
    return Stores.open().registry.load(version).predict(fitting.features(loader.load("toy"), some))


def logged():
    lake = Stores.open().lake
    return DeltaTable(lake.uri("toy", SERVED)).to_pandas() if lake.exists("toy", SERVED) else pd.DataFrame()


def test_every_row_is_answered_in_its_order_and_in_pieces(lived, given, monkeypatch):
    some, source, output = given
    monkeypatch.setattr(stage, "PIECE", 30)  # of 200 rows
    before = len(logged())
    outcome = score("toy", str(source), str(output), as_of=NOW)
    scored = pd.read_parquet(output)
    assert (outcome.rows, outcome.version, outcome.ignored) == (200, lived.number, [])
    assert scored["id"].tolist() == some["id"].tolist()
    assert scored["prediction"].tolist() == pytest.approx(own(lived, some).tolist(), rel=1e-12)
    assert set(scored["version"]) == {lived.number}
    log = logged().iloc[before:] if before else logged()
    assert len(logged()) - before == 200
    assert set(log["_role"]) >= {"batch"}
    assert [path.name for path in output.parent.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("kind", ["parquet", "csv", "database"])
def test_no_rows_are_a_table_without_rows_that_takes_the_place_of_the_old_one(lived, given, tmp_path, kind, ending):
    some, source, output = given
    output, query = output.with_suffix(f".{ending}"), ""
    output.write_text("of yesterday")
    if kind == "parquet":
        some.head(0).to_parquet(source)
    elif kind == "csv":
        source = tmp_path / "in.csv"
        some.head(0).to_csv(source, index=False)
    else:
        with sqlite3.connect(tmp_path / "empty.db") as connection:
            some.astype({"at": "str"}).to_sql("asked", connection, index=False)
        source, query = f"sqlite:///{tmp_path}/empty.db", "SELECT * FROM asked WHERE false"
    before = len(logged())
    outcome = score("toy", str(source), str(output), query, as_of=NOW)
    written = pd.read_csv(output) if ending == "csv" else pd.read_parquet(output)
    assert (outcome.rows, len(written), len(logged()) - before) == (0, 0, 0)
    assert list(written) == ["id", "at", "prediction", "version"]


FORMULAS = ["=cmd|' /C calc'!A0", "+49 30 1", "-2.5", "@SUM(1)", "\t=1", "plain-text"]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("defuse", [True, False])
def test_no_cell_of_a_csv_begins_like_a_formula_unless_it_is_asked_for(lived, given, ending, defuse):
    some, source, output = given
    keys = [*FORMULAS, *some["id"][len(FORMULAS) :]]
    some.assign(id=keys).to_parquet(source)
    path = output.with_suffix(f".{ending}")
    score("toy", str(source), str(path), log=False, as_of=NOW, defuse=defuse)
    written = pd.read_csv(path, dtype={"id": str}) if ending == "csv" else pd.read_parquet(path)
    harmless = ("-2.5", "plain-text")
    safe = [key if key in harmless else f"'{key}" for key in FORMULAS]
    assert written["id"].tolist()[: len(FORMULAS)] == (safe if defuse and ending == "csv" else FORMULAS)
    assert written["prediction"].tolist() == pytest.approx(own(lived, some).tolist(), rel=1e-12)


def test_a_run_that_is_tried_again_lands_nothing_twice(lived, given, monkeypatch):
    _, source, output = given
    run = "the-same-run"
    monkeypatch.setattr(stage.batch_scoring, "Scored", lambda *words: words)
    monkeypatch.setattr(stage.runtime.flow_run, "id", run, raising=False)
    before = len(logged())
    for _ in range(2):
        stage.score.fn(Stores.open(), lived, Files(path=str(source)), str(output), pd.Timestamp(NOW), log=True)
    assert len(logged()) - before == 200


def test_csv_in_csv_out_and_without_keys(lived, given, tmp_path):
    some, _, _ = given
    some[["x", "z"]].assign(more=1).to_csv(tmp_path / "in.csv", index=False)
    outcome = score("toy", str(tmp_path / "in.csv"), str(tmp_path / "out.csv"), as_of=NOW)
    scored = pd.read_csv(tmp_path / "out.csv", dtype={"version": "str"})
    assert (list(scored), outcome.ignored) == (["prediction", "version"], ["more"])
    assert scored["prediction"].tolist() == pytest.approx(own(lived, some).tolist())


def test_a_database_is_read_by_its_query_and_nothing_is_logged_where_it_is_not_wanted(lived, given, tmp_path):
    some, _, output = given
    with sqlite3.connect(tmp_path / "base.db") as connection:
        some.drop(columns="at").to_sql("flights", connection, index=False)
    before = len(logged())
    url, query = f"sqlite:///{tmp_path}/base.db", "SELECT * FROM flights WHERE x > 0"
    outcome = score("toy", url, str(output), query=query, log=False)
    assert (outcome.rows, len(logged())) == (int((some["x"] > 0).sum()), before)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda rows: rows.drop(columns="x"), "'x'"),
        (lambda rows: rows.assign(x="high"), "hold no number"),
        (lambda rows: rows.rename(columns={"z": "zz"}), "'zz'"),
    ],
)
def test_an_input_that_does_not_fit_is_told_and_the_output_stays_as_it_was(lived, given, change, told):
    some, source, output = given
    change(some).to_parquet(source)
    output.write_text("before")
    with pytest.raises(SourceShapeError, match=told):
        score("toy", str(source), str(output))
    assert output.read_text() == "before"
    assert len(list(output.parent.iterdir())) == 2


def spoilt(some, source, output):
    """The second half of the input does not fit: it is found only once the first has been predicted."""
    some.assign(x=some["x"].astype("str").where(some.index < 100, "high")).to_csv(
        source.with_suffix(".csv"), index=False
    )
    return source.with_suffix(".csv"), output


def blocked(some, source, output):
    """A folder stands where the output should go."""
    (output / "taken").mkdir(parents=True)
    return source, output


@pytest.mark.long
@pytest.mark.parametrize("spoil", [spoilt, blocked])
def test_a_run_that_fails_logs_nothing_and_leaves_nothing(lived, given, spoil, monkeypatch):
    monkeypatch.setattr(stage, "PIECE", 50)
    source, output = spoil(*given)
    before = len(logged())
    with pytest.raises((SourceError, OSError)):
        score("toy", str(source), str(output), as_of=NOW)
    assert len(logged()) == before
    assert [path.name for path in output.parent.iterdir() if path.name.startswith(".")] == []


def test_what_is_not_there_is_told(lived, given, tmp_path):
    _, source, output = given
    with pytest.raises(SourceError, match="no file"):
        score("toy", str(tmp_path / "none.parquet"), str(output))
    with pytest.raises(RegistryError):
        score("toy", str(source), str(output), version="77")
    with pytest.raises(SourceShapeError, match="should end in"):
        score("toy", str(source), str(tmp_path / "out.txt"))


SECRET = "postgresql://ann:tiger@db/sales"


def test_an_address_with_a_password_is_refused_before_prefect_stores_it(lived, given):
    done = called("score", "toy", "--input", SECRET, "--output", str(given[2]))
    assert (done.returncode, "'$SALES_DB'" in done.stderr, "tiger" in done.stderr) == (1, True, False)
    with get_client(sync_client=True) as client:
        deployment = client.create_deployment(
            client.create_flow(score),
            "score",
            parameter_openapi_schema=parameter_schema(score).model_dump(),
            enforce_parameter_schema=True,
        )
        output = {"output": str(given[2])}
        with pytest.raises(PrefectHTTPStatusError, match="does not match"):
            client.create_flow_run_from_deployment(deployment, parameters={"model": "toy", "source": SECRET} | output)
        run = client.create_flow_run_from_deployment(
            deployment, parameters={"model": "toy", "source": "$SALES_DB"} | output
        )
        assert "tiger" not in str([found.parameters for found in client.read_flow_runs()])
        client.delete_flow_run(run.id)
        client.delete_deployment(deployment)
