"""The decision what to do with a model: a pure function of its state and its policy."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, TypeVar

import pandas as pd

from evergreen.durations import in_words
from evergreen.lifecycle.triggers import SCHEDULE, name_of, trigger_of

if TYPE_CHECKING:
    from evergreen.definition.options import Policy

T = TypeVar("T")
Action = Literal["nothing", "train", "roll back", "alert"]
GIVE_UP = 3  # failed trainings in a row after which a person is alerted instead of training again
LOOK = 2  # verdicts in a row without a promotion after which a person is alerted
_MOST_DOUBLINGS = 6
_LATEST = timedelta(hours=12)  # a schedule's run of the day before is none that is late
_NONE = timedelta(0)  # a training in the future is none: a clock was ahead, or a moment was mistyped
_QUALITY, _UNJUDGED = "data quality", "not judged"
NO_CHAMPION = "there is no champion yet"  # the reason of a monitor that has nothing to look at
MONITOR_FAILED = "the monitor failed"  # how the reason of such an alert begins
_FOUND = {  # a field of the state, and what it says was found
    "performance": "A loss of performance",
    "foreseen": "An estimated loss of performance",
    "drift": "Drift",
    "quality": "A fault of the data",
    "unjudged": "What cannot be judged",
}
_NUMBER = re.compile(r"[-+]?\d[\d.,e%+-]*")


@dataclass(frozen=True)
class State:
    """The state of a model that a decision weighs.

    Attributes
    ----------
    as_of : Timestamp
        The point in time whose data is used.
    wish : str
        The trigger (`evergreen.lifecycle.triggers`) and the reason; empty for a monitor, whose
        reasons are the fields below.
    last_trained : Timestamp or None
        The `as_of` of the last training; None if there was none.
    new_rows : int
        Rows whose label has become known since then.
    pending : bool
        Whether that training was interrupted before its verdict was reached and followed.
    rejections : int
        The latest verdicts in a row that promoted no version.
    failures : int
        The latest trainings in a row that were started and reached no verdict.
    running : bool
        Whether a training of this model is running.
    champion : str
        The champion's version number; empty if there is none.
    champion_age : timedelta or None
        The time since the `as_of` of the champion's training. `decide` does not weigh it:
        it is for the log, and for custom policies.
    drift : tuple of str
        The important columns that drifted, a phrase each.
    performance : str
        By how much performance is, or is suspected to be, worse than the champion's baseline; empty
        if it is not.
    foreseen : str
        The estimated degradation, before labels arrive; empty if there is none. It counts only
        if the policy trusts estimates.
    predecessor : str
        By how much the champion's predecessor is better on the same rows; empty if it
        is not.
    quality : tuple of str
        The data quality problems, a phrase each; never a reason to train.
    unjudged : tuple of str
        What cannot be judged for longer than it should need, a phrase each; never a reason to train.
    """

    as_of: pd.Timestamp
    wish: str
    last_trained: pd.Timestamp | None
    new_rows: int
    pending: bool = False
    rejections: int = 0
    failures: int = 0
    running: bool = False
    champion: str = ""
    champion_age: timedelta | None = None
    drift: tuple[str, ...] = ()
    performance: str = ""
    foreseen: str = ""
    predecessor: str = ""
    quality: tuple[str, ...] = ()
    unjudged: tuple[str, ...] = ()

    def dump(self) -> str:
        """As JSON, for the decision log."""
        return json.dumps(asdict(self), default=str)


@dataclass(frozen=True)
class Decision:
    """What to do, and why.

    Attributes
    ----------
    action : {"nothing", "train", "roll back", "alert"}
        What to do.
    reason : str
        Why, in a phrase.
    news : bool
        Whether it differs from the earlier decision in action or subject; only then a person is notified.
    found : str
        What is not as it was, whatever is done about it, such as ``Drift``; empty if all is quiet.
    """

    action: Action
    reason: str
    news: bool = True
    found: str = field(default="", compare=False)

    @property
    def train(self) -> bool:
        """Whether a training follows."""
        return self.action == "train"


def decide(state: State, policy: "Policy") -> Decision:
    """Decide by the trigger, the monitored state and the policy of the model file.

    Examples
    --------
    >>> from evergreen import Policy
    >>> january = pd.Timestamp("2013-01-31", tz="UTC")
    >>> decide(State(january, "schedule", january - pd.Timedelta(days=2), 800), Policy(every="7d")).reason
    'not due: trained 2 days ago, every 7 days'
    """
    return replace(_decided(state, policy), found=found(vars(state)))


def found(state: Mapping[str, object]) -> str:
    """What the monitor found that is not as it was, of the fields of a state; empty if all was quiet."""
    return next((word for part, word in _FOUND.items() if state.get(part)), "")


def _decided(state: State, policy: "Policy") -> Decision:
    if state.predecessor:
        return Decision("roll back", f"the version before the champion does better: {state.predecessor}")
    trigger = state.wish or _monitored_trigger(state, policy)
    if not trigger:
        return _quiet(state)
    resumed_or_first = state.last_trained is None or state.pending
    obstacles = [_running, _failing, *([] if resumed_or_first else [_nothing_new, _not_due, _cooling])]
    obstacle_met = next(filter(None, (obstacle(state, policy, trigger) for obstacle in obstacles)), None)
    faults = state.quality or state.unjudged
    if obstacle_met and obstacle_met.action == "nothing" and faults and not state.wish:
        return _quiet(state)  # what leads to no training hides neither a fault of the data nor what cannot be judged
    return obstacle_met or Decision("train", "first training" if state.last_trained is None else trigger)


def _monitored_trigger(state: State, policy: "Policy") -> str:
    """The trigger of a monitor: degraded performance comes before drift."""
    if not state.champion:
        return ""
    loss = degradation(state.performance, state.foreseen, policy)
    if loss:
        return f"performance: {loss}"
    return f"drift: {'; '.join(state.drift)}" if state.drift else ""


def degradation(performance: str, estimated: str, policy: "Policy") -> str:
    """The degradation that triggers a training: measured on labels, or estimated if the policy trusts that."""
    return performance or (estimated if policy.estimated else "")


def _quiet(state: State) -> Decision:
    faults = [f"{_QUALITY}: {'; '.join(state.quality)}"] if state.quality else []
    faults += [f"{_UNJUDGED}: {phrase}" for phrase in state.unjudged]
    if faults:
        return Decision("alert", "; ".join(faults))
    return Decision("nothing", "no drift, no loss of performance" if state.champion else NO_CHAMPION)


def news(decided: Decision, notified: Sequence[str]) -> bool:
    """Whether a decision is new to a person who was already notified of these reasons for the same action.

    Changed figures are not new; another fault is.

    Examples
    --------
    >>> first = "data quality: x1: 31% missing, 0% in the reference"
    >>> news(Decision("alert", "data quality: x1: 35% missing, 0% in the reference"), [first])
    False
    >>> news(Decision("alert", f"{first}; labels are overdue: 0% of the 350 rows have one"), [first])
    True
    """
    known_subjects = {subject for reason in notified for subject in _subjects(reason)}
    return not notified or (decided.action == "alert" and not _subjects(decided.reason) <= known_subjects)


def _subjects(reason: str) -> set[str]:
    """The subjects of a reason without figures: each data fault, or else the first clause with the trigger's name."""
    head, _, rest = reason.partition(": ")
    if head in (_QUALITY, _UNJUDGED):
        return {_subject(fault) for fault in (rest if head == _QUALITY else reason).split("; ")}
    clause, _, trigger = reason.partition(" (")
    return {f"{_NUMBER.sub('', clause.partition(':')[0])} {name_of(trigger)}"}


def _subject(fault: str) -> str:
    """Of what cannot be judged, only what it is: why can change from day to day."""
    if fault.startswith(_UNJUDGED):
        return fault.partition(",")[0]
    subject, _, detail = fault.partition(": ")
    return f"{subject}: {_NUMBER.sub('', detail)}"


def _nothing_new(state: State, policy: "Policy", trigger: str) -> Decision | None:
    if state.new_rows >= policy.min_new_rows:
        return None
    detail = f"{state.new_rows} newly labelled rows, at least {policy.min_new_rows} are required"
    return Decision("nothing", _because(trigger, detail))


def _failing(state: State, policy: "Policy", trigger: str) -> Decision | None:
    if state.failures < GIVE_UP or trigger_of(trigger).planned:
        return None
    return Decision("alert", _because(trigger, f"{state.failures} trainings in a row failed; see their flow runs"))


def _running(state: State, policy: "Policy", trigger: str) -> Decision | None:
    return Decision("nothing", _because(trigger, "a training is running")) if state.running else None


def _not_due(state: State, policy: "Policy", trigger: str) -> Decision | None:
    assert state.last_trained is not None
    age = state.as_of - state.last_trained
    if trigger_of(trigger) != SCHEDULE or policy.every is None:
        return None
    if not _NONE <= age < policy.every - _late(policy.every):
        return None
    return Decision("nothing", f"not due: trained {in_words(age)} ago, every {in_words(policy.every)}")


def _late(every: timedelta) -> timedelta:
    """How much later than planned a run may have started, without which the next one, in time, would come too early."""
    return min(every / 24, _LATEST)


def _cooling(state: State, policy: "Policy", trigger: str) -> Decision | None:
    """Wait after a training; the wait doubles with each one in a row that promoted no version."""
    assert state.last_trained is not None
    if trigger_of(trigger).planned:
        return None
    wait = policy.cooldown * 2 ** min(state.rejections, _MOST_DOUBLINGS)
    age = state.as_of - state.last_trained
    if not _NONE <= age < wait:
        return None
    detail = f"cooling down: trained {in_words(age)} ago, again after {in_words(wait)}"
    if not state.rejections:
        return Decision("nothing", _because(trigger, detail))
    detail += f", since {state.rejections} in a row promoted no version"
    return Decision("alert" if state.rejections >= LOOK else "nothing", _because(trigger, detail))


def _because(trigger: str, detail: str) -> str:
    """Append the trigger if it has a reason beside its name."""
    return detail if trigger == name_of(trigger) else f"{detail} ({trigger})"


def in_a_row(verdicts: Sequence[T], counts: Callable[[T], bool]) -> int:
    """How many of the newest verdicts count, up to the first that does not.

    Examples
    --------
    >>> in_a_row(["reject", "not enough evidence", "promote", "reject"], lambda verdict: verdict != "promote")
    2
    """
    return next((place for place, verdict in enumerate(verdicts) if not counts(verdict)), len(verdicts))
