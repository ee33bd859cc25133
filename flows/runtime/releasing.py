"""Deploying: put a release in force, and register its deployments with the Prefect server."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from evergreen import lifeline, project, releases
from evergreen.errors import RunningError
from evergreen.lake import release_log
from evergreen.lake.audit_log import person
from evergreen.lake.release_log import Entry
from evergreen.locks import file_lock
from evergreen.releases import RELEASE, Release
from evergreen.settings import Settings
from flows.runtime import deployments
from flows.runtime.deployments import Registered

AFTER = "EVERGREEN_RELEASE_AFTER"  # the environment that must have run a release before this one does
_CHECK = """
import json
from evergreen.definition import loader
from evergreen.definition.feasibility import assess
from evergreen.settings import embed

embed()
names = loader.names()
for name in names:
    assess.require(loader.load(name))
print(json.dumps(names))
"""


@dataclass(frozen=True)
class Deployed:
    """What a deploy came to.

    Attributes
    ----------
    commit : str
        Of the release that is in force now; empty where the working tree is used.
    before : str
        Of the one that was in force; empty if there was none, or the same.
    server : str
        The Prefect server; empty if none is set.
    registered : Registered
    changed : bool
        Whether anything is other than before.
    """

    commit: str
    before: str
    server: str
    registered: Registered = field(default_factory=lambda: Registered([], []))
    changed: bool = True


def deploy_release(commit: str = "HEAD", *, back: bool = False) -> Deployed:
    """Put a release in force and register it; each step may be repeated, so that a killed deploy is run again.

    Parameters
    ----------
    commit : str
        What to release.
    back : bool
        The release before the one that is in force, instead.

    Raises
    ------
    RunningError
        There is no such commit or no release before, one of its model files does not load, another environment has to
        run it first, or the server refuses.
    BusyError
        Another deploy is going on.
    """
    settings = Settings.read()
    with file_lock(settings.home / "locks" / "deploy.lock", "Another deploy of this home is going on. Let it finish."):
        was = releases.in_force(settings.home)
        if back:
            commit = _before(settings, was)
        release = releases.unpacked(settings.home, _repository(), commit)
        if not back:
            _require_run_before(release)
        entries = release_log.read(settings.lake)
        logged = bool(entries) and entries[-1].commit == release.commit
        changed = was is None or was.commit != release.commit
        models = _checked(release) if changed or not logged else []
        if not logged:  # before it is in force, as every act is
            at = datetime.now(UTC).isoformat(timespec="microseconds")
            release_log.append(settings.lake, Entry(at, release.commit, "back" if back else "deploy", person(), models))
        if changed:
            releases.put_in_force(settings.home, release)
        os.environ[RELEASE] = os.environ[project.PROJECT] = str(release.folder)
        registered, renewed = _registered()
        if changed:
            registered.notes.extend(_left(entries, models))
        server = os.environ.get("PREFECT_API_URL", "")
        return Deployed(release.commit, was.commit if was and changed else "", server, registered, changed or renewed)


def deploy_tree() -> Deployed:
    """Register the working tree, or the release that is in force, with the server that is set.

    Raises
    ------
    RunningError
        No server is set, or it refuses.
    """
    server, was = deployments.server(), releases.in_force(Settings.read().home)
    if was:
        os.environ[RELEASE] = os.environ[project.PROJECT] = str(was.folder)
    registered, changed = deployments.register_once()
    return Deployed(was.commit if was else "", "", server, registered, changed)


def _repository() -> Path:
    """The project's repository; from within a release, the one that it was made from."""
    release = releases.at(project.root())
    return release.repository if release else project.root()


def _before(settings: Settings, was: Release | None) -> str:
    before = release_log.before(release_log.read(settings.lake), was.commit) if was else ""
    if not before:
        raise RunningError("There is no release before the one in force, so there is nothing to go back to.")
    return before


def _checked(release: Release) -> list[str]:
    """The models of a release, after each file was loaded in a process of its own; nothing is in force yet.

    Raises
    ------
    RunningError
        One does not load, or a gate of it can never judge.
    """
    environ = lifeline.environment() | {RELEASE: str(release.folder)}
    words = [sys.executable, "-P", "-c", _CHECK]
    done = subprocess.run(words, env=environ, cwd=release.folder, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        raise RunningError(
            f"Release {release.commit[:10]} was not put in force: {last.partition('Error: ')[2] or last}"
        )
    names: list[str] = json.loads(done.stdout.splitlines()[-1])
    return names


def _left(entries: list[Entry], models: list[str]) -> list[str]:
    """A sentence on each model that the release before had and this one has not."""
    return [
        f"Model {name!r} is no part of this release: its champion answers until `evergreen retire {name} --reason ...`."
        for name in (sorted(set(entries[-1].models) - set(models)) if entries else [])
    ]


def _require_run_before(release: Release) -> None:
    """Make sure that the environment before this one has run a release.

    Raises
    ------
    RunningError
        It has not.
    """
    name = os.environ.get(AFTER)
    if not name:
        return
    lake = Settings.of_environment(name).lake
    ran = {entry.commit for entry in release_log.read(lake)}
    if release.commit not in ran:
        raise RunningError(
            f"{name} has not run release {release.commit[:10]}, and {AFTER} asks for it. First: evergreen --env {name} "
            f"deploy --release {release.commit[:10]}"
        )


def _registered() -> tuple[Registered, bool]:
    """Register with the server, if one is set, unless it has all of it already."""
    if not os.environ.get("PREFECT_API_URL"):
        return Registered([], ["PREFECT_API_URL is not set, so nothing was registered with a Prefect server."]), False
    return deployments.register_once()
