"""Schedules that a person has paused: no run is started, and no deploy makes them active again."""

import json

import pandas as pd
import pytest
import yaml
from prefect.client.orchestration import get_client

from evergreen.errors import RunningError
from evergreen.exit_codes import Exit
from evergreen.lake import audit_log
from evergreen.project import CODE
from evergreen.stores import Stores
from flows.runtime import deployments, schedules
from flows.runtime.registered import ours
from tests.command_line import called

AT = pd.Timestamp("2013-03-01", tz="UTC")
pytestmark = pytest.mark.long


def declare(home, *toys, other="late"):
    """A prefect.yaml beside the models, with schedules of the toy and of another model."""
    declared = yaml.safe_load((CODE / "prefect.yaml").read_text())
    for deployment in declared["deployments"]:
        deployment.pop("triggers", None)
        kept = ("toy", *toys, other) if deployment.pop("schedules", []) else ()
        deployment["schedules"] = [
            {
                "slug": name,
                "cron": f"{minute} 5 * * *",
                "timezone": "UTC",
                "parameters": {"model": name.partition("-")[0]},
            }
            | ({"active": False} if name.endswith("-idle") else {})
            for minute, name in enumerate(kept)
        ]
    (home.parent / "prefect.yaml").write_text(yaml.safe_dump(declared))


@pytest.fixture
def scheduled(home, write_model, without_deployments):
    """The toy and another model, with schedules."""
    write_model(name="late")
    declare(home, "toy-idle")
    deployments.register()


def active():
    with get_client(sync_client=True) as client:
        registered = ours(client)
    return sorted(
        f"{deployment.name} {schedule.slug}"
        for deployment in registered
        for schedule in deployment.schedules
        if schedule.active
    )


def test_a_paused_model_stays_so_whatever_is_deployed_until_it_is_resumed(home, scheduled):
    stores, all_active = Stores.open(), active()
    assert all_active == ["monitor late", "monitor toy", "refresh late", "refresh toy"]
    done = schedules.pause(stores, "toy", "the source moves", "Ada", AT)
    assert (done.paused, done.schedules) == (
        True,
        ["monitor toy", "monitor toy-idle", "refresh toy", "refresh toy-idle"],
    )
    assert active() == ["monitor late", "refresh late"]
    assert schedules.paused() == {"toy": True, "late": False}
    with pytest.raises(RunningError, match="are paused already"):
        schedules.pause(stores, "toy", "again", "Bo", AT)

    declare(home, "toy-idle", "toy-new")
    registered = deployments.register()
    assert active() == ["monitor late", "refresh late"]
    assert any("schedules of toy are paused, and stay so" in note for note in registered.notes)
    assert (home.parent / "prefect.yaml").read_text().count("active: false") == 2

    schedules.resume(stores, "toy", "it is there", "Bo", AT)
    assert active() == [
        "monitor late",
        "monitor toy",
        "monitor toy-new",
        "refresh late",
        "refresh toy",
        "refresh toy-new",
    ]
    with pytest.raises(RunningError, match="nothing to resume"):
        schedules.resume(stores, "late", "it is there", "Bo", AT)
    lines = [line for line in audit_log.read(stores.lake, "toy") if line.act == "schedule"]
    assert [(line.by, json.loads(line.detail)["state"]) for line in lines] == [("Ada", "paused"), ("Bo", "resumed")]


def test_the_commands_say_what_is_paused_and_how_to_resume_it(scheduled):
    for command, paused in (("pause", True), ("resume", False)):
        done = called(command, "toy", "--reason", "the source moves", "--json")
        assert (done.returncode, json.loads(done.stdout)["paused"]) == (Exit.DONE, paused), done.stderr
    again = called("resume", "late", "--reason", "no")
    assert (again.returncode, "nothing to resume" in " ".join(again.stderr.split())) == (Exit.FAILED, True)


def test_a_model_without_a_schedule_cannot_be_paused(scheduled):
    with pytest.raises(RunningError, match="nobody has no schedule"):
        schedules.pause(Stores.open(), "nobody", "no", "Ada", AT)


def test_without_a_server_it_is_told(home, monkeypatch):
    monkeypatch.setattr("flows.runtime.connection.current", lambda: ("", ""))
    with pytest.raises(RunningError, match="There is no Prefect server"):
        schedules.pause(Stores.open(), "toy", "no", "Ada", AT)
