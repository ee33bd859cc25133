"""Releases: commits of the project, unpacked in the home, of which one is in force.

Runs, the service and commands then use its model files in the place of those of the working tree. A process stays with
the release that it began with. An image holds one release, in the place of a working tree: what runs in it stays with
that one, and the home keeps a copy of its files.
"""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from evergreen import files, git
from evergreen.errors import RunningError

RELEASE = "EVERGREEN_RELEASE"  # the folder of the release that a process works with; empty for the working tree
_LINK, _FOLDER, _REGISTERED = "release", "releases", "release.registered"
_RECORD = "release.json"  # deployments/Containerfile writes a record, too
SHORTEST = 7  # characters of a commit's hash that name it


@dataclass(frozen=True)
class Release:
    """A release that is unpacked.

    Attributes
    ----------
    commit : str
    folder : Path
        Of the project as it was then.
    repository : Path
        That it was made from; in an image the folder itself.
    """

    commit: str
    folder: Path
    repository: Path


def unpacked(home: Path, project: Path, commit: str = "HEAD") -> Release:
    """Unpack a commit of a project into a home, unless it is there; in an image, keep a copy of its release there.

    Raises
    ------
    RunningError
        The project is no git repository, or has no such commit; or it is an image of another one.
    """
    if image := built(project):
        return _copied(home, image, commit)
    try:
        full = git.commit_of(project, commit)
        folder = home / _FOLDER / full
        git.unpack(project, full, folder, release__json=json.dumps({"commit": full, "repository": str(project)}))
    except (OSError, subprocess.CalledProcessError) as error:
        raise RunningError(
            f"{project} has no commit {commit!r} to release: a release is a commit of a git repository. Commit what is "
            "to be released, or name another one with --release."
        ) from error
    return Release(full, folder, project)


def at(folder: Path | None) -> Release | None:
    """The release in a folder; None if it is something else."""
    record = folder / _RECORD if folder else None
    if folder is None or record is None or not record.is_file():
        return None
    recorded = json.loads(record.read_text())
    return Release(recorded["commit"], folder, folder / recorded["repository"])


def built(folder: Path | None) -> Release | None:
    """The release in a folder that is the project itself, as in an image; None for one that is unpacked in a home."""
    release = at(folder)
    return release if release and release.repository == release.folder else None


def _copied(home: Path, image: Release, commit: str) -> Release:
    """The release of an image, copied into a home, where the image after it finds what was in force before.

    Raises
    ------
    RunningError
        The commit is another one.
    """
    if commit != "HEAD" and not (len(commit) >= SHORTEST and image.commit.startswith(commit)):
        raise RunningError(
            f"This is an image of release {image.commit[:10]}, which holds no other. Run the image of {commit[:10]!r}."
        )
    folder = home / _FOLDER / image.commit
    if not folder.is_dir():
        with files.making(folder) as whole:
            shutil.copytree(image.folder, whole, ignore=shutil.ignore_patterns("__pycache__"))
            (whole / _RECORD).write_text(json.dumps({"commit": image.commit, "repository": str(image.folder)}))
    return Release(image.commit, folder, image.folder)


def in_force(home: Path) -> Release | None:
    """The release that is in force in a home; None before the first."""
    link = home / _LINK
    return at(link.resolve()) if link.is_symlink() else None


def put_in_force(home: Path, release: Release) -> None:
    """Let a release be in force, from one instant to the next."""
    beside = home / f"{_LINK}.{os.getpid()}"
    beside.unlink(missing_ok=True)
    beside.symlink_to(release.folder, target_is_directory=True)
    beside.replace(home / _LINK)


def note_registered(home: Path, release: Release) -> None:
    """Note that the deployments of a release are registered, by which its deploy is done."""
    files.replace(home / _REGISTERED, release.commit)


def registered(home: Path) -> str:
    """The commit of the release whose deploy was the last to be done; empty before the first."""
    path = home / _REGISTERED
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def followed(home: Path) -> Path | None:
    """The folder of whichever release is in force, for a process that outlives one; None before the first."""
    return home / _LINK if in_force(home) else None
