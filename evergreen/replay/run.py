"""The run of one policy in a replay: its steps, its trainings and their results."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from evergreen.evaluation.bootstrap import Interval
from evergreen.evaluation.performance import Realised
from evergreen.json_record import JsonRecord
from evergreen.lifecycle.triggers import trigger_of

if TYPE_CHECKING:
    from evergreen.definition.model import Model

AFTER = 4  # steps after a training in which its gain is measured


@dataclass(frozen=True)
class PolicyTraining:
    """One training of a policy.

    Attributes
    ----------
    step : int
    wish : str
        The trigger: a name in `evergreen/lifecycle/triggers.py`.
    before, version : str
        The champion before, and the version that was trained or reinstated.
    decision : str
        The verdict's, or `REINSTATED`.
    moved : bool
        Whether the champion changed.
    gain : Interval
        The gain of that version over the champion before, in the following steps; positive is
        better.
    kept_out_by : list of str
        The gates that it did not pass.
    """

    step: int
    wish: str
    before: str
    version: str
    decision: str
    moved: bool
    gain: Interval = field(default_factory=Interval.unknown)
    kept_out_by: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> bool:
        """Whether it was promoted and was worse than keeping the champion, beyond chance."""
        return self.moved and self.gain.high < 0

    @property
    def idle(self) -> bool:
        """Whether an alarm triggered it and it was not better than keeping the champion, beyond chance."""
        return trigger_of(self.wish).observed and not self.gain.low > 0


@dataclass(frozen=True)
class Step:
    """One step of a policy.

    Attributes
    ----------
    since : str
        When it began; ISO 8601.
    champion : str
        The champion until the next step.
    action, reason : str
        The decision at its start.
    scored : Realised or None
        The champion's performance on all labels that ever arrived; None if it raised.
    """

    since: str
    champion: str
    action: str
    reason: str
    scored: Realised | None


@dataclass(frozen=True)
class PolicyRun(JsonRecord):
    """The run of one policy.

    Attributes
    ----------
    name : str
    steps : list of Step
    trainings : list of Training
    rollbacks : int
    seconds : float
        CPU seconds of its monitoring, its evaluations and its fits, as if it were the only policy.
    problem : str
        Why it ended early; empty if it did not.
    """

    name: str
    steps: list[Step] = field(default_factory=list)
    trainings: list[PolicyTraining] = field(default_factory=list)
    rollbacks: int = 0
    seconds: float = 0.0
    problem: str = ""

    @property
    def scored(self) -> list[Realised]:
        """The scores of the steps that have rows and predictions."""
        return [step.scored for step in self.steps if step.scored and step.scored.rows]


@dataclass(frozen=True)
class Plan:
    """The period and the steps of a replay, the same for every policy.

    Attributes
    ----------
    model : str
    since, until : Timestamp
        The first decision, and the end of the last step.
    step : Timedelta
    """

    model: str
    since: pd.Timestamp
    until: pd.Timestamp
    step: pd.Timedelta

    @cached_property
    def step_starts(self) -> list[pd.Timestamp]:
        """When each step begins."""
        return list(pd.date_range(self.since, self.until, freq=self.step, inclusive="left"))

    def end(self, step: int) -> pd.Timestamp:
        """When a step ends."""
        return min(self.step_starts[step] + self.step, self.until)


def earliest(model: "Model", first: pd.Timestamp) -> pd.Timestamp:
    """The first day on which a training has a whole window and holdout behind it.

    A model whose window is all history is given four holdouts to begin with.
    """
    training = model.training
    window = 4 * training.holdout if training.fixed_window is None else training.fixed_window
    return (first + window + training.holdout + model.label_delay).ceil("D")
