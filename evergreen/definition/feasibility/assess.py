"""All gates and triggers of a model: what can never judge by the model file alone is refused.

With the figures of the table the same arithmetic says what judges now, from when on, and which line to change.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from evergreen.definition.feasibility import gates, triggers
from evergreen.definition.feasibility.finding import Finding
from evergreen.definition.figures import Figures
from evergreen.errors import FeasibilityError

if TYPE_CHECKING:
    from evergreen.definition.model import Model

_PARTS: tuple[Callable[["Model", Figures | None], Iterator[Finding]], ...] = (
    gates.training,
    gates.holdout,
    gates.slices,
    gates.fairness,
    gates.schedule,
    gates.new_rows,
    triggers.performance,
    triggers.drift,
    triggers.probation,
    triggers.labels,
    triggers.logs,
    triggers.approval,
)


def require(model: "Model") -> None:
    """Refuse a model of which a gate or a trigger can never judge, whatever rows come.

    Raises
    ------
    FeasibilityError
        With the arithmetic and the line to change.
    """
    problems = [problem for finding in findings(model) for problem in finding.problems]
    if problems:
        raise FeasibilityError(f"{model.name}: {' '.join(problems)}")


def findings(model: "Model", figures: Figures | None = None) -> list[Finding]:
    """Work out for each gate and trigger whether it can judge; without figures, from the model file alone."""
    return [finding for part in _PARTS for finding in part(model, figures)]


def time_to_judge(model: "Model", delay: timedelta = timedelta(0)) -> timedelta:
    """How long after its promotion the performance of a champion should be known.

    The label delay, the time that performance is judged over, one unit since only whole ones are looked at, and as a
    margin one more window of the monitor.

    Parameters
    ----------
    model : Model
    delay : timedelta
        The measured label delay; the longer of it and the declared one counts.

    Examples
    --------
    >>> from evergreen import Gates, Monitoring
    >>> from types import SimpleNamespace
    >>> weekly = SimpleNamespace(performance_window=timedelta(days=35), label_delay=timedelta(days=2))
    >>> weekly.monitoring = Monitoring(window="7d", unit="1d")
    >>> time_to_judge(weekly).days
    45
    """
    monitoring = model.monitoring
    return max(delay, model.label_delay) + model.performance_window + monitoring.unit + monitoring.window
