"""Who is compared: a challenger, the champion and earlier champions, and how often their rows were looked at."""

import math
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from evergreen.errors import RegistryError
from evergreen.evaluation.bootstrap import Gain
from evergreen.registry.registry import Registry
from evergreen.registry.version import Version
from evergreen.training.recipe import split_of, trained_until
from evergreen.training.split import Split

if TYPE_CHECKING:
    from evergreen.definition.model import Model


@dataclass(frozen=True)
class Candidate:
    """A fitted model, registered or not.

    Attributes
    ----------
    estimator
    path : str
        Where it is stored; empty in a replay, which stores no models and skips the checks that need one.
    split : Split
        The periods of training and, for a challenger, of the holdout.
    trained_until : Timestamp
        Just after the newest row that it was fitted on.
    trusted : list of str
        Types that the stored model may have beside the default ones.
    """

    estimator: Any
    path: str
    split: Split
    trained_until: pd.Timestamp
    trusted: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Rivals:
    """The models that a challenger is compared with.

    Attributes
    ----------
    champion : Candidate or None
    earlier : dict of name to Candidate
        Earlier champions.
    gains : list of Gain
        Of earlier challengers of the same model file over this champion, on rows that do not
        overlap.
    stand_in : str
        The number of the version that takes the champion's place: the one that it is a refit of. Empty if it is met
        itself.
    answering : Candidate or None
        The champion itself, where a version takes its place and there are earlier champions.
    """

    champion: Candidate | None
    earlier: dict[str, Candidate]
    gains: list[Gain] = field(default_factory=list)
    stand_in: str = ""
    answering: Candidate | None = None


def candidate(registry: Registry, version: Version) -> Candidate:
    """A registered version as a candidate."""
    path = registry.path(version)
    trusted = registry.trusted(version) if path else []
    return Candidate(registry.load(version), path, split_of(version), trained_until(version), trusted)


def rivals(
    registry: Registry,
    model: "Model",
    champion: Version | None,
    versions: list[Version],
    challenger: Version,
    since: pd.Timestamp | None = None,
) -> Rivals:
    """The champion, and the earlier champions that were not trained on the rows to judge on.

    These rows begin at `since`, by default the start of the challenger's holdout.
    """
    start = split_of(challenger).holdout_from if since is None else since
    others = [version for version in versions if champion is None or version.number != champion.number]
    if since is not None:  # the version in online evaluation may be an earlier champion
        others = [version for version in others if version.number != challenger.number]
    champions = [version for version in others if version.promoted_at and not version.rolled_back]
    unseen = [version for version in champions if trained_until(version) <= start][: model.policy.contenders]
    earlier = {f"version {version.number}": candidate(registry, version) for version in unseen}
    if champion is None:
        return Rivals(None, earlier)
    met = _met(registry, champion, start) if since is None else champion
    stand_in = "" if met is champion else met.number
    answering = candidate(registry, champion) if stand_in and earlier else None
    return Rivals(candidate(registry, met), earlier, _gains(versions, champion, challenger, start), stand_in, answering)


def _met(registry: Registry, champion: Version, start: pd.Timestamp) -> Version:
    """The champion; or the version that it is a refit of, if only that one has not seen the holdout.

    Where trainings follow each other faster than the holdout is long, the champion was fitted on a part of it, and on
    newer rows than the challenger, which is judged without its holdout. The version that was judged for the champion
    had to do without its own: it is as much older than the champion as the challenger is than its refit.
    """
    if trained_until(champion) <= start:
        return champion
    with suppress(RegistryError):  # it was deleted
        judged = registry.origin(champion)
        return judged if trained_until(judged) <= start else champion
    return champion


def _gains(versions: list[Version], champion: Version, challenger: Version, before: pd.Timestamp) -> list[Gain]:
    """The gains of challengers of the same code over a champion, on separate rows, newest first."""
    gains = []
    for version in versions:
        low, high = version.judged_from, version.judged_until
        same_file = version.model_file_hash == challenger.model_file_hash
        same_code = same_file and version.code_hash in ("", challenger.code_hash)  # "": of an earlier release
        met = version.gain and version.judged_against == champion.number and same_code
        if met and low is not None and high is not None and high < before:
            gain = Gain.parse(version.gain)
            if math.isfinite(gain.interval.low):  # of a single block, nothing is known of chance
                gains.append(gain)
            before = low
    return gains


def looks(versions: list[Version], since: pd.Timestamp, until: pd.Timestamp, *, first: bool = False) -> int:
    """How many earlier evaluations used rows of ``[since, until)``.

    For the `first` model, the settings count that were tried on these rows after earlier ones were not promoted: the
    present setting may have been chosen among them.
    """
    judged = [version for version in versions if version.decision]  # without one, the evaluation was interrupted
    times = [1 + version.settings_tried * first for version in judged]
    periods = [
        (version.judged_from, version.judged_until)
        for version, count in zip(judged, times, strict=True)
        for _ in range(count)
    ]
    periods += [period for version in versions for period in version.trial_periods]
    return sum(1 for low, high in periods if low is not None and high is not None and low < until and high >= since)
