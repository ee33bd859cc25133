"""What a model file may count on: the public names, written by hand; importing changes nothing."""

import json
import subprocess
import sys

import pytest

import evergreen

PUBLIC = [
    "Call",
    "Check",
    "Csv",
    "Decision",
    "EvergreenError",
    "Fairness",
    "Files",
    "Gates",
    "Metric",
    "Model",
    "Monitoring",
    "NumberFormat",
    "Policy",
    "Search",
    "Served",
    "Serving",
    "Sql",
    "State",
    "TextFormat",
    "TimeFormat",
    "TimePart",
    "Training",
    "expect",
    "mean_of",
]
IMPORT_ALL = """
import importlib, json, os, pkgutil, sys
before = dict(os.environ)
import evergreen
light = sorted({"pandas", "sklearn", "mlflow", "deltalake", "great_expectations"} & set(sys.modules))
names = [module.name for module in pkgutil.walk_packages(evergreen.__path__, "evergreen.")]
for name in names:
    importlib.import_module(name)
heavy = sorted({"prefect", "mlflow", "great_expectations", "skrub", "optuna", "matplotlib"} & set(sys.modules))
print(json.dumps([light, len(names), heavy, os.environ == before, os.path.exists(os.environ["EVERGREEN_HOME"])]))
"""


def test_the_public_names_are_these():
    assert evergreen.__all__ == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_there_and_says_what_it_is(name):
    assert getattr(evergreen, name).__doc__


def test_any_other_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Modell'"):
        _ = evergreen.Modell


def test_importing_changes_nothing_and_loads_no_heavy_part(tmp_path, monkeypatch):
    monkeypatch.setenv("EVERGREEN_HOME", str(tmp_path / "home"))
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True, check=True)
    light, modules, heavy, unchanged, home_made = json.loads(done.stdout)
    assert (light, heavy, unchanged, home_made) == ([], [], True, False)
    assert modules > 100
