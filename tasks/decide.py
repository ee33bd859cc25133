"""Decide what to do with a model, from its state and the monitor's observation, and log the decision."""

from dataclasses import replace
from typing import Any

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from evergreen import locks
from evergreen.definition import loader
from evergreen.lake.lake import Bare
from evergreen.lifecycle import decision, decision_log
from evergreen.lifecycle import state as states
from evergreen.lifecycle.decision import Decision, State
from evergreen.stores import Stores
from tasks.support.events import log_action
from tasks.support.retries import DELAYS, is_unavailable


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=is_unavailable)
def decide(
    stores: Stores, name: str, wish: str, as_of: pd.Timestamp, seen: dict[str, Any] | None = None, by: str = ""
) -> Decision:
    """Decide on a trigger or a monitor's observation; the decision to do nothing is logged too.

    The audit log names the person who requested it, if one did.
    """
    definition = loader.load(name)
    running = locks.is_locked(name, "train")
    state = replace(states.state(stores, definition, wish, as_of), running=running, **(seen or {}))
    return _logged(stores, name, state, decision.decide(state, definition.policy), by)


@task(cache_policy=NO_CACHE)
def log_failed_monitor(stores: Stores, name: str, as_of: pd.Timestamp, problem: str) -> Decision:
    """Log that a monitor run failed, as an alert until one succeeds; beside what it had decided before it failed."""
    decided = decision_log.find(stores.lake, Bare(name), decision_log.key_of(as_of, ""))
    state = State(decision_log.after(as_of) if decided else as_of, wish="", last_trained=None, new_rows=0)
    return _logged(stores, name, state, Decision("alert", f"{decision.MONITOR_FAILED}: {problem}"))


def _logged(stores: Stores, name: str, state: State, decided: Decision, by: str = "") -> Decision:
    """Log a decision; it is news if nobody was notified of the same before."""
    notified = [
        earlier.reason
        for earlier in decision_log.already_notified(stores.lake, Bare(name), state)
        if earlier.action == decided.action
    ]
    decided = replace(decided, news=decision.news(decided, notified))
    if decided.action != "nothing" and (decided.news or decided.action != "alert"):
        detail = {"reason": decided.reason, "moment": state.as_of.isoformat()}
        log_action(stores, "decision", name, decided.action, state.as_of, by, wish=state.wish or "monitor", **detail)
    decision_log.record(stores.lake, name, state, decided)
    return decided


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=is_unavailable)
def log_rollback(stores: Stores, name: str, reason: str, as_of: pd.Timestamp) -> None:
    """Log a rollback that a person decided on, with the state at that time."""
    state = states.state(stores, loader.load(name), f"demand: {reason}", as_of)
    decision_log.record(stores.lake, name, state, Decision("roll back", reason))
