"""Values that skops cannot store, or gives back changed: pandas objects, dicts of any keys, patterns and others.

A class of the user's often keeps one: means by group are a Series. Each is turned into plain values or Arrow's format,
and rebuilt from these alone, so nothing of a file runs.
"""

import io
import re
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any

import pandas as pd

_PLAIN_KEYS = (str, int, float)
_DICTS: dict[str, type] = {kind.__name__: kind for kind in (dict, OrderedDict, Counter)}
_NOTHING = {"NaT": pd.NaT, "NA": pd.NA}


def encoded_dict(value: dict[Any, Any]) -> tuple[str, Any] | None:
    """The kind and the plain values of a dict; None of one that skops stores well, or of another class."""
    if type(value) is defaultdict:
        plain = all(isinstance(key, str) for key in value)
        return None if plain else ("default", [value.default_factory, dict(value)])
    if type(value).__name__ not in _DICTS or _has_plain_keys(value):
        return None
    return "pairs", [type(value).__name__, [[*pair] for pair in value.items()]]


def _has_plain_keys(value: dict[Any, Any]) -> bool:
    return all((isinstance(key, _PLAIN_KEYS) and not isinstance(key, bool)) or hasattr(key, "item") for key in value)


def _arrow(frame: pd.DataFrame) -> bytes:
    """A frame as a stream of Arrow, which keeps its index and its types.

    Raises
    ------
    TypeError
        It would come back changed.
    """
    import pyarrow as pa

    try:
        table, sink = pa.Table.from_pandas(frame), io.BytesIO()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        same = _frame(sink.getvalue()).equals(frame)
    except Exception as error:  # of Arrow, of pandas, or of a value's own class
        raise TypeError(f"Arrow has no form for it: {error}") from error
    if not same:
        raise TypeError("it comes back from Arrow's format changed, as mixed types do")
    return sink.getvalue()


def _frame(stream: bytes) -> pd.DataFrame:
    import pyarrow as pa

    with pa.ipc.open_stream(stream) as reader:
        frame: pd.DataFrame = reader.read_pandas()
    return frame


def _column(values: Any) -> bytes:
    return _arrow(pd.DataFrame({"value": values}))


def _scalar(stream: bytes) -> Any:
    return _frame(stream)["value"].iloc[0]


def _series(content: tuple[bytes, Any]) -> "pd.Series[Any]":
    series = _frame(content[0])["value"]
    series.name = content[1]
    return series


def _nothing(value: Any) -> str:
    return "NaT" if value is pd.NaT else "NA"


ENCODERS: list[tuple[str, tuple[type, ...], Callable[[Any], Any]]] = [
    ("frame", (pd.DataFrame,), _arrow),
    ("series", (pd.Series,), lambda series: (_column(series), series.name)),
    ("index", (pd.Index,), lambda index: _arrow(pd.DataFrame(index=index))),
    ("intervals", (pd.IntervalIndex,), lambda index: [index.left, index.right, str(index.closed), index.name]),
    ("array", (pd.api.extensions.ExtensionArray,), lambda array: _column(pd.Series(array))),
    ("scalar", (pd.Timestamp, pd.Timedelta, pd.Period), lambda value: _column(pd.Series([value]))),
    ("nothing", (type(pd.NaT), type(pd.NA)), _nothing),
    ("categories", (pd.CategoricalDtype,), lambda kind: [kind.categories, bool(kind.ordered)]),
    ("pattern", (re.Pattern,), lambda pattern: [pattern.pattern, pattern.flags]),
    ("deque", (deque,), lambda values: [list(values), values.maxlen]),
    ("complex", (complex,), lambda value: [value.real, value.imag]),
]
DECODERS: dict[str, Callable[[Any], Any]] = {
    "frame": _frame,
    "series": _series,
    "index": lambda stream: _frame(stream).index,
    "intervals": lambda content: pd.IntervalIndex.from_arrays(*content),
    "array": lambda stream: _frame(stream)["value"].array,
    "scalar": _scalar,
    "nothing": lambda name: _NOTHING[name],
    "categories": lambda content: pd.CategoricalDtype(*content),
    "pattern": lambda content: re.compile(*content),
    "deque": lambda content: deque(*content),
    "complex": lambda content: complex(*content),
    "pairs": lambda content: _DICTS[content[0]](dict(map(tuple, content[1]))),
    "default": lambda content: defaultdict(content[0], content[1]),
}
