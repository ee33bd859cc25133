"""What a home holds, as others may rely on it: names of tags, tables, columns, files and JSON fields.

It reads the files alone, with nothing of the project, so that it says the same of every release's homes.
"""

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

Shape = Any  # a dict of field to shape, a list of one shape, or the names of the plain types
_JSON_COLUMNS = {"audit": ("act", "detail"), "decisions": (None, "state"), "observations": (None, "seen")}
_NAMES = {"acts": ("audit", "act"), "actions": ("decisions", "action"), "roles": ("served", "_role")}
_UUID = r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
_OF_A_RUN = re.compile(_UUID + r"|\b[0-9a-f]{12,32}\b|\b\d{8}T\d{6}-[0-9a-f]{4}\b")


def formats(home: Path, since: float = 0.0) -> dict[str, Any]:
    """The stored formats of a home.

    Parameters
    ----------
    home : Path
    since : float
        Leave out what is older, in seconds since the epoch.
    """
    return {
        "folders": sorted(
            path.name for path in home.iterdir() if path.name != "cache" and path.stat().st_mtime >= since
        ),
        "registry": _registry(home / "mlflow.db", since),
        "artifacts": _artifacts(home, since),
        **_lake(home / "lake", since),
        "service": _service(home / "serving", since),
    }


def told(models: tuple[str, ...]) -> dict[str, Any]:
    """What Prefect's server was told of these models: events with the fields of their payload, and final states."""
    from prefect.client.orchestration import get_client

    resources = [f"evergreen.model.{model}" for model in models]
    wanted = {"event": {"prefix": ["evergreen."]}, "resource": {"id": resources}}
    events: dict[str, set[str]] = {}
    with get_client(sync_client=True) as client:
        page_of_events = client.request("POST", "/events/filter", json={"filter": wanted, "limit": 50}).json()
        while page_of_events:
            for event in page_of_events["events"]:
                events.setdefault(event["event"], set()).update(event["payload"])
            page = page_of_events["next_page"]
            page_of_events = client.request("GET", page[page.index("/events/") :]).json() if page else None
        runs = client.request("POST", "/flow_runs/filter", json={"limit": 200}).json()
    ours = [run for run in runs if run["parameters"].get("model") in models]
    states = {run["state"]["name"] for run in ours if run["state"]["type"] == "COMPLETED"}
    return {"events": {name: sorted(payload) for name, payload in sorted(events.items())}, "states": sorted(states)}


def offers(ask: Callable[..., Any]) -> dict[str, Any]:
    """What a service offers: its routes with their methods, and the fields of what it answers.

    Parameters
    ----------
    ask : callable
        From a path, and to post from a body, to the JSON of the answer.
    """
    row = {"claim": "c-1", "filed": "2025-05-06T00:00:00Z", "amount": 10.0, "age": 40.0}
    label = {"id": "c-1", "value": 1, "time": "2025-05-08T00:00:00Z"}
    return {
        "routes": {path: sorted(methods) for path, methods in ask("openapi.json")["paths"].items()},
        "standing": _shape(ask("models")),
        "prediction": _shape(ask("models/claims/invocations", {"dataframe_records": [row]})),
        "label": _shape(ask("models/claims/labels", label)),
    }


def declared(checkout: Path) -> dict[str, Any]:
    """What a release declares: its deployments with their triggers, its commands with their options, its settings."""
    import typer.main
    import yaml

    from cli.main import app

    plan = yaml.safe_load((checkout / "prefect.yaml").read_text())
    deployments = {
        deployment["name"]: {
            "entrypoint": deployment["entrypoint"],
            "triggers": [event for trigger in deployment.get("triggers", []) for event in trigger["expect"]],
        }
        for deployment in plan["deployments"]
    }
    packages = [
        checkout / name
        for name in ("cli", "evergreen", "flows", "serving", "tasks", "ui")
        if (checkout / name).is_dir()
    ]
    code = "".join(path.read_text() for package in packages for path in package.rglob("*.py"))
    return {
        "deployments": deployments,
        "commands": dict(_commands(typer.main.get_command(app))),
        "settings": sorted(set(re.findall(r"EVERGREEN_[A-Z]+(?:_[A-Z]+)*", code))),
    }


def _commands(group: Any, before: str = "") -> Iterator[tuple[str, list[str]]]:
    """Each command by the words that call it, with its options."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before}{name} ")
        else:
            options = {word for param in command.params for word in param.opts + param.secondary_opts if word[0] == "-"}
            yield f"{before}{name}", sorted(options)


def _registry(store: Path, since: float) -> dict[str, Any]:
    after = int(since * 1000)
    with closing(sqlite3.connect(store)) as connection:

        def names(sql: str) -> list[str]:
            return sorted({str(name) for (name,) in connection.execute(sql, {"after": after})})

        def tags(refit: str) -> list[list[str]]:
            """The tags of each judged version, or of each that is a refit of one."""
            query = f"""
                SELECT version.name, version.version FROM model_versions AS version JOIN model_version_tags AS tag
                USING (name, version) WHERE tag.key = 'evergreen.refit_of' AND tag.value {refit} ''
                AND version.creation_time >= :after
            """
            versions = connection.execute(query, {"after": after}).fetchall()
            sql = "SELECT key FROM model_version_tags WHERE name = ? AND version = ?"
            return [[key for (key,) in connection.execute(sql, version)] for version in versions]

        recent = "run_uuid IN (SELECT run_uuid FROM runs WHERE start_time >= :after)"
        judged, refitted = tags("="), tags("<>")
        return {
            "tags of every judged version": sorted(set.intersection(*map(set, judged)) if judged else []),
            "tags of every refitted version": sorted(set.intersection(*map(set, refitted)) if refitted else []),
            "tags of versions": sorted({tag for some in judged + refitted for tag in some}),
            "tags of models": names("SELECT key FROM registered_model_tags"),
            "aliases": names("SELECT alias FROM registered_model_aliases"),
            "tags of runs": names(f"SELECT key FROM tags WHERE key LIKE 'evergreen.%' AND {recent}"),
            "parameters of every run": names(f"""
                SELECT key FROM params WHERE {recent} GROUP BY key
                HAVING count(*) = (SELECT count(DISTINCT run_uuid) FROM params WHERE {recent})
            """),
            "metrics": names("SELECT key FROM metrics WHERE timestamp > 0"),
        }


def _artifacts(home: Path, since: float) -> dict[str, Shape]:
    """The files that are kept with runs and models, and what the JSON among them holds."""
    shapes: dict[str, Shape] = {}
    for path in _files(home / "artifacts", since):
        name = f"model/{path.name}" if "models" in path.parts else path.name
        with_fields = path.suffix == ".json" and not name.startswith("model/")
        shape = _shape(json.loads(path.read_text())) if with_fields else {}
        _add(shapes, name, shape)
    return shapes


def _lake(lake: Path, since: float) -> dict[str, Any]:
    shapes: dict[str, Any] = {"tables": {}, "fields": {}, "applications": {}, "notes": {}}
    names: dict[str, set[str]] = {kind: set() for kind in _NAMES}
    for folder in sorted(path.parent for path in lake.glob("*/*/_delta_log")):
        files = list(_files(folder, since))
        if files:
            name, table = folder.name, DeltaTable(str(folder))
            columns = {field.name: str(getattr(field.type, "type", "list")) for field in table.schema().fields}
            settings = sorted(table.metadata().configuration)
            shapes["tables"][f"{folder.parent.name}/{name}"] = {"columns": columns, "settings": settings}
            _add_commits(shapes, name, [path for path in files if path.suffix == ".json"])
            rows = table.to_pandas().to_dict("records")
            _add_fields(shapes["fields"], name, rows)
            for kind, (within, column) in _NAMES.items():
                names[kind] |= {row[column] for row in rows if within == name}
    for path in sorted(lake.glob("*/quarantine/*/*")):
        if path.stat().st_mtime >= since:
            shape = _shape(json.loads(path.read_text())) if path.suffix == ".json" else {}
            _add(shapes["fields"], f"quarantine/{path.name}", shape)
    return shapes | {kind: sorted(some) for kind, some in names.items()}


def _add_commits(shapes: dict[str, Any], name: str, log: list[Path]) -> None:
    """Who wrote to a table, by Delta's application transactions, and what Evergreen noted with the commits."""
    applications, notes = set(shapes["applications"].get(name, [])), set(shapes["notes"].get(name, []))
    for entry in (json.loads(line) for path in log for line in path.open()):
        if "txn" in entry:
            applications.add(_OF_A_RUN.sub("…", entry["txn"]["appId"]))
        notes |= {key for key in entry.get("commitInfo", {}) if key.startswith("evergreen.")}
    for kind, some in (("applications", applications), ("notes", notes)):
        if some:
            shapes[kind][name] = sorted(some)


def _add_fields(fields: dict[str, Shape], name: str, rows: list[dict[str, Any]]) -> None:
    """The fields of a table's JSON column."""
    by, column = _JSON_COLUMNS.get(name, (None, ""))
    for row in rows if column else []:
        _add(fields, f"{name}.{column}" + (f" of {row[by]}" if by else ""), _shape(json.loads(row[column])))


def _add(fields: dict[str, Shape], name: str, shape: Shape) -> None:
    fields[name] = _both(fields.get(name), shape)


def _service(serving: Path, since: float) -> dict[str, Shape]:
    """The copies of models, and the lines of the prediction log that are not in the lake yet."""
    shapes: dict[str, Shape] = {}
    for path in _files(serving, since):
        if path.parts[-3] == "log" and path.name != "lock":
            _add(shapes, "log/…", {path.suffix or path.name: {}})
        if path.name == "open" or path.suffix == ".jsonl":
            for line in map(json.loads, path.open()):
                kind = "a line" if "of" in line else "a head"
                kind += " of labels" if "arrived" in line or line.get("table") == "labels" else ""
                _add(shapes, kind, dict.fromkeys(line, "value"))
        if path.name == "standing.json":
            _add(shapes, "models/…/standing.json", _shape(json.loads(path.read_text())))
    return shapes


def _files(folder: Path, since: float) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and path.stat().st_mtime >= since)


def _shape(value: Any) -> Shape:
    """The fields of a JSON value, without its values."""
    if isinstance(value, dict):
        return {str(name): _shape(field) for name, field in value.items()}
    if isinstance(value, list):
        shape: Shape = None
        for item in value:
            shape = _both(shape, _shape(item))
        return [] if shape is None else [shape]
    return "value"


def _both(first: Shape, second: Shape) -> Shape:
    """What two values hold together: one that is empty, or null, may hold anything."""
    if isinstance(first, dict) and isinstance(second, dict):
        return {name: _both(first.get(name), second.get(name)) for name in [*first, *(set(second) - set(first))]}
    if isinstance(first, list) and isinstance(second, list):
        shape = _both(*(items[0] if items else None for items in (first, second)))
        return [] if shape is None else [shape]
    return first if second is None or (second == "value" and isinstance(first, dict | list)) else second


def lost(then: Shape, now: Shape, where: str = "") -> list[str]:
    """What was there and is not there any more; more is no loss.

    Examples
    --------
    >>> lost({"tags": ["a", "b"], "x": {"y": "value"}}, {"tags": ["b", "c"], "x": "value"})
    ["tags: 'a'", 'x: fields']
    """
    if isinstance(then, dict):
        if not isinstance(now, dict):
            return [f"{where}: fields"] if then and now != [] else []
        gone = [f"{where}: {name!r}" if where else repr(name) for name in then if name not in now]
        common = [name for name in then if name in now]
        below = [lost(then[name], now[name], f"{where}.{name}".lstrip(".")) for name in common]
        return gone + [line for some in below for line in some]
    if isinstance(then, list) and isinstance(now, list):
        if any(isinstance(item, dict | list) for item in then):
            return lost(then[0], now[0], f"{where}[]") if now else []
        return [f"{where}: {item!r}" for item in then if item not in now and item != "value"]
    return []
