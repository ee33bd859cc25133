"""The forms of MLflow's requests: JSON as columns and rows."""

import gc
from collections.abc import Callable, Sequence, Sized
from typing import Any

import orjson

from serving.errors import invalid, json_type, malformed

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
CheckSize = Callable[[Sized, int], None]


def parsed_json(body: bytes) -> Any:
    """Parse a body with the garbage collector disabled: it would scan millions of new lists repeatedly.

    Raises
    ------
    RequestError
        400 if it is not JSON.
    """
    gc.disable()
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise malformed(f"The body is not JSON: {error}.") from None
    finally:
        gc.enable()


def table(sent: Any, check_size: CheckSize) -> tuple[tuple[str, ...], Sequence[Sequence[Any]]]:
    """Columns and rows of a request, whichever form it has.

    Parameters
    ----------
    sent : object
        The body.
    check_size : callable
        Called with the columns and the number of rows before they are processed.

    Raises
    ------
    RequestError
        400 if it has no known form, 422 if its rows differ in their columns.
    """
    if type(sent) is not dict:
        raise malformed(f"The body is {json_type(sent)}; send an object with one of {', '.join(FORMS)}.")
    forms = [form for form in FORMS if form in sent]
    if len(forms) != 1 or (len(sent) > 1 and set(sent) - {*FORMS, "params"}):
        raise malformed(f"The body has {sorted(sent)[:8]}; send exactly one of {', '.join(FORMS)}.")
    if sent.get("params"):
        raise invalid("The model takes no params; leave them out.", "params")
    form, value = forms[0], sent[forms[0]]
    if form == "dataframe_split":
        return _split(value, check_size)
    if form == "inputs" and type(value) is dict:
        return _columns(value, check_size)
    return _records(form, value, check_size)


def _split(value: Any, check_size: CheckSize) -> tuple[tuple[str, ...], Sequence[Sequence[Any]]]:
    if type(value) is not dict or type(value.get("columns")) is not list or type(value.get("data")) is not list:
        raise malformed("dataframe_split should be an object with the lists 'columns' and 'data'.")
    if len(value) > 2 and set(value) - {"columns", "data", "index"}:
        raise malformed(f"dataframe_split has {sorted(value)[:8]}; it should have 'columns' and 'data'.")
    check_size(value["columns"], len(value["data"]))
    return tuple(value["columns"]), value["data"]


def _columns(value: dict[str, Any], check_size: CheckSize) -> tuple[tuple[str, ...], Sequence[Sequence[Any]]]:
    lengths = {len(column) if type(column) is list else 1 for column in value.values()}
    check_size(value, max(lengths, default=0))
    if len(lengths) > 1:
        raise invalid(f"The columns of inputs differ in length: {sorted(lengths)}.")
    lists = [column if type(column) is list else [column] for column in value.values()]
    return tuple(value), [list(row) for row in zip(*lists, strict=True)]


def _records(form: str, value: Any, check_size: CheckSize) -> tuple[tuple[str, ...], Sequence[Sequence[Any]]]:
    if type(value) is not list or not all(type(row) is dict for row in value):
        raise malformed(f"{form} should be a list of objects, one a row, each with the columns by name.")
    columns = tuple(value[0]) if value else ()
    check_size(columns, len(value))
    try:
        rows = [[row[name] for name in columns] for row in value]
    except KeyError as error:
        raise invalid(
            f"Not every row has the column {error.args[0]!r}; send null where it is missing.", error.args[0]
        ) from None
    for number, row in enumerate(value):
        if len(row) != len(columns):
            more = min(set(row) - set(columns))
            raise invalid(f"Row {number} has the column {more!r}, which row 0 has not; send null there.", more)
    return columns, rows
