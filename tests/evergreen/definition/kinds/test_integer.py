"""Whole numbers, however they come: exact to 64 bits, and told where they are not."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from evergreen.definition.kinds.register import kind_of

EXACT = [
    (["9007199254740993", "2"], [9007199254740993, 2]),
    (["9007199254740993", None], [9007199254740993, None]),
    (pd.Series([2**53 + 1, None], dtype="Int64"), [2**53 + 1, None]),
    (["9007199254740993", "7.0"], [9007199254740993, 7]),
    ([Decimal(2**53 + 1), None], [9007199254740993, None]),
    ([2**63 - 1, -(2**63)], [2**63 - 1, -(2**63)]),
    (["7.0", "8"], [7, 8]),
    ([7.0, None], [7, None]),
    ([Decimal(3), None], [3, None]),
    ([True, None], [1, None]),
    ([None, None], [None, None]),
]


@pytest.mark.parametrize(("given", "expected"), EXACT)
def test_no_digit_is_lost(given, expected):
    values = given if isinstance(given, pd.Series) else pd.Series(given)
    cast, problem = kind_of("integer").cast(values, "UTC", nullable=True)
    assert problem == ""
    assert [None if pd.isna(value) else int(value) for value in cast] == expected


WRONG = [
    ([1.7e308, 1.0], "1 of 2 rows have more than 64 bits; declare the column a number: 1.7e"),
    (["18446744073709551615", "1"], "1 of 2 rows have more than 64 bits.*: '18446744073709551615'"),
    (np.array([2**64 - 1], dtype="uint64"), "1 of 1 rows have more than 64 bits"),
    ([1.5], "1 of 1 rows are not whole: 1.5"),
    (["9007199254740993.5", "7"], "1 of 2 rows are not whole: '9007199254740993.5'"),
    (["a", "1"], "1 of 2 rows hold no number: 'a'"),
    ([np.inf, 1.0], "1 of 2 rows are infinite"),
    ([1, None], "1 of 2 rows are missing; declare the column a number if that is right$"),
    ([None, None, None], "3 of 3 rows are missing; is the column still in the source[?]$"),
]


@pytest.mark.parametrize(("given", "says"), WRONG)
def test_what_is_no_whole_number_is_told(given, says):
    _, problem = kind_of("integer").cast(pd.Series(given), "UTC")
    assert pd.Series([problem]).str.match(says).all(), problem
