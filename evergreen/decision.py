"""The decision whether to train, by one pure function of what is known; not to is an answer too."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from evergreen.model import Policy


@dataclass(frozen=True)
class State:
    """What is known of a model when a training is wished for.

    Attributes
    ----------
    as_of : Timestamp
    wish : str
        Who asks: ``"demand"``, ``"schedule"``, ``"data"``, ``"drift"`` or ``"performance"``.
    last_trained : Timestamp or None
        The moment whose knowledge the last training used; None if there was none.
    new_rows : int
        Rows whose label has become known since then.
    pending : bool
        Whether that training has yet to be judged, or its verdict to be followed: a crash.
    """

    as_of: pd.Timestamp
    wish: str
    last_trained: pd.Timestamp | None
    new_rows: int
    pending: bool = False


@dataclass(frozen=True)
class Decision:
    """Train or not, and why."""

    train: bool
    reason: str


def decide(state: State, policy: "Policy") -> Decision:
    """Weigh a wish for training against the policy of the model file.

    Examples
    --------
    >>> from evergreen import Policy
    >>> january = pd.Timestamp("2013-01-31", tz="UTC")
    >>> decide(State(january, "schedule", january - pd.Timedelta(days=2), 800), Policy(every="7d"))
    Decision(train=False, reason='not due: trained 2 days ago, every 7 days')
    """
    if state.last_trained is None:
        return Decision(True, "first training")
    if state.pending:
        return Decision(True, state.wish)
    if state.new_rows < policy.min_new_rows:
        return Decision(False, f"{state.new_rows} newly labelled rows, at least {policy.min_new_rows} are asked for")
    age = state.as_of - state.last_trained
    if state.wish == "schedule" and policy.every is not None and age < policy.every:
        return Decision(False, f"not due: trained {_in_words(age)} ago, every {_in_words(policy.every)}")
    return Decision(True, state.wish)


def _in_words(length: timedelta) -> str:
    return f"{length.days} days" if length.days > 1 else f"{length / timedelta(hours=1):.0f} hours"
