"""Monitor: predict new rows, measure drift, data quality and performance, decide, and notify."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pandas as pd
from prefect.artifacts import create_table_artifact

from evergreen import ctrl_c
from evergreen.definition import loader
from evergreen.drift.columns import Drift
from evergreen.errors import BusyError, EvergreenError
from evergreen.gates import judgement
from evergreen.lifecycle import decision_log
from evergreen.lifecycle.champion_moves import settle
from evergreen.lifecycle.decision import Decision, degradation
from evergreen.lifecycle.rollback import destination
from evergreen.locks import model_lock
from evergreen.monitoring.observation import Observation
from evergreen.registry.version import Version
from evergreen.stores import Stores
from flows.judge import judge
from flows.runtime.backfill import backfill
from flows.runtime.parameters import AsOf, ModelName, run_name, timestamp_of
from flows.runtime.run_states import end_with_decision, loop_flow
from flows.runtime.terminal import from_shell
from tasks.approve import remind
from tasks.build_reference import build_reference
from tasks.compact import compact
from tasks.decide import decide, log_failed_monitor
from tasks.observe import observe
from tasks.predict import predict
from tasks.report import report
from tasks.rollback import rollback
from tasks.support.events import called_by_flow, emit
from tasks.support.notifications import alert


@loop_flow("monitor", run_name)
def monitor(model: ModelName, as_of: AsOf = None, by: str = "") -> Decision:
    """Monitor the champion of a model, and trigger a training if drift or performance requires one.

    Args:
        model: A file in models/, by its name.
        as_of: Use only data known at this time; None for now.
        by: Who requested it, for the record; empty if the system did.
    """
    at, stores = timestamp_of(as_of), Stores.open()
    with model_lock(model, "monitor"), failure_logged(stores, model, at):
        remind(stores, model, at)
        champion = finish_rollback(stores, model, at)
        if champion is None:
            return end_with_decision(decide(stores, model, "", at, by=by))
        build_reference(stores, champion)
        predict(stores, model, at)
        observation = observe(stores, champion, at)
        decision = decide(stores, model, "", at, observation.monitored, by)
        announce(stores, observation, decision, at)
        if decision.action == "roll back":
            roll_back_champion(stores, champion, decision.reason, at)
        if not (decision.train and called_by_flow()):  # such a caller trains first, and then calls it
            report_and_maintain(stores, model, at)
        return end_with_decision(decision)


@contextmanager
def failure_logged(stores: Stores, model: str, at: pd.Timestamp) -> Iterator[None]:
    """Log a failure of the body as an alert, which status, report and doctor show until a run succeeds."""
    try:
        yield
    except BusyError:
        raise
    except Exception as error:
        ctrl_c.raise_again(error)  # which is no failure
        problem = " ".join(str(error).split()) if isinstance(error, EvergreenError) else type(error).__name__
        with suppress(Exception):  # the stores may be what failed
            decision = log_failed_monitor(stores, model, at, problem)
            if decision.news:
                alert("a person should look", decision.reason, model, decision_page(model, at))
        raise


def report_and_maintain(stores: Stores, model: str, at: pd.Timestamp) -> None:
    """Write the model's page, compact its tables, and judge a version in online evaluation if it can be.

    The first time, the history of the model is backtested before.
    """
    backfill(stores, model)
    report(stores, model)
    compact(stores, model, at)
    with suppress(BusyError):  # a training is running: the next check sees to it
        if judgement.due(stores.registry, stores.lake, loader.load(model), at):
            judge(model, as_of=at)


def finish_rollback(stores: Stores, model: str, at: pd.Timestamp) -> Version | None:
    """The champion, after an interrupted rollback or retirement has been finished."""
    champion = stores.registry.champion(model)
    if champion is None or champion.rolled_back:
        settle(stores, model)  # if a later line has restored it, the mark is that of a process which came late
        champion = stores.registry.champion(model)
    if champion is None or not champion.rolled_back:
        return champion
    roll_back_champion(stores, champion, champion.rolled_back_reason, at)
    return stores.registry.champion(model)


def roll_back_champion(stores: Stores, champion: Version, reason: str, at: pd.Timestamp) -> None:
    """Roll back a champion that failed its probation; do nothing if another version was promoted meanwhile."""
    with model_lock(champion.model, "train"):
        now, before = destination(stores.registry, champion.model)
        if now.number == champion.number:
            rollback(stores, now, before, reason, at)


def announce(stores: Stores, observation: Observation, decision: Decision, at: pd.Timestamp) -> None:
    """Show the observation in Prefect's UI, and emit the events that trigger automations."""
    rows = [_row(column) for column in observation.drift]
    key = f"monitor-{observation.model.replace('_', '-')}"
    create_table_artifact(rows, key=key, description=headline(observation, decision))
    payload = {"model": observation.model, "version": observation.version, "until": observation.until}
    if observation.monitored["drift"]:
        emit(
            stores, "drift.detected", observation.model, payload | {"reason": "; ".join(observation.monitored["drift"])}
        )
    loss = degradation(
        observation.monitored["performance"], observation.estimated_degradation, loader.load(observation.model).policy
    )
    if loss:
        emit(
            stores,
            "performance.degraded",
            observation.model,
            payload | {"reason": loss, "proven": observation.state == "degraded"},
        )
    if decision.action in ("alert", "roll back") and decision.news:
        alert("a person should look", decision.reason, observation.model, decision_page(observation.model, at))


def decision_page(model: str, at: pd.Timestamp, wish: str = "") -> str:
    """The path of the page of a decision in the web UI; of the monitor's if no trigger is named."""
    return f"models/{model}/decisions/{decision_log.key_of(at, wish)}"


def headline(observation: Observation, decision: Decision) -> str:
    """The observation and the decision as Markdown."""
    lines = [
        f"## {observation.model} version {observation.version}: {decision.action}",
        decision.reason,
        f"{observation.rows:,} rows from {observation.since[:16]} to {observation.until[:16]}.",
        f"**Performance** {observation.state}: {observation.reason}.",
        f"**Estimated** for the window, before labels arrive: {observation.estimated:.4g} ({observation.past_error}).",
    ]
    if observation.probation:
        lines.append(
            f"**On probation** beside version {observation.probation.against}: {observation.probation.reason}."
        )
    lines += [f"**Labels** {note}" for note in observation.notes]
    return "\n\n".join([*lines, *(f"**Data quality** {problem}" for problem in observation.quality)])


def _row(drift: Drift) -> dict[str, str]:
    measures = drift.measures
    return {
        "column": drift.column,
        "Jensen-Shannon": f"{measures.jensen_shannon:.4f}",
        "threshold": f"{drift.threshold:.4f}",
        "cumulative sum": f"{drift.slide.value:.1f}" if drift.slide else "",
        "its limit": f"{drift.slide.limit:.1f}" if drift.slide else "",
        "drifted": "yes" if drift.drifted else "no",
        "counts": "yes" if drift.counts else "no",
        "importance": "" if drift.importance is None else f"{drift.importance:.1%}",
        "PSI": f"{measures.psi:.4f}",
        "Wasserstein": f"{measures.wasserstein:.3f}",
    }


if __name__ == "__main__":
    from_shell(monitor)
