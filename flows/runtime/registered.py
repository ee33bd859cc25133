"""What a Prefect server has of our deployments, by its own JSON: Prefect's objects look up all time zones each time."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tasks.support.pages import every

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

POOL = "evergreen"  # of prefect.yaml


@dataclass(frozen=True)
class Schedule:
    """A schedule of a deployment, as a server has it."""

    id: UUID
    slug: str | None
    parameters: dict[str, Any]
    active: bool


@dataclass(frozen=True)
class Deployment:
    """A deployment of ours, as a server has it."""

    id: UUID
    name: str
    schedules: list[Schedule]


def ours(client: "SyncPrefectClient") -> list[Deployment]:
    """Our deployments on a server that may have others' too."""

    def page(offset: int) -> list[dict[str, Any]]:
        asked = _of_pool() | {"offset": offset}
        found: list[dict[str, Any]] = client.request("POST", "/deployments/filter", json=asked).json()
        return found

    return [
        Deployment(UUID(found["id"]), found["name"], [_schedule(each) for each in found["schedules"]])
        for found in every(page)
    ]


def has_just(client: "SyncPrefectClient", names: list[str]) -> bool:
    """Whether our deployments are those of these names: counted, as a server takes seconds to list many schedules."""
    named = {"deployments": {"name": {"any_": names}}}
    counts = [client.request("POST", "/deployments/count", json=_of_pool() | more).json() for more in ({}, named)]
    return counts == [len(names), len(names)]


def has_triggers(client: "SyncPrefectClient", wanted: dict[str, list[str]]) -> bool:
    """Whether each deployment of ours still has its triggers, by name; one of them can be deleted on the server.

    Parameters
    ----------
    client : SyncPrefectClient
    wanted : dict of deployment to (list of str)
    """
    names = [name for triggers in wanted.values() for name in triggers]

    def page(offset: int) -> list[dict[str, Any]]:
        asked = {"automations": {"name": {"any_": names}}, "offset": offset}
        found: list[dict[str, Any]] = client.request("POST", "/automations/filter", json=asked).json()
        return found

    started: dict[str, list[str]] = {}  # the deployments that triggers of a name start, ours and those of others
    for automation in every(page) if names else []:
        ids = [action["deployment_id"] for action in automation["actions"] if action.get("deployment_id")]
        started.setdefault(automation["name"], []).extend(ids)
    pairs = [(deployment, name) for deployment, triggers in wanted.items() for name in triggers]
    return all(_is_ours(client, deployment, started.get(name, [])) for deployment, name in pairs)


def _is_ours(client: "SyncPrefectClient", deployment: str, ids: list[str]) -> bool:
    """Whether our deployment of a name is among these ids."""
    asked = _of_pool() | {"deployments": {"name": {"any_": [deployment]}, "id": {"any_": ids}}}
    return bool(ids) and client.request("POST", "/deployments/count", json=asked).json() > 0


def _of_pool() -> dict[str, Any]:
    return {"work_pools": {"name": {"any_": [POOL]}}}


def _schedule(found: dict[str, Any]) -> Schedule:
    return Schedule(UUID(found["id"]), found["slug"], found["parameters"], found["active"])
