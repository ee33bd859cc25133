"""prefect.yaml: what it declares, and the same with the schedules that a person has paused on the server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evergreen import files, project
from evergreen.errors import ProjectError
from evergreen.settings import Settings
from flows.runtime.registered import Deployment


def file() -> Path:
    """The prefect.yaml in use: the one beside the folder of models, or else the project's.

    Raises
    ------
    ProjectError
        There is none.
    """
    folders = dict.fromkeys(filter(None, (Settings.read().models.parent, project.find())))
    found = next((folder / "prefect.yaml" for folder in folders if (folder / "prefect.yaml").is_file()), None)
    if found is None:
        places = " or ".join(map(str, folders))
        raise ProjectError(f"There is no prefect.yaml in {places}. `evergreen init` writes one for your repository.")
    return found


def names() -> list[str]:
    """The names of the deployments of prefect.yaml."""
    return [deployment["name"] for deployment in _yaml()["deployments"]]


def triggers() -> dict[str, list[str]]:
    """The names of the triggers that prefect.yaml declares, by deployment, as Prefect names them."""
    return {
        deployment["name"]: [
            trigger.get("name", f"{deployment['name']}__automation_{place}")
            for place, trigger in enumerate(deployment["triggers"], 1)
        ]
        for deployment in _yaml()["deployments"]
        if deployment.get("triggers")
    }


def schedules(models: list[str]) -> set[tuple[str, str]]:
    """The schedules of models that prefect.yaml declares, by deployment and slug."""
    first = next(iter(models), "")
    return {
        (deployment["name"], schedule.get("slug", ""))
        for deployment, schedule in _schedules(_yaml())
        if (schedule.get("parameters") or {}).get("model", first) in models
    }


def inactive() -> set[tuple[str, str]]:
    """The schedules that prefect.yaml declares as not active, by deployment and slug."""
    return {
        (deployment["name"], schedule.get("slug", ""))
        for deployment, schedule in _schedules(_yaml())
        if schedule.get("active") is False
    }


def paused(registered: list[Deployment]) -> dict[str, bool]:
    """Whether all schedules of a model are paused, for each model that has any."""
    active: dict[str, bool] = {}
    for deployment in registered:
        for schedule in deployment.schedules:
            name = str(schedule.parameters.get("model", ""))
            active[name] = active.get(name, False) or schedule.active
    return {name: not any_active for name, any_active in active.items() if name}


def held_up(registered: list[Deployment]) -> set[tuple[str, str, str]]:
    """The schedules that a person has paused on the server, by model, deployment and slug; one by all of its model's.

    Prefect would make each of them active again.
    """
    models = [name for name, is_paused in paused(registered).items() if is_paused]
    on_server = {
        (str(schedule.parameters.get("model", "")), deployment.name, schedule.slug or "")
        for deployment in registered
        for schedule in deployment.schedules
        if not schedule.active
    }
    idle = inactive()
    return {
        (model, deployment, slug)
        for model, deployment, slug in on_server | {(name, "", "") for name in models}
        if (deployment, slug) not in idle
    }


def with_paused(held: set[tuple[str, str, str]]) -> Path:
    """A prefect.yaml in the home that says the same, with these schedules not active."""
    import yaml  # type: ignore[import-untyped]

    declared = _yaml()
    whole = {model for model, deployment, _ in held if not deployment}
    single = {(deployment, slug) for _, deployment, slug in held}
    for deployment, schedule in _schedules(declared):
        model = (schedule.get("parameters") or {}).get("model")
        if model in whole or (deployment["name"], schedule.get("slug", "")) in single:
            schedule["active"] = False
    path = Settings.read().home / "cache" / "prefect.yaml"
    files.replace(path, yaml.safe_dump(declared, sort_keys=False))
    return path


def _schedules(declared: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each schedule, behind its deployment."""
    for deployment in declared["deployments"]:
        for schedule in deployment.get("schedules") or []:
            yield deployment, schedule


def _yaml() -> dict[str, Any]:
    """What prefect.yaml declares."""
    import yaml

    reader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where it is there
    declared: dict[str, Any] = yaml.load(file().read_text(encoding="utf-8"), reader)  # noqa: S506 - both are safe
    return declared
