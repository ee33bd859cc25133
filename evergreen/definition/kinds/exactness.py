"""Which numbers a float does not hold, such as whole ones beyond 2**53; not a kind itself."""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

EXACT = 2**53  # floats hold every whole number up to it
_DIGITS = 15  # and every number of so many digits


def is_kept(value: object, number: float) -> bool:
    """Whether a float is the number that was given, by its exact value or by the digits that it is written with.

    Examples
    --------
    >>> is_kept("0.1", 0.1), is_kept(2**53 + 1, float(2**53 + 1)), is_kept(2**63, float(2**63))
    (True, False, True)
    """
    try:
        given = Decimal(str(value).strip())
    except InvalidOperation:  # a truth value
        return True
    return given in (Decimal(number), Decimal(repr(number)))


def altered(values: pd.Series[Any], numbers: pd.Series[float]) -> pd.Series[bool]:
    """Which of the values are others as floats; none that is missing or infinite, and none that came as a float.

    Parameters
    ----------
    values : Series
        As a source gave them.
    numbers : Series of float
        The same as floats.
    """
    import pandas as pd

    if values.dtype.kind == "f":
        return pd.Series(False, index=values.index)
    doubtful = numbers.abs() >= EXACT  # which 2**53 + 1 becomes
    if values.dtype.kind not in "iub":
        doubtful |= values.astype("str").str.len() > _DIGITS
    doubtful &= numbers.abs() < math.inf  # 1e999999999 has too many digits to write out
    lost = doubtful.to_numpy(dtype=bool, copy=True)
    suspects = zip(values[doubtful], numbers[doubtful], strict=True)
    lost[lost] = [not is_kept(value, float(number)) for value, number in suspects]
    return pd.Series(lost, index=values.index)


def restored(values: pd.Series[Any], numbers: pd.Series[float]) -> pd.Series[Any]:
    """The numbers; if a float does not hold some, whole ones as Python's own, and of the others those as decimals."""
    import pandas as pd

    lost = altered(values, numbers)
    if not lost.any():
        return numbers
    small = numbers.abs() < EXACT
    whole = numbers.astype("object").where(~(small & (numbers % 1 == 0)), numbers.where(small, 0).astype("int64"))
    whole[lost] = pd.Series([exact(str(value)) for value in values[lost]], dtype="object").to_numpy()
    return whole


def are_whole(numbers: pd.Series[Any]) -> pd.Series[bool]:
    """Which of the restored numbers have no fraction; no missing one has none."""
    if numbers.dtype.kind == "f":
        return numbers % 1 == 0
    return numbers.map(lambda number: isinstance(number, int) or (isinstance(number, float) and number % 1 == 0))


def exact(text: str) -> int | Decimal:
    """A number as it is written.

    Examples
    --------
    >>> exact("9007199254740993"), exact("9007199254740993.5")
    (9007199254740993, Decimal('9007199254740993.5'))
    """
    number = Decimal(text.strip())
    return int(number) if number == number.to_integral_value() else number
