"""A judgement: the verdict on one version with the evidence it rests on, as it is kept."""

from dataclasses import dataclass

import pandas as pd
from pydantic import ConfigDict, TypeAdapter

from evergreen import gate
from evergreen.errors import PromotionError, RegistryError
from evergreen.evaluation import Evidence
from evergreen.gate import Check, Gates, Verdict
from evergreen.registry import Registry, Version


@dataclass(frozen=True)
class Judgement:
    """What a judging came to.

    Attributes
    ----------
    model, version : str
        Who was judged.
    against : str or None
        The version that was champion then; a promotion follows only while it still is.
    as_of : str
        The moment whose knowledge was judged on; ISO 8601.
    verdict : Verdict
    evidence : Evidence
    comeback : str or None
        The earlier champion that should stand again instead.
    comeback_verdict : Verdict or None
    """

    __pydantic_config__ = ConfigDict(ser_json_inf_nan="strings")

    model: str
    version: str
    against: str | None
    as_of: str
    verdict: Verdict
    evidence: Evidence
    comeback: str | None = None
    comeback_verdict: Verdict | None = None

    @property
    def followed(self) -> Verdict:
        """The verdict that says what is done: on the comeback, where there is one."""
        return self.comeback_verdict if self.comeback and self.comeback_verdict else self.verdict

    def dump(self) -> str:
        """As JSON, NaN and infinities as text."""
        return _ADAPTER.dump_json(self, indent=1).decode()

    @classmethod
    def parse(cls, text: str) -> "Judgement":
        """Read what `dump` wrote."""
        return _ADAPTER.validate_json(text)

    def tags(self) -> dict[str, str]:
        """What is kept on the version itself, in this order; the flow settles what followed."""
        gain = self.evidence.gain
        return {
            "gain": gain.dump() if gain else "",
            "judged_from": self.evidence.since or "",
            "judged_until": self.evidence.until or "",
            "judged_against": self.against or "",
            "verdict": self.verdict.reason,
            "decision": self.verdict.decision,
        }

    def permit(self, version: Version, champion: Version | None) -> None:
        """Make sure that this judgement lets `version` take over from `champion`.

        Raises
        ------
        PromotionError
            It does not pass, is about another version, or was reached against another champion.
        """
        if version.fallen:
            raise PromotionError(
                f"{version} was rolled back: {version.tags['rolled_back_reason']}. Nothing newer was learned since, so "
                f"it stays down; `evergreen rollback {version.model} --to {version.number}` puts it back all the same."
            )
        since = champion.moment("restored_at") if champion else None
        if since is not None and pd.Timestamp(self.as_of) < since:
            raise PromotionError(
                f"{version} was judged on what was known at {self.as_of}, which has misled before: {champion} was put "
                f"back at {since.isoformat()}. Train as of later."
            )
        now = champion.number if champion else None
        if now != self.against:
            raise PromotionError(
                f"{version}: judged against version {self.against}, but the champion is {now} now. Train again."
            )
        own = self.verdict.passing and self.version in (version.number, version.tags.get("refit_of"))
        back = self.comeback == version.number and self.comeback_verdict is not None and self.comeback_verdict.passing
        if self.model != version.model or not (own or back):
            raise PromotionError(f"{version} has no passing verdict: {self.verdict.reason} It is not promoted.")


_ADAPTER = TypeAdapter(Judgement)


def weigh(challenger: Version, champion: Version | None, evidence: Evidence, gates: Gates) -> Judgement:
    """Judge a challenger, and whether an earlier champion should come back instead."""
    verdict = gate.judge(evidence, gates)
    back = gate.comeback(evidence, gates, verdict)
    return Judgement(
        model=challenger.model,
        version=challenger.number,
        against=champion.number if champion else None,
        as_of=challenger.tags["as_of"],
        verdict=verdict,
        evidence=evidence,
        comeback=back[0].removeprefix("version ") if back else None,
        comeback_verdict=back[1] if back else None,
    )


def recorded(registry: Registry, version: Version) -> Judgement:
    """The judgement that is kept with a version, or with the one it is a refit of.

    Raises
    ------
    RegistryError
        It has not been judged yet.
    """
    judged = registry.origin(version)
    text = registry.text(judged, "verdict.json") if judged.tags.get("decision") else None
    if text is None:
        raise RegistryError(f"{version} has not been judged yet. `evergreen train {version.model}` judges it.")
    return Judgement.parse(text)


def settle(registry: Registry, judgement: Judgement) -> None:
    """Note that what the verdict asked for has been done; a training that died before is taken up again."""
    registry.tag(registry.version(judgement.model, judgement.version), {"settled": "True"})


def standing(registry: Registry, challenger: Version) -> Judgement | None:
    """The judgement that was recorded before, if nothing has overtaken it since.

    It stands while the champion is the one it was reached against, or the one it led to.
    """
    text = registry.text(challenger, "verdict.json") if challenger.tags.get("decision") else None
    if text is None:
        return None
    judged = Judgement.parse(text)
    champion = registry.champion(challenger.model)
    led_to = (challenger.number, judged.comeback)
    ours = champion is not None and (champion.number in led_to or champion.tags.get("refit_of") == challenger.number)
    return judged if ours or (champion.number if champion else None) == judged.against else None


def table(checks: list[Check]) -> list[dict[str, str]]:
    """The checks as rows for a person."""
    return [{"gate": check.name, "outcome": check.outcome, "found": check.detail} for check in checks]
