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
def test_help_imports_nothing_that_works_on_rows(imported, words):
    assert imported(*words) & (HEAVY | ROWS) == set()


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
