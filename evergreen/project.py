"""The project: the team's repository that model files, their state and their settings belong to."""

import os
import re
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from evergreen.errors import ProjectError

CODE = Path(__file__).resolve().parent.parent  # the folder that holds the packages
IS_INSTALLED = CODE.name in ("site-packages", "dist-packages")  # as a package, and not a clone
PROJECT = "EVERGREEN_PROJECT"
PACKAGES = ("cli", "flows", "serving", "tasks", "ui")  # names that a team's own folders can have, too
_TABLE = re.compile(rb"^\[tool\.evergreen\]", re.MULTILINE)


def find() -> Path | None:
    """The folder of the project; None where there is none.

    It is what ``EVERGREEN_PROJECT`` names; else the nearest folder, from the working folder upwards, whose
    pyproject.toml has a table ``[tool.evergreen]``; else the clone of Evergreen that this code is in.

    Raises
    ------
    ProjectError
        ``EVERGREEN_PROJECT`` names no folder.
    """
    named = os.environ.get(PROJECT)
    if named:
        if not Path(named).is_dir():
            raise ProjectError(f"{PROJECT} is {named!r}, which is no folder. Name the folder of your repository.")
        return Path(named).absolute()
    return next((folder for folder in _upwards() if _declares(folder)), CODE if _declares(CODE) else None)


def root() -> Path:
    """The folder of the project.

    Raises
    ------
    ProjectError
        There is none.
    """
    found = find()
    if found is None:
        raise ProjectError(
            "This folder belongs to no project: neither it nor a folder above has a pyproject.toml with a table "
            f"[tool.evergreen]. Make one with `evergreen init PATH`, go into yours, or name it in {PROJECT}. "
            "Without one, set both EVERGREEN_HOME and EVERGREEN_MODELS."
        )
    return found


def repository() -> Path:
    """The folder of the team's repository: of the project or, where that is a release, of what it was made from.

    Raises
    ------
    ProjectError
        There is no project.
    """
    from evergreen import releases  # here, as the lifeline of a child needs little of this module, and at once

    release = releases.at(root())
    return release.repository if release else root()


def _upwards() -> list[Path]:
    """The working folder and those above it, without what other users have put above: model files are run."""
    with suppress(OSError):
        here = Path.cwd()
        trusted = {0, os.getuid(), here.stat().st_uid}
        return [folder for folder in (here, *here.parents) if _owner(folder / "pyproject.toml") in trusted]
    return []


def _owner(file: Path) -> int | None:
    with suppress(OSError):
        return file.stat().st_uid
    return None


def _declares(folder: Path) -> bool:
    with suppress(OSError):
        return _TABLE.search((folder / "pyproject.toml").read_bytes()) is not None
    return False


def check_packages() -> None:
    """Make sure that Evergreen's own packages are found under their names.

    Raises
    ------
    ProjectError
        A folder or a file of the same name comes first on Python's path.
    """
    for name in PACKAGES:
        spec = find_spec(name)
        place = Path(spec.origin).resolve() if spec and spec.origin else None
        if place != CODE / name / "__init__.py":
            raise ProjectError(
                f"{place or f'Another package {name}'} hides Evergreen's own package {name!r}. Rename it, or keep its "
                "folder off PYTHONPATH and run `evergreen`, which does not look in the working folder, in place of "
                "`python -m`."
            )
