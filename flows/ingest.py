"""Ingest: everything newer than the watermark, batch by batch."""

from evergreen.definition import loader
from evergreen.definition.feasibility.assess import require
from evergreen.ingestion import batch, label_feedback
from evergreen.ingestion.batch import Ingested
from evergreen.locks import model_lock
from evergreen.stores import Stores
from flows.runtime.parameters import AsOf, ModelName, run_name, timestamp_of
from flows.runtime.run_states import end_with_batches, loop_flow
from flows.runtime.terminal import from_shell, watched
from tasks import ingest as stage
from tasks.apply_labels import apply_labels
from tasks.support.events import emit_arrival


@loop_flow("ingest", run_name)
def ingest(model: ModelName, as_of: AsOf = None, since: AsOf = None) -> list[Ingested]:
    """Ingest new rows: check the contract, land batches that pass, quarantine batches that do not.

    Args:
        model: A file in models/, by its name.
        as_of: The end of the period to ingest; None for now.
        since: Compare all rows from this time on with the lake, for corrections of before the lookback; None for none.
    """
    at, stores = timestamp_of(as_of), Stores.open()
    with model_lock(model, "ingest"):
        definition = loader.load(model)
        if not stores.lake.exists(model):  # before the first rows; a feed that runs is not stopped
            require(definition)
        periods = batch.outstanding(definition, stores.lake, stores.quarantine, at)
        with watched(periods, f"{model}: ingest") as shown:
            batches = [stage.ingest(stores, model, since, until, at) for since, until in shown]
        due = periods[0][0] if periods else None
        if due is not None and definition.source.countable:
            batches += stage.ingest_late(stores, model, due, at)
        if since is not None:
            batches += stage.ingest_again(stores, model, timestamp_of(since), due, at)
        if due is not None:
            batches = stage.look_at_files(stores, model, due, batches, told=since is None)
        if label_feedback.exists(stores.lake, definition):
            batches += apply_labels(stores, model, at)
    emit_arrival(stores, model, batches)
    return end_with_batches(batches)


if __name__ == "__main__":
    from_shell(ingest)
