"""The model files of another commit, and which models a change affects."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evergreen import git, provenance
from evergreen.definition import loader
from evergreen.errors import ExperimentError, ModelFileError

Kind = Literal["added", "removed", "changed", "packages", "broken", "unchanged"]
_BROKEN = "broken"  # in place of the digest of a file that cannot be read


@dataclass(frozen=True)
class Revision:
    """The model files as they were at a commit.

    Attributes
    ----------
    commit : str
        The newest commit that both sides have: what the base got since is no part of the change.
    folder : Path
        Of the model files, unpacked.
    packages_changed : bool
        Whether a lock of packages, at the top of the repository, is another one now.
    """

    commit: str
    folder: Path
    packages_changed: bool


@dataclass(frozen=True)
class Affected:
    """A model that a change affects: how, and why in words."""

    model: str
    kind: Kind
    reason: str


def revision(base: str, models: Path, folder: Path) -> Revision:
    """Unpack the model files of the commit at which a branch left its base.

    Parameters
    ----------
    base : str
        A branch, a tag or a commit.
    models : Path
        The folder of the model files, in a git repository.
    folder : Path
        Where to unpack them, in a folder by commit.

    Raises
    ------
    ExperimentError
        It is no repository, there is no such commit, or the two have none in common.
    """
    with _told(models, "it is in no git repository"):
        root = Path(git.run(models, "rev-parse", "--show-toplevel"))
    there = f"there is no commit {base!r} here; fetch it, in CI with its whole history (fetch-depth: 0)"
    with _told(root, there):
        git.commit_of(root, base)
    apart = f"{base} and the working tree have no commit in common; fetch the whole history (fetch-depth: 0)"
    with _told(root, apart):
        commit = git.run(root, "merge-base", "--end-of-options", base, "HEAD")
    target = folder / commit
    git.unpack(root, commit, target)
    inside = target / models.resolve().relative_to(root.resolve())
    return Revision(commit, inside, _locks(target) != _locks(root))


def _locks(root: Path) -> list[str]:
    return [provenance.hash_of(root / name) for name in provenance.LOCKS]


@contextmanager
def _told(folder: Path, why: str) -> Iterator[None]:
    """Tell why a folder cannot be compared, where git refuses."""
    try:
        yield
    except (OSError, subprocess.CalledProcessError) as error:
        raise ExperimentError(f"{folder} cannot be compared with another commit: {why}.") from error


def affected(base: Revision, models: Path, names: Sequence[str] = ()) -> list[Affected]:
    """The models that a change affects, by their code and that of the modules that they import, not by file names.

    Parameters
    ----------
    base : Revision
    models : Path
        The folder of the model files now.
    names : list of str, optional
        Only these.
    """
    before, now = _digests(base.folder), _digests(models)
    found = []
    for name in sorted({*before, *now}):
        if name not in now and loader.path_of(name, models).is_file():  # of a file of many models, which is broken
            continue
        kind = _kind(before.get(name, ""), now.get(name, ""), base.packages_changed)
        if kind != "unchanged" and (not names or name in names):
            found.append(Affected(name, kind, _reason(kind, base, models, name)))
    return found


def _kind(before: str, now: str, packages: bool) -> Kind:
    if now == _BROKEN:
        return "broken"
    if not now:
        return "removed"
    if not before or before == _BROKEN:
        return "added"
    if before != now:
        return "changed"
    return "packages" if packages else "unchanged"


def _digests(folder: Path) -> dict[str, str]:
    return {name: _digest(name, folder) for name in loader.names(folder)}


def _digest(name: str, folder: Path) -> str:
    try:
        return loader.code_at(loader.path_of(name, folder), name=name).digest
    except ModelFileError:
        return _BROKEN


def _files(name: str, folder: Path) -> dict[str, str]:
    return dict(loader.code_at(loader.path_of(name, folder), name=name).files)


def _reason(kind: Kind, base: Revision, models: Path, name: str) -> str:
    if kind == "changed":
        before, now = (_files(name, folder) for folder in (base.folder, models))
        files = sorted(path for path in {*before, *now} if before.get(path) != now.get(path))
        return f"{', '.join(files)} changed"
    return {
        "added": "it is new",
        "removed": "nothing defines it any more; a champion that it has goes on answering",
        "packages": "the lock of packages changed",
        "broken": "its file cannot be read",
    }[kind]
