"""The first difference between two objects, to the last bit, found by walking what pickling would write."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

_PLAIN = (str, bytes, int, complex, type(None), np.generic, np.dtype, pd.Timestamp, pd.Timedelta)
Seen = dict[tuple[int, int], tuple[Any, Any]]  # pairs by their ids; they are held, since an id is given again


def difference(recorded: Any, now: Any, where: str = "") -> str:
    """Say where two objects differ first; empty if nowhere.

    Floats are equal if they are the same number, or both NaN; arrays also if they have one type.

    Examples
    --------
    >>> difference({"a": [1.0, 2.0]}, {"a": [1.0, 2.5]}, "x")
    'x.a[1]: 2.0 then, 2.5 now'
    >>> difference(np.array([1.0, np.nan]), np.array([1.0, np.nan]))
    ''
    """
    return _walk(recorded, now, where, {})


def _walk(one: Any, other: Any, where: str, seen: Seen) -> str:
    if one is other or (id(one), id(other)) in seen:
        return ""
    if type(one) is not type(other):
        return _told(where, f"a {type(one).__name__}", f"a {type(other).__name__}")
    if isinstance(one, float | np.floating):
        return "" if one == other or (math.isnan(one) and math.isnan(other)) else _told(where, one, other)
    if isinstance(one, _PLAIN):
        return "" if one == other else _told(where, one, other)
    if hasattr(one, "__qualname__"):  # classes and functions
        names = [f"{thing.__module__}.{thing.__qualname__}" for thing in (one, other)]
        return "" if names[0] == names[1] else _told(where, *names)
    seen[id(one), id(other)] = one, other
    return _parts(one, other, where, seen)


def _parts(one: Any, other: Any, where: str, seen: Seen) -> str:
    if isinstance(one, np.ndarray):
        return _arrays(one, other, where, seen)
    if isinstance(one, pd.Series | pd.DataFrame | pd.Index):
        return "" if one.equals(other) else _told(where, "a table", "another")
    parts, others = _inside(one), _inside(other)
    names, theirs = ([name for name, _ in some] for some in (parts, others))
    if names != theirs:
        return _told(where, f"the parts {names}", theirs)
    return _first(((a, b, where + name) for (name, a), (_, b) in zip(parts, others, strict=True)), seen)


def _inside(one: Any) -> list[tuple[str, Any]]:
    """What an object is made of, each part with its name."""
    if isinstance(one, dict):
        return [(f".{key}", value) for key, value in one.items()]
    if isinstance(one, set | frozenset):
        return _inside(sorted(one, key=repr))
    if isinstance(one, np.random.RandomState):  # what it would give next counts, not what it was first seeded with
        return _inside(one.get_state())
    if isinstance(one, list | tuple):
        return [(f"[{place}]", value) for place, value in enumerate(one)]
    return [("", list(part) if hasattr(part, "__next__") else part) for part in one.__reduce_ex__(4)]


def _first(pairs: Iterable[tuple[Any, Any, str]], seen: Seen) -> str:
    return next((found for one, other, where in pairs if (found := _walk(one, other, where, seen))), "")


def _arrays(one: Any, other: Any, where: str, seen: Seen) -> str:
    if one.dtype != other.dtype or one.shape != other.shape:
        return _told(where, f"an array {one.dtype}{list(one.shape)}", f"{other.dtype}{list(other.shape)}")
    if one.dtype.names:  # field by field: between them may be bytes that nobody wrote
        return _first(((one[name], other[name], f"{where}.{name}") for name in one.dtype.names), seen)
    if one.dtype == object:
        return _walk(one.ravel().tolist(), other.ravel().tolist(), where, seen)
    same = (one == other) | ((one != one) & (other != other))
    if same.all():
        return ""
    place = int(np.flatnonzero(~same.ravel())[0])
    return _told(f"{where}[{place}]", one.ravel()[place], other.ravel()[place])


def _told(where: str, then: Any, now: Any) -> str:
    return f"{where.removeprefix('.') or 'it'}: {then} then, {now} now"
