"""One version of a model: its verdicts, what stands behind them, and what became of it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from evergreen.errors import EvergreenError
from evergreen.evaluation.bootstrap import Interval
from evergreen.evaluation.slices import Slice
from evergreen.gates.judgement import Judgement, stored_judgements
from evergreen.lifecycle.approval import Approval, approval_of, starters
from evergreen.registry.version import Version
from evergreen.stores import Stores
from ui.known.waiting import picture

_SLICES = 60


@dataclass(frozen=True)
class Judged:
    """A judgement as a page shows it.

    Attributes
    ----------
    judgement : Judgement
    scores : list of (str, Interval)
        Challenger, champion and dummy, with intervals.
    gains : list of (str, Interval)
        Of the challenger over the champion, and of earlier ones; positive is better.
    over_dummy : Interval
        Its gain over a constant prediction, which is of another size.
    slices : list of Slice
        The worst first.
    left : int
        How many more slices there are.
    picture : str
        The name of the picture that was kept; empty for none.
    """

    judgement: Judgement
    scores: list[tuple[str, Interval]]
    gains: list[tuple[str, Interval]]
    over_dummy: Interval
    slices: list[Slice]
    left: int
    picture: str = ""


@dataclass(frozen=True)
class VersionFacts:
    """A version.

    Attributes
    ----------
    version : Version
    judged : list of Judged
        That of an online evaluation first.
    refits : list of Version
        Those that repeat it on all rows.
    starters : list of str
        The persons who requested it, while it is pending approval.
    unread : str
        Why its judgements cannot be read; empty if they can.
    """

    version: Version
    judged: list[Judged] = field(default_factory=list)
    refits: list[Version] = field(default_factory=list)
    starters: list[str] = field(default_factory=list)
    unread: str = ""

    @property
    def approval(self) -> Approval:
        """Its approval now."""
        return approval_now(self.version)


def approval_now(version: Version) -> Approval:
    """The approval of a version at this moment: a request may have lapsed since the version was read."""
    return approval_of(version, pd.Timestamp.now("UTC"))


def listed(stores: Stores, name: str) -> list[Version]:
    """The versions of a model, newest first; those that only repeat a judged one stand with it."""
    return stores.registry.versions(name)


def of(stores: Stores, name: str, number: str) -> VersionFacts | None:
    """A version by its number or an alias; None if there is none."""
    version = stores.registry.find(name, number)
    if version is None:
        return None
    refits = stores.registry.versions(name, refit_of=version.number)
    approval = approval_of(version)
    asked = starters(stores, version, approval.judged) if approval.state == "waiting" else []
    try:
        judged = [_judged(stores, version, judgement) for judgement in stored_judgements(stores.registry, version)]
    except (EvergreenError, ValueError) as error:
        return VersionFacts(version, [], refits, asked, str(error))
    return VersionFacts(version, judged, refits, asked)


def _judged(stores: Stores, version: Version, judgement: Judgement) -> Judged:
    evidence = judgement.evidence
    champion = f"champion, version {judgement.against}"
    scores: list[tuple[str, Interval | None]] = [
        (f"version {judgement.version}", evidence.challenger),
        (champion, evidence.champion),
        ("a constant prediction", evidence.dummy),
    ]
    gains: list[tuple[str, Interval | None]] = [
        (f"over the {champion}", evidence.over_champion),
        (f"with {evidence.carried_judgings} earlier ones against this champion", evidence.carried),
        *((f"of {earlier} over the champion", gain) for earlier, gain in evidence.earlier_over_champion.items()),
    ]
    worst = sorted(evidence.slices, key=_worst_first)
    name = "trial.png" if judgement.trial else "judged.png"
    kept = picture(stores, version.model, version.number, name) is not None
    return Judged(
        judgement,
        [(who, interval) for who, interval in scores if interval is not None],
        [(what, interval) for what, interval in gains if interval is not None],
        evidence.over_dummy,
        worst[:_SLICES],
        max(len(worst) - _SLICES, 0),
        name if kept else "",
    )


def _worst_first(slice_: Slice) -> tuple[float, int]:
    gain = slice_.gain.value if slice_.gain and math.isfinite(slice_.gain.value) else math.inf
    return gain, -slice_.rows


def page_of(stores: Stores, version: Version, name: str) -> str | None:
    """A page that was kept with a version, or with the judged one that it is a refit of; None without it."""
    registry = stores.registry
    return registry.text(version, name) or registry.text(registry.origin(version), name)


def recorded(version: Version) -> list[tuple[str, Any]]:
    """What was recorded of a version's training, code and environment: a name and a value each."""
    named: list[tuple[str, Callable[[Version], Any]]] = [
        ("trained because", lambda v: v.reason),
        ("as of", lambda v: v.as_of),
        ("table version", lambda v: v.table_version),
        ("rows", lambda v: f"{v.rows:,}" if v.rows else ""),
        ("rows from", lambda v: v.data_from),
        ("rows until", lambda v: v.data_until),
        ("holdout from", lambda v: v.holdout_from),
        ("holdout until", lambda v: v.holdout_until),
        ("arguments that the search chose", lambda v: v.params),
        ("code", lambda v: v.commit[:12] + (" with uncommitted changes" if v.uncommitted else "")),
        ("environment", lambda v: v.environment),
        ("carried from", lambda v: v.carried_from),
        ("lock", lambda v: v.lock_hash),
        ("model file", lambda v: v.model_file_hash),
        ("Evergreen", lambda v: v.evergreen_version),
        ("Python", lambda v: v.python_version),
        ("platform", lambda v: v.platform),
        ("not in the lock", lambda v: v.not_in_lock),
        ("MLflow run", lambda v: v.run_id),
        ("stored model, SHA-256", lambda v: v.stored_hash),
    ]
    found = [(name, value(version)) for name, value in named]
    return [(name, value) for name, value in found if value not in (None, "", {})]
