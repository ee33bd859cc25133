"""Approve: record a person's decision on a version that is pending approval, and promote it if it is approved.

Without a decision, a run of the deployment suspends itself; the person who resumes it in Prefect's UI decides
there. The trigger in prefect.yaml starts such a run for every version that is pending approval.
"""

import math
from typing import cast

import pandas as pd
from prefect import suspend_flow_run
from prefect.context import FlowRunContext
from prefect.input import RunInput
from prefect.states import Completed
from pydantic import Field

from evergreen.errors import PromotionError
from evergreen.gates.judgement import Judgement, deciding_judgement
from evergreen.lifecycle import approval
from evergreen.lifecycle.approval import Approval
from evergreen.lifecycle.outcome import Outcome
from evergreen.locks import model_lock
from evergreen.stores import Stores
from flows.runtime.parameters import AsOf, ModelName, run_name, timestamp_of
from flows.runtime.run_states import end_with_outcome, loop_flow
from flows.runtime.terminal import from_shell
from tasks.approve import record_answer
from tasks.promote import promote


class Answer(RunInput):
    """The form of a suspended run."""

    approved: bool = Field(default=True, description="Approve the version; switch it off to refuse.")
    reason: str = Field(min_length=1, description="Why, for the record.")
    by: str = Field(min_length=1, description="Who decides, for the record.")


@loop_flow("approve", run_name)
def approve(
    model: ModelName, reason: str = "", by: str = "", approved: bool = True, version: str = "", as_of: AsOf = None
) -> Outcome:
    """Approve or refuse a version that has passed its gates; an approved version becomes champion at once.

    Args:
        model: A file in models/, by its name.
        reason: Why, for the record; leave it and the name empty for a run that waits until a person resumes it.
        by: Who decides, for the record.
        approved: Approve the version; switch it off to refuse.
        version: By number or alias; empty for the one that is pending.
        as_of: The time of the decision; None for now.
    """
    at, stores = timestamp_of(as_of), Stores.open()
    if not (reason.strip() or by.strip()) and _deployed():
        try:
            pending = approval.open_request(stores.registry, model, version, at)
            if pending.state != "waiting":
                raise PromotionError(f"{pending.sentence}.")
        except PromotionError as error:  # the request was answered before the trigger started this run
            return cast(Outcome, Completed(name="Nothing to answer", message=str(error)))
        answer_given = _suspended(
            pending, deciding_judgement(stores.registry, stores.registry.version(model, pending.judged)), at
        )
        reason, by, approved, version = (
            answer_given.reason,
            answer_given.by,
            answer_given.approved,
            pending.version.number,
        )
    if not (reason.strip() and by.strip()):
        raise PromotionError("A decision needs a reason and a name, for the record; one of them is empty.")
    with model_lock(model, "train"):
        request = approval.open_request(stores.registry, model, version, at)
        judged = deciding_judgement(stores.registry, stores.registry.version(model, request.judged))
        champion = stores.registry.champion(model)
        if approved:
            approval.check_second(stores, request, by)
        if approved and not (champion and champion.number == request.version.number):
            judged.permit(request.version, champion)  # no approval is recorded if the promotion is not possible
        decision = record_answer(stores, request, approved, reason, by, at)
        moved = approved and promote(stores, stores.registry.version(model, request.version.number), judged, at)
    return end_with_outcome(Outcome.of_answer(decision, moved))


def _deployed() -> bool:
    context = FlowRunContext.get()
    return bool(context and context.flow_run and context.flow_run.deployment_id)


def _suspended(pending: Approval, judged: Judgement, at: pd.Timestamp) -> Answer:
    """End this process until a person resumes the run; the run then starts again and gets the decision here."""
    checks = [f"- {check.name}, {check.outcome}: {check.detail}" for check in judged.followed.checks]
    description = "\n".join([f"{pending.sentence}. {judged.followed.reason}", "", *checks])
    seconds = math.ceil((pd.Timestamp(pending.until) - at).total_seconds())
    return suspend_flow_run(Answer.with_initial_data(description=description), timeout=seconds)


if __name__ == "__main__":
    from_shell(approve)
