"""Refresh: ingest what is new, decide whether to train, and train if so."""

from prefect import flow

from evergreen.outcome import Outcome
from flows.ending import concluded, unless_busy
from flows.ingest import ingest
from flows.parameters import AsOf, ModelName, Reason, moment, run_name
from flows.shell import from_shell
from flows.train import train
from tasks.alerting import alert
from tasks.decide import decide


@flow(name="refresh", flow_run_name=run_name)
@unless_busy
def refresh(model: ModelName, reason: Reason = "schedule", as_of: AsOf = None) -> Outcome:
    """Run the whole loop once: ingest, and a training if the model's policy finds one due.

    Args:
        model: A file in models/, by its name.
        reason: Who asks: demand, schedule, data, drift or performance.
        as_of: The moment whose knowledge counts; None for now.
    """
    at = moment(as_of)
    batches = ingest(model, as_of=at)
    decision = decide(model, reason, at)
    if decision.action == "alert" and decision.news:
        alert("a person should look", decision.reason, model)
    if not decision.train:
        return concluded(Outcome.idle(model, decision.reason, batches))
    return concluded(train(model, reason=reason, as_of=at).after(batches))


if __name__ == "__main__":
    from_shell(refresh)
