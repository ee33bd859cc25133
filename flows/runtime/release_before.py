"""What an environment asks of the one before it when it takes a release: that it ran there, and how it did online."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from evergreen import environments
from evergreen.definition import loader
from evergreen.errors import RegistryError, RunningError, translated
from evergreen.lake import release_log
from evergreen.lake.release_log import Trial
from evergreen.lifecycle.release_trials import Finding, examine
from evergreen.releases import Release
from evergreen.settings import Settings
from evergreen.stores import Stores
from flows.runtime.progress import doing
from flows.runtime.release_check import SMOKE

AFTER = "EVERGREEN_RELEASE_AFTER"  # the environment that must have run a release before this one does
SHADOW = "EVERGREEN_RELEASE_SHADOW"  # 1: and found its versions not worse, as shadow or canary

_TRACKING = "MLFLOW_TRACKING_URI"


@dataclass(frozen=True)
class Before:
    """What the environment before found of a release.

    Attributes
    ----------
    trials : list of Trial
        The online evaluations that were asked for.
    notes : list of str
        A sentence on each model.
    """

    trials: list[Trial] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def name(*, shadow: bool) -> str:
    """The environment that is asked; empty if none is.

    Raises
    ------
    RunningError
        Figures are asked for, and no environment is named to have them.
    """
    before = os.environ.get(AFTER, "")
    if shadow and not before:
        raise RunningError(
            f"{SHADOW} asks how a release did online in the environment before, and {AFTER} names none. Set {AFTER}, "
            f"such as to staging, or take {SHADOW} out."
        )
    return before


def required(before: str, release: Release, was: Release | None, *, shadow: bool) -> Before:
    """Make sure that an environment has run a release; with `shadow`, that each model passed its online evaluation.

    Where its file asks for a smoke run, the release has to have passed one there.

    Parameters
    ----------
    before : str
        The environment.
    release : Release
    was : Release or None
        The one in force here, of which a model that did not change needs no evaluation.
    shadow : bool

    Raises
    ------
    RunningError
        It has not, or its registry cannot be read.
    """
    settings = Settings.of_environment(before)
    entries = [entry for entry in release_log.read(settings.lake) if entry.commit == release.commit]
    if not entries:
        raise RunningError(
            f"{before} has not run release {release.commit[:10]}, and {AFTER} asks for it. First: evergreen --env "
            f"{before} deploy --release {release.commit[:10]}"
        )
    if environments.settings_of(before).get(SMOKE) == "1" and not any(entry.smoke for entry in entries):
        raise RunningError(
            f"{before} has run release {release.commit[:10]} without the smoke run that {SMOKE} of its file asks for. "
            f"This makes up for it: evergreen --env {before} deploy --release {release.commit[:10]}"
        )
    if not shadow:
        return Before()
    doing(f"asking what {before} found online")
    findings = _findings(before, settings, entries[-1].models, release, was)
    if missing := [finding.sentence(before) for finding in findings if not finding.goes_on]:
        raise RunningError(
            f"Release {release.commit[:10]} was not put in force: {SHADOW} asks that each model did no worse than the "
            f"champion of {before}, online. {' '.join(missing)}"
        )
    trials = [finding.trial for finding in findings if finding.trial]
    return Before(trials, [finding.sentence(before) for finding in findings])


def _findings(
    before: str, settings: Settings, models: list[str], release: Release, was: Release | None
) -> list[Finding]:
    with _readable(before, settings):
        registry = Stores.of(settings).registry
        return [
            examine(registry, model, release.commit, _code(release, model), _code(was, model) if was else "")
            for model in models
        ]


def _code(release: Release, model: str) -> str:
    """The digest of a model's code in a release; empty if it has no such model."""
    path = loader.path_of(model, release.folder / "models")
    return loader.code_at(path, name=model).digest if path.is_file() else ""


@contextmanager
def _readable(before: str, settings: Settings) -> Iterator[None]:
    """Tell whose registry cannot be read; nothing is made there, and MLflow stays with that of this environment."""
    store, tracking = Path(settings.tracking_uri.removeprefix("sqlite:///")), os.environ.get(_TRACKING)
    away = f"The registry of {before} cannot be read, and {SHADOW} asks what it found: {{reason}} Nothing was changed."
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # a person or a runner waits
    try:
        with translated(RunningError, away, RegistryError, OSError, reason=str):
            if settings.tracking_uri.startswith("sqlite:///") and not store.parent.is_dir():
                raise FileNotFoundError(f"There is no folder {store.parent}.")
            yield
    finally:
        os.environ.pop(_TRACKING, None)
        os.environ.update({_TRACKING: tracking} if tracking is not None else {})
