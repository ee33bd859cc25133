"""Posted labels: what callers told the service of rows that the lake has from a source of its own."""

from typing import TYPE_CHECKING

import orjson
import pandas as pd

from evergreen.definition.kinds.table import kind_of
from evergreen.definition.sources import DAWN
from evergreen.ingestion.sources.served import Served
from evergreen.lake.arrow import positions
from evergreen.lake.lake import LABELS, ROWS, Lake
from evergreen.row_id import matches
from evergreen.sql import RESERVED, column, columns, same, stored

if TYPE_CHECKING:
    from evergreen.definition.model import Model

_VALUE, _ROW = f"{RESERVED}value", f"{RESERVED}row"
POSTED = "evergreen.labels"  # the application id whose transaction version says up to when they have been taken in
_LATE = pd.Timedelta(minutes=10)  # a commit may be seen later than the moment that it carries


def heard(lake: Lake, model: "Model") -> bool:
    """Whether there are labels of rows that have another source; those of `Served` come with its rows."""
    return not isinstance(model.source, Served) and lake.exists(model.name, LABELS) and lake.exists(model.name)


def since(*marks: pd.Timestamp | None) -> pd.Timestamp:
    """From when labels have not been taken in, by how far they have landed and have been put into quarantine."""
    known = [mark for mark in marks if mark is not None]
    return max(known) - _LATE if known else DAWN


def corrected(lake: Lake, model: "Model", since: pd.Timestamp, until: pd.Timestamp) -> pd.DataFrame:
    """The rows that a label makes other than they are, with it: target as it was sent, and when it became known.

    The last label that came for an id speaks, from the newest moment that was given with any of them. Where the
    source tells when its label became known, the newer of both holds; else the one that was sent.

    Parameters
    ----------
    lake : Lake
    model : Model
    since, until : Timestamp
        When the label, or the row that it had waited for, reached the lake.

    Returns
    -------
    DataFrame
        The declared columns.
    """
    there = lake.columns(model.name)
    plain = [one for one in model.columns if one not in about(model)]
    kept = [column(one, ROWS) if one in there else f"NULL AS {column(one)}" for one in plain]
    told = [f'said."_known" AS {column(model.label_time)}'] if model.label_time else []
    when = f' OR {column(model.label_time, ROWS)} IS DISTINCT FROM said."_known"' if model.label_time else ""
    typed, label = _typed(model), column(model.target, ROWS)
    sql = f"""
        SELECT {", ".join([*kept, *told])}, said."_value" AS "{_VALUE}" FROM {ROWS} JOIN {_said(model)}
        WHERE (said."_landed" >= $since OR rows."_arrived" >= $since) AND {_newer(model, ROWS)}
        AND ({label} IS DISTINCT FROM {typed} OR ({typed} IS NULL AND said."_value" <> 'null'){when})
        ORDER BY {columns([model.time, *model.key], ROWS)}
    """
    bounds = {"since": since.to_pydatetime(), "until": until.to_pydatetime()}
    found = lake.query(model, sql, bounds, tables=[ROWS, LABELS])
    values = pd.Series([orjson.loads(one) for one in found[_VALUE]], index=found.index, dtype="object")
    return found.assign(**{model.target: values})[list(model.columns)]


def about(model: "Model") -> list[str]:
    """The columns of a row's label."""
    return [*([model.label_time] if model.label_time else []), model.target]


def kept(lake: Lake, model: "Model", rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the source, with the labels that were sent for them and stand in the lake, where those hold.

    A source that is asked again gives a row as it knows it, which may be without its label.
    """
    if rows.empty or not heard(lake, model):
        return rows
    import pyarrow as pa

    first, label = model.key[0], about(model)
    there = column(model.target, ROWS)
    sql = f"""
        SELECT given."_row" AS "{_ROW}", {columns(label, ROWS)}
        FROM given JOIN {ROWS} ON {same(model.key, "given", ROWS)} JOIN {_said(model)}
        WHERE {column(first, ROWS)} BETWEEN $low AND $high AND {_newer(model, "given")}
        AND ({there} = {_typed(model)} OR ({there} IS NULL AND said."_value" = 'null'))
        ORDER BY given."_row"
    """
    low, high = rows[first].agg(["min", "max"]).tolist()
    bounds = {"low": low, "high": high, "until": pd.Timestamp.max.tz_localize("UTC").floor("s").to_pydatetime()}
    given = pa.Table.from_pandas(rows[list(dict.fromkeys([*model.key, *label]))], preserve_index=False)
    given = given.rename_columns([stored(name) for name in given.column_names])
    beside = {"given": given.append_column("_row", positions(len(rows)))}
    found = lake.query(model, sql, bounds, tables=[ROWS, LABELS], beside=beside).set_index(_ROW)
    ours = rows.reset_index(drop=True)
    for name in label:
        ours.loc[found.index, name] = found[name].astype(ours[name].dtype)
    return ours


_SAID = f"""(
    SELECT *, max("_known") OVER (PARTITION BY "_id") AS "_said" FROM {LABELS} WHERE "_landed" < $until
    QUALIFY row_number() OVER (PARTITION BY "_id" ORDER BY "_arrived" DESC, "_known" DESC) = 1
) AS said"""


def _said(model: "Model") -> str:
    """What was said last of each row, and how it is joined to the table of rows.

    Of a key of several columns there may be two ids of one row, from before and after its parts were escaped.
    """
    match = matches('said."_id"', model.key, ROWS)
    if len(model.key) == 1:
        return f"{_SAID} ON {match}"
    key = columns(model.key, ROWS)
    return f"""(
        SELECT {key}, said.* FROM {ROWS} JOIN {_SAID} ON {match}
        QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY said."_arrived" DESC, said."_known" DESC) = 1
    ) AS said ON {same(model.key, "said", ROWS)}"""


def _typed(model: "Model") -> str:
    assert model.target_kind is not None
    return kind_of(model.target_kind).label_sql('said."_value"')


def _newer(model: "Model", beside: str) -> str:
    """Whether what was said holds beside the label of a row."""
    if not model.label_time:
        return "true"
    known, label = column(model.label_time, beside), column(model.target, beside)
    return f'({label} IS NULL OR {known} IS NULL OR {known} <= said."_said")'
