"""The monitor on real stores and a real Prefect server: what it sees, decides, keeps and asks for."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from evergreen.definition import loader
from evergreen.lifecycle import decision_log
from evergreen.monitoring import observation, profile_store, reference
from evergreen.reports import model_page
from evergreen.stores import Stores
from flows.ingest import ingest
from flows.monitor import monitor
from flows.refresh import refresh
from tests.prepared_homes import refreshed

JANUARY = datetime(2013, 1, 29, tzinfo=UTC)
QUIET = datetime(2013, 2, 1, tzinfo=UTC)
TURNED = datetime(2013, 2, 9, tzinfo=UTC)  # a week after the toy's world turned


@pytest.fixture(scope="module")
def seen(worlds, server):
    """A champion of January, looked at before and after the world turned."""
    with worlds("toy"):
        before = monitor("toy", as_of=JANUARY)
        refresh("toy", as_of=JANUARY)
        ingest("toy", as_of=QUIET)
        quiet = monitor("toy", as_of=QUIET)
        ingest("toy", as_of=TURNED)
        turned = monitor("toy", as_of=TURNED)
        yield {"before": before, "quiet": quiet, "turned": turned}


@pytest.mark.long
def test_without_a_champion_nothing_is_watched_and_that_is_said(seen):
    assert (seen["before"].action, seen["before"].reason) == ("nothing", "there is no champion yet")


def test_a_quiet_week_asks_for_nothing(seen):
    assert seen["quiet"].action == "nothing"


def test_a_loss_of_performance_asks_for_a_training_though_no_column_drifts(seen):
    last = observation.read(Stores.open().lake, loader.load("toy"))[-1]
    assert seen["turned"].action == "train"
    assert seen["turned"].reason.startswith("performance: ")
    assert not any(column.drifted for column in last.drift)
    assert (
        last.realised.whole.value
        > 5
        * reference.load(
            Stores.open().registry, loader.load("toy"), Stores.open().registry.champion("toy")
        ).judged.whole.value
    )
    assert last.estimated < 1  # no estimate can know that what was learnt no longer holds


def test_every_decision_is_kept_with_what_was_known(seen):
    entries = decision_log.read(Stores.open().lake, loader.load("toy"))
    assert [(entry.wish, entry.action) for entry in entries] == [
        ("", "train"),
        ("", "nothing"),
        ("", "nothing"),
        ("schedule", "train"),
    ]
    assert entries[0].state["champion"] == "2"


def test_the_same_moment_again_changes_no_record(seen):
    lake, model = Stores.open().lake, loader.load("toy")
    before = (len(observation.read(lake, model)), len(decision_log.read(lake, model)))
    assert monitor("toy", as_of=TURNED).action == "train"
    assert (len(observation.read(lake, model)), len(decision_log.read(lake, model))) == before


def test_a_unit_is_counted_once_and_again_only_if_its_rows_changed(seen):
    lake, model, registry = Stores.open().lake, loader.load("toy"), Stores.open().registry
    champion = registry.champion("toy")
    base = reference.load(registry, model, champion)
    at = pd.Timestamp(TURNED)
    assert profile_store.refresh(lake, model, champion.number, base, at) == 0
    rows = model.source.read(model, at - pd.Timedelta(days=3), at - pd.Timedelta(days=2), Stores.open().lake)
    late = rows.assign(y=rows["y"] + 1).astype({"id": "str", "side": "str"})
    lake.land(model, late, "late", at + pd.Timedelta(hours=1), app="evergreen.test", mark=at)
    assert profile_store.refresh(lake, model, champion.number, base, at) == 1


@pytest.mark.long
def test_a_promotion_brings_its_own_reference(seen):
    registry, model = Stores.open().registry, loader.load("toy")
    assert refresh("toy", reason="drift", as_of=datetime(2013, 3, 8, tzinfo=UTC)).moved
    now, then = registry.champion("toy"), registry.version("toy", "previous")
    mine, old = (reference.load(registry, model, version).profile.units[-1] for version in (now, then))
    assert mine > old


@pytest.mark.long
def test_a_feed_that_stopped_is_no_quiet_week_and_starts_no_training(home, begun):
    begun(refreshed, JANUARY)
    first, again = (monitor("toy", as_of=datetime(2013, 2, day, tzinfo=UTC)) for day in (14, 15))
    assert (first.action, first.reason) == ("alert", "data quality: no rows since 2013-01-28 16:20")
    assert (first.news, again.news) == (True, False)  # a person is told once


SLIDING = """

steady = rows


def rows(since, until):
    frame = steady(since, until)
    frame["z"] += 0.05 * (frame["at"] - pd.Timestamp("2013-01-29", tz="UTC")).dt.days.clip(lower=0)
    return frame


model = model.model_copy(update={"source": Call(function=rows, start="2013-01-01", batch="7d")})
"""


@pytest.mark.long
def test_small_changes_add_up_to_drift_since_the_reference(home, write_model, begun):
    begun(refreshed, JANUARY)
    write_model(SLIDING)
    until = datetime(2013, 3, 12, tzinfo=UTC)
    ingest("toy", as_of=until)
    monitor("toy", as_of=until)
    last = observation.read(Stores.open().lake, loader.load("toy"))[-1]
    slides = {column.column: column.slide for column in last.drift if column.slide}
    assert {"x", "z"} <= set(slides)
    assert "y" not in slides  # early labels are a biased sample
    assert (slides["z"].drifted, slides["z"].upwards, slides["x"].drifted) == (True, True, False)
    assert "2013-01-29" <= slides["z"].since[:10] <= "2013-02-20"
    assert "slow drift" in report("toy")


def report(name: str) -> str:
    return Path(model_page.write(Stores.open(), loader.load(name)).path).read_text()
