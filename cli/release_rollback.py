"""Take back what a release has made of the models: `evergreen rollback --made-by`."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pandas as pd

from evergreen.errors import EvergreenError
from evergreen.lifecycle.approval import approval_of
from evergreen.lifecycle.outcome import Outcome
from evergreen.lifecycle.rollback import MadeBy
from evergreen.locks import model_lock
from evergreen.registry.version import CHALLENGER, Version
from evergreen.stores import Stores
from flows.approve import approve
from flows.rollback import rollback
from tasks.end_trial import withdraw


@dataclass(frozen=True)
class TakenBack:
    """What became of the versions of a release.

    Attributes
    ----------
    outcomes : list of Outcome
        The rollbacks, and the approvals that were refused.
    notes : list of str
        A sentence on each other version.
    left : list of str
        A sentence on each champion that nothing could take the place of, and on each version that could not be stopped.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    @contextmanager
    def told(self) -> Iterator[None]:
        """Note what keeps a model from being taken back; it keeps no other."""
        try:
            yield
        except EvergreenError as error:
            self.left.append(str(error))


def take_back(made: MadeBy, names: Collection[str], reason: str, by: str, at: pd.Timestamp) -> TakenBack:
    """Put back the champions before, stop a release's shadows and canaries, and refuse what waits for approval.

    Each step may be repeated, so that a call that was interrupted is made again.

    Parameters
    ----------
    made : MadeBy
        The release.
    names : list of str
        The models that have a file.
    reason, by : str
        For the record.
    at : Timestamp
        The time of it.
    """
    stores, done = Stores.open(), TakenBack()
    for name, target in made.champions.items():  # first, since they answer now
        with done.told():
            if target is None or name not in names:
                done.left.append(_left(stores, name, has_file=name in names))
            else:
                done.outcomes.append(rollback(name, reason, target.number, by, at))
    for version in made.promotable:
        with done.told():
            _stop(stores, version, reason, by, at, done)
    return done


def _left(stores: Stores, name: str, *, has_file: bool) -> str:
    """Why a champion stays, and what ends its answers."""
    retire = f"`evergreen retire {name} --reason ...`"
    if not has_file:
        return f"{name}: it has no model file any more, so its champion was left; {retire} lets it stop answering."
    return (
        f"{name}: no champion of another release came before, so {stores.registry.champion(name)} was left. Where the "
        f"model is to go, deploy a release without its file, and {retire} lets it stop answering."
    )


def _stop(stores: Stores, version: Version, reason: str, by: str, at: pd.Timestamp, done: TakenBack) -> None:
    """Keep a version from becoming champion, or tell who could still make it so."""
    with model_lock(version.model, "train"):
        if withdraw.fn(stores, version, reason, by):
            done.notes.append(f"{version.model}: version {version.number}, which ran beside the champion, was stopped.")
    if approval_of(version, at).state == "waiting":
        done.outcomes.append(approve(version.model, reason, by, False, version.number, at))
    now = stores.registry.version(version.model, version.number)
    if CHALLENGER in now.aliases and not now.rolled_back and not _is_origin(stores, now):
        done.notes.append(
            f"{version.model}: version {version.number} stays the newest challenger until the next training; it is "
            f"promoted only if a person starts it with `evergreen challenge {version.model}`."
        )


def _is_origin(stores: Stores, version: Version) -> bool:
    """Whether the champion is a refit of it."""
    champion = stores.registry.champion(version.model)
    return champion is not None and champion.refit_of == version.number
