"""Judge a challenger on its evidence, and record the verdict before acting on it."""

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from evergreen.definition import loader
from evergreen.evaluation.evidence import Evidence
from evergreen.gates import judgement
from evergreen.gates.judgement import Judgement
from evergreen.registry.version import Version
from evergreen.reports import model_card
from evergreen.stores import Stores
from tasks.support.events import emit, log_action
from tasks.support.retries import DELAYS, is_unavailable


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=is_unavailable)
def judge(
    stores: Stores,
    challenger: Version,
    evidence: Evidence,
    trial: str = "",
    as_of: pd.Timestamp | None = None,
    by: str = "",
) -> Judgement:
    """Store the verdict with the version, as artifact, tags and model card; an online evaluation has its own.

    The audit log names the person who requested the training, if one did.
    """
    definition, registry = loader.load(challenger.model), stores.registry
    champion = registry.champion(challenger.model)
    judged = judgement.judge_challenger(challenger, champion, evidence, definition.gates, trial, as_of)
    detail = {"decision": judged.verdict.decision, "reason": judged.verdict.reason, "against": judged.against or ""}
    detail |= {"trial": trial} if trial else {}
    seal = log_action(stores, "verdict", challenger.model, challenger.number, pd.Timestamp(judged.as_of), by, **detail)
    registry.attach(challenger, judged.page, judged.dump())
    registry.attach(
        challenger, "card.md", model_card.markdown(judged, challenger, definition.purpose, definition.owner)
    )
    registry.describe(challenger, judged.verdict.reason)
    registry.tag(challenger, verdict_seal=seal)
    registry.tag(challenger, **judged.values())  # last: a version with a decision also has its artifacts
    if judged.verdict.decision == "reject":
        emit(
            stores, "model.rejected", challenger.model, {"version": challenger.number, "reason": judged.verdict.reason}
        )
    return judged
