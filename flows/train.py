"""Train: a challenger, its evidence, its verdict, and what follows from it."""

from dataclasses import replace

import pandas as pd
from prefect.artifacts import create_table_artifact

from evergreen.definition import loader
from evergreen.gates.advice import is_needed
from evergreen.gates.judgement import Judgement, settle, table, valid_judgement
from evergreen.lifecycle.outcome import Outcome
from evergreen.locks import model_lock
from evergreen.registry.version import Version
from evergreen.stores import Stores
from evergreen.training.snapshot import Snapshot
from flows.runtime.parameters import AsOf, ModelName, Reason, run_name, timestamp_of
from flows.runtime.run_states import end_with_outcome, loop_flow
from flows.runtime.terminal import from_shell
from tasks.advise import advise
from tasks.approve import request_approval
from tasks.build_reference import build_reference
from tasks.evaluate import evaluate
from tasks.judge import judge
from tasks.promote import promote
from tasks.refit import Refit, choose, refit
from tasks.train import train as fit


@loop_flow("train", run_name)
def train(model: ModelName, reason: Reason = "demand", as_of: AsOf = None, by: str = "") -> Outcome:
    """Train a challenger, judge it against the champion, and promote it if every gate passes.

    Args:
        model: A file in models/, by its name.
        reason: The trigger: a name in evergreen/lifecycle/triggers.py, then any further words.
        as_of: Use only data known at this time; None for now.
        by: Who requested it, for the record; empty if the system did.
    """
    at, stores = timestamp_of(as_of), Stores.open()
    with model_lock(model, "train"):
        challenger = fit(stores, model, at, reason)
        notes = _notes(stores, challenger)
        outcome = concluded(stores, challenger, at, by=by)
    return end_with_outcome(replace(outcome, notes=notes))


def concluded(stores: Stores, challenger: Version, at: pd.Timestamp, refitted: Refit = refit, by: str = "") -> Outcome:
    """Judge a challenger, and do what follows from the verdict, for a flow that holds the model's lock.

    Parameters
    ----------
    stores : Stores
    challenger : Version
    at : Timestamp
    refitted : callable
        From the stores and a version that passed to the version to promote.
    by : str, optional
        Who requested the training.
    """
    valid = valid_judgement(stores.registry, challenger)
    judged = valid or judge(stores, challenger, evaluate(stores, challenger), by=by)
    chosen = choose(stores, challenger, judged, refitted)
    if chosen is not None:
        build_reference(stores, chosen)
    approval = request_approval(stores, chosen, judged, at, by) if chosen is not None else None
    granted = approval is None or approval.state == "approved"
    moved = chosen is not None and granted and promote(stores, chosen, judged, at)
    settle(stores.registry, judged)
    advice = advise(stores, challenger, judged) if is_needed(judged) else None
    key = f"verdict-{challenger.model.replace('_', '-')}"  # Prefect allows no underscore
    create_table_artifact(table(judged.verdict.checks), key=key, description=_headline(judged))
    again = valid is not None and challenger.settled
    return Outcome.of(judged, chosen, moved, again=again, approval=approval, advice=advice)


def _notes(stores: Stores, challenger: Version) -> list[str]:
    """What to know of the labels that a version was trained on."""
    definition = loader.load(challenger.model)
    return Snapshot.of(stores.lake, definition, challenger).label_notes


def _headline(judged: Judgement) -> str:
    return f"## {judged.model} version {judged.version}: {judged.verdict.decision}\n\n{judged.verdict.reason}"


if __name__ == "__main__":
    from_shell(train)
