"""Custom gates of the model file: calls them and validates their checks."""

import math
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any, get_args

from evergreen.definition.disclosure import of_error
from evergreen.definition.gates import Check, Outcome


def checks_of(gate: Callable[..., Any], *arguments: Any, private: Collection[str] = ()) -> list[Check]:
    """The checks of a custom gate; a gate that raises or returns anything else has failed."""
    name = getattr(gate, "__name__", type(gate).__name__).replace("_", " ")
    try:
        returned = gate(*arguments)
    except Exception as error:
        return [Check(name, "failed", None, None, f"the gate raised {of_error(error, private=private)}")]
    checks = returned if isinstance(returned, list) else [returned]
    wrong = next((type(check).__name__ for check in checks if not isinstance(check, Check)), "")
    if wrong or not checks:
        returned_type = wrong or "an empty list"
        return [Check(name, "failed", None, None, f"the gate returned {returned_type}, not a Check or a list of them")]
    return [_sound(check) for check in checks]


def _sound(check: Check) -> Check:
    """The check, or a failed one if its outcome is invalid or its value is NaN."""
    if check.outcome not in get_args(Outcome):
        detail = f"the gate returned the outcome {check.outcome!r}, which is not one of {', '.join(get_args(Outcome))}"
        return replace(check, outcome="failed", detail=detail)
    if check.value is not None and math.isnan(check.value):
        return replace(check, outcome="failed", detail=f"the value is not a number; {check.detail}")
    return check
