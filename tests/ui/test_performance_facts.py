"""The performance of a model over time as its page tells it: what happened when, and what is missing until when."""

from dataclasses import replace
from datetime import timedelta

import pandas as pd

from evergreen.evaluation.performance import Observed, Score
from evergreen.monitoring import observation
from evergreen.monitoring.observation import Observation
from evergreen.stores import Stores
from tests.ui.living_models import hold
from ui.facts import performance

DELAYED = """
from datetime import timedelta
model = model.model_copy(update={"label_delay": timedelta(days=30)})
"""


def seen(day: int, **values) -> Observation:
    until = pd.Timestamp("2013-01-08", tz="UTC") + timedelta(days=day)
    since = until - timedelta(days=7)
    looked = Observation("toy", "1", until.isoformat(), since.isoformat(), until.isoformat(), 350, judged=0.5)
    return replace(looked, **values)


def scored(value: float) -> Observed:
    return Observed(None, None, 350, 1.0, mature=True, finite=1.0, whole=Score(350, 7, value, 0.1))


def test_before_labels_there_is_the_estimate_and_the_page_says_from_when_there_is_more(home, write_model):
    write_model(DELAYED)
    observation.store(Stores.open().lake, *(seen(day, estimated=0.6, reason="no label is mature") for day in range(3)))
    found = performance.of(Stores.open(), "toy")
    assert [moment.estimated for moment in found.moments] == [0.6] * 3
    (sentence,) = found.missing
    assert sentence.startswith("There is no realised performance yet: no label is mature.")
    assert "30 days after their rows" in sentence
    assert "2013-02-07" in sentence  # the first window begins on the first of January


def test_a_window_whose_labels_came_later_is_one_moment_with_its_estimate(home, write_model):
    write_model()
    lake = Stores.open().lake
    ripened = seen(0).until
    observation.store(
        lake, seen(0, estimated=0.7), seen(1, estimated=0.6), seen(2, realised=scored(0.8), ripened=ripened)
    )
    found = performance.of(Stores.open(), "toy")
    assert (found.moments[0].realised.value, found.moments[0].estimated) == (0.8, 0.7)
    assert found.missing == []
    assert found.moments[0].realised.low < 0.8 < found.moments[0].realised.high


def test_what_happened_stands_with_the_window_in_which_it_did(home, write_model):
    write_model()
    lake = Stores.open().lake
    observation.store(
        lake, *(seen(day, estimated=0.6, estimated_degradation="worse" if day in (3, 4) else "") for day in range(30))
    )
    hold("early", "x")
    found = performance.of(Stores.open(), "toy")
    told = {moment.at[:10]: [event.kind for event in moment.events] for moment in found.moments if moment.events}
    assert told == {"2013-01-11": ["estimated degradation"], "2013-01-29": ["batch in quarantine"]}
    (span,) = [event for event in found.events if event.kind == "estimated degradation"]
    assert (span.at[:10], span.until[:10]) == ("2013-01-11", "2013-01-12")


def test_the_same_window_looked_at_again_is_shown_by_its_newest_look(home, write_model):
    write_model()
    again = seen(0, estimated=0.9, as_of=seen(5).as_of)
    observation.store(Stores.open().lake, seen(0, estimated=0.7), again)
    assert [moment.estimated for moment in performance.of(Stores.open(), "toy").moments] == [0.9]
