"""What cannot be judged for longer than it should need: from when on it is told, why, and what to change."""

import math
from dataclasses import replace

import pandas as pd
import pytest

from evergreen import Gates, Monitoring, Policy
from evergreen.drift.columns import Drift
from evergreen.drift.distances import Measures
from evergreen.evaluation.performance import Observed, Score
from evergreen.monitoring import observation
from evergreen.monitoring.observation import Observation
from evergreen.monitoring.unjudged import unjudged
from evergreen.stores import Stores

START = pd.Timestamp("2013-02-01", tz="UTC")
FEW = "30 labelled rows in 7 blocks; at least 100 and 5 are required"
LATE = "labels are overdue: 0% of the 350 rows from 2013-02-05 on have one"


def drift(threshold: float) -> Drift:
    return Drift("x", Measures(0.1, 0.1, 0.1, 350, 1000), threshold, False, 1.0, False)


def seen(day: int, **changes) -> Observation:
    at = START + pd.Timedelta(days=day)
    since = (at - pd.Timedelta(days=7)).isoformat()
    realised = Observed(since, at.isoformat(), 30, 1.0, True, 1.0, Score(30, 7, 1.0, 0.1))
    given = {"as_of": at.isoformat(), "until": at.isoformat(), "since": at.isoformat(), "rows": 350, "reason": FEW}
    given |= {"ripened": (at - pd.Timedelta(days=1)).isoformat(), "realised": realised, "drift": [drift(0.2)]}
    return Observation(**{"model": "toy", "version": "2"} | given | changes)


@pytest.fixture
def told(toy):
    """Store all observations but the last, and give what is told of that one."""

    def made(*observations: Observation, **settings) -> list[str]:
        lake, model = Stores.open().lake, toy(**settings)
        for earlier in observations[:-1]:
            observation.store(lake, earlier)
        return unjudged(lake, model, observations[-1])

    return made


TOLD = (
    "performance, unknown for 17 days since 2013-02-02. 16 days should do (label delay 24 hours, window 7 days and "
    "a margin). Found: 30 labelled rows in 7 blocks, at least 100 and 5 are required, and at this rate enough come in "
    "24 days"
)


def test_performance_that_stays_unknown_is_told_with_the_arithmetic(told):
    assert told(seen(1), seen(9), seen(18)) == [TOLD]


def test_champions_that_are_replaced_before_they_can_be_judged_are_told_with_the_line(told):
    replaced = [seen(day, version=f"{day}") for day in (1, 9, 18)]
    three = f"{TOLD}. 3 champions have answered in that time, each replaced before it could be judged"
    assert told(*replaced, policy=Policy(every="7d")) == [f'{three}. To change: policy=Policy(every="24d"),']
    assert told(*replaced, policy=Policy(every="28d")) == [three]


QUIET = {
    "as long as it should need": ([seen(1), seen(9), seen(17)], {}),
    "once": ([seen(90)], {}),
    "known in between": ([seen(1), seen(9, state="holds"), seen(40)], {}),
    "known now": ([seen(1), seen(9), seen(40, state="holds")], {}),
    "known of another version": ([seen(1), seen(9, version="1", state="holds"), seen(40)], {}),
    "a backtest before it": ([seen(1, version="backtest 1"), seen(25), seen(40)], {}),
    "no rows, which is told already": ([seen(1), seen(9), seen(40, rows=0)], {}),
    "rows came again": ([seen(1), seen(9, rows=0), seen(40)], {}),
    "labels are overdue, which is told already": ([seen(1), seen(9), seen(40, quality=[LATE])], {}),
    "many blocks are needed": ([seen(1), seen(9), seen(40)], {"gates": Gates(block="7d")}),
    "a long label delay": ([seen(1), seen(9), seen(40)], {"label_delay": "30d"}),
    "a delay that is learned yet": ([seen(1), seen(35, ripened="")], {"label_delay": "10d"}),
}


@pytest.mark.parametrize("name", QUIET)
def test_what_needs_its_time_or_is_told_otherwise_is_no_alert(told, name):
    observations, settings = QUIET[name]
    assert told(*observations, **settings) == []


def test_a_label_delay_that_is_never_learned_is_told(told):
    (phrase,) = told(seen(1, ripened="", realised=None), seen(40, ripened="", realised=None), label_delay="10d")
    assert phrase.startswith("performance, unknown for 39 days")
    assert "To change" not in phrase


@pytest.mark.parametrize("threshold", [math.inf, 1.3])
def test_drift_that_no_distance_can_reach_is_told(told, threshold):
    first, last = (seen(day, drift=[drift(threshold)], state="holds") for day in (1, 50))
    assert told(first, replace(last, as_of=first.as_of)) == []
    (phrase,) = told(first, last, policy=Policy(every="7d"))
    assert phrase.startswith("drift, unknown for 49 days since 2013-02-02: its reference gives no column a threshold")
    assert told(first, last, policy=Policy(every="28d")) == []
    assert told(first, last, monitoring=Monitoring(window="14d")) == []
    assert told(first, replace(last, drift=[drift(threshold), drift(0.9)])) == []
