"""Served: what the prediction service answered, as the lake keeps it."""

from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from evergreen.lake import SERVED, Lake

if TYPE_CHECKING:
    import pyarrow as pa


def land(lake: Lake, model: str, lines: list[tuple[dict[str, Any], dict[str, Any]]], app: str, number: int) -> None:
    """Append a model's answered predictions to its table, once, however often it is tried.

    Parameters
    ----------
    lake : Lake
    model : str
    lines : list of (line, head)
        Of one segment of the log: columns of values, and the kinds of these columns.
    app, number : str, int
        Who wrote the segment, and its number, which is above those of all before it.

    Raises
    ------
    LakeError
        The table cannot be written.
    """
    import pyarrow as pa

    together = pa.concat_tables([table(line, head) for line, head in lines], promote_options="default")
    lake.append(model, SERVED, together, once=(app, number))


def table(line: dict[str, Any], head: dict[str, Any]) -> "pa.Table":
    """What was answered together, a row a prediction.

    Returns
    -------
    pyarrow.Table
        ``_id``, ``_time`` (when it was asked), ``_version``, ``_latency`` (ms), ``_answers`` (the
        number, or the probabilities of the version's classes in their order), then every column
        that was sent, by its kind.
    """
    import pyarrow as pa

    moments = pa.timestamp("us", tz="UTC")
    columns = {
        "_id": pa.array(line["ids"], pa.string()),
        "_time": pa.array(line["asked"], pa.int64()).cast(moments),
        "_version": pa.array([head["version"]] * len(line["ids"]), pa.string()),
        "_latency": pa.array(line["latency"], pa.float64()),
        "_answers": pa.array(line["answers"], pa.list_(pa.float64())),
    }
    types: dict[str, Any] = {
        "number": pa.float64(),
        "integer": pa.int64(),
        "boolean": pa.bool_(),
        "datetime": moments,
    }
    kinds = head["features"] | head["beside"]
    turned = dict(zip(head["features"], zip(*line["rows"], strict=True), strict=True)) | line["beside"]
    for name, values in turned.items():
        plain = [_moment(one, head["timezone"]) for one in values] if kinds[name] == "datetime" else list(values)
        columns[name] = pa.array(plain, types.get(kinds[name], pa.string()))
    return pa.table(columns)


def _moment(text: str | None, timezone: str) -> datetime | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(timezone))
