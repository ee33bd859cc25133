"""prefect.yaml: what it says is what the flows take, and Prefect takes every deployment of it."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from prefect import get_client
from prefect.flows import load_flow_from_entrypoint

from evergreen.lifecycle.triggers import TRIGGERS
from evergreen.settings import CHECKOUT
from flows.runtime.deployments import POOL, register

DEPLOYMENTS = yaml.safe_load((CHECKOUT / "prefect.yaml").read_text())["deployments"]


def starts(deployment: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Whatever starts a deployment by itself, and the parameters that it gives."""
    for schedule in deployment.get("schedules", []):
        yield schedule["slug"], schedule["parameters"]
    for trigger in deployment.get("triggers", []):
        yield trigger["name"], trigger["parameters"]


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda deployment: deployment["name"])
def test_every_start_gives_its_flow_what_it_asks_for_and_nothing_else(deployment):
    taken = load_flow_from_entrypoint(deployment["entrypoint"]).parameters
    for start, given in starts(deployment):
        assert set(taken.required) <= set(given) <= set(taken.properties), start
        assert given.get("reason", "demand").split()[0] in TRIGGERS, start


def test_what_starts_by_itself_is_named_once():
    named = [(deployment["name"], start) for deployment in DEPLOYMENTS for start, _ in starts(deployment)]
    assert len(named) == len(set(named)) >= 7


def test_prefect_takes_every_deployment(home):
    wanted = sorted(deployment["name"] for deployment in DEPLOYMENTS)
    with get_client(sync_client=True) as client:
        try:
            assert register().names == wanted
            registered = [deployment for deployment in client.read_deployments() if deployment.work_pool_name == POOL]
            assert sorted((deployment.name, deployment.entrypoint) for deployment in registered) == sorted(
                (deployment["name"], deployment["entrypoint"]) for deployment in DEPLOYMENTS
            )
            assert {
                deployment.model_dump()["parameter_openapi_schema"]["required"][0] for deployment in registered
            } == {"model"}
        finally:
            for deployment in client.read_deployments():
                client.delete_deployment(deployment.id)
