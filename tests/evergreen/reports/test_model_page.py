"""The sentence at the head of a model's page."""

from types import SimpleNamespace

import pytest

from evergreen.lifecycle.decision_log import Entry
from evergreen.reports.model_page import _sentence

QUIET, FEW = "no drift, no loss of performance", "3 newly labelled rows, at least 100 are required (drift: x)"


@pytest.mark.parametrize(
    ("action", "reason", "state", "sentence"),
    [
        ("nothing", QUIET, {"drift": []}, f"All is well: {QUIET}."),
        ("nothing", FEW, {"drift": ["x"]}, f"Drift was found, and nothing is done: {FEW}."),
        (
            "nothing",
            FEW,
            {"performance": "9 against 7", "drift": ["x"]},
            f"A loss of performance was found, and nothing is done: {FEW}.",
        ),
        ("train", "drift: x", {"drift": ["x"]}, "A training was requested: drift: x."),
    ],
)
def test_nothing_is_called_well_above_what_was_found(action, reason, state, sentence):
    champion, seen = SimpleNamespace(number="1"), [object()]
    assert _sentence(champion, seen, [Entry("toy", "2013-01-01", "", action, reason, state)]) == sentence
