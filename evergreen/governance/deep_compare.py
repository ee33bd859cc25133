"""The first difference between two objects, to the last bit, by the parts that pickling would write."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

_PLAIN = (str, bytes, int, complex, type(None), np.generic, np.dtype, pd.Timestamp, pd.Timedelta)
_IDS = ("._stop_words_id",)  # attributes that hold where another one lies in memory: TfidfVectorizer's
Seen = dict[tuple[int, int], tuple[Any, Any]]  # pairs by their ids; kept alive, since an id can be reused


def difference(recorded: Any, now: Any, where: str = "") -> str:
    """Describe the first difference of two objects; empty if there is none.

    Floats are equal if they are the same number, or both NaN; arrays also if they have one type.

    Examples
    --------
    >>> difference({"a": [1.0, 2.0]}, {"a": [1.0, 2.5]}, "x")
    'x.a[1]: 2.0 then, 2.5 now'
    >>> difference(np.array([1.0, np.nan]), np.array([1.0, np.nan]))
    ''
    """
    return _walk(recorded, now, where, {})


def _walk(recorded: Any, now: Any, where: str, seen: Seen) -> str:
    if recorded is now or (id(recorded), id(now)) in seen:
        return ""
    if type(recorded) is not type(now):
        return _describe(where, f"a {type(recorded).__name__}", f"a {type(now).__name__}")
    if isinstance(recorded, float | np.floating):
        return "" if recorded == now or (math.isnan(recorded) and math.isnan(now)) else _describe(where, recorded, now)
    if isinstance(recorded, _PLAIN):
        return "" if recorded == now else _describe(where, recorded, now)
    if hasattr(recorded, "__qualname__"):  # classes and functions
        names = [f"{thing.__module__}.{thing.__qualname__}" for thing in (recorded, now)]
        return "" if names[0] == names[1] else _describe(where, *names)
    seen[id(recorded), id(now)] = recorded, now
    return _parts(recorded, now, where, seen)


def _parts(recorded: Any, now: Any, where: str, seen: Seen) -> str:
    if isinstance(recorded, np.ndarray):
        return _arrays(recorded, now, where, seen)
    if isinstance(recorded, pd.Series | pd.DataFrame | pd.Index):
        return "" if recorded.equals(now) else _describe(where, "a table", "another")
    recorded_parts, now_parts = _inside(recorded), _inside(now)
    recorded_names, now_names = ([name for name, _ in named_parts] for named_parts in (recorded_parts, now_parts))
    if recorded_names != now_names:
        return _describe(where, f"the parts {recorded_names}", now_names)
    return _first(((a, b, where + name) for (name, a), (_, b) in zip(recorded_parts, now_parts, strict=True)), seen)


def _inside(thing: Any) -> list[tuple[str, Any]]:
    """The parts of an object, each with its name."""
    if isinstance(thing, dict):
        return [(f".{key}", value) for key, value in thing.items() if f".{key}" not in _IDS]
    if isinstance(thing, set | frozenset):
        return _inside(sorted(thing, key=repr))
    if isinstance(thing, np.random.RandomState):  # its current state counts, not its seed
        return _inside(thing.get_state())
    if isinstance(thing, list | tuple):
        return [(f"[{place}]", value) for place, value in enumerate(thing)]
    return [("", list(part) if hasattr(part, "__next__") else part) for part in thing.__reduce_ex__(4)]


def _first(pairs: Iterable[tuple[Any, Any, str]], seen: Seen) -> str:
    return next((text for recorded, now, where in pairs if (text := _walk(recorded, now, where, seen))), "")


def _arrays(recorded: Any, now: Any, where: str, seen: Seen) -> str:
    if recorded.dtype != now.dtype or recorded.shape != now.shape:
        return _describe(where, f"an array {recorded.dtype}{list(recorded.shape)}", f"{now.dtype}{list(now.shape)}")
    if recorded.dtype.names:  # field by field: bytes between them can be uninitialised
        return _first(((recorded[name], now[name], f"{where}.{name}") for name in recorded.dtype.names), seen)
    if recorded.dtype == object:
        return _walk(recorded.ravel().tolist(), now.ravel().tolist(), where, seen)
    same = (recorded == now) | ((recorded != recorded) & (now != now))
    if same.all():
        return ""
    place = int(np.flatnonzero(~same.ravel())[0])
    return _describe(f"{where}[{place}]", recorded.ravel()[place], now.ravel()[place])


def _describe(where: str, recorded: Any, now: Any) -> str:
    return f"{where.removeprefix('.') or 'it'}: {recorded} then, {now} now"
