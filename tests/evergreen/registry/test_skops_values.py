"""What estimators of users keep comes back as it was, without one more trusted type."""

import collections
import datetime
import decimal
import re

import numpy as np
import pandas as pd
import pytest
import skops.io

from evergreen.registry import skops_nodes
from evergreen.registry.model_store import load_estimator
from evergreen.registry.trusted import trusted_types

VALUES = {
    "series": pd.Series([1.0, np.nan], index=["a", "b"], name="mean"),
    "series without a name": pd.Series(["x", None], dtype="str"),
    "series by several": pd.Series([1, 2], index=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["g", None])),
    "frame": pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}, index=[3, 5]),
    "frame of numbers": pd.DataFrame(np.eye(2)),
    "empty frame": pd.DataFrame({"a": []}),
    "categories": pd.Series(["a", None, "b"], dtype="category"),
    "bins": pd.interval_range(0, 3, name="bins"),
    "index": pd.Index(["a", "b"], name="groups"),
    "range": pd.RangeIndex(3),
    "times": pd.date_range("2025", periods=3, tz="Europe/Berlin"),
    "array": pd.array([1, None], dtype="Int64"),
    "words": pd.Series(["a", "b"]).array,
    "kind": pd.CategoricalDtype(["a", "b"], ordered=True),
    "time": pd.Timestamp("2025-01-01 12:00", tz="Europe/Berlin"),
    "span": pd.Timedelta("3h"),
    "NaT": pd.NaT,
    "NA": pd.NA,
    "tuples": {("a", 1): 2.0, ("b", 2): 3.0},
    "booleans": {True: "yes", False: "no"},
    "nothing": {None: 1, "a": 2},
    "dates": {datetime.date(2025, 1, 1): 1},
    "timestamps": {pd.Timestamp("2025"): pd.Series([1.0])},
    "plain": {"a": 1, "b": [1, {2: 3.5}]},
    "counter": collections.Counter({("a", "b"): 2}),
    "ordered": collections.OrderedDict([((1, 2), 3)]),
    "default": collections.defaultdict(float, {1: 0.5, (2, 3): 1.0}),
    "days": [datetime.date(2025, 1, 1), datetime.datetime(2025, 1, 1), decimal.Decimal("1.5"), range(3)],
    "pattern": re.compile("a+", re.IGNORECASE),
    "deque": collections.deque([1, 2], maxlen=5),
    "complex": 1 + 2j,
}


def kept(value):
    skops_nodes.register()
    stored = skops.io.dumps({"value": value})
    return load_estimator(stored, trusted_types(stored, []), "a test")["value"]


@pytest.mark.parametrize("name", VALUES)
def test_a_value_comes_back_as_it_was(name):
    value = VALUES[name]
    found = kept(value)
    assert type(found) is type(value)
    if isinstance(value, pd.Series | pd.DataFrame | pd.Index):
        assert found.equals(value)
        assert getattr(found, "name", None) == getattr(value, "name", None)
        assert getattr(found, "index", found).equals(getattr(value, "index", value))
    elif isinstance(value, pd.api.extensions.ExtensionArray):
        assert found.equals(value)
    elif "timestamps" in name:
        assert list(found) == list(value)
    else:
        assert repr(found) == repr(value)


def test_what_would_come_back_changed_is_refused():
    skops_nodes.register()
    for value in (
        pd.Series([1, "a"], dtype=object),
        pd.Series([{1, 2}], dtype=object),
        pd.DataFrame({"a": [object()]}),
    ):
        with pytest.raises(TypeError, match="Arrow"):
            skops.io.dumps(value)
