"""Deploying: put a release in force, and register its deployments with the Prefect server."""

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from evergreen import project, releases
from evergreen.errors import RunningError
from evergreen.lake import release_log, state_format
from evergreen.lake.audit_log import person
from evergreen.lake.release_log import Approval, Entry, Request, Trial
from evergreen.locks import file_lock
from evergreen.releases import RELEASE, Release
from evergreen.settings import Settings
from flows.runtime import deployments, release_before
from flows.runtime.deployments import Registered
from flows.runtime.release_before import SHADOW, Before
from flows.runtime.release_check import SMOKE, Checked, checked

APPROVAL = "EVERGREEN_RELEASE_APPROVAL"  # 1: a release is in force only after a person has approved it

_SHOWN = 3  # packages that are named


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
    waiting : str
        The commit of a release that has passed its checks and waits for a person's approval; else empty.
    trials : list of Trial
        What the environment before found of its versions online, where that was asked for.
    """

    commit: str
    before: str
    server: str
    registered: Registered = field(default_factory=lambda: Registered([], []))
    changed: bool = True
    waiting: str = ""
    trials: list[Trial] = field(default_factory=list)


def deploy_release(commit: str = "HEAD", *, back: bool = False, approved: str = "") -> Deployed:
    """Put a release in force and register it; each step may be repeated, so that a killed deploy is run again.

    Parameters
    ----------
    commit : str
        What to release.
    back : bool
        The release before the one that is in force, instead. It needs no approval.
    approved : str
        Why a person approves it, for the record; empty if nobody does with this call.

    Raises
    ------
    RunningError
        There is no such commit or no release before, one of its model files does not load, its smoke run fails,
        another environment has to run it first or to find its versions no worse, or the server refuses.
    BusyError
        Another deploy is going on.
    LakeFormatError
        The Evergreen that is installed does not open the format of the state.
    """
    settings, smoke, approval = Settings.read(), _switched_on(SMOKE) and not back, _switched_on(APPROVAL) and not back
    shadow = _switched_on(SHADOW) and not back
    asked = "" if back else release_before.name(shadow=shadow)
    state_format.check(settings.lake)
    with file_lock(settings.home / "locks" / "deploy.lock", "Another deploy of this home is going on. Let it finish."):
        was = releases.in_force(settings.home)
        if back:
            commit = _before(settings, was)
        release = releases.unpacked(settings.home, project.repository(), commit)
        entries = release_log.read(settings.lake)
        logged = _is_logged(entries, release.commit, smoke=smoke)
        changed = was is None or was.commit != release.commit
        new = changed or not logged
        before = release_before.required(asked, release, was, shadow=shadow) if asked and new else Before()
        found = checked(release, smoke=smoke, in_force=not changed) if new else Checked()
        if approved:
            now = datetime.now(UTC).isoformat(timespec="microseconds")
            release_log.approve(settings.lake, Approval(now, release.commit, person(), approved))
        if approval and changed and not release_log.is_approved(settings.lake, release.commit):
            at = release_log.next_at(entries, datetime.now(UTC))
            release_log.ask(settings.lake, Request(at, release.commit, person(), found.models, before.trials))
            there = Registered([], before.notes)
            return Deployed(was.commit if was else "", "", "", there, False, release.commit, before.trials)
        if not logged:  # before it is in force, as every act is
            at = release_log.next_at(entries, datetime.now(UTC))
            act: Literal["deploy", "back"] = "back" if back else "deploy"
            entry = Entry(at, release.commit, act, person(), found.models, smoke, before.trials)
            release_log.append(settings.lake, entry)
        if changed:
            releases.put_in_force(settings.home, release)
        os.environ[RELEASE] = os.environ[project.PROJECT] = str(release.folder)
        registered, renewed = _registered()
        releases.note_registered(settings.home, release)
        registered.notes.extend(before.notes)
        if changed:
            registered.notes.extend(
                [*_left(entries, found.models), *_unlike(found.otherwise_installed), *_older(settings)]
            )
        server = os.environ.get("PREFECT_API_URL", "")
        replaced, changed = was.commit if was and changed else "", changed or renewed
        return Deployed(release.commit, replaced, server, registered, changed, trials=before.trials)


def _is_logged(entries: list[Entry], commit: str, *, smoke: bool) -> bool:
    """Whether the newest entry is of a commit; with `smoke`, also whether a smoke run of it passed."""
    newest = bool(entries) and entries[-1].commit == commit
    return newest and (not smoke or any(entry.smoke for entry in entries if entry.commit == commit))


def deploy_tree() -> Deployed:
    """Register the working tree, or the release that is in force, with the server that is set.

    In an image, put its release in force: as :func:`deploy_release` does.

    Raises
    ------
    RunningError
        No server is set, or it refuses; or as of a release.
    LakeFormatError
        The Evergreen that is installed does not open the format of the state.
    """
    state_format.check(Settings.read().lake)
    server = deployments.server()
    if image := releases.built(project.root()):
        return deploy_release(image.commit)
    was = releases.in_force(Settings.read().home)
    if was:
        os.environ[RELEASE] = os.environ[project.PROJECT] = str(was.folder)
    registered, changed = deployments.register_once()
    return Deployed(was.commit if was else "", "", server, registered, changed)


def _switched_on(name: str) -> bool:
    """Whether a setting is 1.

    Raises
    ------
    RunningError
        It is something else than 1, 0 or nothing.
    """
    value = os.environ.get(name, "").strip()
    if value not in ("", "0", "1"):
        raise RunningError(f"{name} is {value!r}. Set it to 1 to ask for it, to 0 or not at all otherwise.")
    return value == "1"


def _before(settings: Settings, was: Release | None) -> str:
    """The commit before the one in force; the one in force itself if going back to it was interrupted."""
    entries = release_log.read(settings.lake)
    interrupted = was is not None and entries and entries[-1].act == "back" and entries[-1].commit == was.commit
    if was and interrupted and releases.registered(settings.home) != was.commit:
        return was.commit
    before = release_log.before(entries, was.commit) if was else ""
    if not before:
        raise RunningError("There is no release before the one in force, so there is nothing to go back to.")
    return before


def _left(entries: list[Entry], models: list[str]) -> list[str]:
    """A sentence on each model that the release before had and this one has not."""
    return [
        f"Model {name!r} is no part of this release: its champion answers until `evergreen retire {name} --reason ...`."
        for name in (sorted(set(entries[-1].models) - set(models)) if entries else [])
    ]


def _unlike(packages: list[str]) -> list[str]:
    """A sentence on packages that are not those of the release's lock, if there are any."""
    more = f", and {len(packages) - _SHOWN} more" if len(packages) > _SHOWN else ""
    sentence = (
        f"Installed here is not what the lock of the release names: {'; '.join(packages[:_SHOWN])}{more}. Set the "
        "environment up anew, as with `make setup`, and restart what runs in it."
    )
    return [sentence] if packages else []


def _older(settings: Settings) -> list[str]:
    """A sentence on a stored state that a migration would bring to the format that is written now."""
    stored = state_format.current(settings.lake).format
    sentence = (
        f"The stored state is in format {stored}, and this Evergreen writes format {state_format.WRITES}: "
        "`evergreen migrate --check` says what a migration would change."
    )
    return [sentence] if stored < state_format.WRITES else []


def _registered() -> tuple[Registered, bool]:
    """Register with the server, if one is set, unless it has all of it already."""
    if not os.environ.get("PREFECT_API_URL"):
        return Registered([], ["PREFECT_API_URL is not set, so nothing was registered with a Prefect server."]), False
    return deployments.register_once()
