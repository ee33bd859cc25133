"""A judgement: the verdict on one version and its evidence, as they are stored."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from evergreen.definition.gates import Check, Gates
from evergreen.errors import NotEnoughDataError, PromotionError, RegistryError
from evergreen.evaluation.evidence import Evidence
from evergreen.evaluation.online import gather_sample, require_challenger, running_challenger
from evergreen.gates import verdict as verdicts
from evergreen.gates.verdict import Verdict
from evergreen.json_record import JsonRecord
from evergreen.lake.lake import Lake
from evergreen.registry.registry import Registry
from evergreen.registry.version import TagValues, Version
from evergreen.training.snapshot import Snapshot

if TYPE_CHECKING:
    from evergreen.definition.model import Model


def due(registry: Registry, lake: Lake, model: "Model", at: pd.Timestamp) -> bool:
    """Whether a version in online evaluation can be judged, or an interrupted judgement of it must be completed."""
    if running_challenger(registry, model.name) is None:
        return False
    try:
        version, role, champion = require_challenger(registry, model.name)
        interrupted = unsettled(registry, version, champion)
        return interrupted is not None or not gather_sample(Snapshot.pin(lake, model, at), version, role, champion).wait
    except (NotEnoughDataError, RegistryError, PromotionError):
        return False


TRAINED, TRIAL = "verdict.json", "trial.json"


@dataclass(frozen=True)
class Judgement(JsonRecord):
    """The result of judging a version.

    Attributes
    ----------
    model, version : str
        The judged version.
    against : str or None
        The version that was champion then; a promotion follows only while it still is.
    as_of : str
        The point in time whose data was used; ISO 8601.
    verdict : Verdict
    evidence : Evidence
    comeback : str or None
        The earlier champion to reinstate instead.
    comeback_verdict : Verdict or None
    trial : str
        The role in an online evaluation, ``"canary"`` or ``"shadow"``; empty if the version was judged after
        its training.
    """

    json_indent = 1

    model: str
    version: str
    against: str | None
    as_of: str
    verdict: Verdict
    evidence: Evidence
    comeback: str | None = None  # the names of these two in stored files and `--json`
    comeback_verdict: Verdict | None = None
    trial: str = ""

    @property
    def page(self) -> str:
        """The name of the artifact; judgements of a training and of an online evaluation are stored separately."""
        return TRIAL if self.trial else TRAINED

    @property
    def followed(self) -> Verdict:
        """The verdict to follow: that of the reinstatement, if there is one."""
        return self.reinstatement_verdict if self.reinstated and self.reinstatement_verdict else self.verdict

    @property
    def reinstated(self) -> str | None:
        """The earlier champion to reinstate instead; None if there is none."""
        return self.comeback

    @property
    def reinstatement_verdict(self) -> Verdict | None:
        """The verdict on its reinstatement."""
        return self.comeback_verdict

    def supports(self, version: Version) -> bool:
        """Whether a passing verdict of this judgement is about the version, or the one that it is a refit of."""
        promoted = self.verdict.passing and self.version in (version.number, version.refit_of)
        verdict = self.reinstatement_verdict if self.reinstated == version.number else None
        return promoted or (verdict is not None and verdict.passing)

    def values(self) -> TagValues:
        """The tags of the version, in the order of writing; the flow marks it as settled later."""
        if self.trial:
            return {
                "trial_rows": self.evidence.rows,
                "trial_against": self.against or "",
                "trial_reason": self.verdict.reason,
                "trial_settled": False,
                "trial_decision": self.verdict.decision,
            }
        gain = self.evidence.gain
        return {
            "gain": gain.dump() if gain else "",
            "judged_from": _time(self.evidence.since),
            "judged_until": _time(self.evidence.until),
            "judged_against": self.against or "",
            "verdict_reason": self.verdict.reason,
            "decision": self.verdict.decision,
        }

    def permit(self, version: Version, champion: Version | None) -> None:
        """Check that this judgement permits `version` to replace `champion`.

        Raises
        ------
        PromotionError
            It does not pass, is about another version, or was reached against another champion.
        """
        if version.rolled_back:
            raise PromotionError(
                f"{version} was rolled back: {version.rolled_back_reason}. It was not retrained since, so it is not "
                f"promoted again. To restore it anyway, run "
                f"`evergreen rollback {version.model} --to {version.number} --reason ...`."
            )
        since = champion.restored_at if champion else None
        if since is not None and pd.Timestamp(self.as_of) < since:
            raise PromotionError(
                f"{version} was judged on data known at {self.as_of}, before {champion} was restored at "
                f"{since.isoformat()}. Train again on later data."
            )
        now = champion.number if champion else None
        if now != self.against:
            raise PromotionError(
                f"{version}: judged against version {self.against}, but the champion is {now} now. Train again."
            )
        if self.model != version.model or not self.supports(version):
            raise PromotionError(f"{version} has no passing verdict: {self.verdict.reason} It is not promoted.")


def judge_challenger(
    challenger: Version,
    champion: Version | None,
    evidence: Evidence,
    gates: Gates,
    trial: str = "",
    as_of: pd.Timestamp | None = None,
) -> Judgement:
    """Judge a challenger, and whether to reinstate an earlier champion; as of its training by default."""
    verdict = verdicts.judge(evidence, gates)
    reinstated = verdicts.reinstatement(evidence, gates, verdict)
    return Judgement(
        model=challenger.model,
        version=challenger.number,
        against=champion.number if champion else None,
        as_of=(as_of or challenger.required(Version.as_of)).isoformat(),
        verdict=verdict,
        evidence=evidence,
        comeback=reinstated[0].removeprefix("version ") if reinstated else None,
        comeback_verdict=reinstated[1] if reinstated else None,
        trial=trial,
    )


def stored_judgements(registry: Registry, version: Version) -> list[Judgement]:
    """The judgements of a version: of its online evaluation, then of its training or its original's training."""
    trained = registry.origin(version)
    texts = [registry.text(version, TRIAL) if version.trial_decision else None]
    texts += [registry.text(trained, TRAINED) if trained.decision else None]
    return [Judgement.parse(text) for text in texts if text is not None]


def newest_judgement(registry: Registry, version: Version, *, trained: bool = False) -> Judgement:
    """The newest judgement of a version, or that of its training.

    Raises
    ------
    RegistryError
        It has not been judged yet.
    """
    judgements = [judgement for judgement in stored_judgements(registry, version) if not (trained and judgement.trial)]
    if not judgements:
        raise RegistryError(f"{version} has not been judged yet. `evergreen train {version.model}` judges it.")
    return judgements[0]


def deciding_judgement(registry: Registry, version: Version) -> Judgement:
    """The newest judgement of a version with a decision; an inconclusive evaluation does not replace it.

    Raises
    ------
    RegistryError
        It has not been judged yet.
    """
    decided = (
        judgement
        for judgement in stored_judgements(registry, version)
        if judgement.verdict.decision != "not enough evidence"
    )
    return next(decided, None) or newest_judgement(registry, version)


def settle(registry: Registry, judgement: Judgement) -> None:
    """Record that the verdict was followed; without this, an interrupted training is resumed."""
    done: TagValues = {"trial_settled": True} if judgement.trial else {"settled": True}
    registry.tag(registry.version(judgement.model, judgement.version), **done)


def unsettled(registry: Registry, version: Version, champion: Version) -> Judgement | None:
    """The judgement of an online evaluation that was interrupted before it was followed, if it still counts."""
    if not version.trial_decision or version.trial_settled:
        return None
    judged = newest_judgement(registry, version)
    return judged if judged.trial and judged.against == champion.number else None


def valid_judgement(registry: Registry, challenger: Version) -> Judgement | None:
    """The recorded judgement of a training, if it is still valid.

    It is valid while the champion is the one it was judged against, or the one it led to.
    """
    text = registry.text(challenger, TRAINED) if challenger.decision else None
    if text is None:
        return None
    judgement = Judgement.parse(text)
    champion = registry.champion(challenger.model)
    led_to = (challenger.number, judgement.reinstated)
    led_to_champion = champion is not None and (champion.number in led_to or champion.refit_of == challenger.number)
    return judgement if led_to_champion or (champion.number if champion else None) == judgement.against else None


def _time(text: str | None) -> pd.Timestamp | None:
    return pd.Timestamp(text) if text else None


def table(checks: list[Check]) -> list[dict[str, str]]:
    """The checks as rows of a table."""
    return [{"gate": check.name, "outcome": check.outcome, "found": check.detail} for check in checks]
