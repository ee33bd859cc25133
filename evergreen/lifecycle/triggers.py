"""The triggers: what can ask for a training, and how the policy treats each. A new one is a further entry."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Trigger:
    """What asks for a training.

    Attributes
    ----------
    name : str
        The first word of the reason of a run.
    meaning : str
        A description for users.
    event : str
        The event that starts `refresh` with this trigger; empty for one that no event starts.
    planned : bool
        Whether a person or a schedule asks: neither waits for the cooldown, nor is stopped by failed trainings.
    observed : bool
        Whether the monitor asks, so that the newest rows have been observed already.
    """

    name: str
    meaning: str
    event: str = ""
    planned: bool = False
    observed: bool = False


DEMAND = Trigger("demand", "a person asks", planned=True)
SCHEDULE = Trigger("schedule", "a schedule asks, or `policy.every` has passed", planned=True)
DATA = Trigger("data", "new rows have arrived", event="evergreen.data.arrived")
DRIFT = Trigger("drift", "an important column has drifted", event="evergreen.drift.detected", observed=True)
PERFORMANCE = Trigger(
    "performance",
    "the champion performs worse than its baseline",
    event="evergreen.performance.degraded",
    observed=True,
)
TRIGGERS = {trigger.name: trigger for trigger in (DEMAND, SCHEDULE, DATA, DRIFT, PERFORMANCE)}
_NONE = Trigger("", "the monitor, which asks for nothing by itself")


def name_of(reason: str) -> str:
    """The trigger's name: the first word of a reason; empty if there is no word.

    Examples
    --------
    >>> name_of("drift: x 0.31 over 0.1"), name_of("")
    ('drift', '')
    """
    return next(iter(reason.split()), "").rstrip(":")


def trigger_of(reason: str) -> Trigger:
    """The trigger that a reason begins with; one that asks for nothing if it begins with none.

    Examples
    --------
    >>> trigger_of("drift: x 0.31 over 0.1").observed, trigger_of("other").observed
    (True, False)
    """
    return TRIGGERS.get(name_of(reason), _NONE)


def names() -> str:
    """All names, for a sentence.

    Examples
    --------
    >>> names()
    'demand, schedule, data, drift or performance'
    """
    *first, last = TRIGGERS
    return f"{', '.join(first)} or {last}"
