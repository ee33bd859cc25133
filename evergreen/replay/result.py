"""The result of a replay, in figures."""

import math
from dataclasses import dataclass, field
from typing import Literal

from evergreen.evaluation.bootstrap import Interval

Found = Literal["better", "worse", "not told apart"]


@dataclass(frozen=True)
class Against:
    """A policy beside one that knows the future.

    Attributes
    ----------
    regret : Interval
        By how much the other one was better.
    share : float or None
        The policy's share of the other one's gain over never retraining; None if there was nothing to gain, or
        never retraining was not asked for.
    """

    regret: Interval
    share: float | None


@dataclass(frozen=True)
class Asked:
    """One training of a policy, and whether it was right to ask for it.

    Attributes
    ----------
    at : str
        ISO 8601.
    trigger, decision : str
    moved : bool
        Whether the champion changed.
    gain : Interval
        Of what was trained over the champion before, in the steps that followed.
    found : str
        What that says, beyond chance.
    until : str
        When another version took over from it; empty if none did, or it never took over.
    taken_back : bool
        Whether that was a rollback, or an earlier champion that was reinstated.
    """

    at: str
    trigger: str
    decision: str
    moved: bool
    gain: Interval
    found: Found
    until: str = ""
    taken_back: bool = False


@dataclass(frozen=True)
class WindowResult:
    """One training window, trained at every step and promoted without gates.

    Attributes
    ----------
    name : str
        Its length, or ``"all"``.
    mean, low, high : float
        The metric over all rows, with its interval by blocks.
    gain : Interval or None
        Over the oracle, which trains with the window of the model file.
    """

    name: str
    mean: float
    low: float
    high: float
    gain: Interval | None


@dataclass(frozen=True)
class Result:
    """The result of one policy.

    Attributes
    ----------
    name, metric : str
    mean, low, high : float
        The metric over all rows, with its interval by blocks.
    over_never : Interval or None
        By how much it was better than never retraining, on the same rows; None if that policy did not run.
    regret : Interval or None
        By how much the oracle was better.
    gain_share : float or None
        Its share of the oracle's gain over never retraining; None if the oracle has no gain.
    against : dict of name to Against
        The same two figures against the policies of `evergreen.replay.hindsight`, where they were asked for.
    worst_week : float
        The metric in the worst seven days.
    worst_week_ratio : float or None
        Its worst week divided by the oracle's; for a score, the oracle's divided by its own.
    days_below_floor : int or None
        Blocks whose metric is worse than the gates' floor; None without a floor.
    trainings, promotions, rejections, undecided, comebacks, rollbacks, failures : int
    kept_out_by : dict of gate to int
        How many challengers did not pass each gate.
    wrong_promotions : int
        Promotions that were worse than keeping the champion, beyond chance, in the following steps.
    alarms, false_alarms : int
        Trainings that drift or performance triggered; those without a gain beyond chance.
    recovery_days : float or None
        From the known change until its error was within a tenth of the oracle's; None if it never was,
        or if no change was given.
    cpu_seconds : float
    money : float or None
    unanswered : int
        Steps in which its champion raised, or predicted a value that is not a number.
    lines : str
        The lines of the model file and of prefect.yaml that set this policy; empty if they cannot express it.
    problem : str
        Why it ended early; it is then not compared with others.
    series : list of (time, float)
        The metric by step.
    moves : list of time
        When another version took over.
    asked : list of Asked
        Its trainings, in order.
    """

    name: str
    metric: str
    mean: float = math.nan
    low: float = math.nan
    high: float = math.nan
    over_never: Interval | None = None
    regret: Interval | None = None
    gain_share: float | None = None
    worst_week: float = math.nan
    worst_week_ratio: float | None = None
    days_below_floor: int | None = None
    trainings: int = 0
    promotions: int = 0
    rejections: int = 0
    undecided: int = 0
    comebacks: int = 0
    rollbacks: int = 0
    failures: int = 0
    wrong_promotions: int = 0
    alarms: int = 0
    false_alarms: int = 0
    recovery_days: float | None = None
    cpu_seconds: float = 0.0
    money: float | None = None
    unanswered: int = 0
    lines: str = ""
    problem: str = ""
    series: list[tuple[str, float]] = field(default_factory=list)
    moves: list[str] = field(default_factory=list)
    kept_out_by: dict[str, int] = field(default_factory=dict)
    against: dict[str, Against] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)


@dataclass(frozen=True)
class Replayed:
    """The result of a replay.

    Attributes
    ----------
    model, metric : str
    since, until : str
    step_days : float
    policies : list of Result
        In the order of the request; the oracle last.
    recommended : str
        The name of the policy to choose; empty if none finished.
    reason : str
        Why, in a sentence.
    windows : list of WindowResult
        Every training window at every step, longest first, if a policy asked for them.
    window_advice, window_lines : str
        What that says about the window of the model file, and the lines to change it; empty if nothing.
    """

    model: str
    metric: str
    since: str
    until: str
    step_days: float
    policies: list[Result]
    recommended: str
    reason: str
    windows: list[WindowResult] = field(default_factory=list)
    window_advice: str = ""
    window_lines: str = ""

    @property
    def knowing(self) -> list[str]:
        """The policies that know the future, against which each that finished is held."""
        return next((list(policy.against) for policy in self.policies if policy.against), [])

    @property
    def lines(self) -> str:
        """The lines that set the recommended policy; empty if there is none."""
        return self.result(self.recommended).lines if self.recommended else ""

    def result(self, name: str) -> Result:
        """The result of one policy."""
        return next(policy for policy in self.policies if policy.name == name)
