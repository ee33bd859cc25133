"""A row of a `dataframe_split` in the form that each other server reads, and the path that it is sent to."""

from typing import Any


def split(columns: list[str], row: list[Any]) -> dict[str, Any]:
    """As it is: LitServe leaves the form to the handler."""
    return {"dataframe_split": {"columns": columns, "data": [row]}}


def records(columns: list[str], row: list[Any]) -> dict[str, Any]:
    """BentoML's: arguments by name, rows as records."""
    return {"rows": [dict(zip(columns, row, strict=True))]}


def tensors(columns: list[str], row: list[Any]) -> dict[str, Any]:
    """The open inference protocol, MLServer's: a tensor for each column, and that they are a frame's."""
    text = {"datatype": "BYTES", "parameters": {"content_type": "str"}}
    inputs = [
        {"name": name, "shape": [1], "data": [value]} | (text if isinstance(value, str) else {"datatype": "FP64"})
        for name, value in zip(columns, row, strict=True)
    ]
    return {"parameters": {"content_type": "pd"}, "inputs": inputs}


FORMS = {
    "bentoml": (records, "invocations"),
    "litserve": (split, "invocations"),
    "mlserver": (tensors, "v2/models/late/infer"),
}
