"""Where a model stands: the state that a decision weighs, looked up in the stores."""

from typing import TYPE_CHECKING

import pandas as pd

from evergreen.lake.lake import ROWS, Lake
from evergreen.lifecycle import decision_log
from evergreen.lifecycle.retraining import State, in_a_row
from evergreen.registry.version import Version
from evergreen.stores import Stores
from evergreen.training.snapshot import Snapshot

if TYPE_CHECKING:
    from evergreen.definition.model import Model


def state(stores: Stores, model: "Model", wish: str, as_of: pd.Timestamp) -> State:
    """What is known of a model at a moment, beside what a monitor sees.

    A training that died before its verdict had followed through was none: it is taken up again.
    """
    versions = [version for version in stores.registry.versions(model.name) if not version.refit_of]
    settled = [version for version in versions if version.settled]
    champion = stores.registry.champion(model.name)
    last = settled[0] if settled else None
    return State(
        as_of=as_of,
        wish=wish,
        last_trained=last.as_of if last else None,
        new_rows=_new_rows(stores.lake, model, last, as_of),
        pending=bool(settled) and versions[0] is not settled[0],
        rejections=_rejections(settled, champion),
        failures=_failures(stores.lake, model, last, as_of),
        champion=champion.number if champion else "",
        champion_age=_age(champion, as_of),
    )


def undecided(stores: Stores, model: "Model") -> dict[str, int]:
    """Batches that have landed since a wish was last decided on or a version trained, and how many rows of each."""
    lake = stores.lake
    if not lake.exists(model.name):
        return {}
    decided = [pd.Timestamp(one.as_of) for one in decision_log.read(lake, model, most=1, wished=True)]
    sql = f"""
        SELECT "_batch" AS batch, max("_arrived") AS landed, count(*) AS n FROM {ROWS}
        WHERE "_arrived" > $since GROUP BY "_batch" ORDER BY "_batch"
    """
    since = max(decided, default=pd.Timestamp(0, tz="UTC"))
    found = lake.query(model, sql, {"since": since.to_pydatetime()})
    versions = stores.registry.versions(model.name) if len(found) else []
    trained = max((version.as_of or since for version in versions), default=since)
    later = found[found["landed"] > trained]
    return {str(batch): int(rows) for batch, rows in zip(later["batch"], later["n"], strict=True)}


def _new_rows(lake: Lake, model: "Model", last: Version | None, as_of: pd.Timestamp) -> int:
    if last is None:
        return 0
    return Snapshot.pin(lake, model, as_of).count(last.required(Version.holdout_until), as_of)


def _age(champion: Version | None, as_of: pd.Timestamp) -> pd.Timedelta | None:
    trained = champion.as_of if champion else None
    return None if trained is None else as_of - trained


def _rejections(settled: list[Version], champion: Version | None) -> int:
    """Verdicts since the champion was promoted that promoted nobody, or somebody who was rolled back."""
    since = champion.promoted_at if champion else None
    later = [version for version in settled if _after(version.as_of, since)]
    return in_a_row(later, lambda version: version.rolled_back or version.decision != "promote")


def _failures(lake: Lake, model: "Model", last: Version | None, as_of: pd.Timestamp) -> int:
    """Trainings that were decided on since the last verdict, and came to none."""
    asked = [one for one in decision_log.read(lake, model, most=20, until=as_of) if one.wish and one.action == "train"]
    judged = last.as_of if last else None
    return sum(_after(pd.Timestamp(one.as_of), judged) for one in asked)


def _after(moment: pd.Timestamp | None, since: pd.Timestamp | None) -> bool:
    return since is None or (moment is not None and moment > since)
