"""Gates: what each of them says in words."""

import pytest

from evergreen.definition.gates import Gates
from evergreen.evaluation.bootstrap import Interval
from evergreen.gates.verdict import judge
from tests.evergreen.gates.evidence_parts import (
    ALONE,
    BETTER,
    FIRST,
    GAIN,
    NAN,
    STRICT,
    TOLD,
    UNDECIDED,
    UNKNOWN,
    UNSURE,
    WORSE,
    part,
)

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


def test_a_second_look_is_told_of(evidence):
    checks = judge(evidence(looks=2, level=0.99), Gates()).checks
    detail = next(check.detail for check in checks if check.name == "not worse than the champion")
    assert "evaluation 3 on these rows, confidence 99.00%" in detail
