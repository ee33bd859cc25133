"""MLflow's SQLite store, read without MLflow, whose import takes longer than a whole command that only reads.

Anything else is left to MLflow: another kind of store, tables of another schema, workspaces.
"""

import hashlib
import os
import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

SCHEMA = "dc11669786a5"  # the Alembic revision of MLflow's tables that the queries are written for
_SQLITE = "sqlite:///"
_WAIT = 30.0  # seconds for a writer to finish
_OF_MODEL = "workspace = 'default' AND name = :name"
_REVISION = "SELECT version_num FROM alembic_version"
_LIVE = f"{_OF_MODEL} AND current_stage != 'Deleted_Internal'"
_VERSIONS = f"SELECT version, run_id, source FROM model_versions WHERE {_LIVE}"
_TAGS = f"SELECT version, key, value FROM model_version_tags WHERE {_OF_MODEL}"
_ALIASES = f"SELECT version, alias FROM registered_model_aliases WHERE {_OF_MODEL} ORDER BY alias"
_OF_ALIAS = f"SELECT version FROM registered_model_aliases WHERE {_OF_MODEL} AND alias = :number"
_ALL_ALIASES = "SELECT name, alias, version FROM registered_model_aliases WHERE workspace = 'default'"
_ALL_TAGS = "SELECT name, value FROM registered_model_tags WHERE workspace = 'default' AND key = :key"
_ALL_VERSIONS = "SELECT name, version, current_stage FROM model_versions WHERE workspace = 'default' ORDER BY 1, 2"
_ALL_VERSION_TAGS = (
    "SELECT name, version, key, value FROM model_version_tags WHERE workspace = 'default' ORDER BY 1, 2, 3"
)
_ARTIFACTS = "SELECT artifact_uri FROM runs WHERE run_uuid = :run"


class StoredVersion(NamedTuple):
    """A model version, its parts named as in MLflow's own entity."""

    name: str
    version: int
    run_id: str
    source: str
    tags: dict[str, str]
    aliases: list[str]


def versions(uri: str, name: str, tags: Mapping[str, str]) -> list[StoredVersion] | None:
    """The versions of a model that carry these tags; None where MLflow has to be asked."""
    stored = _versions(uri, {"name": name})
    wanted = set(tags.items())
    return None if stored is None else [version for version in stored if wanted <= version.tags.items()]


def version(uri: str, name: str, number: str) -> list[StoredVersion] | None:
    """The version of that number or alias, if there is one; None where MLflow has to be asked."""
    if number.lower() == "latest":  # MLflow reserves this alias
        return None
    if number.isdigit():
        return _versions(uri, {"name": name, "number": number}, "version = CAST(:number AS INTEGER)")
    return _versions(uri, {"name": name, "number": number}, f"version IN ({_OF_ALIAS})")


def aliases(uri: str, key: str) -> tuple[dict[str, dict[str, str]], dict[str, str]] | None:
    """Of each model the versions by alias, and its tag of that key if it has one; None where MLflow has to be asked."""
    results = _read(uri, {"key": key}, _ALL_ALIASES, _ALL_TAGS)
    if results is None:
        return None
    by_model: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for name, alias, number in results[0]:
        by_model[name][alias] = str(number)
    return dict(by_model), dict(results[1])


def files_of(uri: str) -> list[Path]:
    """The files that change with a store; empty where MLflow has to be asked."""
    path = _path(uri)
    return [] if path is None else [path, path.with_name(f"{path.name}-wal")]


def fingerprints(uri: str) -> dict[str, str] | None:
    """Of each model what changes whenever its versions, their tags or aliases do; None where MLflow has to be asked."""
    results = _read(uri, {}, _ALL_VERSIONS, _ALL_VERSION_TAGS, f"{_ALL_ALIASES} ORDER BY name, alias")
    if results is None:
        return None
    digests: defaultdict[str, Any] = defaultdict(hashlib.sha256)
    for rows in results:
        for name, *rest in rows:
            digests[name].update(repr(rest).encode())
    return {name: digest.hexdigest() for name, digest in digests.items()}


def artifacts(uri: str, run: str) -> Path | None:
    """The local folder of what was kept with a run; None where MLflow has to be asked."""
    rows = _read(uri, {"run": run}, _ARTIFACTS)
    location = urlsplit(rows[0][0][0]) if rows and rows[0] else None
    return Path(url2pathname(location.path)) if location and location.scheme == "file" and not location.netloc else None


def _versions(uri: str, bounds: dict[str, str], condition: str = "TRUE") -> list[StoredVersion] | None:
    results = _read(uri, bounds, *(f"{query} AND {condition}" for query in (_VERSIONS, _TAGS)), _ALIASES)
    if results is None:
        return None
    tags: defaultdict[int, dict[str, str]] = defaultdict(dict)
    aliases: defaultdict[int, list[str]] = defaultdict(list)
    rows, tagged, aliased = results
    for number, key, value in tagged:
        tags[number][key] = value
    for number, alias in aliased:
        aliases[number].append(alias)
    return [
        StoredVersion(bounds["name"], number, run, source, tags[number], aliases[number])
        for number, run, source in rows
    ]


def _read(uri: str, bounds: dict[str, str], *queries: str) -> list[list[Any]] | None:
    """The results of queries in one transaction; empty if there is no store yet."""
    path = _path(uri)
    if path is None:
        return None
    if not path.exists() and path.parent.is_dir():
        return [[] for _ in queries]
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", timeout=_WAIT, uri=True)) as store:
            store.execute("BEGIN")
            if store.execute(_REVISION).fetchall() != [(SCHEMA,)]:
                return None
            return [store.execute(query, bounds).fetchall() for query in queries]
    except sqlite3.Error:
        return None


def _path(uri: str) -> Path | None:
    """The file of a store; None where MLflow has to be asked."""
    path = uri.removeprefix(_SQLITE)
    if path in (uri, "", ":memory:") or "?" in path or os.environ.get("MLFLOW_ENABLE_WORKSPACES"):
        return None
    return Path(path)
