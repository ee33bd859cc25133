"""The triggers: what can request a training, and how the policy treats each.

A new trigger is one more entry in `TRIGGERS`. Something has to emit its event too: a flow or task, such as
`flows/monitor.py`; and `prefect.yaml` starts `refresh` on the event.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Trigger:
    """A reason to consider a training.

    Attributes
    ----------
    name : str
        The first word of the reason of a run.
    meaning : str
        A description for users.
    event : str
        The event that starts `refresh` with this trigger; empty for one that no event starts.
    planned : bool
        Whether a person or a schedule requests it: it ignores the cooldown and earlier failed trainings.
    observed : bool
        Whether it comes from the monitor, so that the newest rows have been observed already.
    """

    name: str
    meaning: str
    event: str = ""
    planned: bool = False
    observed: bool = False


DEMAND = Trigger("demand", "a person requests it", planned=True)
SCHEDULE = Trigger("schedule", "a schedule is due, or `policy.every` has passed", planned=True)
DATA = Trigger("data", "new rows have arrived", event="evergreen.data.arrived")
DRIFT = Trigger("drift", "an important column has drifted", event="evergreen.drift.detected", observed=True)
PERFORMANCE = Trigger(
    "performance",
    "the champion performs worse than its baseline",
    event="evergreen.performance.degraded",
    observed=True,
)
TRIGGERS = {trigger.name: trigger for trigger in (DEMAND, SCHEDULE, DATA, DRIFT, PERFORMANCE)}
_NONE = Trigger("", "no trigger: the monitor looked by itself")


def name_of(reason: str) -> str:
    """The trigger's name: the first word of a reason; empty if there is no word.

    Examples
    --------
    >>> name_of("drift: x 0.31 over 0.1"), name_of("")
    ('drift', '')
    """
    return next(iter(reason.split()), "").rstrip(":")


def trigger_of(reason: str) -> Trigger:
    """The trigger that a reason begins with; an empty one if it begins with none.

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
