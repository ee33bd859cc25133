"""The audit log as a story: a sentence for each line, with who did what to which version or batch, and why."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple

from evergreen.iso_time import parsed
from evergreen.lake.audit_log import Line
from ui.addresses import segment

KINDS = {
    "ingest": "batches",
    "quarantine": "quarantine",
    "decision": "decisions",
    "verdict": "verdicts",
    "approval": "approvals",
    "promotion": "promotions",
    "rollback": "rollbacks",
    "challenge": "shadow and canary",
    "acknowledgement": "alerts acknowledged",
    "schedule": "schedules",
    "retirement": "retirements",
    "deletion": "deletions",
    "code": "code of trainings",
    "migration": "migrations",
}
"""The acts of a log, and what a person calls them."""
_SHORT = 12  # characters of a hash
_MONITOR = "monitor"


class Part(NamedTuple):
    """A part of a sentence: a text, and the path of the page that it links to; empty for none."""

    text: str
    path: str = ""


@dataclass(frozen=True)
class Told:
    """A line as a sentence.

    Attributes
    ----------
    parts : list of Part
        The sentence.
    why : str
        The reason, in the words of the person; empty for none.
    """

    parts: list[Part]
    why: str = ""

    @property
    def text(self) -> str:
        """The sentence without links."""
        return "".join(part.text for part in self.parts)


@dataclass(frozen=True)
class _Act:
    """A line and its details, as text."""

    line: Line
    given: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        value = self.given.get(name)
        return _plain(value) if value or value == 0 else ""

    @property
    def who(self) -> str:
        return self.line.by or "The system"

    def version(self, number: str) -> Part:
        return Part(f"version {number}", f"models/{self.line.model}/versions/{segment(number)}")

    @property
    def subject(self) -> Part:
        return self.version(self.line.subject)

    def batch(self, place: str) -> Part:
        name = self.line.subject
        return Part(name, f"models/{self.line.model}/{place}/{segment(name)}" if name else "")


def told(line: Line) -> Told:
    """The sentence of a line of the audit log.

    Examples
    --------
    >>> at = "2026-03-01T06:00:00+00:00"
    >>> why = '{"replaces": "6", "reason": "too many complaints"}'
    >>> told(Line("airtime", 9, at, at, "rollback", "5", "ada", "", why, "", "", "")).text
    'ada rolled back from version 6 to version 5'
    """
    act = _Act(line, line.details)
    return _SENTENCES.get(line.act, _other)(act)


def late(line: Line) -> bool:
    """Whether a line was written more than an hour after the time that the act worked at, as a backfill does."""
    try:
        return parsed(line.written) - parsed(line.at) > timedelta(hours=1)
    except (TypeError, ValueError):
        return False


def _ingest(act: _Act) -> Told:
    rows, until = act["rows"], act["until"][:16].replace("T", " ")
    size = f" with {_count(rows, 'row')}" if rows else ""
    end = f", up to {until} UTC" if until else ""
    if act["fate"] == "quarantined":
        where = Part("quarantine", f"models/{act.line.model}/quarantine")
        parts = [Part(f"{act.who} put batch "), act.batch("quarantine"), Part(f"{size} into "), where, Part(end)]
    else:
        verb = "took in" if act["fate"] == "landed" else f"found ({act['fate']})" if act["fate"] else "took in"
        parts = [Part(f"{act.who} {verb} batch "), act.batch("batches"), Part(f"{size}{end}")]
    return Told(parts, act["notes"])


def _quarantine(act: _Act) -> Told:
    verb = {"asked for again": "read again and released", "dropped": "dropped", "released": "released"}
    done = verb.get(act["fate"], act["fate"] or "answered")
    where = Part("quarantine", f"models/{act.line.model}/quarantine")
    return Told([Part(f"{act.who} {done} batch "), act.batch("quarantine"), Part(" from "), where], act["note"])


def _code(act: _Act) -> Told:
    files = f" ({act['files']})" if act["files"] else ""
    return Told([Part(f"A training used code {act.line.subject[:_SHORT]} that the model file brings{files}")])


def _decision(act: _Act) -> Told:
    asked = act["wish"]
    who = "The monitor" if asked == _MONITOR else act.who
    asked_by = "" if asked in ("", _MONITOR) else f", asked by {asked}"
    return Told([Part(f"{who} decided: {act.line.subject}{asked_by}")], act["reason"])


def _verdict(act: _Act) -> Told:
    compared = [Part(" against "), act.version(act["against"])] if act["against"] else []
    kind = f" as {act['trial']}" if act["trial"] else ""
    parts = [Part("The gates judged "), act.subject, Part(kind), *compared]
    return Told([*parts, Part(f": {act['decision'] or 'no decision'}")], act["reason"])


def _approval(act: _Act) -> Told:
    state = act["state"]
    if state == "asked for":
        return Told([Part(f"{act.who} asked for the approval of "), act.subject], act["reason"])
    return Told([Part(f"{act.who} {state or 'answered the request for'} "), act.subject], act["reason"])


def _promotion(act: _Act) -> Told:
    replaced = [Part(" in place of "), act.version(act["replaces"])] if act["replaces"] else []
    return Told([Part(f"{act.who} promoted "), act.subject, Part(" to champion"), *replaced], act["reason"])


def _rollback(act: _Act) -> Told:
    replaced = [Part("from "), act.version(act["replaces"]), Part(" ")] if act["replaces"] else []
    return Told([Part(f"{act.who} rolled back "), *replaced, Part("to "), act.subject], act["reason"])


def _challenge(act: _Act) -> Told:
    if act["answers"] == "no more":
        which = Part("shadow and canary") if act.line.subject == "all" else act.subject
        return Told([Part(f"{act.who} stopped "), which, Part(" beside the champion")], act["reason"])
    how = act["answers"] or "beside it"
    return Told([Part(f"{act.who} let "), act.subject, Part(f" answer beside the champion: {how}")], act["reason"])


def _retirement(act: _Act) -> Told:
    if act["undone"]:
        return Told([Part(f"{act.who} took back the retirement: "), act.subject, Part(" answers again")], act["reason"])
    return Told([Part(f"{act.who} retired the model; "), act.subject, Part(" was champion")], act["reason"])


def _deletion(act: _Act) -> Told:
    if act["older_than"]:
        return Told([Part(f"{act.who} deleted {act.line.subject} of before {act['older_than']}: their time is over")])
    rows = act.given.get("rows")
    named = rows.items() if isinstance(rows, dict) else ()
    counts = ", ".join(f"{number} of {table}" for table, number in named if number)
    trained = f"; versions trained on them: {act['versions']}" if act["versions"] else ""
    erased = f"{act.who} erased {act.line.subject} for good{': ' + counts if counts else ''}{trained}"
    return Told([Part(erased)], act["reason"])


def _migration(act: _Act) -> Told:
    return Told([Part(f"{act.who} migrated the stored state to {act.line.subject}")], _plain(act.given))


def _other(act: _Act) -> Told:
    return Told([Part(f"{act.who}: {act.line.act} of {act.line.subject}")], _plain(act.given))


def _acknowledgement(act: _Act) -> Told:
    return Told([Part(f"{act.who} acknowledged the alert: {act['alert']}")], act["reason"])


def _schedule(act: _Act) -> Told:
    return Told([Part(f"{act.who} {act['state'] or 'changed'} the schedules")], act["reason"])


_SENTENCES: dict[str, Callable[[_Act], Told]] = {
    "ingest": _ingest,
    "quarantine": _quarantine,
    "code": _code,
    "decision": _decision,
    "verdict": _verdict,
    "approval": _approval,
    "promotion": _promotion,
    "rollback": _rollback,
    "challenge": _challenge,
    "acknowledgement": _acknowledgement,
    "schedule": _schedule,
    "retirement": _retirement,
    "deletion": _deletion,
    "migration": _migration,
}


def _count(number: str, noun: str) -> str:
    shown = f"{int(number):,}" if number.isdigit() else number
    return f"{shown} {noun}{'' if number == '1' else 's'}"


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_plain(part)}" for name, part in value.items())
    return "; ".join(map(_plain, value)) if isinstance(value, list) else str(value)
