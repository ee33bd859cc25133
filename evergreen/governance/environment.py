"""The environment that a version was trained in: compare it with another one, or rebuild it."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from evergreen import git, lifeline, project, provenance
from evergreen.definition import loader
from evergreen.errors import ReproductionError
from evergreen.locks import file_lock
from evergreen.project import CODE, IS_INSTALLED
from evergreen.registry.version import Version
from evergreen.settings import Settings


@dataclass(frozen=True)
class Place:
    """An environment in which a version can be trained again.

    Attributes
    ----------
    python : str
        The interpreter, with the packages of the environment.
    code : Path or None
        The clone of Evergreen; None where Evergreen is installed as a package.
    project : Path or None
        The folder of the project.
    exact : bool
        Whether it was built from the version's recorded commit and lock.
    """

    python: str
    code: Path | None
    project: Path | None
    exact: bool


def present() -> Place:
    """The environment of this process."""
    return Place(sys.executable, None if IS_INSTALLED else CODE, project.find(), exact=False)


def differences(version: Version, stored: str, place: Place) -> list[str]:
    """The differences between a place and the environment that a version was trained in, a sentence each.

    Parameters
    ----------
    version : Version
    stored : str
        A local copy of the stored model, which names the packages that it needs.
    place : Place
    """
    recorded = {"python": version.python_version, "platform": version.platform}
    present = provenance.environment()
    sentences = [
        f"{name}: {recorded[name] or 'unknown'} then, {now} now"
        for name, now in present.items()
        if recorded[name] != now
    ]
    if version.uncommitted:
        sentences.append("code: it was trained with uncommitted changes, or from a model file outside the project")
    if place.exact:
        return sentences
    commit, _ = provenance.commit(loader.path_of(version.model))
    if version.commit != commit:
        sentences.append(f"code: commit {_short(version.commit)} then, {_short(commit)} now")
    if version.lock_hash != provenance.lock_hash():
        sentences.append(f"lock: {version.lock_hash or 'none'} then, {provenance.lock_hash() or 'none'} now")
    if version.evergreen_version not in ("", provenance.release()):  # not recorded before
        sentences.append(f"evergreen: {version.evergreen_version} then, {provenance.release()} now")
    return sentences + [
        f"{name}: {recorded} then, {now} now" for name, recorded, now in _packages(stored) if recorded != now
    ]


def rebuilt(version: Version) -> Place:
    """The recorded commit with the packages of its lock, kept in the home for the next time.

    Raises
    ------
    ReproductionError
        The commit is unknown here, its lock is not the recorded one, or the packages cannot be installed.
    """
    commit = version.commit
    if not commit:
        raise ReproductionError(
            f"{version} has no recorded commit, so its environment cannot be rebuilt. Leave out --exact."
        )
    folder = Settings.read().home / "environments" / commit[:12]
    with file_lock(
        folder.with_suffix(".lock"), f"The environment of {_short(commit)} is being built by another process."
    ):
        if not (folder / "ready").is_file():
            _build(version, folder)
    return Place(_python(folder), folder if _is_clone(folder) else None, folder, exact=True)


def _python(folder: Path) -> str:
    return str(folder / ".venv" / "bin" / "python")


def _is_clone(folder: Path) -> bool:
    """Whether a folder holds Evergreen itself, and not only a team's models."""
    return (folder / "evergreen" / "__init__.py").is_file()


def _build(version: Version, folder: Path) -> None:
    """Build it; the file ``ready`` is written last."""
    commit, repository = version.commit, project.repository()
    if folder.is_dir():  # an interrupted build
        shutil.rmtree(folder)
    with _explained(f"find its commit {_short(commit)} in {repository}"):
        git.unpack(repository, commit, folder)
    lock = folder / "requirements.lock"
    found_hash = provenance.hash_of(lock)
    if found_hash != version.lock_hash:
        raise ReproductionError(
            f"{version}: the lock of commit {_short(commit)} is {found_hash or 'not there'}, but it was trained with "
            f"{version.lock_hash or 'none'}. Leave out --exact."
        )
    if not _is_clone(folder) and not provenance.names_evergreen(lock):
        raise ReproductionError(
            f"{version}: the lock of commit {_short(commit)} does not name evergreen, so nothing tells which Evergreen "
            "to install. Leave out --exact; `make lock` names it for later versions."
        )
    _run("make its environment", [sys.executable, "-m", "venv", str(folder / ".venv")])
    install = [_python(folder), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run("install its lock", [*install, "--require-hashes", "--no-deps", "-r", str(lock)])
    if _is_clone(folder):
        _run("install its code", [*install, "--no-deps", "--no-build-isolation", "-e", str(folder)])
    (folder / "ready").touch()


def _run(doing: str, command: list[str]) -> None:
    with _explained(doing), lifeline.guarded():
        subprocess.run(command, check=True, capture_output=True, text=True, errors="replace")  # noqa: S603


@contextmanager
def _explained(doing: str) -> Iterator[None]:
    """Tell what could not be done, by the last line of the command's own error."""
    try:
        yield
    except (OSError, subprocess.CalledProcessError) as error:
        last = (getattr(error, "stderr", "") or "").strip().splitlines()[-1:] or [str(error)]
        raise ReproductionError(f"Cannot {doing}: {last[0]}") from error


def _packages(stored: str) -> list[tuple[str, str, str]]:
    """The packages that the stored model needs: name, recorded version, installed version."""
    from packaging.requirements import Requirement

    lines = (Path(stored) / "requirements.txt").read_text().split()
    pinned = [Requirement(line) for line in lines if "==" in line]
    return [
        (requirement.name, str(requirement.specifier).removeprefix("=="), _installed(requirement.name))
        for requirement in pinned
    ]


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _short(commit: str | None) -> str:
    return (commit or "unknown")[:10]
