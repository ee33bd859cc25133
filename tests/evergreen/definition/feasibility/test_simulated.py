"""The arithmetic holds in a simulated history: what can judge does with the parts that judge; what cannot does not."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from evergreen import Gates, Monitoring, Training
from evergreen.definition.feasibility.assess import findings, time_to_judge
from evergreen.definition.figures import Figures
from evergreen.drift.bins import Bins
from evergreen.drift.profile import Column
from evergreen.drift.thresholds import calibrate
from evergreen.evaluation import performance
from evergreen.evaluation.bootstrap import Blocks
from evergreen.ingestion.label_arrival import ArrivalCurve
from evergreen.monitoring.degradation import declines, degraded
from evergreen.time_units import unit_start
from evergreen.training.split import split

DAY = timedelta(days=1)
START = pd.Timestamp("2013-01-01", tz="UTC")
CHECKS = 10  # times at which is looked, the last ones of the history
LENGTHS = st.sampled_from(["12h", "1d", "2d", "7d"])


@st.composite
def worlds(draw):
    """Settings of a model, and the times of rows that come by day with days missing."""
    unit = draw(st.sampled_from(["12h", "1d", "7d"]))
    window = pd.Timedelta(unit) * draw(st.integers(1, 10))
    changes = {
        "gates": Gates(
            block=draw(LENGTHS), min_blocks=draw(st.integers(2, 8)), min_rows=draw(st.integers(10, 200)), resamples=100
        ),
        "training": Training(
            holdout=pd.Timedelta(draw(LENGTHS)) * draw(st.integers(1, 15)),
            window=draw(st.sampled_from([None, "5d", "30d"])),
        ),
        "monitoring": Monitoring(window=window.to_pytimedelta(), unit=unit),
        "label_delay": draw(st.sampled_from(["0d", "6h", "3d"])),
        "slices": [],
    }
    step, each = draw(st.sampled_from(["3h", "1D", "3D"])), draw(st.integers(1, 8))
    at = pd.Series(pd.date_range(START, START + pd.Timedelta(days=260), freq=step).repeat(each))
    kept = np.random.default_rng(draw(st.integers(0, 99))).random(len(at)) < draw(st.sampled_from([1.0, 0.9, 0.6]))
    return changes, at[kept].reset_index(drop=True)


def checks_of(times: "pd.Series[pd.Timestamp]") -> pd.DatetimeIndex:
    """Days near the end of the history."""
    return pd.date_range(end=times.max().ceil("D"), periods=CHECKS, freq="D")


def holdouts(model, times):
    """Rows and blocks of the holdout of a training on each of the last days."""
    delay = model.label_delay
    for at in checks_of(times):
        known = times[times + delay <= at]
        bounds = split(known.max(), window=None, holdout=model.training.holdout, gap=delay)
        held = known[bounds.holdout(known)]
        yield len(held), Blocks.of(model, held).count


def states(model, times):
    """What is found of performance on each of the last days."""
    rows = pd.DataFrame({model.time: times, model.target: np.random.default_rng(0).normal(size=len(times))})
    curve = ArrivalCurve.declared(model.label_delay)
    before = performance.observed(model, rows, rows[model.target].to_numpy() + 1)
    for at in checks_of(times):
        until = unit_start(at - model.label_delay, model.monitoring.unit)
        window = rows[(times >= until - model.performance_window) & (times < until)].reset_index(drop=True)
        now = performance.observed(model, window, window[model.target].to_numpy() + 1, arrival=curve, as_of=at)
        yield degraded(now, declines(model.metric, now, before), model.gates, model.monitoring).state


def threshold(model, times):
    """The threshold of a column in the reference of a training at the end of the history."""
    end = times.max()
    length = model.training.window and model.training.window + model.label_delay + model.training.holdout
    since = START if length is None else end - max(length, model.reference_span)
    units = (times[times > since] - START) // model.monitoring.unit
    counts = np.zeros((int(units.max() - units.min()) + 1, 6), dtype=np.int64)
    np.add.at(counts, ((units - units.min()).to_numpy(), 1 + np.arange(len(units)) % 3), 1)
    column = Column(Bins("number", edges=(0.0, 1.0, 2.0, 3.0)), counts, np.zeros((len(counts), 4)))
    return calibrate({"x": column}, model.monitoring)["x"].movement


@pytest.mark.long
@settings(max_examples=50)
@given(worlds())
def test_what_can_judge_by_the_arithmetic_does_in_a_simulated_history(toy, world):
    changes, times = world
    assume(len(times) > 60)
    model = toy(**changes)
    assume(time_to_judge(model) < 250 * DAY)
    figures = Figures.of(times, model.gates.block, model.monitoring.unit)
    found = {finding.what: finding for finding in findings(model, figures)}
    gates = model.gates
    held = [rows >= gates.min_rows and blocks >= gates.min_blocks for rows, blocks in holdouts(model, times)]
    seen = [state != "unknown" for state in states(model, times)]
    if found["gate: holdout"].state == "judges":
        assert any(held), found["gate: holdout"]
    if found["gate: holdout"].state == "never":
        assert not any(held), found["gate: holdout"]
    if found["trigger: performance"].state == "judges":
        assert any(seen), found["trigger: performance"]
    if found["trigger: performance"].state == "never":
        assert not any(seen), found["trigger: performance"]
    if found["trigger: drift"].state == "judges":
        assert np.isfinite(threshold(model, times)), found["trigger: drift"]


@settings(max_examples=60)
@given(worlds())
def test_what_can_never_judge_by_its_file_alone_never_does(toy, world):
    changes, times = world
    model = toy(**changes)
    if any(finding.what == "gate: holdout" and finding.problems for finding in findings(model)):
        assert max(blocks for _, blocks in holdouts(model, times)) < model.gates.min_blocks
