"""Advice after a training that promoted nothing: settings that pass are found, and counted; what is missing is told."""

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyRegressor

from evergreen import Gates, Training
from evergreen.evaluation import comparison, rivals
from evergreen.evaluation.bootstrap import Interval
from evergreen.evaluation.rivals import Candidate, Rivals
from evergreen.gates import advice, alternatives
from evergreen.gates.advice import Advice
from evergreen.gates.judgement import judge_challenger
from evergreen.lake.delta_lake import DeltaLake
from evergreen.lake.lake import INGEST
from evergreen.registry.version import Version, stored
from evergreen.training import fitting, recipe
from evergreen.training.snapshot import Snapshot

START, DAY = pd.Timestamp("2013-01-01", tz="UTC"), pd.Timedelta(days=1)
GATES = Gates(resamples=200, latency_ms=1000)


def straight(frame):
    return frame


def turned_in_training(frame):
    """The slope turns five days before the holdout."""
    return frame.assign(y=frame["y"].where(frame["at"] < START + 45 * DAY, -2 * frame["x"]))


def turned_with_the_holdout(frame):
    return frame.assign(y=frame["y"].where(frame["at"] < START + 50 * DAY, -2 * frame["x"]))


def noise(frame):
    return frame.assign(y=np.random.default_rng(1).normal(size=len(frame)))


@pytest.fixture
def judged(toy, rows, tmp_path):
    """Train the toy on sixty days of a world without recording it: its snapshot, version and judgement."""

    def made(world, **changes):
        model = toy(**{"gates": GATES, "training": Training(holdout="10d"), "slices": []} | changes)
        lake, frame = DeltaLake(str(tmp_path)), rows(60)
        lake.land(model, world(frame), "b", START, app=INGEST, mark=START)
        planned = recipe.plan(model, Snapshot.pin(lake, model, START + 60 * DAY), "demand")
        split, train = planned.split, planned.snapshot.training(planned.split)
        values = {
            "as_of": planned.snapshot.as_of,
            "table_version": planned.snapshot.version,
            "data_from": train["at"].min(),
            "data_until": train["at"].max(),
            "rows": len(train),
            **{name: getattr(split, name) for name in ("train_from", "train_until", "holdout_from", "holdout_until")},
        }
        version = Version("toy", "1", "", "", stored(values))
        candidate = Candidate(fitting.fit(model, train), "", split, split.train_until)
        evidence = comparison.compare_on_holdout(planned.snapshot, candidate, Rivals(None, {}), 0).evidence
        return planned.snapshot, version, judge_challenger(version, None, evidence, model.gates)

    return made


def test_a_shorter_window_that_passes_is_named_with_the_line_to_write(judged):
    given = advice.advise(*judged(turned_in_training))
    assert [(setting.window, setting.linear) for setting in given.tried] == [
        (window, False) for window in ("25d", "13d", "150h")
    ]
    assert [setting.passes for setting in given.tried] == [False, False, True]
    assert given.lines == 'training=Training(holdout="10d", window="150h"),'
    assert given.command == "evergreen train toy"
    assert given.moved
    assert Advice.parse(given.dump()) == given


def test_where_no_window_passes_a_linear_estimator_is_tried(judged):
    given = advice.advise(*judged(straight, estimator=lambda: DummyRegressor(strategy="constant", constant=99)))
    assert [setting.linear for setting in given.tried] == [False] * 3 + [True] * 4
    assert given.lines.startswith("def estimator():\n    from sklearn.linear_model import Ridge\n")
    assert "tabular_pipeline(Ridge())" in given.lines
    exec(given.lines.split("\n\ntraining")[0], names := {})
    assert repr(names["estimator"]()) == repr(alternatives.linear(judged(straight)[0].model))


def test_where_only_earlier_rows_pass_the_command_trains_as_of_then(judged):
    given = advice.advise(*judged(turned_with_the_holdout))
    assert [setting.as_of[:10] for setting in given.tried[-2:]] == ["2013-02-19", "2013-02-09"]
    assert (given.lines, given.command) == ("", "evergreen train toy --as-of 2013-02-19T23:00:00")


def test_where_nothing_passes_the_next_command_looks_at_the_columns(judged):
    given = advice.advise(*judged(noise))
    assert len(given.tried) == 9
    assert not any(setting.passes for setting in given.tried)
    assert (given.lines, given.command) == ("", "evergreen look toy")


def test_the_time_is_bounded(judged):
    snapshot, version, _ = judged(noise)
    assert alternatives.tried(snapshot, version, 0, seconds=0) == []


def test_a_setting_that_cannot_be_fitted_is_left_out(judged):
    given = advice.advise(*judged(noise, training=Training(holdout="10d", min_rows=400)))
    assert {setting.window for setting in given.tried} == {"", "25d"}


def test_no_setting_is_tried_that_the_failed_gate_does_not_depend_on(judged):
    leaking = judged(lambda frame: frame.assign(y=frame["x"]), gates=GATES.model_copy(update={"separation": 0.9}))
    assert "leakage" in leaking[2].verdict.reason
    assert advice.advise(*leaking).tried == []


def test_settings_are_judged_with_the_confidence_of_the_training_that_follows(judged, monkeypatch):
    seen = []
    compare = comparison.compare_on_holdout
    monkeypatch.setattr(comparison, "compare_on_holdout", lambda *given: seen.append(given[3]) or compare(*given))
    snapshot, version, judgement = judged(noise)
    seen.clear()
    given = advice.advise(snapshot, version, judgement)
    assert seen == [10] * 7 + [0] * 2
    bounds = (pd.Timestamp(judgement.evidence.since), pd.Timestamp(judgement.evidence.until))
    tags = stored(judgement.values() | {"settings_tried": alternatives.on_same_holdout(given.tried)})
    before = [Version("toy", "1", "", "", tags)]
    assert rivals.looks(before, *bounds, first=True) == 8
    assert rivals.looks(before, *bounds) == 1  # once there is a champion


def test_what_a_search_found_is_used_and_the_search_kept_in_the_line(judged):
    from evergreen import Search

    training = Training(holdout="10d", search=Search(space=lambda trial: {}))
    given = advice.advise(*judged(turned_in_training, training=training))
    assert given.lines == 'training=Training(holdout="10d", window="150h", search=...),'


HOLDOUT = {"rows": 40, "blocks": 5, "since": "2013-02-19T00:00:00+00:00", "until": "2013-02-24T00:00:00+00:00"}


@pytest.mark.parametrize(
    ("changes", "history", "says", "lines"),
    [
        ({}, 50, "About 60 rows are missing in the evaluation. At 7.8 labelled rows a day, as now, that takes a "
         "holdout of 13d, which the rows allow now.", 'training=Training(holdout="13d"),'),
        ({}, 20, "that takes a holdout of 13d, which the rows allow from 2013-03-01 on.",
         'training=Training(holdout="13d"),'),
        ({"rows": 1000, "blocks": 3, "since": "2013-02-21T12:00:00+00:00"}, 50,
             "About 2 blocks of 1d are missing in the evaluation. At 400 labelled rows a day, as now, they are "
             "there by about 2013-02-26.", ""),
        ({"rows": 1000, "blocks": 3, "since": "2013-02-21T12:00:00+00:00"}, 50,
             "they would reach to 2013-02-26, and no labelled row is newer than 2013-02-24.", ""),
        ({"rows": 1000, "blocks": 3}, 50, "About 2 blocks", 'training=Training(holdout="9d"),'),
        ({"rows": 1000, "over_dummy": Interval(1.0, -0.5, 2.5)}, 50, "About 7 blocks of 1d are missing",
         'training=Training(holdout="12d"),'),
        ({"rows": 1000, "over_dummy": Interval(-1.0, -2.5, 0.5)}, 50, "", ""),
    ],
    ids=["rows", "short history", "blocks after a champion", "source that ended", "blocks without rows",
         "undecided gain", "no gain"],
)  # fmt: skip
def test_what_is_missing_is_told_with_when_it_will_be_there(toy, evidence, changes, history, says, lines):
    long_ago = "they would reach" in says
    until = pd.Timestamp(HOLDOUT["until"])
    version = Version("toy", "2", "", "", stored({
        "data_from": until - history * DAY, "data_until": until - 5 * DAY, "rows": 8 * (history - 5),
        "holdout_until": until, "as_of": until + (365 * DAY if long_ago else DAY),
    }))  # fmt: skip
    found = evidence(**HOLDOUT | changes)
    model = toy(training=Training(holdout="5d"), gates=GATES)
    missing, line = advice._missing(model, version, found)
    assert says in missing
    assert (missing == "") == (says == "")
    assert line == lines


@pytest.mark.parametrize(
    ("changes", "champion", "needed"),
    [
        ({}, None, False),
        ({"over_dummy": Interval(-1, -2, -0.5)}, None, True),
        ({"over_dummy": Interval(-1, -2, -0.5), "over_champion": Interval(-1, -2, -0.5)}, "1", False),
        ({"rows": 10}, "1", True),
    ],
    ids=["promoted", "a first model rejected", "a champion stays", "too few rows"],
)
def test_advice_is_needed_without_a_champion_or_without_a_decision(evidence, changes, champion, needed):
    versions = {number: Version("toy", number, "", "", stored({"as_of": START})) for number in ("1", "2")}
    changes = {"over_champion": None, "champion": None, "earlier_over_champion": {}} | changes
    changes |= {"champion": Interval(10.0, 9.5, 10.5)} if champion else {}
    judgement = judge_challenger(versions["2"], versions.get(champion), evidence(**changes), Gates())
    assert advice.is_needed(judgement) == needed
