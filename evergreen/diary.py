"""The diary: every decision with what was known when it was made, the one not to do anything too."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from evergreen.decision import Decision, State, trigger
from evergreen.lake import DECISIONS, Lake, Named
from evergreen.lineage import fingerprint

if TYPE_CHECKING:
    from evergreen.model import Model


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
        All that was weighed, as `evergreen.decision.State` has it.
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
        return trigger(self.wish) or "monitor"


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
    lake.replace(model, DECISIONS, pa.Table.from_pylist([kept], schema=pa.schema(types)), f"id = '{key}'")


def read(lake: Lake, model: Named, most: int = 1000, until: pd.Timestamp | None = None) -> list[Entry]:
    """The latest decisions on a model, newest first.

    Parameters
    ----------
    lake : Lake
    model : Model
    most : int
    until : Timestamp, optional
        Leave out what was decided after this moment.
    """
    if not lake.exists(model.name, DECISIONS):
        return []
    before = "WHERE as_of <= $until" if until is not None else ""
    bounds = {"most": most} | ({"until": until.to_pydatetime()} if until is not None else {})
    sql = f"SELECT * FROM {DECISIONS} {before} ORDER BY as_of DESC, wish LIMIT $most"  # noqa: S608
    found = lake.query(model, sql, bounds, tables=[DECISIONS])
    return [
        Entry(model.name, one["as_of"].isoformat(), one["wish"], one["action"], one["reason"], json.loads(one["state"]))
        for one in found.to_dict("records")
    ]


def before(lake: Lake, model: "Model", state: State) -> Entry | None:
    """The decision before this one that the same asked for: a monitor's, or a flow's that trains."""
    past = read(lake, model, most=20, until=state.as_of)
    return next((one for one in past if bool(one.wish) == bool(state.wish) and _earlier(one, state)), None)


def _earlier(one: Entry, state: State) -> bool:
    return pd.Timestamp(one.as_of) < state.as_of
