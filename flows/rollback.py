"""Roll back: replace the champion by an earlier one, with a reason."""

from evergreen.lifecycle.outcome import Outcome
from evergreen.lifecycle.rollback import destination
from evergreen.locks import model_lock
from evergreen.stores import Stores
from flows.runtime.parameters import AsOf, ModelName, run_name, timestamp_of
from flows.runtime.run_states import end_with_outcome, loop_flow
from flows.runtime.terminal import from_shell
from tasks.build_reference import build_reference
from tasks.decide import log_rollback
from tasks.rollback import rollback as put_back


@loop_flow("rollback", run_name)
def rollback(model: ModelName, reason: str, to: str = "", by: str = "", as_of: AsOf = None) -> Outcome:
    """Restore an earlier champion; no earlier verdict promotes the replaced version again.

    Args:
        model: A file in models/, by its name.
        reason: Why, for the record.
        to: The version to restore, by number or alias; empty for the one that the champion replaced.
        by: Who requested it, for the record.
        as_of: The time of the rollback; None for now.
    """
    at, stores = timestamp_of(as_of), Stores.open()
    with model_lock(model, "train"):
        champion, target = destination(stores.registry, model, to)
        build_reference(stores, target)
        if champion.number != target.number:
            log_rollback(stores, model, reason, at)
        moved = put_back(stores, champion, target, reason, at, by)
    return end_with_outcome(Outcome.of_rollback(champion, target, reason, moved))


if __name__ == "__main__":
    from_shell(rollback)
