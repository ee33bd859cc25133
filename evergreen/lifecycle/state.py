"""The state of a model that a decision weighs, read from the stores."""

from typing import TYPE_CHECKING

import pandas as pd

from evergreen.lake.lake import ROWS, Lake
from evergreen.lifecycle import decision_log
from evergreen.lifecycle.decision import State, in_a_row
from evergreen.registry.version import Version
from evergreen.stores import Stores
from evergreen.training.snapshot import Snapshot, maturity_of

if TYPE_CHECKING:
    from evergreen.definition.model import Model


def state(stores: Stores, model: "Model", trigger: str, as_of: pd.Timestamp) -> State:
    """The state of a model at a point in time, without the monitored fields.

    A training that was interrupted before its verdict was followed does not count: it is resumed.
    """
    versions = [version for version in stores.registry.versions(model.name) if not version.refit_of]
    settled = [version for version in versions if version.settled]
    champion = stores.registry.champion(model.name)
    last = settled[0] if settled else None
    return State(
        as_of=as_of,
        wish=trigger,
        last_trained=last.as_of if last else None,
        new_rows=_new_rows(stores.lake, model, last, as_of),
        pending=bool(settled) and versions[0] is not settled[0],
        rejections=_rejections(settled, champion),
        failures=_failures(stores.lake, model, last, as_of),
        champion=champion.number if champion else "",
        champion_age=_age(champion, as_of),
    )


def undecided(stores: Stores, model: "Model") -> dict[str, int]:
    """Batches landed since the last decision on a trigger and the last training, with the row count of each."""
    lake = stores.lake
    if not lake.exists(model.name):
        return {}
    versions = stores.registry.versions(model.name)
    start = pd.Timestamp(0, tz="UTC")
    # Of the newest version, not the latest time: a clock that was ahead once would hide all batches until then.
    trained = next((version.as_of for version in versions if version.as_of is not None), start)
    newest = lake.newest(model.name, "_arrived")
    if newest is not None and newest <= trained:  # most ingests find nothing, and need no query
        return {}
    decision_times = [pd.Timestamp(entry.as_of) for entry in decision_log.read(lake, model, most=1, triggered=True)]
    sql = f"""
        SELECT "_batch" AS batch, count(*) AS n FROM {ROWS}
        WHERE "_arrived" > $since GROUP BY "_batch" ORDER BY "_batch"
    """
    since = max([*decision_times, trained])
    batches = lake.query(model, sql, {"since": since.to_pydatetime()})
    return {str(batch): int(rows) for batch, rows in zip(batches["batch"], batches["n"], strict=True)}


def _new_rows(lake: Lake, model: "Model", last: Version | None, as_of: pd.Timestamp) -> int:
    if last is None:
        return 0
    snapshot = Snapshot(lake, model, lake.version(model.name), as_of, maturity_of(last))  # nothing is learned to count
    return snapshot.count(last.required(Version.holdout_until), as_of)


def _age(champion: Version | None, as_of: pd.Timestamp) -> pd.Timedelta | None:
    trained = champion.as_of if champion else None
    return None if trained is None else as_of - trained


def _rejections(settled: list[Version], champion: Version | None) -> int:
    """Verdicts since the champion's promotion that promoted no version, or one that was rolled back."""
    since = champion.promoted_at if champion else None
    later = [version for version in settled if _after(version.as_of, since)]
    return in_a_row(later, lambda version: version.rolled_back or version.decision != "promote")


def _failures(lake: Lake, model: "Model", last: Version | None, as_of: pd.Timestamp) -> int:
    """Trainings that were started since the last verdict, and reached none."""
    entries = decision_log.read(lake, model, most=20, until=as_of)
    trainings = [entry for entry in entries if entry.wish and entry.action == "train"]
    judged = last.as_of if last else None
    return sum(_after(pd.Timestamp(entry.as_of), judged) for entry in trainings)


def _after(time: pd.Timestamp | None, since: pd.Timestamp | None) -> bool:
    return since is None or (time is not None and time > since)
