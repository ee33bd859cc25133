"""Releasing a batch from quarantine: a person says that the contract was wrong, not the data."""

import pandas as pd

from evergreen import contract
from evergreen.errors import QuarantineError
from evergreen.lake import Lake, Landed
from evergreen.lock import alone
from evergreen.model import Model
from evergreen.quarantine import Quarantine
from evergreen.schema import cast


def release(model: Model, batch: str, note: str) -> Landed:
    """Land a quarantined batch; once, however often this runs.

    Raises
    ------
    QuarantineError
        There is no such batch, it was dropped, or its rows do not fit the table itself: schema,
        unique keys, times.
    """
    lake, quarantine = Lake.open(), Quarantine.open()
    with alone(model.name, "ingest"):
        entry = quarantine.entry(model.name, batch)
        if entry.state == "dropped":
            raise QuarantineError(f"{model.name} {batch} was dropped before: {entry.note or 'no note'}.")
        until = pd.Timestamp(entry.until)
        rows, problems = cast(quarantine.rows(entry), model)
        broken = problems or contract.check(rows, contract.required(model, until)).failures
        if broken:
            why = "; ".join(f"{one.column}: {one.found}" for one in broken)
            raise QuarantineError(f"{model.name} {batch} cannot be released, the table could not hold it: {why}.")
        arrived = pd.Timestamp(entry.arrived)
        landed = lake.land(model, rows, batch, arrived, app=f"evergreen.release.{batch}", mark=until)
        quarantine.close(entry, "released", note)
    return landed
