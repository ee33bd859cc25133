"""Rollback: which earlier champion to restore, and the record that keeps the replaced version rolled back."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Unpack

import pandas as pd

from evergreen.errors import PromotionError
from evergreen.registry.registry import Registry
from evergreen.registry.version import CANARY, CHALLENGER, CHAMPION, SHADOW, TagValues, Version


def destination(registry: Registry, name: str, to: str = "") -> tuple[Version, Version]:
    """Find the champion, and the version to put in its place.

    Parameters
    ----------
    registry : Registry
    name : str
        Of the model.
    to : str
        A version's number or alias; empty for the version that the champion replaced, or that an
        interrupted rollback was to restore.

    Returns
    -------
    champion, target : Version
        The same version twice if it is the champion already.

    Raises
    ------
    PromotionError
        There is no champion or no earlier one, or the target was never champion.
    RegistryError
        There is no such version.
    """
    champion = registry.champion(name)
    if champion is None:
        raise PromotionError(
            f"{name} has no champion yet, so there is nothing to roll back. `evergreen train {name}` trains one."
        )
    wanted = to or (champion.rolled_back_to if champion.rolled_back else "")
    target = registry.version(name, wanted) if wanted else registry.previous(name)
    if target is None:
        raise PromotionError(
            f"{champion} is the first champion of {name}; there is no earlier one to restore. `evergreen train {name}` "
            "trains a challenger."
        )
    if not to and target.rolled_back and champion.restored:
        return champion, champion
    if not to and target.rolled_back:
        raise PromotionError(
            f"{target}, the champion before {champion}, was itself rolled back: {target.rolled_back_reason}. "
            f"Name the version to restore with --to; `evergreen models {name}` lists them."
        )
    if target.promoted_at is None:
        raise PromotionError(
            f"{target} was never champion: its verdict is {target.decision or 'still open'!r}. "
            "Only a version that was champion can be restored."
        )
    return champion, target


@dataclass(frozen=True)
class MadeBy:
    """What a release has made that answers, or may come to.

    Attributes
    ----------
    champions : dict of model to Version or None
        The models whose champion is of the release, also those without a file, each with the champion to put back: the
        newest that was champion before, was not rolled back and is of another commit; None where there is none.
    promotable : list of Version
        Versions of the release that can still become champion: they run as shadow or canary, wait for a person's
        approval, or are the newest challenger of their model.
    """

    champions: dict[str, Version | None]
    promotable: list[Version]


def made_by(registry: Registry, names: Iterable[str], commit: str) -> MadeBy:
    """Find what a release has made.

    Parameters
    ----------
    registry : Registry
    names : list of str
        The models to look at, beside those that have a champion.
    commit : str
        Of the release, or how it begins.
    """
    found = MadeBy({}, [])
    for name in sorted({*names, *registry.serving_aliases()}):
        versions = registry.versions(name)
        own = [version for version in versions if version.commit.startswith(commit)]
        if any(CHAMPION in version.aliases for version in own):
            found.champions[name] = _before(versions, commit)
        found.promotable.extend(version for version in own if _is_promotable(version))
    return found


def _is_promotable(version: Version) -> bool:
    if CHAMPION in version.aliases:
        return False
    return version.approval == "waiting" or any(alias in version.aliases for alias in (CANARY, SHADOW, CHALLENGER))


def _before(versions: Iterable[Version], commit: str) -> Version | None:
    earlier = [
        version
        for version in versions
        if version.promoted_at is not None and not version.rolled_back and not version.commit.startswith(commit)
    ]
    return max(earlier, key=_since, default=None)


def _since(version: Version) -> pd.Timestamp:
    assert version.promoted_at is not None
    return max(version.promoted_at, version.restored_at or version.promoted_at)


def record_rollback(registry: Registry, version: Version, target: Version, reason: str, as_of: pd.Timestamp) -> None:
    """Record the rollback of a version, and of the judged one that it is a refit of: no earlier verdict restores it.

    Undoing a rollback records none. The target keeps its `rolled_back_to`, so that an interrupted undo is
    recognisable.
    """
    if target.rolled_back_to != version.number:
        _tag_both(registry, version, rolled_back_reason=reason, rolled_back_to=target.number, rolled_back_at=as_of)


def record_restoration(registry: Registry, version: Version, as_of: pd.Timestamp) -> None:
    """Clear a version's rollback, and record since when it is champion again."""
    if version.rolled_back:
        _tag_both(registry, version, rolled_back_at=None)
    registry.tag(version, restored_at=as_of)


def _tag_both(registry: Registry, version: Version, **values: Unpack[TagValues]) -> None:
    """Tag a version and the judged one that it is a refit of."""
    for tagged in (version, registry.origin(version)):
        registry.tag(tagged, **values)
