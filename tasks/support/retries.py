"""When to retry a task: if a source or a store was unavailable, never on wrong data."""

from typing import Any

from evergreen.errors import EvergreenError

DELAYS: list[float] = [2, 10]  # seconds before the second and the third try


def is_unavailable(_task: Any, _run: Any, state: Any) -> bool:
    """Whether a failed task should be retried."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, EvergreenError) and error.may_pass
