"""What a batch comes to once it is checked: it lands, or is put into quarantine, and both are told."""

from typing import Any

import pandas as pd

from evergreen.definition.model import Model
from evergreen.ingestion import batch, label_feedback, quarantine
from evergreen.ingestion.batch import Checked, Ingested
from evergreen.lake.lake import INGEST
from evergreen.reports import html
from evergreen.stores import Stores
from tasks.support.events import keep, tell


def take_in(
    stores: Stores,
    model: Model,
    number: str,
    period: tuple[pd.Timestamp, pd.Timestamp],
    rows: pd.DataFrame,
    checked: Checked,
    as_of: pd.Timestamp,
    source: str,
    app: str = INGEST,
) -> Ingested:
    """Land a batch that meets its contract, and put any other aside, as its rows came; each is written once."""
    name, (since, until) = model.name, period
    notes = batch.in_words(checked.report.failures)
    made = Ingested(name, number, since.isoformat(), until.isoformat(), "empty", len(rows))
    if rows.empty:
        return made
    fate = "landed" if checked.report.success else "quarantined"
    told: dict[str, Any] = {"fate": fate, "rows": len(rows), "until": until.isoformat(), "notes": notes}
    keep(stores, "ingest", name, number, as_of, **told, source=source)
    if fate == "quarantined":
        entry = quarantine.entry_of(model, number, period, as_of, checked.report, app)
        stores.quarantine.hold(entry, rows, html.quarantined(entry))
        made = batch.put_aside(made, checked.report)
        tell(stores, "data.quarantined", name, {"batch": number, "rows": made.rows, "reasons": made.notes})
        return made
    good = label_feedback.kept(stores.lake, model, checked.rows) if app == INGEST else checked.rows
    landed = stores.lake.land(model, good, number, as_of, app=app, mark=until, warned=notes)
    made = batch.landed(made, landed, checked.report)
    told = {"batch": number, "rows": made.new, "corrected": made.corrected, "version": made.version}
    tell(stores, "data.ingested", name, told | {"warnings": notes})
    return made
