"""Acknowledgement: a person has seen an alert, so that it waits for nobody until another one is raised."""

from dataclasses import dataclass

import pandas as pd

from evergreen.errors import AlertError
from evergreen.lake import audit_log
from evergreen.lake.audit_log import Act, Line
from evergreen.lake.lake import Lake, Named
from evergreen.lifecycle import decision_log
from evergreen.lifecycle.decision import Decision, news
from evergreen.lifecycle.decision_log import Entry
from evergreen.locks import model_lock
from evergreen.stores import Stores

_ACT: Act = "acknowledgement"


@dataclass(frozen=True)
class Alert:
    """An alert that no later check has cleared.

    Attributes
    ----------
    entry : Entry
        The newest decision that raised it.
    by, reason : str
        Who has acknowledged it, and why; empty if nobody has.
    """

    entry: Entry
    by: str = ""
    reason: str = ""

    @property
    def acknowledged(self) -> str:
        """Who has acknowledged it and why, in words; empty if nobody has."""
        return f"acknowledged by {self.by}: {self.reason}" if self.by else ""


def current(lake: Lake, model: Named) -> Alert | None:
    """The alert of a model, if there is one, and whether a person has acknowledged it.

    An acknowledgement holds while each later check raises the same again, other figures aside.
    """
    alerts = [entry for entry in decision_log.current(lake, model) if entry.action == "alert"]
    if not alerts:
        return None
    lines = [line for line in audit_log.read(lake, model.name) if line.act == _ACT]
    if lines and _holds(lake, model, alerts[0], lines[-1]):
        return Alert(alerts[0], lines[-1].by, lines[-1].details["reason"])
    return Alert(alerts[0])


def acknowledge(stores: Stores, model: Named, reason: str, by: str, at: pd.Timestamp) -> Alert:
    """Record that a person has seen the alert of a model.

    Parameters
    ----------
    stores : Stores
    model : Model
    reason, by : str
        For the record.
    at : Timestamp
        Now.

    Raises
    ------
    AlertError
        There is no alert, or it was acknowledged before.
    BusyError
        Somebody else acknowledges it at this moment.
    """
    with model_lock(model.name, "acknowledge"):
        alert = current(stores.lake, model)
        if alert is None:
            raise AlertError(f"{model.name} has no alert. `evergreen why {model.name}` lists what was decided.")
        if alert.by:
            raise AlertError(f"The alert of {model.name} was {alert.acknowledged}.")
        detail = {"reason": reason, "alert": alert.entry.reason, "wish": alert.entry.wish, "moment": at.isoformat()}
        audit_log.write(stores.lake, model.name, _ACT, alert.entry.as_of, at, by=by, detail=detail)
    return Alert(alert.entry, by, reason)


def _holds(lake: Lake, model: Named, alert: Entry, line: Line) -> bool:
    """Whether an acknowledgement is about an alert: every check since has raised what was acknowledged."""
    known, since = line.details, pd.Timestamp(line.subject)
    if pd.Timestamp(alert.as_of) < since or (alert.asked, bool(alert.wish)) != _asked(known["wish"]):
        return False
    entries = decision_log.read(lake, model, triggered=bool(alert.wish))
    later = [entry for entry in entries if pd.Timestamp(entry.as_of) >= since and entry.asked == alert.asked]
    return all(
        entry.action == "alert" and not news(Decision("alert", entry.reason), [known["alert"]]) for entry in later
    )


def _asked(wish: str) -> tuple[str, bool]:
    return Entry("", "", wish, "", "", {}).asked, bool(wish)
