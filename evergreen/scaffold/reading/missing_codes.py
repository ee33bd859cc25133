"""Numbers that are written where a measurement is missing, such as -200 or 9999."""

import re
from dataclasses import replace

import pandas as pd

from evergreen.definition.parsing.number_format import NumberFormat
from evergreen.scaffold.reading.columns import ID_WORDS, Reading, numbers

_DIFFERENT = 20  # numbers, above which a column is a measurement
_FEWEST = 3  # rows that share a number before it may be a code
_NINES = re.compile(r"-?9{2,}")


def marked(readings: dict[str, Reading]) -> dict[str, Reading]:
    """The readings, with such numbers missing.

    A number is taken for one that is the least or the largest of a column, stands in several rows, is farther from all
    others than these are from each other, and is below 0 where all others are not, or is written with nines. In the
    other columns of the table it is one, too, if it lies outside of the rest. Identifiers have none.

    Parameters
    ----------
    readings : dict of column to Reading

    Examples
    --------
    >>> readings = {"co": Reading("number", pd.Series([*range(30), *[-200] * 4]))}
    >>> marked(readings)["co"].note
    'read as missing: -200 in 4 of 34 rows, far from all other values'
    """
    measured = {
        name: numbers(reading.values).dropna()
        for name, reading in readings.items()
        if reading.kind in ("number", "integer") and not ID_WORDS.search(name) and reading.values.nunique() > _DIFFERENT
    }
    extremes = {name: (float(values.min()), float(values.max())) for name, values in measured.items()}
    codes = {code for name, ends in extremes.items() for code in ends if _is_code(measured[name], code)}
    own = {
        name: [code for code in ends if code in codes and _lies_outside(measured[name], code)]
        for name, ends in extremes.items()
    }
    return readings | {name: _without(readings[name], found) for name, found in own.items() if found}


def _is_code(values: "pd.Series[float]", code: float) -> bool:
    if not code.is_integer():
        return False
    rest = values[values != code]
    if len(values) - len(rest) < _FEWEST:
        return False
    written = (code < 0 <= rest.min()) or _NINES.fullmatch(f"{code:.0f}") is not None
    return written and _distance(rest, code) > rest.max() - rest.min()


def _lies_outside(values: "pd.Series[float]", code: float) -> bool:
    rest = values[values != code]
    return (code < 0 <= rest.min()) or _distance(rest, code) > 0.5 * (rest.max() - rest.min())


def _distance(rest: "pd.Series[float]", code: float) -> float:
    return float((rest - code).abs().min())


def _without(reading: Reading, codes: list[float]) -> Reading:
    words = [f"{code:.0f}" for code in codes]
    parser = reading.parser if isinstance(reading.parser, NumberFormat) else NumberFormat()
    values = numbers(reading.values)
    found = values.isin(codes)
    told = f"read as missing: {', '.join(words)} in {found.sum():,} of {len(values):,} rows, far from all other values"
    parser = parser.model_copy(update={"missing": [*parser.missing, *words]})
    note = "; ".join(filter(None, [reading.note, told]))
    return replace(reading, kind="number", values=values.mask(found), parser=parser, note=note)
