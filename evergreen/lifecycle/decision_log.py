"""The decision log: every decision with the state that it weighed, including decisions to do nothing."""

import json
from dataclasses import dataclass
from typing import Any

import pandas as pd

from evergreen.lake.lake import DECISIONS, Lake, Named
from evergreen.lifecycle.decision import Decision, State, found
from evergreen.lifecycle.triggers import name_of
from evergreen.provenance import fingerprint
from evergreen.sql import literal


@dataclass(frozen=True)
class Entry:
    """One logged decision.

    Attributes
    ----------
    model : str
    as_of : str
        The point in time whose data was used; ISO 8601.
    wish : str
        The trigger and its reason; empty for a monitor.
    action, reason : str
    state : dict
        The fields of `evergreen.lifecycle.decision.State` at the decision.
    id : str
        Identifies it among the decisions on its model.
    """

    model: str
    as_of: str
    wish: str
    action: str
    reason: str
    state: dict[str, Any]
    id: str = ""

    @property
    def asked(self) -> str:
        """The name of the trigger, or `monitor`."""
        return name_of(self.wish) or "monitor"

    @property
    def found(self) -> str:
        """What the monitor found that is not as it was, whatever was decided; empty if all was quiet."""
        return found(self.state)


def key_of(as_of: pd.Timestamp, wish: str) -> str:
    """The `Entry.id` of the decision at a time on a trigger; on a check of the monitor if that is empty."""
    return fingerprint([as_of.isoformat(), wish])


def after(as_of: pd.Timestamp) -> pd.Timestamp:
    """The time under which the failure of a monitor is stored that had decided before."""
    return as_of + pd.Timedelta(microseconds=1)


def record(lake: Lake, model: str, state: State, decision: Decision) -> None:
    """Store a decision; one with the same time and trigger replaces it, and a monitor's failure of that time."""
    import pyarrow as pa

    key = key_of(state.as_of, state.wish)
    replaced = f"id IN ({literal(key)}, {literal(key_of(after(state.as_of), state.wish))})"
    row = {
        "id": key,
        "as_of": state.as_of.to_pydatetime(),
        "wish": state.wish,
        "action": decision.action,
        "reason": decision.reason,
        "state": state.dump(),
    }
    types = [(name, pa.timestamp("us", tz="UTC") if name == "as_of" else pa.string()) for name in row]
    lake.replace(model, DECISIONS, pa.Table.from_pylist([row], schema=pa.schema(types)), replaced)


def read(
    lake: Lake,
    model: Named,
    most: int = 1000,
    until: pd.Timestamp | None = None,
    triggered: bool | None = None,
    skip: int = 0,
) -> list[Entry]:
    """The latest decisions on a model, newest first.

    Parameters
    ----------
    lake : Lake
    model : Model
    most : int
    until : Timestamp, optional
        Leave out decisions after this time.
    triggered : bool, optional
        True for decisions on triggers only, False for those of a monitor only; by default both.
    skip : int
        How many of the latest to leave out.
    """
    if not lake.exists(model.name, DECISIONS):
        return []
    wanted = ["as_of <= $until"] if until is not None else []
    wanted += [f"(wish != '') = {triggered}"] if triggered is not None else []
    where = f"WHERE {' AND '.join(wanted)}" if wanted else ""
    bounds = {"most": most, "skip": skip} | ({"until": until.to_pydatetime()} if until is not None else {})
    sql = f"SELECT * FROM {DECISIONS} {where} ORDER BY as_of DESC, wish LIMIT $most OFFSET $skip"
    return _entries(model, lake.query(model, sql, bounds, tables=[DECISIONS]))


def find(lake: Lake, model: Named, key: str) -> Entry | None:
    """One decision by its `Entry.id`; None without it."""
    if not lake.exists(model.name, DECISIONS):
        return None
    found = lake.query(model, f"SELECT * FROM {DECISIONS} WHERE id = $id", {"id": key}, tables=[DECISIONS])
    return next(iter(_entries(model, found)), None)


def _entries(model: Named, rows: pd.DataFrame) -> list[Entry]:
    return [
        Entry(
            model=model.name,
            as_of=row["as_of"].isoformat(),
            wish=row["wish"],
            action=row["action"],
            reason=row["reason"],
            state=json.loads(row["state"]),
            id=row["id"],
        )
        for row in rows.to_dict("records")
    ]


def current(lake: Lake, model: Named) -> list[Entry]:
    """The newest decision on a model, preceded by the monitor's last alert if no later check cleared it.

    A decision to do nothing on a trigger does not clear the alert: then only the alert is returned.
    """
    newest = read(lake, model, most=1)
    monitored = read(lake, model, most=1, triggered=False) if newest and newest[0].wish else newest
    alerts = [entry for entry in monitored if entry.action == "alert" and entry not in newest]
    return alerts + [entry for entry in newest if not alerts or entry.action != "nothing"]


def already_notified(lake: Lake, model: Named, state: State) -> list[Entry]:
    """The earlier decisions that a person was already notified of: the monitor's last, and the last on a trigger.

    A decision to do nothing on another trigger is skipped: it clears no alert.
    """
    entries = _before(lake, model, state, triggered=False, most=2)[:1]  # not one of the same time
    if state.wish:
        others = _before(lake, model, state, triggered=True, most=100)
        entries += [entry for entry in others if entry.action != "nothing" or entry.asked == name_of(state.wish)][:1]
    return entries


def _before(lake: Lake, model: Named, state: State, *, triggered: bool, most: int) -> list[Entry]:
    entries = read(lake, model, most=most, until=state.as_of, triggered=triggered)
    return [entry for entry in entries if pd.Timestamp(entry.as_of) < state.as_of]
