"""Rollback: which earlier champion to go back to, and what is marked so that the fallen one stays down."""

import pandas as pd

from evergreen.errors import PromotionError
from evergreen.registry.registry import Registry
from evergreen.registry.version import Version


def destination(registry: Registry, name: str, to: str = "") -> tuple[Version, Version]:
    """Find the champion, and the version to put in its place.

    Parameters
    ----------
    registry : Registry
    name : str
        Of the model.
    to : str
        A version's number or alias; empty for the one that the champion replaced, or that a
        rollback which died on the way was to put back.

    Returns
    -------
    champion, target : Version
        The same twice if it stands there already.

    Raises
    ------
    PromotionError
        There is no champion or nothing to go back to, or the target was never champion.
    RegistryError
        There is no such version.
    """
    champion = registry.champion(name)
    if champion is None:
        raise PromotionError(f"{name} has no champion yet, so there is nothing to roll back.")
    wanted = to or (champion.tags["rolled_back_to"] if champion.fallen else "")
    target = registry.version(name, wanted) if wanted else registry.previous(name)
    if target is None:
        raise PromotionError(f"{champion} is the first champion of {name}; there is no earlier one to go back to.")
    if not to and target.fallen and champion.restored:
        return champion, champion
    if not to and target.fallen:
        raise PromotionError(
            f"{target}, which stood before {champion}, was itself rolled back: {target.tags['rolled_back_reason']}. "
            f"Name the version to go back to; `evergreen models {name}` lists them."
        )
    if not target.tags.get("promoted_at"):
        raise PromotionError(
            f"{target} was never champion: its verdict is {target.tags.get('decision') or 'still open'!r}. "
            "Only a version that passed its gates can be put back."
        )
    return champion, target


def fell(registry: Registry, version: Version, target: Version, reason: str, as_of: pd.Timestamp) -> None:
    """Mark a version, and the judged one that it is a refit of, so that no verdict of old brings it back.

    A rollback that is undone marks nobody: its target bears the mark of where it fell to, and bears it
    on, so that an undoing that died on the way is known for one.
    """
    if target.tags.get("rolled_back_to") != version.number:
        marks = {"rolled_back_reason": reason, "rolled_back_to": target.number, "rolled_back_at": as_of.isoformat()}
        _mark(registry, version, marks)


def restored(registry: Registry, version: Version, as_of: pd.Timestamp) -> None:
    """Let a version no longer count as fallen, and note since when it answers again."""
    if version.fallen:
        _mark(registry, version, {"rolled_back_at": ""})
    registry.tag(version, {"restored_at": as_of.isoformat()})


def _mark(registry: Registry, version: Version, tags: dict[str, str]) -> None:
    for one in (version, registry.origin(version)):
        registry.tag(one, tags)
