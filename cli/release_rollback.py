"""Take back what a release has made of the models: `evergreen rollback --made-by`."""

from dataclasses import dataclass, field
from datetime import datetime

from evergreen.definition import model_files
from evergreen.lifecycle.approval import approval_of
from evergreen.lifecycle.outcome import Outcome
from evergreen.lifecycle.rollback import beside, made_by
from evergreen.locks import model_lock
from evergreen.registry.version import CHALLENGER, Version
from evergreen.stores import Stores
from flows.approve import approve
from flows.rollback import rollback
from flows.runtime.parameters import timestamp_of
from tasks.end_trial import withdraw


@dataclass(frozen=True)
class TakenBack:
    """What became of the versions of a release.

    Attributes
    ----------
    outcomes : list of Outcome
        The approvals that were refused, and the rollbacks.
    notes : list of str
        A sentence on each other version.
    left : list of str
        A sentence on each champion that nothing could be put in the place of.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def take_back(commit: str, reason: str, by: str, as_of: datetime | None) -> TakenBack:
    """End the trials of a release's versions, refuse those that wait for approval, and put back the champions before.

    Each step may be repeated, so that a call that was interrupted is made again.

    Parameters
    ----------
    commit : str
        Of the release, or how it begins.
    reason, by : str
        For the record.
    as_of : datetime or None
        The time of it; None for now.
    """
    stores, done = Stores.open(), TakenBack()
    for version in beside(stores.registry, model_files.names(), commit):
        with model_lock(version.model, "train"):
            if withdraw.fn(stores, version, reason, by):
                done.notes.append(f"{version.model}: version {version.number} runs beside the champion no more.")
        if approval_of(version, timestamp_of(as_of)).state == "waiting":
            done.outcomes.append(approve(version.model, reason, by, False, version.number, as_of))
    for name, target in made_by(stores.registry, commit).items():
        if target is None or name not in model_files.names():
            done.left.append(_left(stores, name))
        else:
            done.outcomes.append(rollback(name, reason, target.number, by, as_of))
    done.notes.extend(_challengers(stores, commit))
    return done


def _left(stores: Stores, name: str) -> str:
    """Why a champion stays, and what ends its answers."""
    retire = f"`evergreen retire {name} --reason ...`"
    if name not in model_files.names():
        return f"{name}: it has no model file any more, so its champion was left; {retire} lets it stop answering."
    return (
        f"{name}: no champion of another release came before, so {stores.registry.champion(name)} was left. Where the "
        f"model is to go, deploy a release without its file, and {retire} lets it stop answering."
    )


def _challengers(stores: Stores, commit: str) -> list[str]:
    """A sentence on each version that a person can still start, as the newest challenger of its model."""
    return [
        f"{version.model}: version {version.number} stays the newest challenger until the next training; it is "
        f"promoted only if a person starts it with `evergreen challenge {version.model}`."
        for version in beside(stores.registry, model_files.names(), commit)
        if CHALLENGER in version.aliases and not version.rolled_back and not _is_origin(stores, version)
    ]


def _is_origin(stores: Stores, version: Version) -> bool:
    """Whether the champion is a refit of it."""
    champion = stores.registry.champion(version.model)
    return champion is not None and champion.refit_of == version.number
