"""Model files: what is read from them, and how a broken one is told of while the others still work."""

import hashlib

import pandas as pd
import pytest

from evergreen import Gates, Monitoring, Policy
from evergreen.definition import loader
from evergreen.errors import ModelFileError

GOOD = """
from sklearn.linear_model import LinearRegression
from evergreen import Call, Model

model = Model(
    name="good", task="regression", source=Call(function=print), key="id", time="at", target="y",
    features={"x": "number"}, estimator=LinearRegression,
)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of model files with a good one in it."""
    monkeypatch.setenv("EVERGREEN_MODELS", str(tmp_path))
    (tmp_path / "good.py").write_text(GOOD)
    return tmp_path


def with_line(old, new):
    assert old in GOOD
    return GOOD.replace(old, new)


BROKEN = {
    "a syntax error": (GOOD + "model = (", r"bad.py, line \d+: '\(' was never closed"),
    "text that is no Python": (b"\xff\xfe", "bad.py"),
    "a null byte": (GOOD + "\0", "bad.py"),
    "raising at import": (GOOD + "1 / 0", "bad.py does not run: ZeroDivisionError: division by zero"),
    "a module that is not there": ("import nowhere", "bad.py does not run: ModuleNotFoundError: No module.*'nowhere'"),
    "leaving the process": (GOOD + "raise SystemExit(3)", "bad.py does not run: SystemExit: 3"),
    "no model": ("x = 1", r"bad.py defines no `model`. End it with `model = Model\(name='bad'"),
    "a model of another type": ("model = 7", "bad.py defines no `model`"),
    "another name": (GOOD, "bad.py defines the model 'good'. Name file and model alike"),
    "a name that is none": (with_line('"good"', '"Not Good"'), "bad.py: name: String should match pattern.*Not Good"),
    "a field that there is not": (with_line("key=", "keys="), "bad.py: (key|keys): "),
    "a target among the features": (with_line('"x": "number"', '"y": "number"'), "the label is never a feature"),
    "a slice that is no column": (with_line("key=", 'slices=["shop"], key='), r"slices \['shop'\] are in neither"),
    "a metric that there is not": (with_line("key=", 'metric="rmsle", key='), "bad.py.*rmsle"),
    "a metric of the other task": (with_line("key=", 'metric="log_loss", key='), "log_loss is not a metric for regr"),
    "a kind that there is not": (with_line('"number"', '"float"'), "bad.py: features.x: .*'float'"),
    "two names alike but for case": (with_line('"number"', '"number", "X": "number"'), "'X'] differ only in case"),
    "a name that begins as ours": (with_line('"x"', '"Evergreen:x"'), "no column may begin with 'evergreen:'"),
    "no features": (with_line('{"x": "number"}', "{}"), "bad.py: features: "),
    "a value too long to show": (with_line('"regression"', '"r" * 500'), r"bad.py: task: .*r\.\.\.\)"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_file_is_told_of_in_a_sentence_and_the_others_load(folder, fault):
    text, says = BROKEN[fault]
    (folder / "bad.py").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ModelFileError, match=says):
        loader.load("bad")
    assert loader.names() == ["bad", "good"]
    assert loader.load("good").name == "good"


def test_a_file_that_is_not_there_is_named_beside_those_that_are(folder):
    with pytest.raises(ModelFileError, match=r"no model 'gone': .*gone.py does not exist. Models: good"):
        loader.load("gone")


def test_an_empty_folder_says_that_there_are_none_yet(folder):
    (folder / "good.py").unlink()
    with pytest.raises(ModelFileError, match="Models: none yet"):
        loader.load("gone")


def test_files_that_begin_with_an_underscore_are_no_models(folder):
    (folder / "_shared.py").write_text("")
    assert loader.names() == ["good"]


def test_a_file_is_run_once_and_again_when_its_text_has_changed(folder):
    (folder / "good.py").write_text(GOOD + "import time; ran = time.monotonic_ns()\n")
    first = loader.load("good")
    assert loader.load("good") is first
    (folder / "good.py").write_text(with_line("key=", "seed=7, key="))
    assert (loader.load("good").seed, first.seed) == (7, 0)


def test_a_file_that_was_mended_loads(folder):
    (folder / "good.py").write_text("1 / 0")
    with pytest.raises(ModelFileError):
        loader.load("good")
    (folder / "good.py").write_text(GOOD)
    assert loader.load("good").name == "good"


def test_the_fingerprint_is_of_the_text(folder):
    assert loader.fingerprint("good") == hashlib.sha256(GOOD.encode()).hexdigest()[:16]


def test_the_columns_are_those_declared_in_the_order_of_the_table(toy):
    model = toy(key=["shop", "id"], label_time="known", features={"b": "text", "a": "number"})
    assert list(model.columns) == ["shop", "id", "at", "b", "a", "group", "known", "y"]


@pytest.mark.parametrize(
    ("task", "metric", "kind"),
    [("regression", "mean_absolute_error", "number"), ("classification", "log_loss", "integer")],
)
def test_what_is_left_out_follows_the_task(toy, task, metric, kind):
    model = toy(task=task)
    assert (model.metric.name, model.columns["y"], model.key) == (metric, kind, ["id"])


def test_a_definition_cannot_be_changed(toy):
    with pytest.raises(ValueError, match="frozen"):
        toy().seed = 1


@pytest.mark.parametrize(
    ("block", "blocks", "window", "unit", "judged"),
    [
        ("1d", 5, "7d", "1d", "7d"),
        ("7d", 5, "7d", "1d", "35d"),
        ("7d", 2, "28d", "7d", "28d"),
        ("36h", 3, "1d", "1d", "5d"),
        ("28d", 3, "7d", "7d", "84d"),
    ],
)
def test_performance_is_judged_over_as_much_time_as_its_blocks_need(toy, block, blocks, window, unit, judged):
    model = toy(gates=Gates(block=block, min_blocks=blocks), monitoring=Monitoring(window=window, unit=unit))
    assert model.performance_window == pd.Timedelta(judged)


@pytest.mark.parametrize(("asked", "judged"), [("30d", "30d"), ("36h", "7d"), ("200h", "9d"), ("2d", "7d")])
def test_performance_is_judged_over_what_is_asked_in_whole_units(toy, asked, judged):
    assert toy(monitoring=Monitoring(performance=asked)).performance_window == pd.Timedelta(judged)


@pytest.mark.parametrize(
    ("block", "probation", "judged"),
    [("1d", "14d", "14d"), ("7d", "14d", "35d"), ("7d", "60d", "60d"), ("7d", "0d", "0d"), ("36h", "1d", "8d")],
)
def test_a_probation_lasts_as_long_as_its_blocks_need(toy, block, probation, judged):
    model = toy(gates=Gates(block=block), policy=Policy(probation=probation))
    assert model.probation_window == pd.Timedelta(judged)
