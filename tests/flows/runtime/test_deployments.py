"""prefect.yaml: what it says is what the flows take, and Prefect takes every deployment of it."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
import yaml
from prefect import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound
from prefect.flows import load_flow_from_entrypoint
from prefect.workers.process import ProcessJobConfiguration, ProcessWorker

from evergreen import provenance
from evergreen.lifecycle.triggers import TRIGGERS
from evergreen.project import CODE
from flows.runtime import deployments
from flows.runtime.deployments import make_pool, register, register_once
from flows.runtime.registered import POOL, has_just, ours

DEPLOYMENTS = yaml.safe_load((CODE / "prefect.yaml").read_text())["deployments"]
pytestmark = pytest.mark.long


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


def test_prefect_takes_every_deployment(home, without_deployments):
    wanted = sorted(deployment["name"] for deployment in DEPLOYMENTS)
    made = register()
    assert made.names == wanted
    assert made.notes[-1].endswith("no schedule of refresh for toy: only events and commands start one.")
    with get_client(sync_client=True) as client:
        registered = [deployment for deployment in client.read_deployments() if deployment.work_pool_name == POOL]
        assert sorted((deployment.name, deployment.entrypoint) for deployment in registered) == sorted(
            (deployment["name"], deployment["entrypoint"]) for deployment in DEPLOYMENTS
        )
        assert {deployment.model_dump()["parameter_openapi_schema"]["required"][0] for deployment in registered} == {
            "model"
        }
        assert sorted(deployment.name for deployment in ours(client)) == wanted
        assert has_just(client, wanted)
        for other in (wanted[1:], [*wanted[1:], "another"], [*wanted, "another"]):
            assert not has_just(client, other)


@pytest.fixture
def declared_here(home, without_deployments):
    """A prefect.yaml of the home's own, with a schedule of toy; its deployments are gone afterwards."""
    text = (
        (CODE / "prefect.yaml")
        .read_text()
        .replace("slug: airtime", "slug: toy")
        .replace("model: airtime", "model: toy")
    )
    declared = yaml.safe_load(text)
    declared["deployments"] = [each for each in declared["deployments"] if each["name"] in ("refresh", "approve")]
    (home.parent / "prefect.yaml").write_text(yaml.safe_dump(declared))


def there():
    """The schedules and the triggers that the server has of our deployments."""
    with get_client(sync_client=True) as client:
        deployments = ours(client)
        triggers = [
            trigger.name
            for each in deployments
            for trigger in client.read_resource_related_automations(f"prefect.deployment.{each.id}")
        ]
    return [(each.name, schedule.slug) for each in deployments for schedule in each.schedules], sorted(triggers)


def test_what_somebody_deleted_on_the_server_is_registered_again(declared_here, monkeypatch):
    assert register_once()[1]
    made = there()
    assert made[0] == [("refresh", "toy-daily")]
    assert {"approval requested", "drift"} <= set(made[1])
    assert not register_once()[1]
    with get_client(sync_client=True) as client:
        (refresh,) = [each for each in ours(client) if each.name == "refresh"]
        client.delete_deployment_schedule(refresh.id, refresh.schedules[0].id)
    assert register_once()[1]
    assert there() == made
    with get_client(sync_client=True) as client:
        client.delete_resource_owned_automations(f"prefect.deployment.{refresh.id}")
    assert register_once()[1]
    assert there() == made
    assert not register_once()[1]
    monkeypatch.setattr(provenance, "release", lambda: "99.0")  # an upgrade of Evergreen
    assert register_once()[1]


def test_a_registration_by_other_code_of_a_flow_is_another_one(home, monkeypatch, tmp_path):
    shutil.copytree(CODE / "flows", tmp_path / "flows")
    monkeypatch.setattr(deployments, "_FLOWS", tmp_path / "flows")
    same = deployments._mark()
    assert same == deployments._mark()
    with (tmp_path / "flows" / "refresh.py").open("a") as file:
        file.write("# a parameter more\n")
    assert deployments._mark() != same


@pytest.fixture
def earlier_pool(home):
    """A work pool as an earlier release made it, with a setting of its owner's."""
    template = ProcessWorker.get_default_base_job_template()
    template["variables"]["properties"]["stream_output"]["default"] = False
    with get_client(sync_client=True) as client:
        _replace_pool(client, "process", template)


def _replace_pool(client, kind, template):
    with suppress(ObjectNotFound):
        client.delete_work_pool(POOL)
    client.create_work_pool(WorkPoolCreate(name=POOL, type=kind, base_job_template=template))


def test_a_pool_of_another_kind_is_left_as_it_is(home):
    template = ProcessWorker.get_default_base_job_template()
    with get_client(sync_client=True) as client:
        _replace_pool(client, "prefect-agent", template)
        make_pool(3)
        assert client.read_work_pool(POOL).base_job_template == template
        client.delete_work_pool(POOL)


@pytest.mark.parametrize(
    "wanted",
    [
        {"command": "touch me"},
        {"env": {"PYTHONPATH": "/elsewhere"}},
        {"env.PYTHONPATH": "/elsewhere"},
        {"working_dir": "/elsewhere"},
    ],
    ids=lambda wanted: next(iter(wanted)),
)
def test_a_run_cannot_say_what_is_executed(earlier_pool, wanted):
    make_pool()
    with get_client(sync_client=True) as client:
        pool = client.read_work_pool(POOL)
        make_pool(3)
        changed = client.read_work_pool(POOL)
    assert (changed.concurrency_limit, changed.base_job_template) == (3, pool.base_job_template)
    assert changed.base_job_template["variables"]["properties"]["stream_output"]["default"] is False
    read = asyncio.run(_configured(pool.base_job_template, wanted))
    assert (read.command, read.env.get("PYTHONPATH"), read.working_dir) == (
        "python -P -m prefect.engine",
        os.environ.get("PYTHONPATH"),
        None,
    )


async def _configured(template: dict[str, Any], wanted: dict[str, Any]) -> ProcessJobConfiguration:
    """What a worker starts for a run with these job variables."""
    async with get_client() as client:
        read = await ProcessJobConfiguration.from_template_and_values(template, wanted, client=client)
    read.prepare_for_flow_run(FlowRun(flow_id=uuid4()))
    return read
