"""Pausing the schedules of a model, and resuming them: Prefect's own, so that its pages show the same."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from evergreen.errors import RunningError
from evergreen.lake import audit_log
from evergreen.stores import Stores
from flows.runtime import declared
from flows.runtime.registered import Deployment, Schedule, ours
from flows.runtime.runs import connected

PAUSED, RESUMED = "paused", "resumed"


@dataclass(frozen=True)
class Scheduled:
    """The schedules of a model.

    Attributes
    ----------
    model : str
    schedules : list of str
        Deployment and slug of each, such as `refresh airtime-daily`.
    paused : bool
        Whether none of them is active.
    """

    model: str
    schedules: list[str]
    paused: bool


def of(model: str) -> Scheduled:
    """The schedules of a model, as the server has them.

    Raises
    ------
    RunningError
        There is no server, it does not answer, or the model has no schedule.
    """
    with connected("read schedules") as client:
        return _scheduled(model, _of_model(ours(client), model))


def paused() -> dict[str, bool]:
    """Whether all schedules of a model are paused, for each model that has any.

    Raises
    ------
    RunningError
        There is no server, or it does not answer.
    """
    with connected("read schedules") as client:
        return declared.paused(ours(client))


def pause(stores: Stores, model: str, reason: str, by: str, at: pd.Timestamp) -> Scheduled:
    """Let no schedule of a model start a run; events and persons still do.

    It is recorded first, so that a call that was interrupted is finished by the same call.

    Parameters
    ----------
    stores : Stores
    model : str
    reason, by : str
        For the record.
    at : Timestamp
        Now.

    Raises
    ------
    RunningError
        There is no server, it does not answer, or the model's schedules are paused or it has none.
    """
    before = of(model)
    if before.paused:
        raise RunningError(
            f"The schedules of {model} are paused already. `evergreen resume {model} --reason ...` resumes them."
        )
    return _switch(stores, model, reason, by, at, active=False)


def resume(stores: Stores, model: str, reason: str, by: str, at: pd.Timestamp) -> Scheduled:
    """Let the schedules of a model start runs again, but for those that prefect.yaml declares as not active.

    Raises
    ------
    RunningError
        There is no server, it does not answer, or the model's schedules are not paused or it has none.
    """
    with connected("read schedules") as client:
        found = _of_model(ours(client), model)
    if found and all(schedule.active for _, schedule in found):
        raise RunningError(f"The schedules of {model} are not paused, so there is nothing to resume.")
    return _switch(stores, model, reason, by, at, active=True)


def _switch(stores: Stores, model: str, reason: str, by: str, at: pd.Timestamp, *, active: bool) -> Scheduled:
    detail = {"state": RESUMED if active else PAUSED, "reason": reason, "moment": at.isoformat()}
    idle = declared.inactive() if active else set()
    with connected("change schedules") as client:
        found = _of_model(ours(client), model)
        _scheduled(model, found)
        audit_log.write(stores.lake, model, "schedule", "all", at, by=by, detail=detail)
        for deployment, schedule in found:
            wanted = active and (deployment.name, schedule.slug) not in idle
            if schedule.active != wanted:
                client.update_deployment_schedule(
                    deployment.id,
                    schedule.id,
                    active=wanted,
                    parameters=schedule.parameters,  # Prefect's server takes them away where they are not sent
                )
        return _scheduled(model, _of_model(ours(client), model))


def _of_model(registered: list[Deployment], model: str) -> list[tuple[Deployment, Schedule]]:
    return [
        (deployment, schedule)
        for deployment in registered
        for schedule in deployment.schedules
        if schedule.parameters.get("model") == model
    ]


def _scheduled(model: str, found: list[tuple[Any, Any]]) -> Scheduled:
    if not found:
        raise RunningError(f"{model} has no schedule on the Prefect server: prefect.yaml declares them.")
    names = sorted(f"{deployment.name} {schedule.slug or schedule.id}" for deployment, schedule in found)
    return Scheduled(model, names, not any(schedule.active for _, schedule in found))
