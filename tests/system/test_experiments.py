"""`evergreen try` on real rows: what it finds, what it leaves alone, and what it says of variants that cannot be."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest
from mlflow import MlflowClient

from evergreen.errors import LakeError
from evergreen.evaluation import performance
from evergreen.experiments import rolling
from evergreen.experiments.comparison import compare
from evergreen.experiments.run import run as run_experiment
from evergreen.experiments.variant import Variant
from evergreen.lake import audit_log
from evergreen.settings import Settings
from evergreen.stores import Stores
from flows.ingest import ingest
from flows.refresh import refresh
from tests.command_line import called
from tests.conftest import CHECKOUT

END = pd.Timestamp("2013-03-19", tz="UTC")
NOISY = """

from sklearn.dummy import DummyRegressor

model = model.model_copy(update={"estimator": DummyRegressor})
"""
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def history(worlds, server):
    """Eleven weeks of the toy with a champion; its slope turns after a month, so that a shorter window is better."""
    with worlds("toy") as write:
        write()
        ingest("toy", as_of=END)
        refresh("toy", as_of=END)
        yield write


@pytest.fixture(scope="module")
def tried(history):
    """Three variants: one better, one worse, one that is the model file itself."""
    folder = Settings.read().home.parent
    (folder / "worse.py").write_text((folder / "models" / "toy.py").read_text() + NOISY)
    before = (_aliases(), len(audit_log.read(Stores.open().lake, "toy")))
    files = ("--file", str(folder / "worse.py"), "--file", str(folder / "models" / "toy.py"))
    done = called("try", "toy", "--set", "training.window=7d", *files, "--as-of", "2013-03-19", "--json")
    assert done.returncode == 0, done.stderr
    after = (_aliases(), len(audit_log.read(Stores.open().lake, "toy")))
    return json.loads(done.stdout), before, after


def _aliases():
    registry = Stores.open().registry
    return [(version.number, version.aliases) for version in registry.versions("toy")]


def test_better_is_told_from_worse_and_from_the_same(tried):
    found = {result["name"]: result for result in tried[0]["variants"]}
    assert {name: result["found"] for name, result in found.items()} == {
        "training.window=7d": "better",
        "worse.py": "worse",
        "toy.py": "no difference shown",
    }
    assert found["toy.py"]["gain"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert '+    training=Training(window="7d", holdout="7d"),' in found["training.window=7d"]["diff"]
    assert {part["value"] for part in found["worse.py"]["slices"]} == {"up", "down"}
    assert found["worse.py"]["worst"]["column"] == "side"


def test_the_gain_is_paired_and_its_level_shared(tried):
    figures = tried[0]
    better = figures["variants"][1]["gain"], figures["variants"][0]["gain"]
    own = figures["own"]["value"]["value"]
    for gain, result in zip(better, (figures["variants"][1], figures["variants"][0]), strict=True):
        assert gain["value"] == pytest.approx(own - result["value"]["value"])
    assert figures["level"] == pytest.approx(1 - 0.05 / 3)
    assert sum(period["rows"] for period in figures["own"]["periods"]) == figures["rows"] > 1000


def test_rows_of_the_next_holdout_are_not_read(tried):
    newest = END - pd.Timedelta(20, "min")
    assert pd.Timestamp(tried[0]["until"]) <= newest - pd.Timedelta("7d") + pd.Timedelta("1h")
    periods = [pd.Timestamp(period["since"]) for period in tried[0]["own"]["periods"]]
    assert periods == sorted(periods)
    assert max(periods) + pd.Timedelta("7d") == pd.Timestamp(tried[0]["until"])


def test_nothing_of_it_is_registered_or_audited(tried):
    _, before, after = tried
    assert before == after


def test_each_variant_is_a_run_of_an_experiment_of_its_own(tried):
    client = MlflowClient(Settings.read().tracking_uri)
    experiment = client.get_experiment_by_name("toy.experiment")
    runs = {run.data.params["variant"]: run for run in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {"model file", "training.window=7d", "worse.py", "toy.py"}
    better = runs["training.window=7d"]
    assert better.data.metrics["gain_low"] > 0
    assert better.data.params["found"] == "better"
    assert [file.path for file in client.list_artifacts(better.info.run_id)] == ["change.diff"]


def test_the_same_again_fits_nothing_and_says_the_same(tried, monkeypatch):
    lake = Stores.open().lake
    variants = [Variant.of_settings("toy", "training.window=7d")]
    folder = Settings.read().home / "experiments" / "toy"
    experiment = rolling.planned(lake, variants, Variant.own("toy"), folder, END, 8)
    monkeypatch.setattr(rolling, "fitted", lambda *_: pytest.fail("it was fitted again"))
    compared = run_experiment(experiment)
    first = next(result for result in tried[0]["variants"] if result["name"] == "training.window=7d")
    assert compared.variants[0].value.value == first["value"]["value"]


def test_a_lake_that_is_away_is_no_result_of_a_variant_and_is_not_kept(history, monkeypatch):
    lake, own = Stores.open().lake, Variant.own("toy")
    experiment = rolling.planned(lake, [own], own, Settings.read().home / "experiments" / "away", END, 4)

    def away(*_):
        raise LakeError("it does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(rolling, "_scored", away)
        with pytest.raises(LakeError, match="does not answer"):
            rolling.score(experiment, own, 1)
    assert rolling.score(experiment, own, 1).problem == ""


def test_a_variant_sees_only_what_was_known(history):
    """The model that is scored in a period is the one that a training at its beginning makes."""
    lake, own = Stores.open().lake, Variant.own("toy")
    folder = Settings.read().home / "experiments" / "other"
    experiment = rolling.planned(lake, [own], own, folder, END, 4)
    scored = rolling.score(experiment, own, 1)
    low, high = experiment.edges[1:3]
    model = own.load()
    before = lake.query(model, "SELECT * FROM rows")
    known = before[before["at"] < low]
    newest = known[known["at"] >= known["at"].max() - pd.Timedelta("21d")]
    estimator = model.estimator().fit(newest[["x", "z"]], newest["y"])
    rows = before[(before["at"] >= low) & (before["at"] < high)]
    expected = performance.realised(model, estimator, rows)
    assert scored.whole.rows == len(rows)
    assert scored.whole.value == pytest.approx(expected.value)


def compared(own, *variants):
    """The result of a small experiment in this process."""
    folder = Settings.read().home / "experiments" / "other"
    return run_experiment(rolling.planned(Stores.open().lake, variants, own, folder, END, 3), here=True)


def test_a_variant_may_use_a_stored_column_that_the_model_file_does_not_name(history):
    """The rows that both are scored on are the model file's, with the column beside them."""
    whole, path = Variant.own("toy"), Settings.read().models / "toy.py"
    text = path.read_text().replace('features={"x": "number", "z": "number"}', 'features={"x": "number"}')
    found = compared(Variant("without z", path, text), whole)
    assert found.variants[0].found == "better"
    assert found.variants[0].periods[0].rows == found.own.periods[0].rows > 0


def test_where_the_model_file_itself_cannot_be_scored_nothing_is_said_of_a_variant(history):
    path = Settings.read().models / "toy.py"
    raising = path.read_text().replace("estimator=LinearRegression", "estimator=lambda: 1 / 0")
    found = compared(Variant("broken", path, raising), Variant.own("toy"))
    assert [result.found for result in found.results] == ["failed", "failed"]
    assert "the estimator raised ZeroDivisionError" in found.sentence
    without_rows = replace(rolling.Scored(None), whole=performance.Realised(0, float("nan"), [], []))
    experiment = rolling.planned(
        Stores.open().lake, [Variant.own("toy")], Variant.own("toy"), Settings.read().home, END, 3
    )
    empty = compare(experiment, [[without_rows] * 3] * 2, [""])
    assert empty.sentence == "No variant could be compared: There are no labelled rows in any of the periods."


def test_labels_that_became_known_after_the_time_that_is_asked_for_do_not_count(history):
    folder, own = Settings.read().home / "experiments" / "other", Variant.own("toy")
    earlier = rolling.planned(Stores.open().lake, [own], own, folder, END - pd.Timedelta(14, "d"), 3)
    later = rolling.planned(Stores.open().lake, [own], own, folder, END + pd.Timedelta(99_999, "d"), 3)
    assert later.known is None
    assert earlier.known == END - pd.Timedelta(14, "d")
    assert earlier.path_of(own, 0) != later.path_of(own, 0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "training.windw=7d"], "There is no setting training.windw"),
        (["--set", "training.window=7d", "--step", "soon"], "--step: a duration such as"),
        (["--set", "training.window=7d", "--step", "40d"], "there are 1 periods of 40d; 3 are needed"),
        (["--file", "nowhere.py"], "nowhere.py cannot be read"),
        (["--set", "features.w=number"], "The table of toy has no column w. Compute it within the estimator"),
        (["--set", "features.side=number"], "Column 'side' is stored as category"),
    ],
)
def test_what_cannot_be_tried_is_told(history, words, message):
    done = called("try", "toy", *words, "--as-of", "2013-03-19")
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_variant_that_raises_is_told_beside_the_others(history):
    words = ["--set", "features.side=category,features.x=none,features.z=none", "--set", "training.window=14d"]
    done = called("try", "toy", *words, "--as-of", "2013-03-19", "--periods", "3", "--json")
    assert done.returncode == 0, done.stderr
    failed, other = json.loads(done.stdout)["variants"]
    assert failed["found"] == "failed"
    assert "the estimator raised" in failed["problems"][0]
    assert other["found"] != "failed"


def test_without_a_variant_the_command_line_is_wrong(history):
    done = called("try", "toy")
    assert done.returncode == 2
    assert "--set training.window=56d" in done.stderr


def test_the_worked_notebook_runs(history):
    """Each cell, in order, with the toy in the place of its model."""
    notebook = json.loads((CHECKOUT / "docs" / "notebooks" / "try_an_estimator.ipynb").read_text())
    names = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            text = "".join(cell["source"]).replace('open_model("airtime")', 'open_model("toy")')
            exec(text.replace("periods=4", 'periods=3, as_of="2013-03-19"'), names)
    tried, rows = names["tried"], names["rows"]
    assert rows["at"].max() <= pd.Timestamp("2013-03-01", tz="UTC")
    assert list(tried.frame.index) == ["model file", "shallow", "deep"]
    assert tried.frame["found"].iloc[0] == ""
    assert tried.plot()._repr_svg_().startswith("<svg")
    assert "shallow" in tried._repr_html_()


@pytest.mark.slow
def test_a_killed_experiment_goes_on_where_it_was(history):
    folder = Settings.read().home / "experiments" / "toy"
    before = set(folder.glob("*.json"))
    words = ["try", "toy", "--set", "training.window=10d,seed=9", "--as-of", "2013-03-19"]
    process = subprocess.Popen([sys.executable, "-m", "cli.main", *words], cwd=CHECKOUT, start_new_session=True)
    while not (done := set(folder.glob("*.json")) - before):
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    times = {path: path.stat().st_mtime_ns for path in done}
    assert called(*words).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in done} == times
