"""The files of a team's repository: written by `evergreen init`, and compared later by `evergreen upgrade`."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from difflib import unified_diff
from importlib.resources import files
from pathlib import Path
from typing import Literal

from evergreen import provenance
from evergreen.definition import model_files
from evergreen.errors import ProjectError
from evergreen.files import replace as write
from evergreen.scaffold.locks import installed_wheel, team_lock

RECORD = ".evergreen-files.json"
EXAMPLE = "demand"
_OFTEN_THERE = frozenset({"README.md", ".gitignore"})  # in a repository that a host has just made
_DAY, _FIRST, _APART = 24 * 60, 5 * 60 + 15, 30  # minutes
_TEMPLATES = {
    "pyproject.toml": "pyproject.txt",
    "Makefile": "Makefile",
    "README.md": "README.md",
    ".gitignore": "gitignore",
    "prefect.yaml": "prefect.yaml",
    "environments/dev.env": "environments/dev.env",
    "environments/staging.env": "environments/shared.env",
    "environments/production.env": "environments/shared.env",
    "tests/test_models.py": "test_models.txt",
}
Ci = Literal["github", "gitlab", "none"]
_WORKFLOWS = ("check", "models", "deploy", "nightly")
_CI: dict[Ci, dict[str, str]] = {
    "github": {f".github/workflows/{name}.yml": f"github/{name}.yml" for name in _WORKFLOWS},
    "gitlab": {".gitlab-ci.yml": "gitlab-ci.yml"},
    "none": {},
}


@dataclass(frozen=True)
class Record:
    """What was written, so that a later release can tell what a person has changed since.

    Attributes
    ----------
    evergreen, wheel : str
        The version that wrote it, and the SHA-256 of its wheel where that is known.
    name : str
        Of the project.
    models : list of str
        Those that `prefect.yaml` was written with.
    example : bool
        Whether the example model was written.
    ci : "github", "gitlab" or "none"
        Whose workflows were written.
    files : dict of path to str
        The SHA-256 of each file as it was written.
    """

    evergreen: str
    wheel: str
    name: str
    models: list[str] = field(default_factory=list)
    example: bool = False
    ci: Ci = "github"
    files: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Written:
    """The result of `evergreen init`: paths that were written, and paths that were left as they are.

    Attributes
    ----------
    folder : str
    written, left : list of str
    locked : bool
        Whether the lock names Evergreen itself.
    """

    folder: str
    written: list[str]
    left: list[str]
    locked: bool


@dataclass(frozen=True)
class Change:
    """A file that this release would write differently.

    Attributes
    ----------
    path : str
    yours : bool
        Whether a person has changed it, so that it is left as it is.
    diff : str
        From the file as it is to what this release writes.
    """

    path: str
    yours: bool
    diff: str


def init(folder: Path, example: bool = False, ci: Ci | None = None) -> Written:
    """Write the files of a team's repository that are not there, or that nobody has changed since they were written.

    Parameters
    ----------
    folder : Path
        Is made if it is not there.
    example : bool
        Whether to write an example model, too.
    ci : "github", "gitlab" or "none", optional
        Whose workflows to write; by default those of before, at first GitHub's.

    Raises
    ------
    ProjectError
        The folder is a file, or holds files of these names that are not of `evergreen init`; nothing was written.
    """
    if folder.exists() and not folder.is_dir():
        raise ProjectError(f"{folder} is a file. Name a folder for the repository; it is made if it is not there.")
    before = _record(folder)
    record = _updated(folder, before, example, ci)
    texts = _rendered(record)
    _refuse_foreign(folder, before, texts)
    changed = {path for path, text in texts.items() if _is_changed(folder, before, path, text)}
    record = replace(record, files={path: _hash(text) for path, text in texts.items()})
    if before is None:  # so that whatever is asked for after an interruption, its files count as ours
        _keep(folder, record)
    done = [path for path, text in texts.items() if path not in changed and _put(folder / path, text)]
    (folder / "models").mkdir(exist_ok=True)
    _keep(folder, record)
    return Written(str(folder), done, sorted(changed), provenance.names_evergreen(folder / "requirements.lock"))


def changes(folder: Path) -> list[Change]:
    """What this release would write differently in the files of a team's repository.

    A file that was deleted since is not missed, and a change of a person's own is no difference.

    Raises
    ------
    ProjectError
        The repository was not made by `evergreen init`.
    """
    record = _required(folder)
    found = []
    for path, text in _rendered(_of_this_release(record)).items():
        current, recorded = _text(folder / path), record.files.get(path)
        deleted = current is None and recorded is not None
        if current == text or deleted or recorded == _hash(text):
            continue
        yours = current is not None and _hash(current) != recorded
        found.append(Change(path, yours, _diff(path, current or "", text)))
    return found


def upgrade(folder: Path) -> list[Change]:
    """Write the changes of files that nobody has changed, and return the changes of all files.

    A change that is not written is shown once; then it counts as seen.
    """
    record, found = _of_this_release(_required(folder)), changes(folder)
    texts = _rendered(record)
    for change in found:
        if not change.yours:
            _put(folder / change.path, texts[change.path])
    seen = {change.path: _hash(texts[change.path]) for change in found}
    _keep(folder, replace(record, files=record.files | seen))
    return found


def prefect_file(models: Sequence[str]) -> str:
    """The text of prefect.yaml for some models: each is refreshed daily, and monitored an hour later."""
    template = _template("prefect.yaml")
    refresh = _schedules(models, _FIRST, ", reason: schedule")
    return template.replace("@refresh@", refresh).replace("@monitor@", _schedules(models, _FIRST + 60))


def _schedules(models: Sequence[str], first: int, parameters: str = "") -> str:
    if not models:
        return " []"
    lines = ""
    for number, name in enumerate(models):
        hour, minute = divmod((first + number * _APART) % _DAY, 60)
        lines += f"\n      - slug: {name.replace('_', '-')}-daily"  # Prefect allows no underscore
        lines += f'\n        cron: "{minute} {hour} * * *"\n        timezone: UTC'
        lines += f"\n        parameters: {{model: {name}{parameters}}}"
    return lines


def _updated(folder: Path, before: Record | None, example: bool, ci: Ci | None) -> Record:
    """The record of what is to be written now."""
    start = before or Record("", "", re.sub(r"[^a-z0-9]+", "-", folder.absolute().name.lower()).strip("-") or "models")
    example = example or start.example
    present = model_files.names(folder / "models")
    models = [*dict.fromkeys([*start.models, *present, *[EXAMPLE] * example])]
    return replace(_of_this_release(start), models=models, example=example, ci=ci or start.ci)


def _of_this_release(record: Record) -> Record:
    version = provenance.release()
    return record if record.evergreen == version else replace(record, evergreen=version, wheel=installed_wheel())


def _rendered(record: Record) -> dict[str, str]:
    """The text of every file, by its path."""
    lower, upper = _bounds(record.evergreen)
    marks = {"name": record.name, "lower": lower, "upper": upper}
    texts = {}
    for path, template in (_TEMPLATES | _CI[record.ci]).items():
        text = prefect_file(record.models) if path == "prefect.yaml" else _template(template)
        for name, value in (marks | {"environment": Path(path).stem}).items():
            text = text.replace(f"@{name}@", value)
        texts[path] = text
    texts["requirements.lock"] = team_lock(record.evergreen, record.wheel)
    return texts | ({f"models/{EXAMPLE}.py": _template(f"{EXAMPLE}.txt")} if record.example else {})


def _bounds(version: str) -> tuple[str, str]:
    """The versions that a project takes: this one, up to the next that may change what it relies on.

    Examples
    --------
    >>> _bounds("0.1.0"), _bounds("2.3.1"), _bounds("1rc1")
    (('0.1.0', '0.2'), ('2.3.1', '3'), ('1rc1', '2'))
    """
    from packaging.version import Version

    parts = Version(version)
    return version, f"{parts.major + 1}" if parts.major else f"0.{parts.minor + 1}"


def _template(name: str) -> str:
    return (files("evergreen.scaffold") / "repository" / name).read_text(encoding="utf-8")


def _refuse_foreign(folder: Path, before: Record | None, texts: dict[str, str]) -> None:
    if before is not None:
        return
    other = [path for path, text in texts.items() if (folder / path).exists() and _text(folder / path) != text]
    foreign = [path for path in other if path not in _OFTEN_THERE]
    if foreign:
        raise ProjectError(
            f"{folder} has files of its own that `evergreen init` would write: {', '.join(foreign)}. Nothing was "
            "written. Name another folder, or move them away and take over what you need of them."
        )


def _is_changed(folder: Path, before: Record | None, path: str, text: str) -> bool:
    """Whether a file is there with a content that no release wrote."""
    current = _text(folder / path)
    return current not in (None, text) and (before is None or before.files.get(path) != _hash(current or ""))


def _put(path: Path, text: str) -> bool:
    """Write a file unless it holds this text, and return whether it was written."""
    if _text(path) == text:
        return False
    write(path, text)
    return True


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _diff(path: str, current: str, text: str) -> str:
    lines = unified_diff(current.splitlines(True), text.splitlines(True), path, f"{path} as Evergreen writes it now")
    return "".join(lines)


def _record(folder: Path) -> Record | None:
    text = _text(folder / RECORD)
    if text is None:
        return None
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(Record).validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ProjectError(
            f"{folder / RECORD} cannot be read: {where}: {first['msg']}. Take it from git as it was."
        ) from None


def _required(folder: Path) -> Record:
    record = _record(folder)
    if record is None:
        raise ProjectError(
            f"{folder} was not made by `evergreen init`: it has no {RECORD}, which tells which files Evergreen wrote."
        )
    return record


def _keep(folder: Path, record: Record) -> None:
    write(folder / RECORD, json.dumps(asdict(record), indent=1) + "\n")
