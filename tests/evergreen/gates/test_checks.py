"""Gates: what each of them says of which evidence."""

import math
from dataclasses import fields, is_dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from evergreen.definition.gates import Check, Gates
from evergreen.evaluation.bootstrap import Interval
from evergreen.evaluation.fairness import Disparity
from evergreen.evaluation.slices import Slice
from evergreen.gates.checks import GATES, fairness_check
from evergreen.gates.verdict import judge, reinstatement

NAN = math.nan
UNKNOWN = Interval.unknown()


GAIN = Interval(2.0, 1.0, 3.0)


def part(value="a", rows=500, challenger=8.0, champion=10.0, gain=GAIN):
    return Slice("group", value, rows, challenger, champion, gain)


FIRST = {"champion": None, "over_champion": None, "champion_calibration": None, "signature_changes": None}
ALONE = FIRST | {"earlier_over_champion": {}, "earlier_over_challenger": {}}

EXACT = {"champion": Interval(0.0, 0.0, 0.0)}
CARRIED = {"carried": Interval(0.5, 0.2, 0.8), "carried_judgings": 3}
COUNTED = {"calibration": 0.2}  # and by a metric that counts it, it is better than the champion
UNSURE = {"over_champion": Interval(1.0, -0.1, 2.1)}
UNDECIDED = {"over_dummy": Interval(1.0, -0.5, 2.5)}
WORSE = {"over_dummy": Interval(-1.0, -2.0, 0.0)}
TOLD = CARRIED | {"over_champion": Interval(1.0, -0.5, 2.5)}  # one holdout alone is too short to tell
STRICT = {"undecided": "champion"}
BETTER = {"undecided": "better"}
LESS = CARRIED | {"over_champion": Interval(-0.05, -0.5, 0.4)}

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


ON = "mean_absolute_error"
EXPLAINED = [
    ("finite predictions", {"finite": 0.999}, {}, 0.999, 1.0, "99.90% of the predictions are finite"),
    ("no number is missing", {}, {}, 0, 0, "no number is missing"),
    ("no number is missing", {"latency_ms": NAN}, {}, 1, 0, "not a number: latency_ms"),
    (
        "no number is missing",
        {"over_dummy": Interval(12.0, NAN, NAN)},
        {},
        2,
        0,
        "not a number: over_dummy.high, over_dummy.low",
    ),
    (
        "no number is missing",
        {"slices": [part(challenger=NAN)]},
        {},
        1,
        0,
        "not a number: slice group a.challenger",
    ),
    (
        "holdout",
        {"rows": 1234, "blocks": 6},
        {"min_rows": 2345},
        1234,
        2345,
        "1,234 rows in 6 blocks; at least 2,345 in 5",
    ),
    ("leakage", {}, {}, 0.5, 0.999, "x alone explains the target to 0.5000; below 0.999"),
    (
        "leakage",
        {"separation": {"x": NAN, "z": 0.7}},
        {},
        0.7,
        0.999,
        "z alone explains the target to 0.7000; below 0.999",
    ),
    ("leakage", {"separation": {}}, {}, None, 0.999, "too few rows of each class to test features alone"),
    ("floor", {}, {}, 8.0, None, "no floor is set"),
    ("floor", {}, {"floor": 7.9}, 8.0, 7.9, f"{ON} 8; at most 7.9"),
    ("floor", {"greater_is_better": True}, {"floor": 8.1}, 8.0, 8.1, f"{ON} 8; at least 8.1"),
    ("floor", {"rows": 0}, {"floor": 8.0}, None, 8.0, "no rows to score"),
    ("better than the dummy", {}, {}, 11.0, 0.0, f"gain over the dummy +12 [+11, +13] {ON}; its low end above 0"),
    (
        "better than the dummy",
        WORSE,
        STRICT,
        -2.0,
        0.0,
        f"gain over the dummy -1 [-2, +0] {ON}; its low end above 0;"
        " it is not, but it does better than the champion, which would stay otherwise",
    ),
    (
        "better than the dummy",
        UNDECIDED,
        STRICT,
        -0.5,
        0.0,
        f"gain over the dummy +1 [-0.5, +2.5] {ON}; its low end above 0;"
        " undecided, but it does better than the champion, which would stay otherwise",
    ),
    ("not worse than the champion", ALONE, {}, None, None, "the first model: there is no champion to compare with"),
    (
        "not worse than the champion",
        {"champion_error": "no such category"},
        {},
        None,
        None,
        "the champion cannot predict these rows: no such category",
    ),
    (
        "not worse than the champion",
        {"looks": 2, "level": 0.99},
        {"margin": 0.02},
        1.5,
        -0.2,
        f"gain over the champion +2 [+1.5, +2.5] {ON}; its low end above -0.2"
        " (evaluation 3 on these rows, confidence 99.00%)",
    ),
    (
        "not worse than the champion",
        TOLD | {"carried": Interval(0.5, -0.1, 1.1)},
        STRICT,
        -0.5,
        -0.1,
        f"gain over the champion +1 [-0.5, +2.5] {ON}; its low end above -0.1;"
        " with 3 earlier evaluations +0.5 [-0.1, +1.1]",
    ),
    (
        "not worse than the champion",
        TOLD | {"carried_judgings": 1},
        {},
        -0.5,
        -0.1,
        f"gain over the champion +1 [-0.5, +2.5] {ON}; its low end above -0.1;"
        " with 1 earlier evaluation +0.5 [+0.2, +0.8]",
    ),
    (
        "not worse than the champion",
        {"over_champion": Interval(0.1, -0.5, 0.7)},
        BETTER,
        -0.5,
        -0.1,
        f"gain over the champion +0.1 [-0.5, +0.7] {ON}; its low end above -0.1;"
        " undecided, and it did better on these rows",
    ),
    (
        "not worse than the champion",
        {"over_champion": Interval(-0.1, -0.5, 0.3), "looks": 2, "level": 0.99, "champion_level": 0.95},
        {},
        -0.5,
        -0.1,
        f"gain over the champion -0.1 [-0.5, +0.3] {ON}; its low end above -0.1"
        " (evaluation 3 on these rows, confidence 95.00%);"
        " undecided, and it is not shown to be worse, and has seen newer rows",
    ),
    (
        "better than the dummy",
        UNDECIDED | {"over_champion": Interval(-0.1, -0.5, 0.3)},
        {},
        -0.5,
        0.0,
        f"gain over the dummy +1 [-0.5, +2.5] {ON}; its low end above 0;"
        " undecided, but it is not shown to do worse than the champion, which would stay otherwise",
    ),
    ("no earlier champion is better", ALONE, {}, None, None, "there is no earlier champion"),
    (
        "no earlier champion is better",
        {"earlier_over_challenger": {"version 1": GAIN, "version 2": Interval(5.0, 0.5, 9.5), "version 3": UNKNOWN}},
        {},
        1.0,
        0.1,
        f"version 1 over the challenger +2 [+1, +3] {ON}; its low end at most 0.1",
    ),
    (
        "no slice is worse",
        {"slices": [part(), part("b", 300, gain=Interval(-0.5, -1.0, 0.2)), part("c", 199, gain=Interval(-9, -9, -9))]},
        {},
        -0.05,
        -0.1,
        f"2 slices of at least 200 rows; worst group b (300 rows) -0.5 [-1, +0.2] {ON}",
    ),
    (
        "no slice is worse",
        {"slices": [part(), part("b", 2000, gain=Interval(-2.0, -3.0, -0.1)), part("c", gain=UNKNOWN)]},
        {},
        None,
        -0.1,
        f"group b (2,000 rows) -2 [-3, -0.1] {ON}; group c (500 rows) +nan [+nan, +nan] {ON}",
    ),
    ("no slice is worse", {"slices": []}, {}, None, None, "no slice with a champion and enough rows"),
    ("calibration", {"calibration": 0.15} | UNSURE, {}, 0.15, 0.1, "calibration error 0.15; at most 0.1"),
    (
        "calibration",
        {"calibration": 0.3, "champion_calibration": 0.2, "calibration_low": 0.2},
        {},
        0.3,
        0.2,
        "calibration error 0.3; at most 0.2, which chance may explain",
    ),
    ("calibration", {"rows": 99}, {}, 0.02, 0.1, "too few rows to tell"),
    ("signature", {}, {}, 0, 0, "callers of the champion can call it unchanged"),
    ("signature", FIRST, {}, None, None, "there is no champion whose callers could break"),
    ("signature", {"signature_changes": ["z is new", "a is new"]}, {}, 2, 0, "z is new; a is new"),
    ("repeats in a fresh process", {"reload_error": "it does not load"}, {}, None, None, "it does not load"),
    (
        "repeats in a fresh process",
        {},
        {},
        None,
        None,
        "loaded from the registry, it repeats its predictions on the input example",
    ),
    ("latency", {}, {}, 2.0, 100.0, "2 ms for one row; at most 100"),
    ("latency", {"latency_ms": NAN}, {}, None, 100.0, "nan ms for one row; at most 100"),
    ("size", {}, {}, 1.0, 500.0, "1 MB on disk; at most 500"),
    (
        "holdout unseen",
        {"overlap": 1200},
        {},
        1200,
        0,
        "1,200 rows of the holdout are no later than the newest row that was trained on",
    ),
]


@pytest.mark.parametrize(("name", "changes", "gates", "value", "threshold", "detail"), EXPLAINED)
def test_a_check_has_the_figure_its_threshold_and_both_in_words(
    evidence, name, changes, gates, value, threshold, detail
):
    check = next(check for check in judge(evidence(**changes), Gates(**gates)).checks if check.name == name)
    assert (check.value, check.threshold, check.detail) == (value, threshold, detail)


def test_no_rows_name_the_remedy(evidence):
    check = next(check for check in judge(evidence(rows=0, blocks=0), Gates()).checks if check.name == "holdout")
    assert check.detail.startswith(
        "0 rows in 0 blocks; at least 100 in 5: the champion was trained on all of them; train"
    )


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
    for path in data.draw(st.lists(st.sampled_from(numbers(broken)), min_size=1, max_size=3)):
        broken = put(broken, path, NAN)
    assert not judge(broken, gates).passing
    assert reinstatement(broken, gates, judge(broken, gates)) is None


def test_the_search_for_numbers_finds_those_that_matter(evidence):
    paths = {".".join(map(str, path)) for path in numbers(evidence())}
    assert {"challenger.value", "over_champion.low", "slices.0.gain.high", "separation.x", "size_mb"} <= paths


@given(st.floats(0.001, 0.5), st.integers(1, 20))
def test_all_looks_together_spend_no_more_than_alpha(alpha, comparisons):
    gates = Gates(alpha=alpha)
    spent = sum(comparisons * (1 - gates.level(looks, comparisons)) / 2 for looks in range(2000))
    assert spent == pytest.approx(alpha, rel=1e-3)
    assert spent <= alpha


@given(st.integers(0, 50), st.integers(1, 20))
def test_each_look_and_each_comparison_asks_for_more_confidence(looks, comparisons):
    gates = Gates()
    assert gates.level(looks) < gates.level(looks + 1) < 1
    assert gates.level(looks, comparisons) < gates.level(looks, comparisons + 1) < 1


def test_a_second_look_is_told_of(evidence):
    checks = judge(evidence(looks=2, level=0.99), Gates()).checks
    detail = next(check.detail for check in checks if check.name == "not worse than the champion")
    assert "evaluation 3 on these rows, confidence 99.00%" in detail


@pytest.mark.parametrize(
    ("name", "value"),
    [("alpha", 0), ("alpha", 1), ("margin", -0.1), ("min_blocks", 1), ("resamples", 50), ("block", "soon"), ("x", 1)],
)
def test_a_gate_that_cannot_be_set_so_says_its_name(name, value):
    with pytest.raises(ValidationError, match=name):
        Gates(**{name: value})


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
