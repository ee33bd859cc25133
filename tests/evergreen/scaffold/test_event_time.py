"""Which of several times of a row is that of its event."""

import numpy as np
import pandas as pd
import pytest

from evergreen.scaffold.reading import columns, event_time

RANDOM = np.random.default_rng(3)
DAY = pd.date_range("2025-06-01", periods=200, freq="D").repeat(2)
SPAN = pd.to_timedelta(RANDOM.integers(1, 200, 400), unit="D")
SECONDS = pd.to_timedelta(RANDOM.integers(0, 86_400 * 20, 400), unit="s")
NOW = pd.Timestamp("2026-06-01", tz="UTC")
BORN = pd.Timestamp("1940-01-01") + pd.to_timedelta(RANDOM.integers(0, 365 * 60, 400), unit="D")
TIMES = {  # columns, and which is the event's
    "a birth": ({"birth_date": BORN, "visit_date": DAY}, "visit_date"),
    "a birth in other words": ({"geburtstag": BORN, "besuch": DAY}, "besuch"),
    "due later": ({"due_date": DAY + SPAN, "start_date": DAY}, "start_date"),
    "later in other words": ({"faellig": DAY + SPAN, "beginn": DAY}, "beginn"),
    "changed later": ({"order_date": DAY, "updated_at": DAY + SECONDS}, "order_date"),
    "the day of it": ({"day": DAY, "time_of_sale": DAY + SECONDS % pd.Timedelta("1d")}, "time_of_sale"),
    "the year of it": ({"year": DAY.year, "sold_on": DAY}, "sold_on"),
    "nothing else": ({"updated_at": DAY + SECONDS}, "updated_at"),
}


@pytest.mark.parametrize("case", TIMES)
def test_the_time_of_the_event_is_chosen_among_others(case):
    table, right = TIMES[case]
    rows = pd.DataFrame(table).astype("str")
    assert event_time.find(rows, columns.read(rows), None, None, None, NOW).column == right
