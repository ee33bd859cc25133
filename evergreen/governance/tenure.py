"""Which version answered when: the tenures of champions, from the audit log."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from evergreen.iso_time import parsed
from evergreen.lake.audit_log import Line

ACTS = ("promotion", "rollback", "retirement")  # they change which version answers
_MORE = "challenge"  # it changes which one answers beside it
_OF_REQUESTS = " of the requests"


@dataclass(frozen=True)
class Tenure:
    """A span of time in which one version answered, or none did.

    Attributes
    ----------
    model : str
    version : str
        Its number; empty where the model was retired.
    since, until : str
        ISO 8601; `until` is empty for the one that lasts.
    act, by, reason : str
        What began it, the person who asked for it (empty for the system), and why, if it is recorded.
    line : int
        The number of that act's line in the audit log.
    """

    model: str
    version: str
    since: str
    until: str
    act: str
    by: str
    reason: str
    line: int

    def holds(self, moment: datetime) -> bool:
        """Whether it was so at a time."""
        return parsed(self.since) <= moment and (not self.until or moment < parsed(self.until))


@dataclass(frozen=True)
class Answered:
    """What answered at a time.

    Attributes
    ----------
    model, at : str
    tenure : Tenure or None
        None before the first promotion.
    canary, share : str
        The version that answered a part of the requests beside it, and which part; empty for none.
    """

    model: str
    at: str
    tenure: Tenure | None
    canary: str = ""
    share: str = ""


def tenures(lines: Iterable[Line]) -> list[Tenure]:
    """The tenures of a model, oldest first, each until the next one.

    The order is that of the log: an act that worked at an earlier time than the one before it, as one with `--as-of`
    can, begins with that one at the earliest.

    Parameters
    ----------
    lines : iterable of Line
        In their order; those that change nothing are passed over.
    """
    found: list[Tenure] = []
    for line in lines:
        if line.act not in ACTS:
            continue
        detail = line.details
        version = "" if line.act == "retirement" and not detail.get("undone") else line.subject
        reason = str(detail.get("reason") or "")
        since = line.at if not found else max(line.at, found[-1].since, key=parsed)
        if found:
            found[-1] = replace(found[-1], until=since)
        found.append(Tenure(line.model, version, since, "", line.act, line.by, reason, line.number))
    return found


def answered(model: str, lines: Iterable[Line], at: datetime) -> Answered:
    """What answered at a time.

    Parameters
    ----------
    model : str
    lines : iterable of Line
        In their order.
    at : datetime
        With a zone.
    """
    known = list(lines)
    tenure = next((tenure for tenure in tenures(known)[::-1] if tenure.holds(at)), None)
    canary, share = _beside([line for line in known if parsed(line.at) <= at])
    return Answered(model, at.isoformat(), tenure, canary, share)


def _beside(lines: Iterable[Line]) -> tuple[str, str]:
    canary = ("", "")
    for line in lines:
        if line.act in ACTS:
            canary = ("", "")
        elif line.act == _MORE:
            answers = str(line.details.get("answers") or "")
            canary = (line.subject, answers.removesuffix(_OF_REQUESTS)) if answers.endswith(_OF_REQUESTS) else ("", "")
    return canary
