"""Custom gates of the model file: calls them and validates their checks."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

from evergreen.definition.gates import Check, Outcome


def asked_of(own: Callable[..., Any], *given: Any) -> list[Check]:
    """The checks of a custom gate; a gate that raises or returns anything else has failed."""
    name = getattr(own, "__name__", type(own).__name__).replace("_", " ")
    try:
        returned = own(*given)
    except Exception as error:
        return [Check(name, "failed", None, None, f"the gate raised {type(error).__name__}: {error}")]
    checks = returned if isinstance(returned, list) else [returned]
    wrong = next((type(check).__name__ for check in checks if not isinstance(check, Check)), "")
    if wrong or not checks:
        returned_type = wrong or "an empty list"
        return [Check(name, "failed", None, None, f"the gate gave {returned_type}, not a Check or a list of them")]
    return [_sound(check) for check in checks]


def _sound(check: Check) -> Check:
    """The check, or a failed one if its outcome is invalid or its value is NaN."""
    if check.outcome not in get_args(Outcome):
        told = f"the gate gave the outcome {check.outcome!r}, which is none of {', '.join(get_args(Outcome))}"
        return replace(check, outcome="failed", detail=told)
    if check.value is not None and math.isnan(check.value):
        return replace(check, outcome="failed", detail=f"the value is not a number; {check.detail}")
    return check
