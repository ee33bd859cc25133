"""The bill of materials of a release: every package of its lock, as CycloneDX says it."""

import subprocess
import tomllib
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

from evergreen import git, provenance
from evergreen.errors import RunningError
from evergreen.pip_lock import Entry, entries, needed

_SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
_LONGEST_NAME = 100  # characters of a licence's name: some packages have its text there
_NO_LICENCE = ("", "UNKNOWN", "OSI Approved")


@dataclass(frozen=True)
class _Release:
    """A commit of a project.

    Attributes
    ----------
    name, version : str
        Of the project, as its pyproject.toml says.
    commit : str
    made : str
        When, in UTC.
    dependencies : set of str
        The packages that it needs by itself.
    """

    name: str
    version: str
    commit: str
    made: str
    dependencies: set[str]


def of_release(project: Path, commit: str = "HEAD", lock: str = "requirements.lock") -> dict[str, Any]:
    """The bill of materials of a commit; the same for the same commit, but for licences.

    Parameters
    ----------
    project : Path
    commit : str
    lock : str
        The path of the lock in the project, in pip's form.

    Returns
    -------
    dict
        A document of CycloneDX 1.6. Names, versions and hashes are those of the lock; a licence is that of the package
        that is installed here, if it has the same version. What only extras and tests need is optional.

    Raises
    ------
    RunningError
        There is no such commit, or it has no such lock.
    """
    release = _release(project, commit)
    listed = entries(_text(project, release.commit, lock))
    listed += _installed(release.dependencies - {entry.name for entry in listed})
    found = {_reference(entry): entry for entry in listed}
    required = {_reference(entry) for entry in _required(release, listed)}
    return {
        "$schema": _SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{release.name}:{release.commit}:{lock}')}",
        "version": 1,
        "metadata": {
            "timestamp": release.made,
            "tools": {"components": [{"type": "application", "name": "evergreen", "version": provenance.release()}]},
            "component": {
                "type": "application",
                "bom-ref": release.name,
                "name": release.name,
                "version": f"{release.version}+{release.commit[:10]}",
                "properties": _properties({"commit": release.commit}),
            },
        },
        "components": [_component(entry, key in required) for key, entry in found.items()],
        "dependencies": _dependencies(release, found),
    }


def _release(project: Path, commit: str) -> _Release:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    try:
        full = git.commit_of(project, commit)
        made = datetime.fromisoformat(git.run(project, "show", "--no-patch", "--format=%cI", full))
    except (OSError, subprocess.CalledProcessError) as error:
        raise RunningError(
            f"{project} has no commit {commit!r}, so there is no release to list. Name one with --release."
        ) from error
    declared = tomllib.loads(_text(project, full, "pyproject.toml")).get("project", {})
    return _Release(
        str(declared.get("name", project.name)),
        str(declared.get("version", "0")),
        full,
        f"{made.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        {canonicalize_name(Requirement(line).name) for line in declared.get("dependencies", [])},
    )


def _text(project: Path, commit: str, path: str) -> str:
    try:
        return git.run(project, "show", f"{commit}:./{path}") + "\n"
    except subprocess.CalledProcessError as error:
        raise RunningError(
            f"Commit {commit[:10]} has no {path}, which says what a release is made of. Add it and commit it; `make "
            "lock` of a repository of `evergreen init` writes requirements.lock."
        ) from error


def _required(release: _Release, listed: list[Entry]) -> list[Entry]:
    """What the project needs to run, without what extras and tests need."""
    if "evergreen" not in release.dependencies:
        return needed(listed, release.dependencies or {release.name})
    # In a lock that `evergreen init` has cut, packages of tests are noted as needed by Evergreen, too.
    others = [entry for entry in listed if entry.name != "evergreen"]
    own = [entry for entry in listed if entry.name == "evergreen"]
    return own + needed(others, (release.dependencies - {"evergreen"}) | provenance.requirements_of_evergreen())


def _installed(names: Iterable[str]) -> list[Entry]:
    """Packages that a project needs and its lock does not name: in the versions that are here, without a hash."""
    here = [(name, metadata.version(name)) for name in sorted(names) if provenance.is_installed(name)]
    return [Entry(name, version, "", [], frozenset({"pyproject.toml"}), "") for name, version in here]


def _component(entry: Entry, required: bool) -> dict[str, Any]:
    version = f"@{quote(entry.version, safe='')}" if entry.version else ""
    hashes = [{"alg": f"SHA-{name[3:]}", "content": digest} for name, digest in entry.hashes if name[:3] == "sha"]
    filled = {
        "version": entry.version,
        "hashes": hashes,
        "licenses": _licences(entry.name, entry.version),
        "properties": _properties({"marker": entry.marker} if entry.marker else {}),
    }
    return {
        "type": "library",
        "bom-ref": _reference(entry),
        "name": entry.name,
        "purl": f"pkg:pypi/{entry.name}{version}",
        "scope": "required" if required else "optional",
    } | {name: value for name, value in filled.items() if value}


def _reference(entry: Entry) -> str:
    return f"{entry.name}=={entry.version}"


def _properties(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": f"evergreen:{name}", "value": value} for name, value in values.items()]


def _licences(name: str, version: str) -> list[dict[str, Any]]:
    """The licences of a package as its own metadata says, if it is installed here in this version."""
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    about = next((found.metadata for found in metadata.distributions(name=name) if found.version == version), None)
    if about is None:
        return []
    said = next((about[field].strip() for field in ("License-Expression", "License") if field in about), "")
    try:
        return [{"expression": canonicalize_license_expression(said)}]
    except InvalidLicenseExpression:
        classes = [line.rpartition(" :: ")[2] for line in about.get_all("Classifier") or [] if line[:7] == "License"]
        short = [said] if "\n" not in said and len(said) <= _LONGEST_NAME else []
        names = [each for each in short or classes if each not in _NO_LICENCE] or classes
        return [{"license": {"name": each}} for each in dict.fromkeys(names) if each not in _NO_LICENCE]


def _dependencies(release: _Release, found: dict[str, Entry]) -> list[dict[str, Any]]:
    """Who needs whom, as the comments of the lock say."""
    needs: dict[str, set[str]] = {release.name: set(), **{key: set() for key in found}}
    by_name: dict[str, list[str]] = {}
    for key, entry in found.items():
        by_name.setdefault(entry.name, []).append(key)
    for key, entry in found.items():
        for parent in entry.parents:
            for place in by_name.get(parent, [release.name]):
                needs[place].add(key)
    return [{"ref": key, "dependsOn": sorted(of)} for key, of in needs.items()]
