"""Gates: what each of them says of which evidence."""

from dataclasses import fields, is_dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.definition.gates import Check, Gates
from evergreen.evaluation.bootstrap import Interval
from evergreen.evaluation.fairness import Disparity
from evergreen.gates.checks import GATES, fairness_check
from evergreen.gates.verdict import judge, reinstatement
from tests.evergreen.gates.evidence_parts import (
    ALONE,
    BETTER,
    CARRIED,
    COUNTED,
    EXACT,
    FIRST,
    LESS,
    NAN,
    STRICT,
    TOLD,
    UNDECIDED,
    UNKNOWN,
    UNSURE,
    WORSE,
    part,
)

CASES = [
    ("finite predictions", {}, {}, "passed"),
    ("finite predictions", {"finite": 0.999}, {}, "failed"),
    ("finite predictions", {"finite": NAN}, {}, "failed"),
    ("no number is missing", {}, {}, "passed"),
    ("no number is missing", {"latency_ms": NAN}, {}, "failed"),
    ("no number is missing", {"over_dummy": Interval(12.0, NAN, NAN)}, {}, "unknown"),
    ("no number is missing", {"rows": 0, "challenger": UNKNOWN}, {}, "unknown"),
    ("no number is missing", {"slices": [part(rows=199, challenger=NAN, gain=UNKNOWN)]}, {}, "passed"),
    ("no number is missing", {"slices": [part(rows=200, challenger=NAN)]}, {}, "failed"),
    ("holdout", {"rows": 100, "blocks": 5}, {}, "passed"),
    ("holdout", {"rows": 99}, {}, "unknown"),
    ("holdout", {"blocks": 4}, {}, "unknown"),
    ("holdout unseen", {"overlap": 0}, {}, "passed"),
    ("holdout unseen", {"overlap": 1}, {}, "failed"),
    ("leakage", {"separation": {"x": 0.998, "z": 0.1}}, {}, "passed"),
    ("leakage", {"separation": {"x": 0.1, "z": 0.999}}, {}, "failed"),
    ("leakage", {"separation": {"x": 0.6}}, {"separation": 0.5}, "failed"),
    ("leakage", {"separation": {}}, {}, "skipped"),
    ("leakage", {"separation": {"x": NAN}}, {}, "failed"),
    ("floor", {}, {}, "skipped"),
    ("floor", {}, {"floor": 8.0}, "passed"),
    ("floor", {}, {"floor": 7.9}, "failed"),
    ("floor", {"greater_is_better": True}, {"floor": 8.0}, "passed"),
    ("floor", {"greater_is_better": True}, {"floor": 8.1}, "failed"),
    ("floor", {"challenger": UNKNOWN}, {"floor": 8.0}, "failed"),
    ("floor", {"rows": 0}, {"floor": 8.0}, "unknown"),
    ("better than the dummy", {"over_dummy": Interval(1.0, 0.1, 2.0)}, {}, "passed"),
    ("better than the dummy", {"over_dummy": Interval(1.0, 0.0, 2.0)} | ALONE, {}, "unknown"),
    ("better than the dummy", {"over_dummy": Interval(1.0, 0.0, 2.0)}, {}, "passed"),  # the champion is worse still
    ("better than the dummy", UNDECIDED | {"over_champion": Interval(1.0, 0.0, 2.0)}, STRICT, "unknown"),
    ("better than the dummy", UNDECIDED | {"over_champion": Interval(1.0, -0.1, 2.1)}, STRICT, "unknown"),
    ("better than the dummy", UNDECIDED | TOLD | {"carried": Interval(1.0, 0.1, 1.9)}, STRICT, "passed"),
    ("better than the dummy", UNDECIDED | TOLD | {"carried": Interval(1.0, 0.0, 2.0)}, STRICT, "unknown"),
    ("better than the dummy", UNDECIDED | LESS | {"carried": Interval(1.0, 0.1, 1.9)}, BETTER, "unknown"),
    ("better than the dummy", UNDECIDED | {"over_champion": Interval(1.0, -0.1, 2.1)}, BETTER, "passed"),
    ("better than the dummy", UNDECIDED | {"over_champion": Interval(0.0, -0.1, 2.1)}, BETTER, "unknown"),
    ("better than the dummy", UNDECIDED | {"over_champion": Interval(1.0, -0.1, 2.1), "looks": 1}, BETTER, "unknown"),
    ("better than the dummy", WORSE | ALONE, {}, "failed"),
    ("better than the dummy", WORSE, STRICT, "passed"),  # it is worse still
    ("better than the dummy", WORSE | {"over_champion": Interval(1.0, 0.0, 2.0)}, {}, "failed"),
    ("better than the dummy", WORSE | TOLD | {"carried": Interval(1.0, 0.1, 1.9)}, {}, "passed"),
    ("better than the dummy", {"over_dummy": Interval(1.0, NAN, NAN)}, {}, "unknown"),
    ("better than the dummy", {"over_dummy": UNKNOWN}, {}, "failed"),
    ("better than the dummy", {"over_dummy": UNKNOWN, "rows": 0}, {}, "unknown"),
    ("not worse than the champion", ALONE, {}, "skipped"),
    ("not worse than the champion", {"over_champion": Interval(0.0, -0.09, 0.1)}, {}, "passed"),
    ("not worse than the champion", {"over_champion": Interval(0.0, -0.1, 0.1)}, BETTER, "unknown"),
    ("not worse than the champion", TOLD | {"carried": Interval(0.5, -0.09, 1.1)}, STRICT, "passed"),
    ("not worse than the champion", TOLD | {"carried": Interval(0.5, -0.1, 1.1)}, STRICT, "unknown"),
    ("not worse than the champion", TOLD | {"carried": Interval(-0.5, -1.0, -0.2)}, STRICT, "unknown"),
    ("not worse than the champion", LESS | {"carried": Interval(0.5, 0.2, 0.8)}, BETTER, "unknown"),  # not of itself
    ("not worse than the champion", CARRIED | {"over_champion": Interval(-1.0, -2.0, -0.1)}, {}, "failed"),
    ("not worse than the champion", {"over_champion": Interval(0.0, -0.1, 0.1)}, {"margin": 0.02}, "passed"),
    ("not worse than the champion", {"over_champion": Interval(0.0, -0.1, 0.1)}, BETTER | {"margin": 0.0}, "unknown"),
    ("not worse than the champion", {"over_champion": Interval(-0.5, -0.9, -0.1)}, {}, "failed"),
    ("not worse than the champion", EXACT | {"over_champion": Interval(0.0, 0.0, 0.0)}, {}, "passed"),
    ("not worse than the champion", EXACT | {"over_champion": Interval(-0.1, -0.2, 0.0)}, {}, "failed"),
    ("better than the dummy", EXACT | ALONE | {"over_dummy": Interval(0.0, 0.0, 0.0)}, {}, "failed"),
    ("not worse than the champion", {"over_champion": Interval(0.1, -0.5, 0.7)}, BETTER, "passed"),
    ("not worse than the champion", {"over_champion": Interval(0.1, -0.5, 0.7)}, STRICT, "unknown"),
    ("not worse than the champion", {"over_champion": Interval(0.1, -0.5, 0.7), "looks": 1}, BETTER, "unknown"),
    ("not worse than the champion", {"over_champion": Interval(0.1, NAN, NAN)}, {}, "unknown"),
    ("not worse than the champion", {"over_champion": UNKNOWN}, {}, "failed"),
    ("not worse than the champion", {"over_champion": Interval(-0.4, -0.8, -0.09)}, {}, "passed"),  # not shown worse
    ("not worse than the champion", {"over_champion": Interval(-0.4, -0.8, -0.1)}, {}, "failed"),
    ("not worse than the champion", {"over_champion": Interval(-0.4, -0.8, -0.09), "looks": 3}, {}, "passed"),
    ("not worse than the champion", {"over_champion": Interval(-0.4, -0.8, -0.3)}, {"margin": 0.04}, "passed"),
    ("better than the dummy", UNDECIDED | {"over_champion": Interval(-0.4, -0.8, -0.09)}, {}, "passed"),
    ("better than the dummy", UNDECIDED | {"over_champion": Interval(-0.4, -0.8, -0.1)}, {}, "unknown"),
    ("better than the dummy", UNDECIDED | {"over_champion": Interval(-0.4, NAN, NAN)}, {}, "unknown"),
    ("better than the dummy", WORSE | {"over_champion": Interval(-0.4, -0.8, -0.09)}, {}, "failed"),
    ("no earlier champion is better", ALONE, {}, "skipped"),
    ("no earlier champion is better", {"earlier_over_challenger": {"version 1": Interval(0.1, 0.0, 1)}}, {}, "passed"),
    ("no earlier champion is better", {"earlier_over_challenger": {"version 1": Interval(1, 0.1, 2)}}, {}, "passed"),
    (
        "no earlier champion is better",
        FIRST | {"earlier_over_challenger": {"version 1": Interval(1, 0.1, 2)}},
        {},
        "failed",
    ),
    ("no earlier champion is better", {"earlier_over_challenger": {"version 1": Interval(1, 0.11, 2)}}, {}, "failed"),
    ("no slice is worse", {}, {}, "passed"),
    ("no slice is worse", ALONE, {}, "skipped"),
    ("no slice is worse", {"slices": []}, {}, "skipped"),
    ("no slice is worse", {"slices": [part(gain=Interval(-1.1, -2.0, -0.1))]}, {}, "failed"),
    ("no slice is worse", {"slices": [part(), part("b", gain=Interval(-1.1, -2.0, -0.1))]}, {}, "failed"),
    ("no slice is worse", {"slices": [part(gain=Interval(-1.1, -2.0, 0.1))]}, {}, "passed"),
    ("no slice is worse", {"slices": [part(gain=Interval(-0.9, -2.0, -0.1))]}, {}, "passed"),
    ("no slice is worse", {"slices": [part(gain=Interval(-0.9, -2.0, -0.1))]}, {"slice_margin": 0.05}, "failed"),
    ("no slice is worse", {"slices": [part(rows=199, gain=Interval(-5.0, -6.0, -4.0))]}, {}, "skipped"),
    ("no slice is worse", {"slices": [part(rows=199, gain=Interval(-5.0, -6.0, -4.0))]}, {"slice_rows": 50}, "failed"),
    ("no slice is worse", {"slices": [part(gain=UNKNOWN)]}, {}, "failed"),
    ("no slice is worse", {"slices": [part(champion=0.0, gain=Interval(-1.0, -2.0, -0.5))]}, {}, "failed"),
    ("calibration", {"calibration": 0.1}, {}, "passed"),
    ("calibration", {"calibration": 0.11} | UNSURE, {}, "failed"),
    ("calibration", {"calibration": 0.11, "champion_calibration": 0.2}, {}, "passed"),
    ("calibration", {"calibration": 0.05} | UNSURE, {"calibration": 0.04}, "failed"),
    ("calibration", {"calibration": 0.2, "calibration_low": 0.1}, {}, "passed"),
    ("calibration", {"calibration": 0.2, "calibration_low": 0.11} | UNSURE, {}, "failed"),
    ("calibration", {"calibration": 0.2, "calibration_low": NAN} | UNSURE, {}, "failed"),
    ("calibration", COUNTED, {}, "passed"),
    ("calibration", COUNTED | {"metric": "roc_auc"}, {}, "failed"),
    ("calibration", COUNTED | {"metric": "our_own"}, {}, "failed"),
    ("calibration", COUNTED | ALONE, {}, "failed"),
    ("calibration", COUNTED | {"calibration": NAN}, {}, "failed"),
    ("calibration", {"calibration": NAN}, {}, "failed"),
    ("calibration", {"calibration": NAN, "rows": 0}, {}, "unknown"),
    ("calibration", {"calibration": 0.2, "rows": 99}, {}, "unknown"),
    ("signature", {}, {}, "passed"),
    ("signature", FIRST, {}, "skipped"),
    ("signature", {"signature_changes": ["z is new"]}, {}, "failed"),
    ("signature", {"signature_changes": ["z is new"]}, {"same_signature": False}, "passed"),
    ("repeats in a fresh process", {}, {}, "passed"),
    ("repeats in a fresh process", {"reload_error": "it does not load"}, {}, "failed"),
    ("latency", {"latency_ms": 100.0}, {}, "passed"),
    ("latency", {"latency_ms": 100.1}, {}, "failed"),
    ("latency", {"latency_ms": 2.0}, {"latency_ms": 1.0}, "failed"),
    ("latency", {"latency_ms": NAN}, {}, "failed"),
    ("size", {"size_mb": 500.0}, {}, "passed"),
    ("size", {"size_mb": 500.1}, {}, "failed"),
    ("size", {"size_mb": NAN}, {}, "failed"),
]
NAMES = list(dict.fromkeys(name for name, *_ in CASES))
FAULTS = {name: given for name, given, gates, outcome in CASES if outcome == "failed" and not gates}


def outcomes(verdict):
    return {check.name: check.outcome for check in verdict.checks}


@pytest.mark.parametrize(("name", "changes", "gates", "outcome"), CASES)
def test_a_gate_says(evidence, name, changes, gates, outcome):
    assert outcomes(judge(evidence(**changes), Gates(**gates)))[name] == outcome


def test_there_is_a_case_for_every_gate(evidence):
    assert {check.name for check in judge(evidence(), Gates()).checks} == set(NAMES)
    assert len(GATES) == len(NAMES)


@pytest.mark.parametrize("name", FAULTS)
def test_a_single_failing_gate_rejects_by_its_name_and_all_gates_are_reported(evidence, name):
    verdict = judge(evidence(**FAULTS[name]), Gates())
    assert verdict.decision == "reject"
    assert name in verdict.reason
    assert list(outcomes(verdict)) == [check.name for check in judge(evidence(), Gates()).checks]


def test_every_fault_at_once_is_reported_in_full(evidence):
    every = {key: value for name in FAULTS for key, value in FAULTS[name].items()}
    by_gate = outcomes(judge(evidence(**every), Gates()))
    assert [name for name in FAULTS if by_gate[name] != "failed"] == []


def numbers(part, path=()):
    """The path of every float in evidence, through what holds it."""
    if is_dataclass(part):
        part = {field.name: getattr(part, field.name) for field in fields(part)}
    if isinstance(part, dict | list):
        pairs = part.items() if isinstance(part, dict) else enumerate(part)
        return [inner_path for key, inner in pairs for inner_path in numbers(inner, (*path, key))]
    return [path] if isinstance(part, float) else []


def put(part, path, value):
    if not path:
        return value
    key, *rest = path
    if isinstance(part, dict):
        return part | {key: put(part[key], rest, value)}
    if isinstance(part, list):
        return [put(inner, rest, value) if at == key else inner for at, inner in enumerate(part)]
    return replace(part, **{key: put(getattr(part, key), rest, value)})


@given(st.data())
def test_a_nan_anywhere_in_the_evidence_never_ends_in_promote(evidence, data):
    broken = evidence(slices=[part(), part("b", rows=200)])
    gates = Gates(floor=data.draw(st.sampled_from([None, 9.0])))
    assert judge(broken, gates).passing
    paths = [path for path in numbers(broken) if path[0] != "slices" or path[-1] == "challenger"]
    for path in data.draw(st.lists(st.sampled_from(paths), min_size=1, max_size=3)):
        broken = put(broken, path, NAN)
    assert not judge(broken, gates).passing
    assert reinstatement(broken, gates, judge(broken, gates)) is None


UNKNOWN = {
    "in one block": replace(part("b", rows=200), gain=Interval(0.1, NAN, NAN)),
    "without one of the classes of a rank metric": replace(
        part("b", rows=200), challenger=NAN, champion=NAN, gain=Interval.unknown()
    ),
    "of a first model": replace(part("b", rows=200), challenger=NAN, champion=None, gain=None),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_slice_whose_rows_allow_no_judgement_keeps_nobody_out(evidence, name):
    assert judge(evidence(slices=[part(), UNKNOWN[name]]), Gates()).passing
    alone = replace(part("b", rows=200), challenger=NAN, gain=Interval.unknown())
    assert not judge(evidence(slices=[part(), alone]), Gates()).passing


def test_the_search_for_numbers_finds_those_that_matter(evidence):
    paths = {".".join(map(str, path)) for path in numbers(evidence())}
    assert {"challenger.value", "over_champion.low", "slices.0.gain.high", "separation.x", "size_mb"} <= paths


def disparity(value, low, groups=3):
    """Groups that differ by so much in their selection rate, where 0.1 is allowed."""
    return Disparity("group", "selection_rate", 3, groups, "a", "b", 0.25, 0.5, Interval(value, low, 0.4), 0.1)


PAIR = disparity(0.0, 0.0, groups=2)


@pytest.mark.parametrize(
    ("measured", "outcome", "value", "detail"),
    [
        (disparity(0.1, 0.1), "passed", 0.1, "b 0.5, a 0.25: +0.1 [+0.1, +0.4] apart; at most 0.1"),
        (disparity(0.25, 0.1), "unknown", 0.25, "b 0.5, a 0.25: +0.25 [+0.1, +0.4] apart; at most 0.1"),
        (disparity(0.25, 0.11), "failed", 0.25, "b 0.5, a 0.25: +0.25 [+0.11, +0.4] apart; at most 0.1"),
        (disparity(0.25, NAN), "unknown", 0.25, "b 0.5, a 0.25: +0.25 [+nan, +0.4] apart; at most 0.1"),
        (disparity(NAN, NAN), "failed", None, "b 0.5, a 0.25: +nan [+nan, +0.4] apart; at most 0.1"),
        (
            replace(disparity(0.1, 0.1, 2), present=2),
            "passed",
            0.1,
            "b 0.5, a 0.25: +0.1 [+0.1, +0.4] apart; at most 0.1",
        ),
        (disparity(NAN, NAN, groups=1), "unknown", None, "1 of 3 groups have enough rows (group_rows)"),
        (replace(disparity(NAN, NAN, 1), present=1), "skipped", None, "there are no two groups to compare"),
    ],
)
def test_groups_may_differ_as_far_as_is_allowed_and_as_chance_explains(measured, outcome, value, detail):
    assert fairness_check(measured) == Check("fairness of selection rate by group", outcome, value, 0.1, detail)
