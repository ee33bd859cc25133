"""Gates: the confidence that each look and each comparison asks for, and settings that are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from evergreen.definition.gates import Gates


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


@pytest.mark.parametrize(
    ("name", "value"),
    [("alpha", 0), ("alpha", 1), ("margin", -0.1), ("min_blocks", 1), ("resamples", 50), ("block", "soon"), ("x", 1)],
)
def test_a_gate_that_cannot_be_set_so_says_its_name(name, value):
    with pytest.raises(ValidationError, match=name):
        Gates(**{name: value})
