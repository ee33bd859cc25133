"""Data quality: missing values, new categories, values out of range, as deviations from the reference."""

import math
from collections.abc import Mapping

from evergreen.drift.profile import Column
from evergreen.drift.thresholds import ROWS


def quality(reference: Mapping[str, Column], window: Mapping[str, Column], level: float) -> list[str]:
    """What is wrong with a window's data, which is no drift: a phrase for each thing.

    More missing than in the reference, categories that it did not hold, values far beyond its
    range. A share counts as more if it is beyond chance at `level` and by a tenth of all rows.

    Parameters
    ----------
    reference, window : dict of name to Column
    level : float
        The chance of one false phrase.
    """
    found = []
    for name, one in window.items():
        base = reference[name]
        if not one.rows or not base.rows:
            continue
        missing = (one.missing, base.missing)
        if _more(*missing, one.rows, base.rows, level):
            found.append(f"{name}: {missing[0]:.0%} missing, {missing[1]:.0%} in the reference")
        if one.bins.kind == "category":
            other = (_other(one), _other(base))
            if _more(*other, one.rows, base.rows, level):
                found.append(f"{name}: {other[0]:.0%} in new categories, {other[1]:.0%} in the reference")
        else:
            found += _out_of_range(name, base, one)
    return found


def _other(column: Column) -> float:
    return float(column.counts[:, -2].sum()) / column.rows


def _more(share: float, base: float, rows: int, base_rows: int, level: float) -> bool:
    """Whether a share grew by a tenth of all, and beyond chance (two proportions, pooled)."""
    from scipy.special import ndtri

    if share - base < 0.1:
        return False
    if rows < ROWS:
        return False  # the normal approximation says nothing of so few
    pooled = (share * rows + base * base_rows) / (rows + base_rows)
    error = math.sqrt(pooled * (1 - pooled) * (1 / rows + 1 / base_rows))
    return error == 0 or (share - base) / error > -float(ndtri(level))


def _out_of_range(name: str, base: Column, one: Column) -> list[str]:
    """Values farther outside the reference's range than that range is wide."""
    low, high = base.total().moments[0, 2:]
    seen_low, seen_high = one.total().moments[0, 2:]
    width = high - low
    far = [seen for seen, beyond in ((seen_low, low - seen_low), (seen_high, seen_high - high)) if beyond > width > 0]
    return [f"{name}: {seen:.6g}, far outside of {low:.6g} to {high:.6g}" for seen in far]
