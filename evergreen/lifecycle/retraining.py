"""The decision what to do with a model, by one pure function of what is known; nothing is an answer too."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, TypeVar

import pandas as pd

from evergreen.durations import in_words
from evergreen.lifecycle.triggers import SCHEDULE, name_of, trigger_of

if TYPE_CHECKING:
    from evergreen.definition.options import Policy

T = TypeVar("T")
Action = Literal["nothing", "train", "roll back", "alert"]
GIVE_UP = 3  # trainings in a row that failed: another would fail too, and a person has to look
LOOK = 2  # verdicts in a row that promoted nobody: a person should look
_MOST_DOUBLINGS = 6
_QUALITY = "data quality"
_NUMBER = re.compile(r"[-+]?\d[\d.,e%+-]*")


@dataclass(frozen=True)
class State:
    """What is known of a model when somebody or something asks for a decision.

    Attributes
    ----------
    as_of : Timestamp
        The time whose knowledge counts.
    wish : str
        Who asks: a trigger of `evergreen.lifecycle.triggers`, then any further words; empty
        for a monitor, whose wish is what it sees.
    last_trained : Timestamp or None
        The moment whose knowledge the last training used; None if there was none.
    new_rows : int
        Rows whose label has become known since then.
    pending : bool
        Whether that training has yet to be judged, or its verdict to be followed: a crash.
    rejections : int
        Verdicts in a row, up to now, that promoted nobody.
    failures : int
        Trainings in a row, up to now, that were decided on and came to no verdict.
    running : bool
        Whether a training of this model is at work.
    champion : str
        The version that answers; empty if there is none.
    champion_age : timedelta or None
        Since the moment whose knowledge the champion was trained with. `decide` does not weigh it:
        it is for the record, and for policies of one's own.
    drift : tuple of str
        What drifted among the columns that count, a phrase each.
    performance : str
        By how much performance is, or is suspected to be, worse than at the champion's judging; empty
        if it is not.
    foreseen : str
        By how much it is estimated to be worse, before labels come; empty if it is not. Weighs only
        where the policy trusts estimates.
    predecessor : str
        By how much the version before the champion does better on the same rows; empty if it
        does not.
    quality : tuple of str
        What is wrong with the data, a phrase each; never a reason to train.
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

    def dump(self) -> str:
        """As JSON, for the record."""
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
        Whether the decision before was another, or an alert about something else: a person is told once.
    """

    action: Action
    reason: str
    news: bool = True

    @property
    def train(self) -> bool:
        """Whether a training follows."""
        return self.action == "train"


def decide(state: State, policy: "Policy") -> Decision:
    """Weigh what is wished for and what is seen against the policy of the model file.

    Examples
    --------
    >>> from evergreen import Policy
    >>> january = pd.Timestamp("2013-01-31", tz="UTC")
    >>> decide(State(january, "schedule", january - pd.Timedelta(days=2), 800), Policy(every="7d")).reason
    'not due: trained 2 days ago, every 7 days'
    """
    if state.predecessor:
        return Decision("roll back", f"the version before the champion does better: {state.predecessor}")
    wish = state.wish or _seen(state, policy)
    if not wish:
        return _quiet(state)
    taken_up = state.last_trained is None or state.pending
    obstacles = [_running, _failing, *([] if taken_up else [_nothing_new, _not_due, _cooling])]
    against = next(filter(None, (obstacle(state, policy, wish) for obstacle in obstacles)), None)
    return against or Decision("train", "first training" if state.last_trained is None else wish)


def _seen(state: State, policy: "Policy") -> str:
    """What a monitor asks for: worse answers weigh more than other questions."""
    if not state.champion:
        return ""
    loss = lost(state.performance, state.foreseen, policy)
    if loss:
        return f"performance: {loss}"
    return f"drift: {'; '.join(state.drift)}" if state.drift else ""


def lost(performance: str, foreseen: str, policy: "Policy") -> str:
    """The loss that asks for a training: what labels tell, or else an estimate, where the policy trusts those."""
    return performance or (foreseen if policy.estimated else "")


def _quiet(state: State) -> Decision:
    if state.quality:
        return Decision("alert", f"{_QUALITY}: {'; '.join(state.quality)}")
    return Decision("nothing", "no drift, no loss of performance" if state.champion else "there is no champion yet")


def news(decided: Decision, told: Sequence[str]) -> bool:
    """Whether somebody who was told these reasons for the same action learns anything new.

    Other figures are no news, another fault is.

    Examples
    --------
    >>> first = "data quality: x1: 31% missing, 0% in the reference"
    >>> news(Decision("alert", "data quality: x1: 35% missing, 0% in the reference"), [first])
    False
    >>> news(Decision("alert", f"{first}; labels are overdue: 0% of the 350 rows have one"), [first])
    True
    """
    known = {one for reason in told for one in _gist(reason)}
    return not told or (decided.action == "alert" and not _gist(decided.reason) <= known)


def _gist(reason: str) -> set[str]:
    """What a reason is about, without figures: each fault of the data, or else what it says first, and of what wish."""
    head, _, rest = reason.partition(": ")
    if head == _QUALITY:
        faults = (one.partition(": ") for one in rest.split("; "))
        return {f"{what}: {_NUMBER.sub('', more)}" for what, _, more in faults}
    said, _, wish = reason.partition(" (")
    return {f"{_NUMBER.sub('', said.partition(':')[0])} {name_of(wish)}"}


def _nothing_new(state: State, policy: "Policy", wish: str) -> Decision | None:
    if state.new_rows >= policy.min_new_rows:
        return None
    found = f"{state.new_rows} newly labelled rows, at least {policy.min_new_rows} are asked for"
    return Decision("nothing", _because(wish, found))


def _failing(state: State, policy: "Policy", wish: str) -> Decision | None:
    if state.failures < GIVE_UP or trigger_of(wish).planned:
        return None
    return Decision("alert", _because(wish, f"{state.failures} trainings in a row failed; see their flow runs"))


def _running(state: State, policy: "Policy", wish: str) -> Decision | None:
    return Decision("nothing", _because(wish, "a training is at work")) if state.running else None


def _not_due(state: State, policy: "Policy", wish: str) -> Decision | None:
    assert state.last_trained is not None
    age = state.as_of - state.last_trained
    if trigger_of(wish) != SCHEDULE or policy.every is None or age >= policy.every:
        return None
    return Decision("nothing", f"not due: trained {in_words(age)} ago, every {in_words(policy.every)}")


def _cooling(state: State, policy: "Policy", wish: str) -> Decision | None:
    """Wait after a training, and twice as long after each one that promoted nobody."""
    assert state.last_trained is not None
    if trigger_of(wish).planned:
        return None
    wait = policy.cooldown * 2 ** min(state.rejections, _MOST_DOUBLINGS)
    age = state.as_of - state.last_trained
    if age >= wait:
        return None
    found = f"cooling down: trained {in_words(age)} ago, again after {in_words(wait)}"
    if not state.rejections:
        return Decision("nothing", _because(wish, found))
    found += f", since {state.rejections} in a row promoted nobody"
    return Decision("alert" if state.rejections >= LOOK else "nothing", _because(wish, found))


def _because(wish: str, found: str) -> str:
    """The wish is named where it says more than its kind."""
    return found if wish == name_of(wish) else f"{found} ({wish})"


def in_a_row(verdicts: Sequence[T], counts: Callable[[T], bool]) -> int:
    """How many of the newest verdicts count, up to the first that does not.

    Examples
    --------
    >>> in_a_row(["reject", "not enough evidence", "promote", "reject"], lambda one: one != "promote")
    2
    """
    return next((place for place, verdict in enumerate(verdicts) if not counts(verdict)), len(verdicts))
