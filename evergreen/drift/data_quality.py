"""Data quality: missing values, new categories, values out of range, as deviations from the reference."""

import math
from collections.abc import Mapping

from evergreen.drift.profile import Column
from evergreen.drift.thresholds import ROWS


def quality(reference: Mapping[str, Column], window: Mapping[str, Column], level: float) -> list[str]:
    """The data quality problems of a window, a phrase for each; they do not count as drift.

    The checks: more missing values than in the reference, new categories, values far outside its range.
    A share counts as higher if it exceeds chance at `level` and grew by at least a tenth of all rows.

    Parameters
    ----------
    reference, window : dict of name to Column
    level : float
        The probability of a false alarm in one comparison.
    """
    problems = []
    for name, column in window.items():
        base = reference[name]
        if not column.rows or not base.rows:
            continue
        missing = (column.missing, base.missing)
        if _more(*missing, column.rows, base.rows, level):
            problems.append(f"{name}: {missing[0]:.0%} missing, {missing[1]:.0%} in the reference")
        if column.bins.kind == "category":
            other = (_other(column), _other(base))
            if _more(*other, column.rows, base.rows, level):
                problems.append(f"{name}: {other[0]:.0%} in new categories, {other[1]:.0%} in the reference")
        else:
            problems += _out_of_range(name, base, column)
    return problems


def _other(column: Column) -> float:
    return float(column.counts[:, -2].sum()) / column.rows


def _more(share: float, base: float, rows: int, base_rows: int, level: float) -> bool:
    """Whether a share grew by at least a tenth of all rows and beyond chance (two proportions, pooled)."""
    from scipy.special import ndtri

    if share - base < 0.1:
        return False
    if rows < ROWS:
        return False  # too few for the normal approximation
    pooled = (share * rows + base * base_rows) / (rows + base_rows)
    error = math.sqrt(pooled * (1 - pooled) * (1 / rows + 1 / base_rows))
    return (share - base) / error > -float(ndtri(level))


def _out_of_range(name: str, base: Column, column: Column) -> list[str]:
    """Values farther outside the reference's range than that range is wide, as distances: a value is a single row's."""
    low, high = base.total().moments[0, 2:]
    seen_low, seen_high = column.total().moments[0, 2:]
    width = high - low
    beyond = {"below": low - seen_low, "above": seen_high - high}
    return [
        f"{name}: values far {side} the reference's range, by {distance / width:.2g} times its width"
        for side, distance in beyond.items()
        if distance > width > 0
    ]
