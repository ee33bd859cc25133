"""Custom gates: what they return is a check, and whatever else they do is a failed one."""

import math

import pytest

from evergreen import Check, Gates
from evergreen.evaluation.own_gates import checks_of
from evergreen.gates.verdict import judge


def adds_up(challenger, champion, rows):
    return Check("sums", "passed" if challenger + champion == len(rows) else "failed", 3.0, 3.0, "by hand")


def two_at_once(*arguments):
    return [Check("one", "unknown", None, None, "wait"), Check("two", "skipped", None, None, "not now")]


def divides_by_nought(*arguments):
    return 1 / 0


def says_yes(*arguments):
    return True


def says_nothing(*arguments):
    return []


def one_of_two_is_none(*arguments):
    return [Check("one", "passed", None, None, ""), None]


class NamedByItsClass:
    def __call__(self, *arguments):
        return 1 / 0


@pytest.mark.parametrize(
    ("gate", "checks"),
    [
        (adds_up, [Check("sums", "passed", 3.0, 3.0, "by hand")]),
        (two_at_once, two_at_once()),
        (divides_by_nought, ["divides by nought", "the gate raised ZeroDivisionError: division by zero"]),
        (NamedByItsClass(), ["NamedByItsClass", "the gate raised ZeroDivisionError: division by zero"]),
        (says_yes, ["says yes", "the gate returned bool, not a Check or a list of them"]),
        (says_nothing, ["says nothing", "the gate returned an empty list, not a Check or a list of them"]),
        (one_of_two_is_none, ["one of two is none", "the gate returned NoneType, not a Check or a list of them"]),
    ],
)
def test_what_a_gate_returns_is_taken_and_anything_else_has_failed_under_its_name(gate, checks):
    """A failed check is given as its name and its detail."""
    expected = checks if isinstance(checks[0], Check) else [Check(checks[0], "failed", None, None, checks[1])]
    assert checks_of(gate, 1, 2, [0, 0, 0]) == expected


@pytest.mark.parametrize(
    ("outcome", "value", "detail"),
    [
        ("ok", 0.5, "the gate returned the outcome 'ok', which is not one of passed, failed, unknown, skipped"),
        ("passed", math.nan, "the value is not a number; by hand"),
    ],
)
def test_a_check_of_no_known_outcome_or_no_number_has_failed(outcome, value, detail):
    (check,) = checks_of(lambda: Check("mine", outcome, value, 1.0, "by hand"))
    assert (check.name, check.outcome, check.threshold, check.detail) == ("mine", "failed", 1.0, detail)


@pytest.mark.parametrize(
    ("outcome", "decision"),
    [("passed", "promote"), ("skipped", "promote"), ("failed", "reject"), ("unknown", "not enough evidence")],
)
def test_a_custom_gate_decides_like_any_other(evidence, outcome, decision):
    own = checks_of(lambda: Check("mine", outcome, None, None, ""))
    assert judge(evidence(own=own), Gates()).decision == decision
