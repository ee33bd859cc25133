"""The triggers: one table, and prefect.yaml starts a refresh for every event in it."""

from pathlib import Path

import pytest
import yaml

from evergreen.lifecycle.triggers import TRIGGERS, Trigger, name_of, trigger_of

CHECKOUT = Path(__file__).resolve().parents[3]


def test_every_event_of_a_trigger_starts_a_refresh_with_that_trigger():
    deployments = yaml.safe_load((CHECKOUT / "prefect.yaml").read_text())["deployments"]
    refresh = next(deployment for deployment in deployments if deployment["name"] == "refresh")
    starts = {event: entry["parameters"]["reason"] for entry in refresh["triggers"] for event in entry["expect"]}
    assert {event: name_of(reason) for event, reason in starts.items()} == {
        trigger.event: name for name, trigger in TRIGGERS.items() if trigger.event
    }


@pytest.mark.parametrize("trigger", TRIGGERS.values(), ids=TRIGGERS)
def test_a_trigger_is_found_by_the_first_word_of_a_reason(trigger):
    for reason in (trigger.name, f"{trigger.name}: and why", f"{trigger.name} and why"):
        assert trigger_of(reason) is trigger


@pytest.mark.parametrize("reason", ["", "other", "drifting", ": drift"])
def test_any_other_reason_has_no_trigger(reason):
    assert trigger_of(reason) == Trigger("", trigger_of("").meaning)


@pytest.mark.parametrize(
    ("reason", "name"), [("", ""), ("  ", ""), ("drift", "drift"), ("drift: x: 0.3", "drift"), ("drift x", "drift")]
)
def test_the_name_is_the_first_word_without_its_colon(reason, name):
    assert name_of(reason) == name
