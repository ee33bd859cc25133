"""Monitor: answer what is new, look at drift, data quality and performance, decide, and tell."""

from contextlib import suppress

import pandas as pd
from prefect import flow
from prefect.artifacts import create_table_artifact

from evergreen.definition import loader
from evergreen.drift.columns import Drift
from evergreen.errors import BusyError
from evergreen.gates import judgement
from evergreen.lifecycle.retraining import Decision, degradation
from evergreen.lifecycle.rollback import destination
from evergreen.locks import model_lock
from evergreen.monitoring.observation import Observation
from evergreen.registry.version import Version
from evergreen.stores import Stores
from flows.judge import judge
from flows.runtime.parameters import AsOf, ModelName, moment, run_name
from flows.runtime.run_states import unless_busy, watched
from flows.runtime.terminal import from_shell
from tasks.approve import remind
from tasks.build_reference import rebase
from tasks.compact import tidy
from tasks.decide import decide
from tasks.observe import observe
from tasks.predict import answer
from tasks.report import report
from tasks.rollback import rollback
from tasks.support.alerts import alert
from tasks.support.events import tell


@flow(name="monitor", flow_run_name=run_name)
@unless_busy
def monitor(model: ModelName, as_of: AsOf = None) -> Decision:
    """Watch the champion of a model, and ask for a training if what is seen calls for one.

    Args:
        model: A file in models/, by its name.
        as_of: The moment whose knowledge counts; None for now.
    """
    at, stores = moment(as_of), Stores.open()
    with model_lock(model, "monitor"):
        remind(stores, model, at)
        champion = upright(stores, model, at)
        if champion is None:
            return watched(decide(stores, model, "", at))
        rebase(stores, champion)
        answer(stores, model, at)
        seen = observe(stores, champion, at)
        decision = decide(stores, model, "", at, seen.seen)
        announce(stores, seen, decision)
        if decision.action == "roll back":
            take_back(stores, champion, decision.reason, at)
        report(stores, model)
        tidy(stores, model, at)
        with suppress(BusyError):  # a training is running: the next check sees to it
            if judgement.due(stores.registry, stores.lake, loader.load(model), at):
                judge(model, as_of=at)
        return watched(decision)


def upright(stores: Stores, model: str, at: pd.Timestamp) -> Version | None:
    """The champion, once a rollback that died on the way has been finished."""
    champion = stores.registry.champion(model)
    if champion is None or not champion.rolled_back:
        return champion
    take_back(stores, champion, champion.rolled_back_reason, at)
    return stores.registry.champion(model)


def take_back(stores: Stores, champion: Version, reason: str, at: pd.Timestamp) -> None:
    """End a probation that failed; if another has been promoted since, it is no longer this one's."""
    with model_lock(champion.model, "train"):
        now, before = destination(stores.registry, champion.model)
        if now.number == champion.number:
            rollback(stores, now, before, reason, at)


def announce(stores: Stores, seen: Observation, decision: Decision) -> None:
    """Show what was seen in Prefect's UI, and emit the events that automations wait for."""
    rows = [_row(one) for one in seen.drift]
    key = f"monitor-{seen.model.replace('_', '-')}"
    create_table_artifact(rows, key=key, description=headline(seen, decision))
    told = {"model": seen.model, "version": seen.version, "until": seen.until}
    if seen.seen["drift"]:
        tell(stores, "drift.detected", seen.model, told | {"reason": "; ".join(seen.seen["drift"])})
    loss = degradation(seen.seen["performance"], seen.foreseen, loader.load(seen.model).policy)
    if loss:
        tell(stores, "performance.degraded", seen.model, told | {"reason": loss, "proven": seen.state == "degraded"})
    if decision.action in ("alert", "roll back") and decision.news:
        alert("a person should look", decision.reason, seen.model)


def headline(seen: Observation, decision: Decision) -> str:
    """What was seen and decided, for a person."""
    lines = [
        f"## {seen.model} version {seen.version}: {decision.action}",
        decision.reason,
        f"{seen.rows:,} rows from {seen.since[:16]} to {seen.until[:16]}.",
        f"**Performance** {seen.state}: {seen.reason}.",
        f"**Estimated** for the window, before its labels come: {seen.estimated:.4g} ({seen.past_error}).",
    ]
    if seen.probation:
        lines.append(f"**On probation** beside version {seen.probation.against}: {seen.probation.reason}.")
    return "\n\n".join([*lines, *(f"**Data quality** {one}" for one in seen.quality)])


def _row(one: Drift) -> dict[str, str]:
    found = one.measures
    return {
        "column": one.column,
        "Jensen-Shannon": f"{found.jensen_shannon:.4f}",
        "threshold": f"{one.threshold:.4f}",
        "drifted": "yes" if one.drifted else "no",
        "counts": "yes" if one.counts else "no",
        "importance": "" if one.importance is None else f"{one.importance:.1%}",
        "PSI": f"{found.psi:.4f}",
        "Wasserstein": f"{found.wasserstein:.3f}",
    }


if __name__ == "__main__":
    from_shell(monitor)
