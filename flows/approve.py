"""Approve: a person's answer to a version that waits, and its promotion if it is yes."""

from prefect import flow

from evergreen import approval
from evergreen.errors import PromotionError
from evergreen.judgement import recorded
from evergreen.lock import alone
from evergreen.outcome import Outcome
from evergreen.registry import Registry
from flows.ending import concluded, unless_busy
from flows.parameters import AsOf, ModelName, moment, run_name
from flows.shell import from_shell
from tasks.approve import answer
from tasks.promote import promote


@flow(name="approve", flow_run_name=run_name)
@unless_busy
def approve(
    model: ModelName, reason: str, by: str, approved: bool = True, version: str = "", as_of: AsOf = None
) -> Outcome:
    """Give or refuse leave to promote a version that has passed its gates; with leave it is champion at once.

    Args:
        model: A file in models/, by its name.
        reason: Why, for the record.
        by: Who answers, for the record.
        approved: Leave is given; switch it off to refuse.
        version: By number or alias; empty for the one that waits.
        as_of: The moment of the answer; None for now.
    """
    at = moment(as_of)
    if not (reason.strip() and by.strip()):
        raise PromotionError("An answer needs a reason and a name, for the record; one of them is empty.")
    with alone(model, "train"):
        registry = Registry.open()
        asked = approval.asked(registry, model, version, at)
        judged = recorded(registry, registry.version(model, asked.judged))
        champion = registry.champion(model)
        if approved and not (champion and champion.number == asked.version.number):
            judged.permit(asked.version, champion)  # nobody is told yes where nothing can follow
        answered = answer(asked, approved, reason, by, at)
        moved = approved and promote(registry.version(model, asked.version.number), judged, at)
    return concluded(Outcome.answered(answered, moved))


if __name__ == "__main__":
    from_shell(approve)
