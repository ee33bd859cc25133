"""The marks on a model's time axis."""

from types import SimpleNamespace

import pandas as pd

from evergreen.lifecycle.decision_log import Entry
from evergreen.registry.version import Version, stored
from evergreen.reports import timeline
from evergreen.reports.monitoring_plots import MARKS
from evergreen.reports.timeline import Event


def at(day: int) -> pd.Timestamp:
    return pd.Timestamp(f"2013-01-{day:02}", tz="UTC")


def version(number: str, **values: object) -> Version:
    return Version("toy", number, "run", "source", stored(values))  # type: ignore[arg-type]


def kinds(events):
    return [(event.kind, event.version) for event in events]


def test_a_version_is_promoted_rejected_rolled_back_or_comes_back():
    versions = [
        version("5", promoted_at=at(9), promoted_by="7"),
        version("4", rolled_back_at=at(8), rolled_back_reason="worse", promoted_at=at(5), promoted_by="4"),
        version("3", decision="not enough evidence", as_of=at(3)),
        version("2", decision="reject", as_of=at(2)),
        version("1", refit_of="0", promoted_at=at(1), promoted_by="0", decision="promote", as_of=at(1)),
    ]
    assert kinds(timeline.of_versions(versions)) == [
        ("an earlier version came back", "5"),
        ("promoted", "4"),
        ("rolled back", "4"),
        ("not enough evidence", "3"),
        ("rejected", "2"),
        ("promoted", "1"),
    ]


def test_an_alarm_that_lasts_is_one_mark_and_a_decision_on_a_trigger_none():
    entries = [
        Entry("toy", at(day).isoformat(), wish, action, f"reason {day}", {})
        for day, wish, action in [
            (1, "", "nothing"),
            (2, "", "alert"),
            (3, "", "alert"),
            (4, "schedule", "train"),
            (5, "", "alert"),
            (6, "", "nothing"),
            (7, "", "train"),
        ]
    ]
    found = list(timeline.of_decisions(entries[::-1]))
    assert [(event.kind, event.what) for event in found] == [
        ("alarm", "alert: reason 2"),
        ("alarm", "train: reason 7"),
    ]


def test_estimated_degradation_is_a_span_from_its_first_to_its_last_check():
    seen = [
        SimpleNamespace(until=at(day).isoformat(), estimated_degradation="worse" if day in (3, 4, 7) else "")
        for day in range(1, 9)
    ]
    spans = [(event.at[8:10], event.until[8:10]) for event in timeline.of_estimates(seen)]
    assert spans == [("03", "04"), ("07", "07")]


def test_what_came_before_the_axis_is_left_out_and_what_came_after_its_end_stands_there():
    events = [
        Event("promoted", at(day).isoformat(), at(last).isoformat(), "") for day, last in ((1, 1), (2, 5), (20, 20))
    ]
    found = timeline.within(events, at(4).isoformat(), at(9).isoformat())
    assert [(event.at[8:10], event.until[8:10]) for event in found] == [("04", "05"), ("09", "09")]


def test_every_kind_has_a_shape_and_a_colour():
    own = {value for name, value in vars(timeline).items() if name.isupper() and isinstance(value, str)}
    assert own == set(MARKS)
    assert len({shape for shape, _ in MARKS.values()}) == len(MARKS)
