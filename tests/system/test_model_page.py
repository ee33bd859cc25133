"""The overview of a model, and its metric series: what a person sees in the morning."""

import re
from datetime import UTC, datetime

import pandas as pd
import pytest

from evergreen.definition import loader
from evergreen.lifecycle.decision_log import Entry
from evergreen.monitoring import observation
from evergreen.reports import model_page
from evergreen.settings import Settings
from evergreen.stores import Stores
from flows.ingest import ingest
from flows.monitor import monitor
from flows.refresh import refresh

PATIENT = """
model = model.model_copy(update={"policy": model.policy.model_copy(update={"suspicion": None})})
"""
JANUARY = datetime(2013, 1, 29, tzinfo=UTC)
DAYS = [datetime(2013, 2, day, tzinfo=UTC) for day in (1, 2, 3, 9)]
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def lived(worlds, server):
    """A champion that is watched on four days, on the last of which it is proven worse."""
    with worlds("toy") as write:
        write(PATIENT)
        refresh("toy", as_of=JANUARY)
        for day in DAYS:
            ingest("toy", as_of=day)
            monitor("toy", as_of=day)
        yield Settings.read().home / "reports" / "toy.html"


def test_the_monitor_writes_it_and_it_begins_with_what_was_decided_and_why(lived):
    page = lived.read_text()
    assert "<b>A training was requested: performance: " in page
    assert page.count("<svg") == 2
    assert "3 times in a row since 2013-02-01" in page  # nothing, and nothing, and nothing


def test_it_needs_no_network(lived):
    page = re.sub(r'xmlns(:\w+)?="[^"]*"|<metadata>.*?</metadata>|<!DOCTYPE.*?>', "", lived.read_text(), flags=re.S)
    assert not re.findall(r"https?://", page)
    assert "<script" not in page


def test_there_is_a_page_before_there_is_anything_to_show(home):
    written = model_page.write(Stores.open(), loader.load("toy"))
    assert written.sentence == "There is no champion yet, so nothing is served or monitored."
    refresh("toy", as_of=JANUARY)
    written = model_page.write(Stores.open(), loader.load("toy"))
    assert written.sentence == "Version 2 is champion. It has not been monitored yet."


def test_every_check_is_a_point_of_the_series_and_the_same_check_again_is_none(lived):
    registry, model = Stores.open().registry, loader.load("toy")
    [series] = registry.client.search_runs([registry._experiment(model)], "tags.`evergreen.series` = 'toy'")

    def points(name: str) -> list[tuple[int, float]]:
        return [(point.step, point.value) for point in registry.client.get_metric_history(series.info.run_id, name)]

    checks = observation.read(Stores.open().lake, model)
    assert len(points("judged")) == len(DAYS)
    assert points("realised")[-1][1] == pytest.approx(checks[-1].realised.whole.value)
    before = points("realised")
    monitor("toy", as_of=DAYS[-1])
    assert points("realised") == before
    assert series.info.status == "FINISHED"


def test_what_is_decided_over_and_over_is_told_once():
    def entry(day: int, wish: str, action: str) -> Entry:
        return Entry("toy", f"2013-02-{day:02}", wish, action, f"reason {day}", {})

    quiet = [entry(day, "", "nothing") for day in (9, 8, 7)]
    spells = model_page.grouped_decisions(
        [entry(11, "", "train"), entry(10, "", "train"), *quiet, entry(6, "schedule", "nothing")]
    )
    assert [(spell.times, spell.newest.as_of, spell.since) for spell in spells] == [
        (1, "2013-02-11", "2013-02-11"),
        (1, "2013-02-10", "2013-02-10"),
        (3, "2013-02-09", "2013-02-07"),
        (1, "2013-02-06", "2013-02-06"),
    ]


def test_a_year_of_forty_columns_stays_small(lived, tmp_path):
    model, lake = loader.load("toy"), Stores.open().lake
    last = observation.read(lake, model)[-1]
    wide = [*last.drift, *(type(last.drift[0])(**{**vars(last.drift[0]), "column": f"column {i}"}) for i in range(38))]
    for day in pd.date_range("2012-01-01", periods=120, tz="UTC"):
        check = type(last)(**{**vars(last), "drift": wide, "as_of": day.isoformat(), "until": day.isoformat()})
        observation.store(lake, check)
    written = model_page.write(Stores.open(), model, tmp_path)
    assert len((tmp_path / "toy.html").read_bytes()) < 3_000_000
    assert written.path == str(tmp_path / "toy.html")
