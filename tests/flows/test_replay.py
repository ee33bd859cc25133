"""Replay: the stages of production through a model's own history, and nothing that was not known then."""

import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from evergreen.definition import loader
from evergreen.errors import BusyError, ChangedError, PolicyError, ReplayError
from evergreen.lake import audit_log
from evergreen.locks import model_lock
from evergreen.replay import policies as replay_policies
from evergreen.replay.fit_cache import FitCache
from evergreen.replay.policies import ORACLE
from evergreen.replay.run import PolicyRun, PolicyTraining
from evergreen.settings import Settings
from evergreen.stores import Stores
from evergreen.training.window import WindowRecord
from flows import replay as flow
from flows.ingest import ingest
from flows.refresh import refresh
from flows.replay import replay
from tests.conftest import CHECKOUT

TURN = datetime(2013, 2, 1, tzinfo=UTC)
END = datetime(2013, 3, 19, tzinfo=UTC)
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def history(worlds, server):
    """Eleven weeks of the toy, taken in at once; its slope turns after a month."""
    with worlds("toy") as write:
        write()
        ingest("toy", as_of=END)
        yield write


@pytest.fixture(scope="module")
def found(history):
    """One replay of several policies, and where its figures lie."""
    mine = Settings.read().home / "mine.py"
    mine.write_text(
        "from evergreen.lifecycle.decision import Decision\n"
        "def thrice(state):\n"
        "    if state.as_of.month == 3:\n"
        "        raise ValueError('March')\n"
        "    return Decision('nothing', 'mine')\n"
    )
    written = replay("toy", f"never,every-7d,every-7d-ungated,performance,own,{mine}:thrice", changed=TURN, price=1.0)
    return json.loads(Path(written.figures).read_text()), written, f"{mine}:thrice"


def test_what_each_policy_came_to(found):
    answer, written, mine = found
    policies = {policy["name"]: policy for policy in answer["policies"]}
    assert list(policies) == ["never", "every-7d", "every-7d-ungated", "performance", "own", mine, ORACLE]
    for policy in policies.values():
        assert {"name", "metric", "mean", "worst_week", "trainings", "promotions", "cpu_seconds"} <= set(policy)
    never, own, oracle = policies["never"], policies["own"], policies[ORACLE]
    assert never["mean"] > 2 * oracle["mean"]  # the slope turned, and it never learnt
    assert (never["trainings"], never["promotions"]) == (0, 0)
    weekly = policies["every-7d"]
    assert weekly["trainings"] == 6  # at each step after the first
    assert weekly["promotions"] + weekly["rejections"] + weekly["undecided"] + weekly["comebacks"] == 6
    assert bool(weekly["kept_out_by"]) == (weekly["promotions"] < 6)
    assert (oracle["promotions"], oracle["kept_out_by"]) == (6, {})
    assert own["mean"] < never["mean"]
    assert own["recovery_days"] is not None
    assert own["over_never"]["low"] > 0
    assert policies["performance"]["alarms"] >= 1
    assert policies["every-7d-ungated"]["mean"] == pytest.approx(oracle["mean"])
    assert own["money"] == pytest.approx(own["cpu_seconds"] / 3600)
    assert written.replayed.recommended in ("every-7d", "performance", "own")
    assert policies[written.replayed.recommended]["lines"]


def test_a_policy_that_raises_ends_its_own_walk_only(found):
    answer, _, mine = found
    broken = next(policy for policy in answer["policies"] if policy["name"] == mine)
    assert "raised ValueError at 2013-03" in broken["problem"]
    assert broken["mean"] is None


def test_the_page_stands_alone(found):
    page = Path(found[1].page).read_text()
    assert re.findall(r"""(?:src|href)=["']https?:|url\(http|@import""", page) == []
    assert page.count("<svg") == 2
    assert found[1].replayed.recommended in page


def test_training_windows_are_compared_in_hindsight_with_the_same_steps(found):
    written = replay("toy", "never,own,best-window,each-window", changed=TURN)
    answer = json.loads(Path(written.figures).read_text())
    figures = {policy["name"]: policy for policy in answer["policies"]}
    windows = {window["name"]: window["mean"] for window in answer["windows"]}
    assert list(windows) == ["all", "56d", "28d", "21d"]  # the toy's own among them
    assert figures["best-window"]["mean"] == pytest.approx(min(windows.values()))
    assert figures["each-window"]["mean"] <= figures["best-window"]["mean"]
    assert windows["21d"] == pytest.approx(figures[ORACLE]["mean"])  # the oracle's window, refitted as it is
    assert figures["own"]["against"]["best-window"]["share"] is not None
    assert "was best" in answer["window_advice"]
    assert figures["never"]["mean"] == pytest.approx(_policy(found[0], "never")["mean"])
    assert "Training windows" in Path(written.page).read_text()


def test_every_policy_is_a_run_in_mlflow(found):
    client, answer = Stores.open().registry.client, found[0]
    experiment = client.get_experiment_by_name("toy").experiment_id
    runs = client.search_runs([experiment], "tags.`evergreen.run` = 'replay'")
    assert {run.data.params["policy"] for run in runs} >= {
        policy["name"] for policy in answer["policies"] if not policy["problem"]
    }
    own = next(run for run in runs if run.data.params["policy"] == "own")
    series = client.get_metric_history(own.info.run_id, "mean_absolute_error")
    assert [point.value for point in series] == [value for _, value in _policy(answer, "own")["series"]]


def _policy(told, name):
    return next(policy for policy in told["policies"] if policy["name"] == name)


def test_nothing_of_it_moves_an_alias_or_reaches_the_lake(found):
    assert Stores.open().registry.versions("toy") == []
    tables = {path.name for path in (Settings.read().home / "lake" / "toy").iterdir()}
    assert tables == {"rows", "audit", "quarantine"}  # where an ingest notes which columns it told of
    assert {line.act for line in audit_log.read(Stores.open().lake, "toy")} == {"ingest"}


def test_the_same_again_trains_nothing_and_says_the_same(found):
    (folder,) = {path.parent for path in (Settings.read().home / "replays" / "toy").glob("*/walk-*.json")}
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    again = replay("toy", f"never,every-7d,every-7d-ungated,performance,own,{found[2]}", changed=TURN, price=1.0)
    assert {name: (folder / name).stat().st_mtime_ns for name in before} == before
    assert json.loads(Path(again.figures).read_text()) == found[0]


AUTO = "\nmodel = model.model_copy(update={'training': Training(window='auto', holdout='2d', min_rows=50)})\n"
AUTO += "model = model.model_copy(update={'gates': Gates(min_blocks=2, resamples=200)})\n"


def test_a_window_that_the_record_chooses_is_chosen_by_the_record_of_each_policy(worlds, server):
    with worlds("toy") as write:
        write(AUTO)
        ingest("toy", as_of=END)
        written = replay("toy", "every-7d,every-14d", since=datetime(2013, 2, 12, tzinfo=UTC))
        (folder,) = (Settings.read().home / "replays" / "toy").iterdir()
        recorded = [json.loads(path.read_text()) for path in sorted(folder.glob("compared-*.json"))]
        again = replay("toy", "every-7d,every-14d", since=datetime(2013, 2, 12, tzinfo=UTC))
    comparisons = [WindowRecord.parse(text).comparisons for text, _ in recorded]
    assert sum(len(made) > 1 for made in comparisons) == 1  # before the first training, which all policies share
    assert {pair.other for made in comparisons for pair in made} > {"8d", "16d"}
    assert all(seconds > 0 for _, seconds in recorded)
    figures = [{policy.name: policy.mean for policy in page.replayed.policies} for page in (written, again)]
    assert figures[0] == figures[1]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"policies": "never,sometimes"}, PolicyError, "no policy 'sometimes'"),
        ({"step": "a week"}, PolicyError, "step: a duration such as"),
        ({"step": "0d"}, PolicyError, "step: .*longer than 0"),
        ({"step": "60d"}, ReplayError, "3 are needed. Its rows reach from 2013-01-01"),
        ({"since": datetime(2014, 1, 1)}, ReplayError, "3 are needed"),
        ({"since": datetime(2013, 1, 5)}, ReplayError, "No model can be trained at 2013-01-05.*from 2013-01-29 on"),
        ({"price": -1.0}, ReplayError, "price"),
    ],
)
def test_what_cannot_be_replayed_is_told(history, given, error, message):
    with pytest.raises(error, match=message):
        replay("toy", **given)


@pytest.mark.parametrize(
    ("step", "names"),
    [("7d", ("every-7d", "every-28d")), ("36h", ("every-36h", "every-6d")), ("30min", ("every-30min", "every-2h"))],
)
def test_the_usual_policies_are_named_by_the_step(history, step, names):
    policies = flow.default_policies(loader.load("toy"), pd.Timedelta(step))
    assert policies == ["never", *names, "performance", "own"]
    for name in policies:
        assert replay_policies.named(name, loader.load("toy")).name == name


class Answering:
    """An estimator that always answers the same."""

    def __init__(self, value):
        self.value = value

    def predict(self, rows):
        if self.value is None:
            raise ValueError("no answer")
        return [self.value] * len(rows)


@pytest.mark.parametrize(
    ("ours", "theirs", "low", "high"),
    [
        (10.0, 99.0, 80, 99),
        (99.0, 10.0, -99, -80),
        (None, 99.0, -math.inf, -math.inf),
        (math.nan, 99.0, -math.inf, -math.inf),
        (99.0, None, math.inf, math.inf),
        (None, math.nan, math.nan, math.nan),
    ],
)
def test_what_does_not_answer_is_worse_than_anything_that_does(history, ours, theirs, low, high):
    ground, _ = flow.prepare(Stores.open().lake, loader.load("toy"), "never", None, None, "")
    shelf = SimpleNamespace(version=lambda _, number: number, load={"1": Answering(ours), "2": Answering(theirs)}.get)
    gain = ground.gain(shelf, "1", "2", 0)
    assert (low <= gain.low and gain.high <= high) or (math.isnan(low) and math.isnan(gain.high))
    training = PolicyTraining(0, "schedule", "2", "1", "promote", moved=True, gain=gain)
    assert training.wrong == (gain.high < 0) == (high < 0)


def test_one_replay_of_a_model_at_a_time(history):
    with model_lock("toy", "replay"), pytest.raises(BusyError, match="already runs replay for this model"):
        replay("toy")


@pytest.mark.slow
def test_a_model_file_that_changes_meanwhile_starts_the_replay_anew(history, monkeypatch):
    usual, fingerprints = flow.run_policies, []

    def changed(ground, contenders):
        fingerprints.append(ground.file)
        if len(fingerprints) == 1:
            history("# another word\n")
        return usual(ground, contenders)

    monkeypatch.setattr(flow, "run_policies", changed)
    try:
        assert replay("toy", "never").replayed.recommended == "never"
    finally:
        history()
    assert len(fingerprints) == 2
    assert fingerprints[0] != fingerprints[1]
    ground, _ = flow.prepare(Stores.open().lake, loader.load("toy"), "never", None, None, "")
    with pytest.raises(ChangedError, match="was changed during the replay"):
        replace(ground, file="another").unchanged()


@pytest.mark.slow
def test_a_killed_replay_goes_on_where_it_was(history):
    words = ["replay", "toy", "--policies", "never,every-14d", "--from", "2013-02-05"]
    replays = Settings.read().home / "replays" / "toy"
    before = set(replays.glob("*/step-*.json"))
    process = subprocess.Popen([sys.executable, "-m", "cli.main", *words], cwd=CHECKOUT, start_new_session=True)
    while not (new_steps := set(replays.glob("*/step-*.json")) - before):
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    times = {path: path.stat().st_mtime_ns for path in new_steps}
    written = replay("toy", "never,every-14d", since=datetime(2013, 2, 5, tzinfo=UTC))
    assert written.replayed.recommended
    assert {path: path.stat().st_mtime_ns for path in times} == times


# Asks for proof, so that not every decision is the same.
CAUTIOUS = "\nmodel = model.model_copy(update={'gates': Gates(resamples=200, undecided='champion')})\n"


@pytest.fixture(scope="module")
def lived(worlds, server):
    """A model that really lived through seven weeks: each refresh took in what was new."""
    moments = pd.date_range("2013-01-30", "2013-03-13", freq="7D", tz="UTC")
    with worlds("twin") as write:
        write(CAUTIOUS)
        yield moments, [refresh("twin", as_of=at.to_pydatetime()) for at in moments]


def test_a_replay_decides_as_production_did(lived):
    moments, outcomes = lived
    end = moments[-1] + pd.Timedelta(days=7)
    replay("twin", "every-7d", since=moments[0].to_pydatetime(), until=end.to_pydatetime(), step="7d")
    folder = next((Settings.read().home / "replays" / "twin").iterdir())
    walked = PolicyRun.parse((folder / f"walk-{replay_policies.fingerprint('every-7d')}.json").read_text())
    versions = [version for version in Stores.open().registry.versions("twin")[::-1] if not version.refit_of]
    trained = [FitCache(folder).of(step)[0][0] for step in range(len(moments))]
    assert [training.data_hash for training in trained] == [version.data_hash for version in versions]
    assert [training.holdout_until for training in trained] == [version.holdout_until for version in versions]
    assert [training.decision for training in walked.trainings] == [outcome.decision for outcome in outcomes[1:]]
    assert len({training.decision for training in walked.trainings}) > 1
    assert [training.moved for training in walked.trainings] == [outcome.moved for outcome in outcomes[1:]]
