"""The pace of a draft: whatever the rhythm of a table, every gate and trigger of the drafted model can judge."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from evergreen import Files
from evergreen.definition import loader
from evergreen.definition.feasibility.assess import findings, require
from evergreen.scaffold.draft import Choices
from evergreen.scaffold.durations import rhythm
from evergreen.scaffold.pace import figures_of, pace, shortfalls
from evergreen.scaffold.reading.sample import source_of
from evergreen.scaffold.scaffold import scaffold

SOURCE = Files(path="rows.csv")


def drafted(times: "pd.Series[pd.Timestamp]"):
    """What a draft has of a table with these times, and what of it cannot judge."""
    lengths = rhythm(times, len(times), times.nunique())
    figures = figures_of(lengths, times, len(times))
    given = {"name": "drafted", "task": "regression", "key": ["id"], "time": "at", "target": "y", "label_delay": "0d"}
    given |= {"source": SOURCE, "features": {"x": "number"}}
    proposed = pace(lengths, figures)
    lacking = shortfalls(given, lengths, proposed, figures)
    return proposed, {finding.what: finding for finding in lacking}


@settings(max_examples=150)
@given(
    step=st.sampled_from(["1min", "15min", "1h", "6h", "1D", "2D", "7D", "30D", "91D"]),
    count=st.integers(40, 3000),
    each=st.integers(1, 40),
    missing=st.floats(0, 0.5),
    seed=st.integers(0, 9),
)
def test_nothing_is_drafted_that_can_never_judge(step, count, each, missing, seed):
    times = pd.Series(pd.date_range("1990-01-01", periods=count, freq=step).repeat(each))
    kept = times[np.random.default_rng(seed).random(len(times)) >= missing].reset_index(drop=True)
    assume(len(kept) >= 300)  # of fewer the holdout may have too few, which is told
    proposed, lacking = drafted(kept)
    assert not [finding for finding in lacking.values() if finding.state == "never"], proposed
    assert "trigger: schedule" not in lacking


@pytest.mark.parametrize(
    ("step", "count", "each", "every", "blocks", "performance", "probation"),
    [
        ("1h", 720, 1, "7d", 5, None, "14d"),
        ("1h", 9000, 1, "7d", 5, None, "14d"),
        ("1D", 400, 1, "91d", 12, None, "14d"),
        ("1D", 400, 30, "42d", 5, None, "14d"),
        ("2D", 40, 8, "21d", 9, "18d", "18d"),
        ("7D", 750, 50, "168d", 5, None, "14d"),
    ],
)
def test_trainings_and_windows_are_as_long_as_the_rows_of_a_verdict_take(
    step, count, each, every, blocks, performance, probation
):
    proposed, _ = drafted(pd.Series(pd.date_range("1990-01-01", periods=count, freq=step).repeat(each)))
    assert (proposed.every, proposed.min_blocks) == (every, blocks)
    assert proposed.monitoring.performance == (performance and pd.Timedelta(performance))
    assert proposed.probation == pd.Timedelta(probation)


def test_what_a_short_history_does_not_allow_yet_is_told_with_the_day():
    _, lacking = drafted(pd.Series(pd.date_range("2013-01-01", periods=400, freq="h")))
    assert {what: (finding.state, finding.since) for what, finding in lacking.items()} == {
        "trigger: drift": ("not yet", "2013-01-22")
    }


@pytest.mark.parametrize(("step", "count"), [("h", 1000), ("D", 400), ("2D", 400), ("MS", 400)])
def test_the_file_that_is_written_judges_as_the_draft_does(home, monkeypatch, step, count):
    monkeypatch.setenv("EVERGREEN_MODELS", str(home / "models"))
    x = np.random.default_rng(0).normal(size=count).round(3)
    times = pd.Series(pd.date_range("1990-01-01", periods=count, freq=step))
    pd.DataFrame({"at": times, "x": x, "y": (2 * x).round(2) + 0.5}).to_csv(home / "table.csv", index=False)
    draft = scaffold("table", source_of(str(home / "table.csv")), Choices(target="y"))
    model = loader.load("table")
    require(model)
    found = findings(model, figures_of(draft.rhythm, times, count))
    assert [finding for finding in found if finding.state not in ("judges", "skipped")] == draft.findings == []
    assert model.monitoring.model_copy(update={"backfill": None}) == draft.pace.monitoring
    assert model.policy.probation == draft.pace.probation
