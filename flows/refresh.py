"""Refresh: ingest, decide whether to train, monitor the landed rows if not, and train if so."""

from contextlib import suppress

from evergreen.errors import BusyError, LockError
from evergreen.ingestion.batch import Ingested
from evergreen.lifecycle.outcome import Outcome
from evergreen.lifecycle.triggers import trigger_of
from evergreen.locks import model_lock
from evergreen.stores import Stores
from flows.ingest import ingest
from flows.monitor import decision_page, monitor, report_and_maintain
from flows.runtime.parameters import AsOf, ModelName, Reason, run_name, timestamp_of
from flows.runtime.run_states import end_with_outcome, loop_flow
from flows.runtime.terminal import from_shell
from flows.train import train
from tasks.decide import decide
from tasks.support.notifications import alert


@loop_flow("refresh", run_name)
def refresh(model: ModelName, reason: Reason = "schedule", as_of: AsOf = None, by: str = "") -> Outcome:
    """Run the whole loop once: ingest, and train if the policy or the monitor decides so.

    Args:
        model: A file in models/, by its name.
        reason: The trigger: a name in evergreen/lifecycle/triggers.py, then any further words.
        as_of: Use only data known at this time; None for now.
        by: Who requested it, for the record; empty if the system did.
    """
    at, stores = timestamp_of(as_of), Stores.open()
    batches = ingest(model, as_of=at)
    decision = decide(stores, model, reason, at, by=by)
    if decision.action == "alert" and decision.news:
        alert("a person should look", decision.reason, model, decision_page(model, at, reason))
    monitored = None
    if not decision.train and needs_monitoring(batches, reason):
        with suppress(BusyError):  # a monitor is running; the next one covers rows that it misses
            monitored = monitor(model, as_of=at)
            if monitored.train:  # in this process: its event would start another run, some seconds later
                reason, decision = monitored.reason, decide(stores, model, monitored.reason, at)
    try:
        if decision.train:
            outcome = train(model, reason=reason, as_of=at, by=by).after(batches)
        else:
            outcome = Outcome.without_training(model, decision.reason, batches)
    finally:  # also after a training that failed
        if monitored and monitored.train:
            with suppress(BusyError, LockError), model_lock(model, "monitor"):
                report_and_maintain(stores, model, at)
    return end_with_outcome(outcome)


def needs_monitoring(batches: list[Ingested], reason: str) -> bool:
    """Whether rows have landed that were not monitored yet; a trigger of the monitor means that they were."""
    return any(batch.fate == "landed" for batch in batches) and not trigger_of(reason).observed


if __name__ == "__main__":
    from_shell(refresh)
