"""Replay: run several retraining policies on a model's own history, and recommend one."""

import math
from collections.abc import Sequence
from concurrent.futures import Executor, Future, as_completed
from datetime import datetime, timedelta
from typing import TypeVar

import pandas as pd
from prefect import get_run_logger
from prefect.artifacts import create_table_artifact

from evergreen import provenance
from evergreen.definition import loader
from evergreen.definition.model import Model
from evergreen.definition.options import AUTO
from evergreen.errors import ChangedError, ReplayError
from evergreen.lake.lake import Lake, time_range
from evergreen.locks import model_lock
from evergreen.process_pool import process_pool, without_ctrl_c
from evergreen.replay import comparison, hindsight, recording
from evergreen.replay import policies as replay_policies
from evergreen.replay.hindsight import WindowScores
from evergreen.replay.policies import ORACLE, ReplayedPolicy
from evergreen.replay.run import Plan, PolicyRun, earliest
from evergreen.reports import replay_page
from evergreen.reports.replay_page import ReplayPage
from evergreen.settings import Settings
from evergreen.stores import Stores
from flows.runtime import policy_run, replay_inputs
from flows.runtime.parameters import ModelName, run_name, timestamp_of
from flows.runtime.replay_inputs import ReplayInputs, TrainingAt
from flows.runtime.run_states import end_with_replay, loop_flow
from flows.runtime.terminal import from_shell, watched
from flows.runtime.window_scores import score_windows

T = TypeVar("T")
_LEAST = 3  # steps: fewer are no history
_ANEW = 3


@loop_flow("replay", run_name)
def replay(
    model: ModelName,
    policies: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    step: str = "",
    price: float | None = None,
    changed: datetime | None = None,
) -> ReplayPage:
    """Compare retraining policies on a model's own history, with the stages of production.

    Args:
        model: A file in models/, by its name.
        policies: Names, separated by commas, such as never,every-7d,performance,own; a choice of them by default.
        since: The first decision; by default the first day with a whole training window behind it.
        until: The end of the last step; by default the newest row.
        step: The time between decisions, such as 7d; by default that of the model's schedule or window.
        price: Of an hour of CPU, for an estimate of the cost.
        changed: The time of a known change of the data, to measure how fast each policy recovers.
    """
    if price is not None and not 0 <= price < math.inf:
        raise ReplayError(f"The price of an hour of CPU is {price}; it should be 0 or more.")
    stores = Stores.open()
    with model_lock(model, "replay"):
        for _ in range(_ANEW):
            try:
                ground, compared_policies = prepare(stores.lake, loader.load(model), policies, since, until, step)
                runs, windows = run_policies(ground, compared_policies)
                break
            except ChangedError as error:
                get_run_logger().warning("%s", error)
        else:
            raise ReplayError(
                f"The model file of {model} was changed {_ANEW} times during the replay. Try again later."
            )
        lines = {policy.name: policy.lines for policy in compared_policies}
        at = None if changed is None else timestamp_of(changed)
        replayed = comparison.compare(ground.model, ground.plan, runs, lines, price, at, windows)
        written = replay_page.write(replayed)
        recording.record(stores.registry, ground.model, replayed, ground.folder.name)
    create_table_artifact(written.table(), key=f"replay-{model.replace('_', '-')}", description=replayed.reason)
    return end_with_replay(written)


def prepare(
    lake: Lake, model: Model, policies: str, since: datetime | None, until: datetime | None, step: str
) -> tuple[ReplayInputs, list[ReplayedPolicy]]:
    """The inputs that all policy runs share, and the policies."""
    first, last = time_range(lake, model, model.time)
    length = pd.Timedelta(replay_policies.step_length(step) if step else model.policy.every or model.monitoring.window)
    start = earliest(model, first) if since is None else timestamp_of(since)
    end = (last + pd.Timedelta(1, "us")).ceil("D") if until is None else timestamp_of(until)
    plan = Plan(model.name, start, end, length)
    if len(plan.step_starts) < _LEAST:
        soonest = earliest(model, first)
        raise ReplayError(
            f"{model.name}: from {start:%Y-%m-%d} to {end:%Y-%m-%d} there are {len(plan.step_starts)} "
            f"steps of {_in_short(length)}, and {_LEAST} are needed. "
            f"Its rows reach from {first:%Y-%m-%d} to {last:%Y-%m-%d}; "
            f"a training has its window and holdout behind it from {soonest:%Y-%m-%d} on. "
            "Shorten step or window, or ingest more."
        )
    names = replay_policies.listed(policies) or default_policies(model, length)
    compared_policies = [replay_policies.named(name, model) for name in dict.fromkeys([*names, ORACLE])]
    version = lake.version(model.name)
    file, code = loader.fingerprint(model.name), provenance.commit(loader.path_of(model.name))
    key = provenance.fingerprint([file, version, start, end, length, provenance.lock_hash(), code])
    folder = Settings.read().home / "replays" / model.name / key
    return ReplayInputs(plan, folder, file, version, lake), compared_policies


def default_policies(model: Model, step: pd.Timedelta) -> list[str]:
    """The policies that are compared by default."""
    return ["never", f"every-{_in_short(step)}", f"every-{_in_short(4 * step)}", "performance", "own"]


def _in_short(length: timedelta) -> str:
    """A duration in the form of a model file: in its largest whole unit, at least a minute."""
    minutes = max(round(length / timedelta(minutes=1)), 1)
    size, unit = next((size, unit) for size, unit in ((1440, "d"), (60, "h"), (1, "min")) if minutes % size == 0)
    return f"{minutes // size}{unit}"


def run_policies(
    ground: ReplayInputs, compared_policies: Sequence[ReplayedPolicy]
) -> tuple[list[PolicyRun], dict[str, PolicyRun]]:
    """Fit what all policies share, then run each policy, in parallel processes.

    Returns
    -------
    runs : list of PolicyRun
    windows : dict of name to PolicyRun
        The run of every training window, if a policy knows the future.
    """
    ground.folder.mkdir(parents=True, exist_ok=True)
    with process_pool("the replay", ReplayError) as pool:
        # A window that is chosen by the record of a policy can only be known when the policy runs.
        alike = 1 if loader.load(ground.plan.model).training.window == AUTO else len(ground.plan.step_starts)
        with without_ctrl_c():  # the processes start with the first tasks
            fits = [pool.submit(replay_inputs.fit, ground, step) for step in range(alike)]
        _require_first_champion(ground, fits[0].result())
        _wait_for(fits, f"{ground.plan.model}: trainings")
        walked = [policy for policy in compared_policies if not policy.run_of]
        longest_first = sorted(walked, key=lambda policy: not policy.watches)
        with without_ctrl_c():
            walks = {policy.name: pool.submit(policy_run.run_policy, ground, policy.name) for policy in longest_first}
        _wait_for(list(walks.values()), f"{ground.plan.model}: policies")
        runs = {name: future.result() for name, future in walks.items()}
        knowing = {policy.name: policy.run_of for policy in compared_policies if policy.run_of}
        scores = _window_scores(ground, pool) if knowing else []
    runs |= {name: run_of(ground.model, ground.plan, scores) for name, run_of in knowing.items()}
    return [runs[policy.name] for policy in compared_policies], hindsight.by_window(ground.model, ground.plan, scores)


def _window_scores(ground: ReplayInputs, pool: Executor) -> list[WindowScores]:
    """All training windows at all steps, which the policies that know the future share."""
    with without_ctrl_c():
        parts = [pool.submit(score_windows, ground, step) for step in range(len(ground.plan.step_starts))]
    _wait_for(parts, f"{ground.plan.model}: training windows")
    return [part.result() for part in parts]


def _require_first_champion(ground: ReplayInputs, trained: TrainingAt) -> None:
    """Make sure that there is a first champion."""
    versions, _, problem = ground.fits.of(trained.key)
    if not versions:
        soonest = earliest(ground.model, time_range(ground.lake, ground.model, ground.model.time)[0])
        raise ReplayError(
            f"No model can be trained at {ground.plan.since:%Y-%m-%d}: {problem} A training has its window and its "
            f"holdout behind it from {soonest:%Y-%m-%d} on."
        )


def _wait_for(parts: list["Future[T]"], what: str) -> None:
    with watched(parts, what) as shown:
        for _, future in zip(shown, as_completed(parts), strict=True):
            future.result()


if __name__ == "__main__":
    from_shell(replay)
