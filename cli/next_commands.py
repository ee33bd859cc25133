"""The command to run next after a run of the loop, by what came of it."""

from typing import TYPE_CHECKING

from evergreen.lifecycle.decision import NO_CHAMPION
from evergreen.lifecycle.outcome import REINSTATED
from evergreen.lifecycle.triggers import TRIGGERS, name_of

if TYPE_CHECKING:
    from evergreen.lifecycle.decision import Decision
    from evergreen.lifecycle.outcome import Outcome


def after_outcome(result: "Outcome", when: str = "") -> str:
    """The command to run next after a run of the loop; empty where the outcome's own advice names it.

    Parameters
    ----------
    result : Outcome
    when : str
        The option of the time that it was run for, for a command that takes it.
    """
    model = result.model
    if result.quarantined:
        return f"evergreen quarantine show {model} {result.quarantined[0]}"
    if result.advice:
        return ""
    if result.decision == "waiting":
        return f'evergreen approve {model} --reason "..."'
    if result.decision in ("promote", "rollback", REINSTATED):
        return f"evergreen monitor {model}{when}"
    return f"evergreen why {model}"


def after_decision(model: str, decision: "Decision", when: str = "") -> str:
    """The command to run next after a monitor, which itself trains nothing.

    Parameters
    ----------
    model : str
    decision : Decision
    when : str
        The option of the time that it was run for, for a command that takes it.
    """
    if decision.reason == NO_CHAMPION:
        return f"evergreen train {model}{when}"
    if decision.train:
        trigger = name_of(decision.reason)
        return f"evergreen train {model}{f' --reason {trigger}' if trigger in TRIGGERS else ''}{when}"
    return f"evergreen report {model}"
