"""A refresh that no policy finds due watches what has landed, and trains in the same run if that asks for it."""

from datetime import UTC, datetime

import pandas as pd
import pytest

from evergreen.definition import loader
from evergreen.errors import EvergreenError
from evergreen.lifecycle import decision_log
from evergreen.lifecycle.triggers import name_of
from evergreen.locks import model_lock
from evergreen.monitoring import observation
from evergreen.stores import Stores
from flows.refresh import refresh
from tests.prepared_homes import refreshed

JANUARY = datetime(2013, 1, 29, tzinfo=UTC)
QUIET = datetime(2013, 2, 1, tzinfo=UTC)
TURNED = datetime(2013, 2, 9, tzinfo=UTC)  # a week after the toy's world turned
RARELY = "\nmodel = model.model_copy(update={'policy': Policy(every='90d')})\n"
BROKEN = """
def broken():
    raise ValueError("no estimator today")

model = model.model_copy(update={"estimator": broken})
"""
NOT_AGAIN = "\nmodel = model.model_copy(update={'policy': Policy(every='90d', cooldown='90d')})\n"


def decided() -> list[tuple[str, str]]:
    """Who asked and what was decided, newest first."""
    return [(name_of(entry.wish), entry.action) for entry in decision_log.read(Stores.open().lake, loader.load("toy"))]


def watched() -> int:
    """How many windows were looked at."""
    return len(observation.read(Stores.open().lake, loader.load("toy")))


@pytest.mark.long
def test_what_landed_is_watched_and_trained_on_in_the_same_run(home, write_model, begun):
    write_model(RARELY)
    begun(refreshed, JANUARY)
    outcome = refresh("toy", as_of=TURNED)
    assert (outcome.challenger, name_of(Stores.open().registry.version("toy", "3").reason)) == ("3", "performance")
    assert decided() == [("", "train"), ("performance", "train"), ("schedule", "nothing"), ("schedule", "train")]
    assert "version 3" in (home / "reports" / "toy.html").read_text()  # written after the training

    versions = len(Stores.open().registry.versions("toy"))
    again = refresh("toy", as_of=TURNED)  # nothing landed
    assert (again.decision, watched(), len(Stores.open().registry.versions("toy"))) == ("none", 1, versions)


@pytest.mark.long
def test_a_training_that_fails_leaves_the_page_of_what_the_monitor_saw(home, write_model, begun):
    write_model(RARELY)
    begun(refreshed, JANUARY)
    write_model(RARELY + BROKEN)
    page = home / "reports" / "toy.html"
    assert not page.exists()
    with pytest.raises(EvergreenError, match="no estimator today"):
        refresh("toy", as_of=TURNED)
    assert decided()[1][0] == "performance"
    assert "performance" in page.read_text()


def test_a_quiet_week_is_watched_and_nothing_is_trained(home, write_model, begun):
    write_model(RARELY)
    begun(refreshed, JANUARY)
    outcome = refresh("toy", as_of=QUIET)
    assert (outcome.decision, outcome.reason) == ("none", "not due: trained 3 days ago, every 90 days")
    assert (watched(), decided()[0]) == (1, ("", "nothing"))
    assert (home / "reports" / "toy.html").is_file()


def test_a_monitor_at_work_is_not_waited_for(home, write_model, begun):
    write_model(RARELY)
    begun(refreshed, JANUARY)
    with model_lock("toy", "monitor"):
        outcome = refresh("toy", as_of=TURNED)
    assert (outcome.decision, outcome.reason) == ("none", "not due: trained 11 days ago, every 90 days")
    assert (watched(), Stores.open().lake.watermark("toy")) == (0, pd.Timestamp(TURNED).as_unit("us"))


@pytest.mark.long
def test_a_monitor_that_asks_has_looked_already(home, write_model):
    write_model(NOT_AGAIN)
    refresh("toy", as_of=JANUARY)
    outcome = refresh("toy", reason="drift x 0.3 over 0.1", as_of=TURNED)
    assert (outcome.decision, watched()) == ("none", 0)  # or each look would ask for the next
    assert decided()[0] == ("drift", "nothing")
