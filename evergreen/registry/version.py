"""A version of a model, by value."""

from dataclasses import dataclass, field

import pandas as pd

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
CANARY, SHADOW = "canary", "shadow"  # what answers beside the champion


@dataclass(frozen=True)
class Version:
    """A registered version of a model, by value: small enough to pass between stages.

    Attributes
    ----------
    model, number, run_id : str
    source : str
        The URI of the stored model.
    tags : dict
        Evergreen's own, without their prefix: period, snapshot, lineage, decision.
    aliases : list of str
    """

    model: str
    number: str
    run_id: str
    source: str
    tags: dict[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.model}@{self.number}"

    def moment(self, tag: str) -> pd.Timestamp | None:
        """A tag that is a time; None if it is not set."""
        return pd.Timestamp(self.tags[tag]) if self.tags.get(tag) else None

    @property
    def fallen(self) -> bool:
        """Whether it was rolled back, and no person has put it back since."""
        return bool(self.tags.get("rolled_back_at"))

    @property
    def restored(self) -> bool:
        """Whether a rollback made it champion, and no promotion since."""
        back, promoted = self.moment("restored_at"), self.moment("promoted_at")
        return back is not None and (promoted is None or back >= promoted)


_LOOKS = 50  # that are kept of one version; a tag has room for no more


def heard(version: Version) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """The periods of the rows that a version was judged on by its answers beside a champion."""
    periods = (one.split("/") for one in version.tags.get("trial_looks", "").split())
    return [(pd.Timestamp(low), pd.Timestamp(high)) for low, high in periods]


def looked(version: Version, since: str | None, until: str | None) -> dict[str, str]:
    """The same with one more, as it is kept; before anything else is, so that no look is forgotten."""
    before = version.tags.get("trial_looks", "").split()[-_LOOKS:]
    return {"trial_looks": " ".join([*before, f"{since}/{until}"])}
