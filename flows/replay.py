"""Replay: take a model's own history through several policies, and say which one to choose."""

import math
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from datetime import datetime, timedelta
from os import cpu_count
from typing import TypeVar

import pandas as pd
from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact

from evergreen import contender, lineage, replay_page, replayed
from evergreen import model as models
from evergreen.contender import ORACLE
from evergreen.duration import parse
from evergreen.errors import ChangedError, PolicyError, ReplayError
from evergreen.lake import Lake
from evergreen.lock import alone
from evergreen.model import Model
from evergreen.past import Past
from evergreen.registry import Registry
from evergreen.replay_page import Written
from evergreen.settings import Settings
from evergreen.walk import Plan, Walk, earliest
from flows import walking
from flows.ending import compared, unless_busy
from flows.parameters import ModelName, moment, run_name
from flows.shell import from_shell
from flows.walking import Ground
from flows.watching import watched

T = TypeVar("T")
_LEAST = 3  # steps: fewer are no history
_ANEW = 3


@flow(name="replay", flow_run_name=run_name)
@unless_busy
def replay(
    model: ModelName,
    policies: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    step: str = "",
    price: float | None = None,
    changed: datetime | None = None,
) -> Written:
    """Compare retraining policies on a model's own history, with the stages of production.

    Args:
        model: A file in models/, by its name.
        policies: Names, separated by commas, such as never,every-7d,performance,own; a choice of them by default.
        since: The first decision; by default the first day with a whole training window behind it.
        until: The end of what is answered; by default the newest row.
        step: The time between decisions, such as 7d; by default that of the model's schedule or window.
        price: Of an hour of CPU, for an estimate of the cost.
        changed: When the world is known to have changed, to tell how fast each policy was good again.
    """
    if price is not None and not 0 <= price < math.inf:
        raise ReplayError(f"The price of an hour of CPU is {price}; it should be 0 or more.")
    with alone(model, "replay"):
        for _ in range(_ANEW):
            try:
                ground, names = begun(models.load(model), policies, since, until, step)
                walks = walked(ground, names)
                break
            except ChangedError as error:
                get_run_logger().warning("%s", error)
        else:
            raise ReplayError(
                f"The model file of {model} was changed {_ANEW} times during the replay. Try again later."
            )
        lines = {name: contender.named(name, ground.model).lines for name in names}
        at = None if changed is None else moment(changed)
        found = replayed.answer(ground.model, ground.plan, walks, lines, price, at)
        written = replay_page.write(found)
        Registry.open().record_replay(ground.model, found, ground.folder.name)
    create_table_artifact(written.table(), key=f"replay-{model.replace('_', '-')}", description=found.reason)
    return compared(written)


def begun(
    model: Model, policies: str, since: datetime | None, until: datetime | None, step: str
) -> tuple[Ground, list[str]]:
    """What the walks have in common, and the names of the policies."""
    past = Past.of(Lake.open(), model)
    first, last = past.reach()
    length = pd.Timedelta(_length(step) if step else model.policy.every or model.monitoring.window)
    start = earliest(model, first) if since is None else moment(since)
    end = (last + pd.Timedelta(1, "us")).ceil("D") if until is None else moment(until)
    plan = Plan(model.name, start, end, length)
    if len(plan.moments) < _LEAST:
        soonest = earliest(model, first)
        raise ReplayError(
            f"{model.name}: from {start:%Y-%m-%d} to {end:%Y-%m-%d} there are {len(plan.moments)} steps of {length}, "
            f"and {_LEAST} are needed. Its rows reach from {first:%Y-%m-%d} to {last:%Y-%m-%d}; a training has its "
            f"window and holdout behind it from {soonest:%Y-%m-%d} on. Shorten step or window, or ingest more."
        )
    names = [one.strip() for one in policies.split(",") if one.strip()] or usual(model, length)
    for name in names:
        contender.named(name, model)  # a name that is not known is told before an hour's work
    file, code = models.fingerprint(model.name), lineage.commit(models.path_of(model.name))
    key = lineage.fingerprint([file, past.version(model.name), start, end, length, lineage.lock_hash(), code])
    folder = Settings.read().home / "replays" / model.name / key
    return Ground(plan, folder, file), list(dict.fromkeys([*names, ORACLE]))


def usual(model: Model, step: pd.Timedelta) -> list[str]:
    """The policies that are compared unless others are named."""
    hours = int(step / pd.Timedelta(hours=1))
    often, seldom = (f"every-{one // 24}d" if one % 24 == 0 else f"every-{one}h" for one in (hours, 4 * hours))
    return ["never", often, seldom, "performance", "own"]


def _length(step: str) -> timedelta:
    try:
        length: timedelta = parse(step)
    except ValueError as error:
        raise PolicyError(f"step: {error}.") from error
    if not length:
        raise PolicyError(f"step: {step!r} should be longer than nothing.")
    return length


def walked(ground: Ground, names: Sequence[str]) -> list[Walk]:
    """Fit what all policies share, then take each through history, in processes side by side."""
    ground.folder.mkdir(parents=True, exist_ok=True)
    with _pool(ground) as pool:
        fits = [pool.submit(walking.fit, step) for step in range(len(ground.plan.moments))]
        fits[0].result()
        _begins(ground)
        _finished(fits, f"{ground.plan.model}: trainings")
        longest = sorted(names, key=lambda name: not contender.named(name, ground.model).watches)
        walks = {name: pool.submit(walking.walk, name) for name in longest}
        _finished(list(walks.values()), f"{ground.plan.model}: policies")
        return [walks[name].result() for name in names]


def _begins(ground: Ground) -> None:
    """Make sure that there is a first champion."""
    versions, _, problem = ground.fits.of(0)
    if not versions:
        raise ReplayError(
            f"No model can be trained at {ground.plan.since:%Y-%m-%d}: {problem} A training has its window and its "
            f"holdout behind it from {earliest(ground.model, ground.past.reach()[0]):%Y-%m-%d} on."
        )


def _finished(parts: list["Future[T]"], what: str) -> None:
    with watched(parts, what) as shown:
        for _, one in zip(shown, as_completed(parts), strict=True):
            one.result()


@contextmanager
def _pool(ground: Ground) -> Iterator[ProcessPoolExecutor]:
    """Processes, one a core, that end with this one."""
    count = min(cpu_count() or 1, 8)
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=walking.begin, initargs=(ground,))
    try:
        yield pool
    except BaseException as error:
        for process in multiprocessing.active_children():
            process.kill()
        pool.shutdown(cancel_futures=True)
        if isinstance(error, BrokenProcessPool):
            raise ReplayError(
                "A process of the replay was killed, perhaps for want of memory. Run it again: it goes on where it was."
            ) from error
        raise
    pool.shutdown()


if __name__ == "__main__":
    from_shell(replay)
