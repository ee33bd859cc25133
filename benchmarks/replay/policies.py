"""Retraining policies on real streams and simulated worlds, by `evergreen replay`, beside what people use instead.

The streams and worlds are those of `benchmarks.replay.histories`; a stream that is not at hand is left out.
Crons train at every step, every second, every fourth and every eighth; the triggers are those of
`benchmarks.replay.baselines`.

    python -m benchmarks.replay.policies [--streams elec2,bike_hourly] [--keep FOLDER]
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from benchmarks.harness.measuring import CONSOLE, Goal, judged
from benchmarks.harness.peers import environment, library
from benchmarks.replay.histories import REAL, WORLDS, History
from evergreen import Model
from evergreen.definition import loader
from evergreen.evaluation import performance
from evergreen.replay import comparison
from evergreen.replay.run import PolicyRun, Step
from evergreen.stores import Stores
from evergreen.training.snapshot import Snapshot

EVERGREEN = [sys.executable, "-m", "cli.main"]
BASELINES = Path(__file__).with_name("baselines.py")
_CRONS = (1, 2, 4, 8)
_WELL = 1.1  # times the oracle's error before a change: good again
DECEMBER = pd.Timestamp("2013-12-01", tz="UTC")


@dataclass(frozen=True)
class Outcome:
    """What the replay of one history came to.

    Attributes
    ----------
    history : History
    answer : dict
        The replay's JSON.
    walks : dict of name to Walk
    model : Model
    """

    history: History
    answer: dict[str, Any]
    walks: dict[str, PolicyRun]
    model: Model

    @property
    def results(self) -> dict[str, dict[str, Any]]:
        """By policy, those that went to the end."""
        return {policy["name"]: policy for policy in self.answer["policies"] if not policy["problem"]}


def main() -> None:
    """Replay everything, and print what each policy came to and which goals are met."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    named = {history.name: history for history in [*REAL, *WORLDS]}
    asked.add_argument("--streams", default=",".join(named), help="names, separated by commas")
    asked.add_argument("--keep", type=Path, help="a folder to work in; what is there already is not replayed again")
    given = asked.parse_args()
    chosen = [named[name] for name in given.streams.split(",")]
    for history in chosen:
        if not history.there:
            CONSOLE.print(f"{history.name} is not at hand: left out")
    work_folder = given.keep and nullcontext(given.keep)
    with work_folder or tempfile.TemporaryDirectory(prefix="evergreen-policies-") as folder:
        outcomes = [replay(history, Path(folder)) for history in chosen if history.there]
        goals(outcomes)


def replay(history: History, folder: Path) -> Outcome:
    """Take a history in and replay it, in processes of their own."""
    home = folder / history.name
    os.environ |= {"EVERGREEN_HOME": str(home), "EVERGREEN_MODELS": str(home / "models")}
    if not home.exists():
        home.mkdir(parents=True)
        history.write(home)
        _run("ingest", history.name, *history.ingest)
    figures = home / "reports" / f"{history.name}.replay.json"
    if not figures.exists():
        crons = [f"every-{times * history.step}d" for times in _CRONS]
        names = [
            "never",
            *crons,
            "drift",
            "performance",
            "estimated",
            "own",
            *baselines(),
            "best-window",
            "each-window",
        ]
        words = ["replay", history.name, "--step", f"{history.step}d", "--policies", ",".join(names)]
        words += ["--changed", history.changed] if history.changed else []
        _run(*words)
    answer = json.loads(figures.read_text())
    walks = [PolicyRun.parse(path.read_text()) for path in (home / "replays").rglob("walk-*.json")]
    for policy in answer["policies"]:
        policy["name"] = _short(policy["name"])
    bounds = pd.Timestamp(answer["since"]), pd.Timestamp(answer["until"])
    model = loader.load(history.name)
    outcome = Outcome(history, answer, {_short(walk.name): walk for walk in walks}, model)
    CONSOLE.print(table(outcome))
    CONSOLE.print(persistence(model, *bounds))
    return outcome


def _run(*words: str) -> None:
    subprocess.run([*EVERGREEN, *words], check=True, stdout=subprocess.DEVNULL)


def _short(name: str) -> str:
    return name.rpartition(":")[2]


def baselines() -> list[str]:
    """The triggers that can be had here; river's and Evidently's from environments of their own."""
    river, evidently = library("river"), environment("evidently")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [river, os.environ.get("PYTHONPATH")]))
    os.environ["EVIDENTLY"] = evidently or ""
    named = ["random", *(["adwin", "ddm"] if river else []), *(["evidently"] if evidently else [])]
    return [f"{BASELINES}:{name}" for name in named]


def persistence(model: Model, since: pd.Timestamp, until: pd.Timestamp) -> str:
    """What repeating the last known label comes to, over the rows that the policies answer.

    Of classes it says how often the last label has been followed by itself so far, one more of each.
    """
    rows = Snapshot.pin(Stores.open().lake, model, pd.Timestamp("2200-01-01", tz="UTC")).labelled(None, until)
    times = rows[model.time].astype("datetime64[us, UTC]")
    known = pd.DataFrame({"at": times + model.label_delay, "last": rows[model.target]}).sort_values("at")
    asked = pd.DataFrame({"at": times, "label": rows[model.target]})
    before = bool(model.label_delay)  # what is known at a row's own time counts, but for its own label
    paired = pd.merge_asof(asked, known, on="at", allow_exact_matches=before).dropna()
    answered = (paired["at"] >= since).to_numpy()
    if model.task == "regression":
        off = (paired["label"] - paired["last"]).abs().to_numpy(dtype=np.float64)
        return f"Repeating the last known label: {off[answered].mean():.4g}"
    same = (paired["label"] == paired["last"]).to_numpy()
    often = (np.cumsum(same) - same + 1) / (np.arange(len(same)) + 2)
    loss = -np.log(np.where(same, often, 1 - often))[answered].mean()
    return f"Repeating the last known label: {loss:.4g} log loss, {same[answered].mean():.1%} right"


def table(outcome: Outcome) -> Table:
    """One history's policies."""
    answer = outcome.answer
    span = f"{answer['since'][:10]} to {answer['until'][:10]}"
    shown = Table(title=f"{outcome.history.name}: {answer['metric']}, {span}; take {answer['recommended']}")
    for column in (
        "policy",
        "metric",
        "share of gain",
        "of best window's",
        "of each window's",
        "regret",
        "worst week",
        "trainings",
        "promoted",
        "wrong",
        "alarms, false",
        "recovery",
    ):
        shown.add_column(column)
    for policy in answer["policies"]:
        regret = policy["regret"]
        shown.add_row(
            policy["name"],
            policy["problem"][:40] or _figure(policy["mean"], ".4g"),
            _figure(policy["gain_share"], ".0%"),
            *(_figure(policy["against"].get(name, {}).get("share"), ".0%") for name in ("best-window", "each-window")),
            "–" if not regret else f"{_figure(regret['value'])} [{_figure(regret['low'])}, {_figure(regret['high'])}]",
            _figure(policy["worst_week_ratio"], ".2f"),
            str(policy["trainings"]),
            str(policy["promotions"] + policy["comebacks"]),
            str(policy["wrong_promotions"]),
            f"{policy['alarms']}, {policy['false_alarms']}",
            _figure(policy["recovery_days"], ".0f"),
        )
    return shown


def _figure(value: float | None, form: str = "+.3g") -> str:
    return "–" if value is None else format(value, form)


def goals(outcomes: list[Outcome]) -> None:
    """The goals, over all histories."""
    real = [outcome for outcome in outcomes if outcome.history.real and "own" in outcome.results]
    if real:
        _over_all(real)
    for outcome in real:
        _beside(outcome)
    for outcome in outcomes:
        if outcome.history.name.startswith("none"):
            result = outcome.results["own"]
            CONSOLE.print(
                f"{outcome.history.name}: own promoted {result['promotions']} of {result['trainings']} trainings, "
                f"{result['wrong_promotions']} wrongly, though nothing changes"
            )
        if outcome.history.name in ("abrupt", "covariate"):
            _recovered(outcome)


def _over_all(real: list[Outcome]) -> None:
    own = [outcome.results["own"] for outcome in real]
    shares = [result["gain_share"] for result in own if result["gain_share"] is not None] or [0.0]
    trained = [outcome.results["own"]["trainings"] / outcome.results["oracle"]["trainings"] for outcome in real]
    moves = sum(result["promotions"] + result["comebacks"] for result in own)
    wrong = sum(result["wrong_promotions"] for result in own)
    judged(
        Goal("share of the oracle's gain, mean over streams where it gains", float(np.mean(shares)), 0.95, True),
        Goal("the same, no stream counted above the oracle", float(np.mean(np.minimum(shares, 1))), 0.95, True),
        Goal("the same of the best window's gain", _of_best_window(own), 0.95, True),
        Goal("share of its trainings", float(np.mean(trained)), 1 / 3),
        Goal("worst week to the oracle's, worst stream", max(map(_worst, own)), 1.25),
        Goal("wrong promotions", wrong / moves if moves else 0.0, 0.025),
        Goal("wrong by more than the gates tolerate", sum(map(_costly, real)) / moves if moves else 0.0, 0.025),
    )


def _of_best_window(own: list[dict[str, Any]]) -> float:
    shares = [result["against"]["best-window"]["share"] for result in own]
    known = [min(share, 1.0) for share in shares if share is not None]
    return float(np.mean(known)) if known else 0.0


def _costly(outcome: Outcome) -> int:
    """Promotions of own that were worse than keeping by more than the margin, beyond chance."""
    tolerated = outcome.model.gates.margin * outcome.results["own"]["mean"]
    return sum(training.moved and training.gain.high < -tolerated for training in outcome.walks["own"].trainings)


def _worst(result: dict[str, Any]) -> float:
    return float(result["worst_week_ratio"] or 0.0)


def _beside(outcome: Outcome) -> None:
    """Own beside never retraining, and beside the best cron line with as many trainings or fewer."""
    results, name = outcome.results, outcome.history.name
    crons = [policy for policy in results if policy.startswith("every-")]
    as_many = [cron for cron in crons if results[cron]["trainings"] <= results["own"]["trainings"]]
    best = min(as_many or crons, key=lambda cron: results[cron]["mean"])  # all metrics here are errors
    _held_against(outcome, best)
    if name == "beijing_pm25":
        _held_against(outcome, "never")
    if name == "airtime":
        _held_against(outcome, "never", since=DECEMBER)


def _held_against(outcome: Outcome, other: str, since: pd.Timestamp | None = None) -> None:
    """Say whether own is worse than another beyond chance, on the blocks that both answered."""
    ours, theirs = (_later(outcome.walks[name], since) for name in ("own", other))
    gain = comparison.gain(outcome.model, ours, theirs)
    when = f" from {since:%Y-%m-%d} on" if since is not None else ""
    reach = f"{_figure(gain.value)} [{_figure(gain.low)}, {_figure(gain.high)}]"
    CONSOLE.print(f"{'MISSED' if gain.high < 0 else 'met   '}  {outcome.history.name}: own over {other}{when}: {reach}")


def _later(walk: PolicyRun, since: pd.Timestamp | None) -> PolicyRun:
    return walk if since is None else replace(walk, steps=[step for step in walk.steps if _at(step) >= since])


def _at(step: Step) -> pd.Timestamp:
    return pd.Timestamp(step.since)


def _recovered(outcome: Outcome) -> None:
    """How long after a change it took to be good again, beside the oracle, which waits for nothing but rows."""
    days = {name: _good_again(outcome, outcome.walks[name]) for name in ("oracle", "own")}
    met = math.isfinite(days["own"]) and days["own"] <= 1.5 * days["oracle"]
    CONSOLE.print(
        f"{outcome.history.name}: as good as the oracle was before the change after {days['oracle']:.0f} days, "
        f"own after {days['own']:.0f} (at most 1.5 times: {'met' if met else 'MISSED'})"
    )


def _good_again(outcome: Outcome, walk: PolicyRun) -> float:
    """Days until the first of two steps in a row whose error is that of the oracle before the change, to a tenth."""
    changed = pd.Timestamp(outcome.history.changed, tz="UTC")
    before = [step.scored for step in outcome.walks["oracle"].steps if step.scored and _at(step) < changed]
    level = _WELL * performance.total(outcome.model, before)
    later = [step for step in walk.steps if _at(step) >= changed]
    good = [(_at(step), step.scored is not None and step.scored.value <= level) for step in later]
    recovered = next((at for (at, now), (_, then) in pairwise(good) if now and then), None)
    return math.inf if recovered is None else (recovered - changed) / pd.Timedelta(days=1)


if __name__ == "__main__":
    main()
