"""Features that copy a number to be predicted but for a scale and a little noise, such as one measured after it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from evergreen.scaffold.reading.columns import numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evergreen.definition.options import Kind

    Floats = NDArray[np.floating[Any]]

_ALIKE = 0.98  # squared rank correlation, from which on a feature is looked at closely
_DIGIT = 0.01  # of the variance: an error of a tenth of the target's spread, so that a feature tells its first digit
_TENTH = 0.1  # of what the best rival leaves unexplained
_FEWEST, _MOST = 40, 20_000  # rows that it is judged by
_SERIES = 5  # rows that a group has on average at least, so that it is a series


def found(
    rows: pd.DataFrame,
    features: "dict[str, Kind]",
    target: str,
    times: "pd.Series[pd.Timestamp]",
    key: Sequence[str] = (),
) -> dict[str, str]:
    """Numbers that tell nearly all of the target, and far more than anything else does; with the evidence.

    A feature is named if it leaves less than a hundredth of the target's variance unexplained (so it tells the
    target's first digit), and less than a tenth of what the best rival leaves. The rivals are what an honest feature
    comes from: the other columns and the calendar, by a line and by boosted trees, and the last known value of the
    target, of the whole table and of each series in it. All is fitted on the earlier half of the rows and judged on the
    later. So neither the value of the hour before, nor a second station, nor a number that grows as the target does is
    named: the last value tells as much. Both numbers are definitions (a digit, a tenth) and were not fitted to data.

    Parameters
    ----------
    rows : DataFrame
        Typed, with the target; every row of a time, since the last value of a sample is none.
    features : dict of column to kind
    target : str
        A number.
    times : Series of Timestamp
        Of the same rows.
    key : sequence of str
        Columns of the key, which may tell series apart.
    """
    order = np.argsort(times.to_numpy(), kind="stable")
    rows, times = rows.iloc[order], times.iloc[order]
    answer, some = numbers(rows[target]), slice(None, None, -(-len(rows) // _MOST) or 1)
    measured = {name: numbers(rows[name].iloc[some]) for name, kind in features.items() if kind == "number"}
    ranks = answer.iloc[some].rank()
    alike = {name: values for name, values in measured.items() if values.rank().corr(ranks) ** 2 >= _ALIKE}
    shares = {name: _of_one(values, answer.iloc[some]) for name, values in alike.items()}
    near = {name: share for name, share in shares.items() if 1 - share < _DIGIT}
    if not near or len(rows) < _FEWEST:
        return {}
    others = [name for name in features if name not in alike]
    rival = max(_last(rows, answer, key, features), _of_others(rows[others], answer, times))
    return {
        name: f"it alone tells {share:.2%} of the target, and all else {max(rival, 0.0):.0%}: is it known before?"
        for name, share in near.items()
        if 1 - share < _TENTH * (1 - rival)
    }


def _of_one(values: "pd.Series[float]", answer: "pd.Series[float]") -> float:
    """The share that a line, or a curve that only rises or falls, explains of the later half."""
    from sklearn.isotonic import IsotonicRegression

    known = np.isfinite(values.to_numpy()) & np.isfinite(answer.to_numpy())
    x, y = values.to_numpy()[known], answer.to_numpy()[known]
    if len(y) < _FEWEST:
        return 0.0
    half = len(y) // 2
    curve = IsotonicRegression(increasing="auto", out_of_bounds="clip").fit(x[:half], y[:half])
    slope, start = np.polyfit(x[:half], y[:half], 1) if np.ptp(x[:half]) else (0.0, 0.0)
    return max(_share(y[half:], slope * x[half:] + start), _share(y[half:], curve.predict(x[half:])))


def _share(truth: "Floats", told: "Floats") -> float:
    """The share of the variance that is explained, below 0 if it is worse than the mean."""
    known = np.isfinite(told) & np.isfinite(truth)
    spread = ((truth[known] - truth[known].mean()) ** 2).sum() if known.any() else 0.0
    return 1 - float(((truth[known] - told[known]) ** 2).sum() / spread) if spread else 0.0


def _last(rows: pd.DataFrame, answer: "pd.Series[float]", key: Sequence[str], features: "dict[str, Kind]") -> float:
    """The share that the last value explains, of all rows or of the series of a column or of the key's columns."""
    half = len(answer) // 2
    columns = [[name] for name, kind in features.items() if kind == "category"] + [[name] for name in key]
    groups = [some for some in [*columns, list(key)] if some and set(some) <= set(rows.columns)]
    last = [answer.shift()]
    for some in groups:
        numbered = rows.groupby(some, dropna=False, sort=False).ngroup()
        if 1 < numbered.nunique() <= len(rows) / _SERIES:
            last.append(answer.groupby(numbered).shift())
    truth = answer.to_numpy()[half:]
    return max(_share(truth, values.to_numpy()[half:]) for values in last)


def _of_others(rows: pd.DataFrame, answer: "pd.Series[float]", times: "pd.Series[pd.Timestamp]") -> float:
    """The share that the other columns and the calendar explain of the later half."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import RidgeCV

    calendar = {"hour": times.dt.hour, "weekday": times.dt.day_of_week, "day": times.dt.dayofyear}
    own = {
        str(name): numbers(values)
        if pd.api.types.is_numeric_dtype(values)
        else pd.Series(pd.factorize(values)[0], values.index)
        for name, values in rows.items()
    }
    table = pd.DataFrame(calendar | own).astype("float64")
    step = -(-len(table) // _MOST)
    table, truth = table.iloc[::step], answer.iloc[::step]
    x, y = table[truth.notna()].to_numpy(), truth.dropna().to_numpy()
    half = len(y) // 2
    x = x[:, np.isfinite(x[:half]).any(axis=0)]  # what has no value yet tells nothing
    trees = HistGradientBoostingRegressor(random_state=0).fit(x[:half], y[:half]).predict(x[half:])
    middle, spread = np.nanmean(x[:half], axis=0), np.nanstd(x[:half], axis=0)
    plain = np.nan_to_num((x - middle) / np.where(spread > 0, spread, 1.0))
    line = RidgeCV(np.logspace(-3, 3, 7)).fit(plain[:half], y[:half]).predict(plain[half:])
    return max(_share(y[half:], trees), _share(y[half:], line))
