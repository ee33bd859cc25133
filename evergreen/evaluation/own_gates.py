"""Gates of the model file's own: called with the evidence, their answers checked."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

from evergreen.definition.gates import Check, Outcome


def asked_of(own: Callable[..., Any], *given: Any) -> list[Check]:
    """The checks of a gate of the model file's own; one that raises, or gives anything else, has failed."""
    name = getattr(own, "__name__", type(own).__name__).replace("_", " ")
    try:
        found = own(*given)
    except Exception as error:
        return [Check(name, "failed", None, None, f"the gate raised {type(error).__name__}: {error}")]
    checks = found if isinstance(found, list) else [found]
    wrong = next((type(one).__name__ for one in checks if not isinstance(one, Check)), "")
    if wrong or not checks:
        told = wrong or "an empty list"
        return [Check(name, "failed", None, None, f"the gate gave {told}, not a Check or a list of them")]
    return [_sound(one) for one in checks]


def _sound(check: Check) -> Check:
    """A check of one's own, failed where its outcome is none or its value is no number."""
    if check.outcome not in get_args(Outcome):
        told = f"the gate gave the outcome {check.outcome!r}, which is none of {', '.join(get_args(Outcome))}"
        return replace(check, outcome="failed", detail=told)
    if check.value is not None and math.isnan(check.value):
        return replace(check, outcome="failed", detail=f"the value is not a number; {check.detail}")
    return check
