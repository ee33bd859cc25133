"""What a command imports: counts of modules, which no busy machine changes; seconds are in benchmarks/startup.py."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
HEAVY = {"prefect", "mlflow", "sklearn", "scipy", "great_expectations", "matplotlib", "fastapi", "skrub", "treelite"}
ROWS = {"pandas", "numpy", "pyarrow", "duckdb", "deltalake"}

_TOLD = """
import json, sys
from pathlib import Path
from cli.main import main
try:
    main()
finally:
    Path({file!r}).write_text(json.dumps([*sys.modules]))
"""

LATE = """
import pandas as pd

from evergreen import Call, Model


def rows(since, until):
    at = pd.date_range("2013-01-01", periods=240, freq="h", tz="UTC")
    table = pd.DataFrame({"id": [f"{hour}" for hour in range(240)], "at": at, "x": 1.0, "y": 1.0})
    return table[(table["at"] >= since) & (table["at"] < until)]


def estimator():
    from sklearn.linear_model import LinearRegression

    return LinearRegression()


model = Model(
    name="toy", task="regression", source=Call(function=rows, start="2013-01-01"), key="id", time="at", target="y",
    features={"x": "number"}, estimator=estimator,
)
"""


@pytest.fixture
def imported(home, tmp_path):
    """Run a command in a process of its own; which modules it has imported."""

    def run(*words: str) -> set[str]:
        code = _TOLD.format(file=str(tmp_path / "modules.json"))
        command = [sys.executable, "-c", code, *words]
        done = subprocess.run(command, cwd=CHECKOUT, env=dict(os.environ), capture_output=True, text=True, timeout=120)
        assert "Traceback" not in done.stderr
        return set(json.loads((tmp_path / "modules.json").read_text()))

    return run


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("ingest", "--help"), ("new", "--help")])
def test_help_imports_nothing_that_works_on_rows_nor_flows_which_need_a_project(imported, words):
    assert imported(*words) & (HEAVY | ROWS | {"flows", "tasks"}) == set()


@pytest.mark.long
@pytest.mark.parametrize(
    "words", [("status",), ("models",), ("models", "airtime"), ("why", "airtime"), ("verdict", "airtime")]
)
def test_a_command_that_only_reads_imports_neither_prefect_nor_mlflow_nor_scikit_learn(imported, home, words):
    shutil.copy(CHECKOUT / "models" / "airtime.py", home.parent / "models")
    (home.parent / "models" / "toy.py").unlink()  # which imports its estimator at the top
    assert imported(*words) & HEAVY == set()


def test_a_command_that_only_reads_makes_no_store(home, imported):
    (home / "mlflow.db").unlink()
    imported("status")
    assert not (home / "mlflow.db").exists()


@pytest.mark.long
def test_an_ingest_that_finds_nothing_new_imports_prefects_client_and_what_reads_rows(home, server, imported):
    (home.parent / "models" / "toy.py").write_text(LATE)
    assert "great_expectations" in imported("ingest", "toy", "--as-of", "2013-01-11")
    modules = imported("ingest", "toy", "--as-of", "2013-01-11")
    assert modules & HEAVY == {"prefect", "fastapi"}  # which Prefect imports to serialize parameters
    assert "prefect.server" not in modules
