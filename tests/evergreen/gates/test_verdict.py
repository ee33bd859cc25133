"""The verdict: what follows from all checks together, and when an earlier champion is reinstated."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.definition.gates import Check, Gates
from evergreen.evaluation.bootstrap import Interval
from evergreen.evaluation.evidence import Soundness
from evergreen.gates.verdict import Verdict, judge, reinstatement

ALONE = {
    "champion": None,
    "over_champion": None,
    "champion_calibration": None,
    "signature_changes": None,
    "earlier_over_champion": {},
    "earlier_over_challenger": {},
}

FOUND = {
    "passed": Check("a", "passed", None, None, "good"),
    "failed": Check("b", "failed", None, None, "bad"),
    "unknown": Check("c", "unknown", None, None, "too short"),
    "empty": Check("holdout", "unknown", 0, 100, "0 rows"),
    "skipped": Check("d", "skipped", None, None, "not asked"),
}


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ("", "No gate was evaluated."),
        ("passed", "All 1 gates passed."),
        ("passed passed skipped skipped", "All 2 gates passed; skipped: d, d."),
        ("passed unknown unknown", "c: too short; c: too short."),
        ("passed unknown empty", "holdout: 0 rows."),
        ("unknown failed passed failed", "b: bad; b: bad."),
    ],
)
def test_a_verdict_gives_the_checks_that_decided_as_its_reason(found, reason):
    checks = [FOUND[outcome] for outcome in found.split()]
    verdict = Verdict.of(checks)
    assert (verdict.reason, verdict.checks) == (reason, checks)


@pytest.mark.parametrize(
    ("changes", "decision"),
    [
        ({}, "promote"),
        (ALONE, "promote"),
        ({"over_champion": Interval(-0.1, -0.5, 0.3)}, "promote"),
        ({"over_champion": Interval(-0.1, math.nan, math.nan)}, "not enough evidence"),
        ({"over_champion": Interval(0.1, -0.5, 0.7)}, "promote"),
        ({"rows": 50}, "not enough evidence"),
        ({"rows": 50, "overlap": 3}, "reject"),
        ({"over_champion": Interval(-1.0, -1.5, -0.5)}, "reject"),
    ],
    ids=[
        "all pass",
        "the first model",
        "too wide",
        "no interval",
        "too wide, but better",
        "too few rows",
        "unknown and failed",
        "worse",
    ],
)
def test_there_are_three_decisions(evidence, changes, decision):
    verdict = judge(evidence(**changes), Gates())
    assert verdict.decision == decision
    assert verdict.passing == (decision == "promote")
    assert verdict.reason


@given(st.lists(st.sampled_from(["passed", "failed", "unknown", "skipped"]), min_size=1))
def test_any_failure_rejects_and_anything_unknown_waits(found):
    decision = Verdict.of([Check("gate", outcome, None, None, "") for outcome in found]).decision
    assert (decision == "reject") == ("failed" in found)
    assert (decision == "not enough evidence") == ("unknown" in found and "failed" not in found)


BETTER, WORSE = Interval(1.0, 0.1, 2.0), Interval(-1.0, -2.0, 0.5)
FAILING = {"over_champion": Interval(-1.0, -1.5, -0.5)}


OLDER = FAILING | {"stand_in": "4", "earlier_over_champion": {"version 1": BETTER}}


@pytest.mark.parametrize(
    ("changes", "who"),
    [
        (FAILING | {"earlier_over_champion": {"version 1": BETTER}}, "version 1"),
        (FAILING | {"earlier_over_champion": {"version 1": BETTER, "version 2": Interval(2, 1, 3)}}, "version 2"),
        (FAILING | {"earlier_over_champion": {"version 1": WORSE}}, None),
        (OLDER, None),
        (OLDER | {"earlier_over_answering": {"version 1": WORSE, "version 2": BETTER}}, None),
        (OLDER | {"earlier_over_answering": {"version 1": BETTER}}, "version 1"),
        (FAILING | {"earlier_over_champion": {"version 1": Interval.unknown()}}, None),
        (FAILING | {"earlier_over_champion": {"version 1": BETTER}, "rows": 50}, None),
        ({"earlier_over_champion": {"version 1": BETTER}}, None),
    ],
    ids=[
        "better",
        "the best of two",
        "worse",
        "better than the stand-in",
        "worse than the champion itself",
        "better than both",
        "unknown",
        "too few rows",
        "the challenger passes",
    ],
)
def test_an_earlier_champion_comes_back_only_if_it_is_better(evidence, changes, who):
    broken = evidence(**changes)
    back = reinstatement(broken, Gates(), judge(broken, Gates()))
    assert (back[0] if back else None) == who
    assert back is None or back[1].passing


SOUND = Soundness(1.0, [], "")


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ({"finite": 0.99}, "finite predictions"),
        ({"finite": math.nan}, "finite predictions"),
        ({"signature_changes": ["z is new"]}, "signature"),
        ({"reload_error": "it does not load"}, "repeats in a fresh process"),
    ],
    ids=["not finite", "NaN", "another signature", "does not load"],
)
def test_an_earlier_champion_that_is_better_but_unsound_stays_where_it_is(evidence, fault, named):
    best = {"earlier_over_champion": {"version 1": BETTER, "version 2": Interval(2, 1, 3)}}
    both = evidence(**FAILING, **best, earlier={"version 1": SOUND, "version 2": replace(SOUND, **fault)})
    name, verdict = reinstatement(both, Gates(), judge(both, Gates()))
    assert (name, verdict.passing) == ("version 1", True)
    assert named in [check.name for check in verdict.checks]
    alone = evidence(**FAILING, **best, earlier=dict.fromkeys(["version 1", "version 2"], replace(SOUND, **fault)))
    assert reinstatement(alone, Gates(), judge(alone, Gates())) is None


def test_a_reinstatement_says_by_how_much_it_is_better_and_what_was_checked(evidence):
    broken = evidence(**FAILING, earlier_over_champion={"version 1": BETTER}, earlier={"version 1": SOUND})
    name, verdict = reinstatement(broken, Gates(), judge(broken, Gates()))
    detail = "better than the champion by +1 [+0.1, +2] mean_absolute_error on 1,000 rows"
    assert (name, verdict.reason) == ("version 1", f"Version 1 is reinstated: {detail}.")
    assert verdict.checks[0] == Check("earlier champion", "passed", 0.1, 0.0, detail)
    others = ["finite predictions", "signature", "repeats in a fresh process"]
    assert [check.name for check in verdict.checks[1:]] == others
    undecided = evidence(**FAILING, earlier_over_champion={"version 1": Interval(1.0, 0.0, 2.0)})
    assert reinstatement(undecided, Gates(), judge(undecided, Gates())) is None


def test_a_signature_that_may_change_keeps_no_earlier_champion_out(evidence):
    other = {"earlier_over_champion": {"version 1": BETTER}, "earlier": {"version 1": Soundness(1.0, ["z is new"], "")}}
    broken, gates = evidence(**FAILING, **other), Gates(same_signature=False)
    assert reinstatement(broken, gates, judge(broken, gates))[0] == "version 1"
