"""The diary: every decision with what was known when it was made, the one not to do anything too."""

import json
from dataclasses import dataclass
from typing import Any

import pandas as pd

from evergreen.lake.lake import DECISIONS, Lake, Named
from evergreen.lifecycle.retraining import Decision, State
from evergreen.lifecycle.triggers import name_of
from evergreen.provenance import fingerprint
from evergreen.sql import literal


@dataclass(frozen=True)
class Entry:
    """One decision of the past.

    Attributes
    ----------
    model : str
    as_of : str
        The moment whose knowledge counted; ISO 8601.
    wish : str
        Who asked; empty for a monitor.
    action, reason : str
    state : dict
        All that was weighed, as `evergreen.lifecycle.retraining.State` has it.
    """

    model: str
    as_of: str
    wish: str
    action: str
    reason: str
    state: dict[str, Any]

    @property
    def asked(self) -> str:
        """Who asked."""
        return name_of(self.wish) or "monitor"


def enter(lake: Lake, model: str, state: State, decision: Decision) -> None:
    """Keep a decision; the same question again at the same moment replaces its answer."""
    import pyarrow as pa

    key = fingerprint([state.as_of.isoformat(), state.wish])
    kept = {
        "id": key,
        "as_of": state.as_of.to_pydatetime(),
        "wish": state.wish,
        "action": decision.action,
        "reason": decision.reason,
        "state": state.dump(),
    }
    types = [(name, pa.timestamp("us", tz="UTC") if name == "as_of" else pa.string()) for name in kept]
    lake.replace(model, DECISIONS, pa.Table.from_pylist([kept], schema=pa.schema(types)), f"id = {literal(key)}")


def read(
    lake: Lake, model: Named, most: int = 1000, until: pd.Timestamp | None = None, wished: bool | None = None
) -> list[Entry]:
    """The latest decisions on a model, newest first.

    Parameters
    ----------
    lake : Lake
    model : Model
    most : int
    until : Timestamp, optional
        Leave out what was decided after this moment.
    wished : bool, optional
        Only what somebody wished for, or only what a monitor decided; by default both.
    """
    if not lake.exists(model.name, DECISIONS):
        return []
    wanted = ["as_of <= $until"] if until is not None else []
    wanted += [f"(wish != '') = {wished}"] if wished is not None else []
    where = f"WHERE {' AND '.join(wanted)}" if wanted else ""
    bounds = {"most": most} | ({"until": until.to_pydatetime()} if until is not None else {})
    sql = f"SELECT * FROM {DECISIONS} {where} ORDER BY as_of DESC, wish LIMIT $most"
    found = lake.query(model, sql, bounds, tables=[DECISIONS])
    return [
        Entry(model.name, one["as_of"].isoformat(), one["wish"], one["action"], one["reason"], json.loads(one["state"]))
        for one in found.to_dict("records")
    ]


def standing(lake: Lake, model: Named) -> list[Entry]:
    """The newest decision on a model, and before it the monitor's alert that no later check has taken back.

    That another wish led to nothing says nothing beside such an alert.
    """
    newest = read(lake, model, most=1)
    watched = read(lake, model, most=1, wished=False) if newest and newest[0].wish else newest
    alarm = [one for one in watched if one.action == "alert" and one not in newest]
    return alarm + [one for one in newest if not alarm or one.action != "nothing"]


def heard(lake: Lake, model: Named, state: State) -> list[Entry]:
    """The decisions before this one that tell what a person knows: the last of a monitor, and of flows for theirs.

    That another wish led to nothing takes nothing back.
    """
    heard = _before(lake, model, state, wished=False, most=2)[:1]  # one of the very moment is not before it
    if state.wish:
        others = _before(lake, model, state, wished=True, most=100)
        heard += [one for one in others if one.action != "nothing" or one.asked == name_of(state.wish)][:1]
    return heard


def _before(lake: Lake, model: Named, state: State, *, wished: bool, most: int) -> list[Entry]:
    past = read(lake, model, most=most, until=state.as_of, wished=wished)
    return [one for one in past if pd.Timestamp(one.as_of) < state.as_of]
