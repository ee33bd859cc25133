"""The plots of monitoring."""

import pytest
from matplotlib.figure import Figure

from evergreen.reports.monitoring_plots import line_chart

DAYS = ["2013-01-01", "2013-01-02", "2013-01-03"]


@pytest.mark.parametrize(("count", "marker"), [(1, "o"), (2, "None"), (3, "None")])
def test_a_single_value_is_a_dot_since_no_line_goes_through_it(count, marker):
    axes = Figure().subplots()
    line_chart(axes, [(day, 1.0) for day in DAYS[:count]], linestyle="--")
    assert [line.get_marker() for line in axes.lines] == [marker]


def test_no_value_draws_nothing():
    axes = Figure().subplots()
    line_chart(axes, [])
    assert not axes.lines
