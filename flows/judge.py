"""Judge: evaluate the running shadow or canary on its own predictions, and follow the verdict."""

from prefect.artifacts import create_table_artifact

from evergreen.evaluation import online
from evergreen.gates.judgement import settle, table, unsettled
from evergreen.lifecycle.outcome import Outcome
from evergreen.locks import model_lock
from evergreen.stores import Stores
from flows.runtime.parameters import AsOf, ModelName, run_name, timestamp_of
from flows.runtime.run_states import end_with_outcome, loop_flow
from flows.runtime.terminal import from_shell
from tasks.approve import request_approval
from tasks.build_reference import build_reference
from tasks.end_trial import withdraw
from tasks.evaluate_online import evaluate_online
from tasks.judge import judge as judge_version
from tasks.promote import promote
from tasks.refit import choose


@loop_flow("judge", run_name)
def judge(model: ModelName, as_of: AsOf = None, by: str = "") -> Outcome:
    """Judge the canary or shadow on the rows that it predicted, and promote it if every gate passes.

    It is not refitted: the verdict holds for these predictions. A verdict ends the online evaluation, unless
    there is not enough evidence yet, or the version is pending approval.

    Args:
        model: A file in models/, by its name.
        as_of: Use only data known at this time; None for now.
        by: Who requested it, for the record; empty if the system did.
    """
    at, stores = timestamp_of(as_of), Stores.open()
    with model_lock(model, "train"):
        version, role, champion = online.require_challenger(stores.registry, model)
        judged = unsettled(stores.registry, version, champion)
        if judged is None:
            evaluated = evaluate_online(stores, version, role, champion, at)
            if evaluated.evidence is None:
                return end_with_outcome(Outcome.not_judged_yet(version, evaluated.wait))
            judged = judge_version(stores, version, evaluated.evidence, role, at, by)
        chosen = choose(stores, version, judged, refitted=lambda _, judged_version: judged_version)
        if chosen is not None:
            build_reference(stores, chosen)
        approval = request_approval(stores, chosen, judged, at, by) if chosen is not None else None
        granted = approval is None or approval.state == "approved"
        moved = chosen is not None and granted and promote(stores, chosen, judged, at)
        if moved or judged.verdict.decision == "reject":
            withdraw(stores, version, judged.followed.reason)
        settle(stores.registry, judged)
    key = f"trial-{model.replace('_', '-')}"  # Prefect allows no underscore
    headline = f"## {version}, online evaluation: {judged.verdict.decision}\n\n{judged.verdict.reason}"
    create_table_artifact(table(judged.verdict.checks), key=key, description=headline)
    return end_with_outcome(Outcome.of(judged, chosen, moved, approval=approval))


if __name__ == "__main__":
    from_shell(judge)
