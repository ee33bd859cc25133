"""Monitoring of the time before a model's first observation: a backtest of the model file's own policy, once."""

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pandas as pd
from prefect import get_run_logger

from evergreen import provenance
from evergreen.definition import loader
from evergreen.definition.model import Model
from evergreen.errors import EvergreenError
from evergreen.files import replace as replace_file
from evergreen.lake.lake import Lake, time_range
from evergreen.monitoring import observation
from evergreen.monitoring.observation import BACKTEST, Observation
from evergreen.replay import policies
from evergreen.replay.run import Plan, earliest
from evergreen.settings import Settings
from evergreen.stores import Stores
from flows.runtime.policy_run import PolicyRunner
from flows.runtime.replay_inputs import ReplayInputs, fit
from flows.runtime.terminal import watched

_POINTS = 52  # observations at most
_TRAININGS = 12  # by schedule, at most; alarms can ask for as many again
_LEAST = 3  # steps: fewer are no history


def backfill(stores: Stores, name: str) -> None:
    """Store what a monitor would have observed before a model's first observation, each point by what was known then.

    Done once, after that first observation; run again after an interruption, it goes on. A history that is too short or
    on which no model can be trained is left out, until the model file is changed.
    """
    model = loader.load(name)
    length, left_out = model.monitoring.backfill, _folder(name) / f"left-out-{loader.fingerprint(name)}.txt"
    if length is None or left_out.is_file() or observation.read(stores.lake, model, BACKTEST, most=1):
        return
    plan = _plan(stores.lake, model, length)
    if plan is None:
        replace_file(left_out, f"fewer than {_LEAST} steps lie between a first training and the first observation\n")
        return
    inputs = _inputs(stores.lake, plan)
    try:
        observations = _backtested(inputs)
    except EvergreenError as error:
        get_run_logger().warning("The history of %s is not backtested: %s", name, error)
        return
    if not observations:
        _, _, problem = inputs.fits.of(fit(inputs, 0).key)
        replace_file(left_out, problem)
        return
    observation.store(stores.lake, *observations)
    shutil.rmtree(_folder(name), ignore_errors=True)


def _folder(name: str) -> Path:
    """Beside the replays of a model, which an erasure removes too."""
    return Settings.read().home / "replays" / name / "backfill"


def _plan(lake: Lake, model: Model, length: timedelta) -> Plan | None:
    """The steps, which end with the first observation; None if there are too few."""
    first, _ = time_range(lake, model, model.time)
    until, unit = pd.Timestamp(observation.read(lake, model)[0].until), pd.Timedelta(model.monitoring.unit)
    since = max(earliest(model, first), until - length)
    step = max((until - since) / _POINTS // unit, 1) * unit
    count = (until - since) // step
    return Plan(model.name, until - count * step, until, step) if count >= _LEAST else None


def _inputs(lake: Lake, plan: Plan) -> ReplayInputs:
    file = loader.fingerprint(plan.model)
    key = provenance.fingerprint([file, plan.since, plan.until, plan.step, provenance.lock_hash()])
    folder = _folder(plan.model) / key
    folder.mkdir(parents=True, exist_ok=True)
    return ReplayInputs(plan, folder, file, lake.version(plan.model), lake)


def _backtested(inputs: ReplayInputs) -> list[Observation]:
    """The observations of a run of the model's own policy, which trains by schedule no more than some times.

    There are none if no first model can be trained, which is tried once.
    """
    plan, model = inputs.plan, inputs.model
    versions, _, _ = inputs.fits.of(fit(inputs, 0).key)
    if not versions:
        return []
    span = plan.until - plan.since
    rarely = {
        "every": max(model.policy.every or span / _TRAININGS, span / _TRAININGS),
        "cooldown": max(model.policy.cooldown, span / (2 * _TRAININGS)),
    }
    policy = policies.named("own", model.model_copy(update={"policy": model.policy.model_copy(update=rarely)}))
    runner = PolicyRunner(inputs, policy)
    with watched(plan.step_starts, f"{plan.model}: backtest of its history") as steps:
        for step, at in enumerate(steps):
            runner.take(step, at)
    observations = observation.read(runner.past, model)
    return [replace(observed, version=f"{BACKTEST}{observed.version}") for observed in observations]
