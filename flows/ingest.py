"""Ingest: everything newer than the watermark, batch by batch."""

from prefect import flow

from evergreen import batch
from evergreen import model as models
from evergreen.batch import Ingested
from evergreen.lake import Lake
from evergreen.lock import alone
from evergreen.quarantine import Quarantine
from flows.ending import taken_in, unless_busy
from flows.parameters import AsOf, ModelName, moment, run_name
from flows.shell import from_shell
from flows.watching import watched
from tasks import ingest as stage
from tasks.label import label
from tasks.telling import arrived


@flow(name="ingest", flow_run_name=run_name)
@unless_busy
def ingest(model: ModelName, as_of: AsOf = None) -> list[Ingested]:
    """Take in what is new: check the contract, land what is good, put aside what is not.

    Args:
        model: A file in models/, by its name.
        as_of: Up to when to take rows in; None for now.
    """
    at = moment(as_of)
    with alone(model, "ingest"):
        periods = batch.outstanding(models.load(model), Lake.open(), Quarantine.open(), at)
        with watched(periods, f"{model}: ingest") as shown:
            batches = [stage.ingest(model, since, until, at) for since, until in shown]
        batches += label(model, at)
    arrived(model, batches)
    return taken_in(batches)


if __name__ == "__main__":
    from_shell(ingest)
