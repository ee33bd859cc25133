"""Numbers in the writing of many countries and programs: read as what they mean, or left as text."""

import pandas as pd
import pytest

from evergreen import NumberFormat
from evergreen.scaffold.reading import columns

COLUMNS = {  # as they are written, and what they mean; None for text
    "a minus behind": (["57.84-", "12.10", "3.00-"], [-57.84, 12.1, -3.0]),
    "a minus behind, and a unit": (["57,84- €", "12,10 €", "1.003,00-€"], [-57.84, 12.1, -1003.0]),
    "a minus behind, by commas": (["1,057.84-", "12.10", "3.00-"], [-1057.84, 12.1, -3.0]),
    "spaces that do not break": (["5\u00a0126,40", "12,10", "1\u00a0005\u00a0126,40"], [5126.4, 12.1, 1005126.4]),
    "narrow spaces": (["5\u202f126,40", "12,10", "5\u2009126,40"], [5126.4, 12.1, 5126.4]),
    "as in Switzerland": (["5\u2019126.40", "12.10", "1\u2019005\u2019126.40"], [5126.4, 12.1, 1005126.4]),
    "as in Switzerland, typed": (["5'126.40", "12.10", "1'005'126.40"], [5126.4, 12.1, 1005126.4]),
    "as in India": (["1,05,126.40", "12.10", "99,01,05,126"], [105126.4, 12.1, 990105126.0]),
    "a fraction below one": (["0,078", "0,512", "1,250"], [0.078, 0.512, 1.25]),
    "codes": (["007", "7", "0012"], None),
    "codes with a word": (["00017", "00018", "n/a"], None),
    "zip codes": (["10115", "01067", "80331"], None),
    "a unit with a sign": (["5 kWh-eq", "7 kWh-eq", "8 kWh-eq"], None),
}


@pytest.mark.parametrize("case", COLUMNS)
def test_numbers_are_read_as_they_are_meant(case):
    written, meant = COLUMNS[case]
    found = columns.reading(pd.Series(written))
    if meant is None:
        assert (found.kind, found.values.tolist()) == ("category", written)
        return
    assert isinstance(found.parser, NumberFormat)
    assert found.values.tolist() == pytest.approx(meant)
    assert [found.parser.value([text], "UTC") for text in written] == pytest.approx(meant)


POINTS, COMMAS = ["94.935", "512", "1.234"], ["94,935", "51,201", "1,234"]
TABLES = {  # a column, one beside it, whether a semicolon stands between them, and what the first means
    "thousands beside commas": (POINTS, ["1,5", "2,25", "0,1"], False, [94935, 512, 1234]),
    "a point by itself": (POINTS, ["a", "b", "c"], True, [94.935, 512, 1.234]),
    "too long for thousands": (["94.935", "5120"], ["1,5", "2,25"], False, [94.935, 5120]),
    "commas by semicolons": (COMMAS, ["a", "b", "c"], True, [94.935, 51.201, 1.234]),
    "commas by commas": (COMMAS, ["a", "b", "c"], False, [94935, 51201, 1234]),
    "commas beside points": (COMMAS, ["1.5", "2", "0.1"], True, [94935, 51201, 1234]),
}


@pytest.mark.parametrize("case", TABLES)
def test_a_comma_or_point_before_three_digits_means_what_the_table_shows(case):
    written, beside, semicolons, meant = TABLES[case]
    found = columns.read(pd.DataFrame({"x": written, "y": beside}), comma=semicolons)["x"]
    assert found.values.tolist() == pytest.approx(meant)
