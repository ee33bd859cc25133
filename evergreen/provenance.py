"""Where a model comes from: the project's commit and lock, the environment, the hash of the data."""

import hashlib
import os
import platform
import re
import subprocess
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from evergreen import environments, git, project, releases
from evergreen.pip_lock import entries

if TYPE_CHECKING:
    import pandas as pd

LOCKS = ("requirements.lock", "uv.lock", "pylock.toml")  # the first that a project has


@cache
def commit(*code: Path) -> tuple[str, bool]:
    """Return the project's commit, and whether changes, the model file or a module that it imports are uncommitted.

    Empty outside git, and without a project.
    """
    folder = project.find()
    if folder is None:
        return "", False
    if release := releases.at(folder):
        return release.commit, not all(file.is_relative_to(folder) for file in code)
    try:
        head = git.run(folder, "rev-parse", "HEAD")
        changed = git.run(folder, "status", "--porcelain", "--untracked-files=no")
        inside = all(file.is_relative_to(folder) for file in code)
        known = inside and all(git.run(folder, "ls-files", "--", str(file)) for file in code)
        return head, bool(changed) or not known
    except (OSError, subprocess.CalledProcessError):
        return "", False


def environment_name() -> str:
    """The environment of the project that this process works in, such as staging; empty where none was chosen."""
    return os.environ.get(environments.ENVIRONMENT, "")


@cache
def lock_hash() -> str:
    """A hash of the project's lock; empty where there is none."""
    found = lock()
    return hash_of(found) if found else ""


def lock() -> Path | None:
    """The lock of the project: requirements.lock, uv.lock or pylock.toml; None where there is none."""
    folder = project.find()
    return next((folder / name for name in LOCKS if (folder / name).is_file()), None) if folder else None


def names_evergreen(file: Path) -> bool:
    """Whether a lock, in pip's form, names Evergreen itself."""
    return re.search(r"^evergreen *[=@]", file.read_text(), re.MULTILINE) is not None


def hash_of(file: Path) -> str:
    """A hash of a file; empty where there is none."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16] if file.is_file() else ""


@cache
def requirements(names: frozenset[str]) -> list[str]:
    """The locked requirements of packages, for the environment that a model is loaded in.

    Examples
    --------
    >>> [line.split("==")[0] for line in requirements(frozenset({"skops", "numpy"}))]
    ['numpy', 'skops']
    """
    return [f"{name}=={version}" for name, version in sorted(_locked().items()) if name in names]


def unlocked(names: Iterable[str]) -> list[str]:
    """The packages that the lock does not name, so that their version is not recorded.

    Examples
    --------
    >>> unlocked(["numpy", "homemade"])
    ['homemade']
    """
    return sorted(set(names) - set(_locked()))


def otherwise_installed() -> list[str]:
    """The packages of the lock that are installed here in another version; those that are not installed are left out.

    Examples
    --------
    >>> otherwise_installed()
    []
    """
    from packaging.utils import canonicalize_name

    here = {str(canonicalize_name(each.name)): each.version for each in metadata.distributions()}
    return [
        f"{name} {here[name]}, the lock has {version}"
        for name, version in sorted(_locked().items())
        if here.get(name, version) != version
    ]


def is_installed(name: str) -> bool:
    """Whether a distribution is installed here.

    Examples
    --------
    >>> is_installed("numpy"), is_installed("homemade")
    (True, False)
    """
    return next(iter(metadata.distributions(name=name)), None) is not None


def environment() -> dict[str, str]:
    """The interpreter and the machine's kind."""
    return {"python": platform.python_version(), "platform": platform.platform(aliased=True, terse=True)}


@cache
def release() -> str:
    """The version of Evergreen; empty where it is not installed."""
    return metadata.version("evergreen") if is_installed("evergreen") else ""


def requirements_of_evergreen() -> set[str]:
    """The names of the packages that Evergreen needs itself, without those of its extras.

    Examples
    --------
    >>> {"mlflow", "pandas"} <= requirements_of_evergreen(), "pytest" in requirements_of_evergreen()
    (True, False)
    """
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    lines = metadata.requires("evergreen") or [] if is_installed("evergreen") else []
    return {canonicalize_name(Requirement(line).name) for line in lines if "extra ==" not in line}


def data_hash(rows: "pd.DataFrame") -> str:
    """A hash of the rows' values and order and the columns' names.

    Examples
    --------
    >>> import pandas as pd
    >>> data_hash(pd.DataFrame({"x": [1.0, 2.0]}))
    'efbca72c15e14457'
    """
    import pandas as pd

    digest = hashlib.sha256(",".join(rows.columns).encode())
    digest.update(pd.util.hash_pandas_object(rows, index=False).to_numpy().tobytes())
    return digest.hexdigest()[:16]


def fingerprint(parts: Iterable[object]) -> str:
    """One hash of all that determines a training: equal fingerprints mean the same training."""
    return hashlib.sha256("\n".join(str(part) for part in parts).encode()).hexdigest()[:16]


@cache
def _locked() -> dict[str, str]:
    from packaging.markers import Marker

    found = lock()
    if found is None:
        return {}
    if found.name != LOCKS[0]:
        return _locked_as_toml(found)
    pinned = entries(found.read_text())
    return {entry.name: entry.version for entry in pinned if not entry.marker or Marker(entry.marker).evaluate()}


def _locked_as_toml(file: Path) -> dict[str, str]:
    """The packages of a lock of uv's, or of pip's own form, with one version each."""
    import tomllib

    content = tomllib.loads(file.read_text())
    packages = content.get("package", []) + content.get("packages", [])
    return {package["name"]: package["version"] for package in packages if "version" in package}
