"""Rollback: by itself when a new champion does worse than the one it replaced, and by a person."""

import json
import math
import time
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from prefect import get_client
from prefect.events.filters import EventFilter, EventNameFilter, EventOccurredFilter

from evergreen.definition import loader
from evergreen.errors import PromotionError
from evergreen.lifecycle import decision_log
from evergreen.lifecycle.rollback import record_restoration
from evergreen.monitoring import observation
from evergreen.registry.version import CHAMPION
from evergreen.stores import Stores
from flows.ingest import ingest
from flows.monitor import monitor
from flows.refresh import refresh
from flows.rollback import rollback
from flows.train import train
from tests.command_line import called
from tests.prepared_homes import refreshed

# A fortnight in which the world stands on its head: what is learnt from it does not hold afterwards.
SPELL = """
TURN, usual = pd.Timestamp("2014-01-01", tz="UTC"), rows


def spell(since, until):
    found = usual(since, until)
    within = (found["at"] >= "2013-02-01") & (found["at"] < "2013-02-15")
    return found.assign(y=found["y"].where(~within, 20 - found["y"]))


training, source = Training(window="7d", holdout="7d"), model.source.model_copy(update={"function": spell})
model = model.model_copy(update={"source": source, "training": training})
"""
JANUARY = datetime(2013, 1, 29, tzinfo=UTC)
MISLED = datetime(2013, 2, 15, tzinfo=UTC)
EARLY = datetime(2013, 2, 18, tzinfo=UTC)  # three days of labels
SEEN = datetime(2013, 2, 23, tzinfo=UTC)


@pytest.fixture(scope="module")
def lived(worlds, server):
    """A champion of the spell, watched beside the one of January that it replaced."""
    began = datetime.now(UTC)
    with worlds("toy") as write:
        write(SPELL)
        refresh("toy", as_of=JANUARY)
        good = Stores.open().registry.champion("toy")
        assert refresh("toy", as_of=MISLED).moved
        misled = Stores.open().registry.champion("toy")
        ingest("toy", as_of=EARLY)
        early = monitor("toy", as_of=EARLY)
        ingest("toy", as_of=SEEN)
        decision = monitor("toy", as_of=SEEN)
        yield {"good": good, "misled": misled, "early": early, "decision": decision, "began": began}


def rolled_back(since: datetime) -> dict[str, Any]:
    """What the event told, once it has reached the server, which other tests have told of theirs before."""
    named, occurred = EventNameFilter(name=["evergreen.model.rolled-back"]), EventOccurredFilter(since=since)
    wanted = EventFilter(event=named, occurred=occurred)
    with get_client(sync_client=True) as client:
        for _ in range(50):
            events = client.read_events(wanted, limit=50).events
            if events:
                return dict(events[0].payload)
            time.sleep(0.1)
    raise AssertionError("nothing was told")


def test_the_drift_of_a_champion_of_two_windows_is_judged(lived):
    seen = observation.read(Stores.open().lake, loader.load("toy"))[-1]
    assert all(math.isfinite(drift.threshold) for drift in seen.drift if drift.importance is not None)


def test_a_few_days_are_no_evidence(lived):
    first = observation.read(Stores.open().lake, loader.load("toy"), until=pd.Timestamp(EARLY) + pd.Timedelta(days=1))[
        -1
    ]
    assert first.probation.state == "unknown"
    assert lived["early"].action != "roll back"


def test_a_champion_that_does_worse_than_the_one_it_replaced_goes_back(lived):
    registry = Stores.open().registry
    assert lived["decision"].action == "roll back"
    assert registry.champion("toy").number == lived["good"].number
    assert registry.previous("toy").number == lived["misled"].number


def test_everybody_is_told_and_the_diary_says_why(lived):
    payload = rolled_back(lived["began"])
    assert (payload["version"], payload["replaces"]) == (lived["good"].number, lived["misled"].number)
    entry = decision_log.read(Stores.open().lake, loader.load("toy"))[0]
    assert entry.action == "roll back"
    assert entry.reason == lived["decision"].reason
    assert entry.reason.startswith("the version before the champion does better: mean_absolute_error ")


def test_the_same_model_does_not_come_back(lived):
    with pytest.raises(PromotionError, match=r"judged on data known at .*, before"):
        train("toy", as_of=MISLED)
    assert Stores.open().registry.champion("toy").number == lived["good"].number


def test_the_restored_is_watched_but_not_on_probation(lived):
    again = monitor("toy", as_of=SEEN)
    assert again.action != "roll back"
    assert observation.read(Stores.open().lake, loader.load("toy"), lived["good"].number)[-1].probation is None


@pytest.mark.long
def test_a_person_puts_it_back_all_the_same_and_that_stands(lived):
    misled = lived["misled"].number
    record_restoration(
        Stores.open().registry, lived["misled"], pd.Timestamp(SEEN)
    )  # as if the first try had died right there
    assert rollback("toy", reason="trial", to=misled, as_of=SEEN).moved
    assert not Stores.open().registry.previous("toy").rolled_back
    assert not rollback("toy", reason="trial", to=misled, as_of=SEEN).moved
    assert monitor("toy", as_of=SEEN).action != "roll back"
    assert Stores.open().registry.champion("toy").number == misled
    assert rollback("toy", reason="enough of it", as_of=SEEN).champion == lived["good"].number
    assert not rollback("toy", reason="by mistake, twice", as_of=SEEN).moved
    assert Stores.open().registry.champion("toy").number == lived["good"].number


@pytest.mark.long
def test_later_rows_are_learned_from_as_ever(lived):
    outcome = refresh("toy", as_of=datetime(2013, 3, 20, tzinfo=UTC))
    assert outcome.challenger is not None
    assert outcome.decision in ("promote", "not enough evidence")  # what is there is as good


@pytest.mark.parametrize(("to", "problem"), [("", "first champion"), ("1", "was never champion")])
def test_there_is_nothing_to_go_back_to(home, to, problem, begun):
    begun(refreshed, JANUARY)
    with pytest.raises(PromotionError, match=problem):
        rollback("toy", reason="why not", to=to, as_of=JANUARY)
    assert Stores.open().registry.version("toy", CHAMPION).number == "2"


@pytest.mark.long
def test_a_policy_without_probation_watches_nobody(home, write_model):
    write_model(SPELL + "\nmodel = model.model_copy(update={'policy': Policy(every='7d', probation='0d')})\n")
    refresh("toy", as_of=JANUARY)
    assert refresh("toy", as_of=MISLED).moved
    ingest("toy", as_of=SEEN)
    assert monitor("toy", as_of=SEEN).action != "roll back"
    assert observation.read(Stores.open().lake, loader.load("toy"))[-1].probation is None


def test_without_a_champion_nothing_is_rolled_back(home):
    with pytest.raises(PromotionError, match="no champion yet"):
        rollback("toy", reason="why not", as_of=JANUARY)


@pytest.mark.long
def test_what_a_release_has_made_is_taken_back_for_every_model(home, server, begun):
    replaced = begun(refreshed, JANUARY, datetime(2013, 2, 26, tzinfo=UTC))
    registry = Stores.open().registry
    bad = registry.champion("toy")
    earlier = [version for version in registry.versions("toy") if version.promoted_at and version != bad]
    for version in registry.versions("toy"):
        made = "0123456789" if version.number in (bad.number, replaced.challenger) else "abcdef1234"
        registry.tag(version, commit=made)
    assert called("rollback", "--made-by", "fffffff", "--reason", "none of it").stdout.startswith(
        "No champion was made"
    )
    done = called("rollback", "--made-by", "0123456", "--reason", "a bad release", "--json")
    assert done.returncode == 0, done.stderr
    (outcome,) = json.loads(done.stdout)
    assert (outcome["model"], outcome["decision"], outcome["moved"]) == ("toy", "rollback", True)
    assert outcome["champion"] in [version.number for version in earlier]
    assert registry.champion("toy").commit == "abcdef1234"
    done = called("rollback", "--made-by", "abcdef1", "--reason", "that one too")
    assert done.returncode == 1
    said = " ".join(done.stderr.split())
    assert f"toy: no champion of another release came before, so {registry.champion('toy')} was left. " in said
    assert "`evergreen retire toy --reason ...` lets it stop answering" in said


@pytest.mark.parametrize(
    "words", [[], ["toy", "--made-by", "0123456"], ["--made-by", "0123"], ["--made-by", "0123456", "--to", "1"]]
)
def test_a_rollback_is_of_one_model_or_of_a_release(home, words):
    assert called("rollback", *words, "--reason", "tests").returncode == 2
