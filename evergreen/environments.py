"""The environments of a project, such as staging: settings in `environments/NAME.env`, which are no secrets."""

import os
import re
from pathlib import Path

from evergreen import project
from evergreen.addresses import has_secret
from evergreen.errors import ProjectError

ENVIRONMENT = "EVERGREEN_ENV"
_PATHS = ("EVERGREEN_HOME", "EVERGREEN_KEYS_FILE", "EVERGREEN_LAKE", "EVERGREEN_MODELS")  # relative to the project
_SECRET = re.compile(r"SECRET|PASSW(OR)?D|TOKEN|AUTH_STRING|API_KEY|ACCESS_KEY")


def apply() -> None:
    """Set what the file of the chosen environment sets and the environment variables do not.

    Raises
    ------
    ProjectError
        There is no such environment, or its file is not in UTF-8, or has a line that is no setting, or a secret.
    """
    name = os.environ.get(ENVIRONMENT)
    if not name:
        return
    for variable, value in settings_of(name).items():
        os.environ.setdefault(variable, value)


def settings_of(name: str) -> dict[str, str]:
    """The settings of an environment, with paths that are absolute.

    Raises
    ------
    ProjectError
        There is no such environment, or its file is not in UTF-8, or has a line that is no setting, or a secret.
    """
    root = project.repository()  # which the paths in the file are relative to
    files = {path.stem: path for path in sorted((root / "environments").glob("*.env"))}
    if name not in files:
        known = ", ".join(files) or "none"
        raise ProjectError(f"There is no environment {name!r} in {root / 'environments'}. Environments: {known}.")
    return {
        variable: _path(root, value) if variable in _PATHS and "://" not in value else value
        for variable, value in _settings(files[name]).items()
    }


def _path(root: Path, value: str) -> str:
    """An absolute path; ``~`` is the home folder of the user, as in a shell."""
    return str(root / os.path.expanduser(value))  # noqa: PTH111 - pathlib's own raises where it knows no such user


def _settings(file: Path) -> dict[str, str]:
    """The settings of a file: lines of ``NAME=VALUE``; those without a value, empty lines and comments set nothing."""
    try:
        text = file.read_text(encoding="utf-8-sig")  # editors of Windows write a mark first
    except UnicodeDecodeError as error:
        raise ProjectError(f"{file} is not in UTF-8: {error.reason} at byte {error.start}. Save it so.") from None
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        name, equals, value = (part.strip() for part in line.partition("="))
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not equals or not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise ProjectError(f"{file}, line {number} is no setting. Write NAME=VALUE, or # before a comment.")
        if value and (_SECRET.search(name) or has_secret(value)):
            raise ProjectError(
                f"{file}, line {number}: {name} is a secret, or holds one, and this file is kept in git. Take it out, "
                "change it where it was valid, and set it in the environment of the process."
            )
        found[name] = value.removeprefix('"').removesuffix('"')
    return {name: value for name, value in found.items() if value}
