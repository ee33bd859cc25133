"""The plot on the page of an experiment: the gain of each variant, period by period and over all of them."""

import math

import pandas as pd

from evergreen.evaluation.bootstrap import Interval
from evergreen.experiments.comparison import Compared, Result
from evergreen.reports.plot_style import GREY, as_svg, colour_of


def gains(compared: Compared) -> str:
    """Draw the gain of each variant over the model's own recipe in each period, and at the right over all.

    Returns
    -------
    str
        An SVG element.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[5, 1])
    drawn = [result for result in compared.variants if result.found != "failed"]
    for place, result in enumerate(drawn):
        _periods(left, result, place, len(drawn), pd.Timedelta(compared.step))
        _point(right, place, result.gain, place, size=8)
    for axes in (left, right):
        axes.axhline(0, color=GREY, linewidth=1)
        axes.grid(axis="y", alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    left.set(ylabel=f"gain in {compared.metric.replace('_', ' ')}", title="by period")
    right.set_xticks([])
    right.set(title="over all", xlim=(-0.6, max(len(drawn), 1) - 0.4))
    left.tick_params(axis="x", labelsize=9)
    if drawn:
        figure.legend(*left.get_legend_handles_labels(), loc="outside upper left", frameon=False, ncols=3, fontsize=9)
    return as_svg(figure)


def _periods(axes: object, result: Result, place: int, count: int, step: pd.Timedelta) -> None:
    for index, period in enumerate(result.periods):
        at = pd.Timestamp(period.since) + step * ((place + 1) / (count + 1))
        _point(axes, at, period.gain, place, label=result.name if index == 0 else None)


def _point(axes: object, at: object, gain: Interval, place: int, size: int = 5, label: str | None = None) -> None:
    reach = [[gain.value - gain.low], [gain.high - gain.value]] if math.isfinite(gain.low + gain.high) else None
    mark = "osD^v"[place % 5]
    axes.errorbar(  # type: ignore[attr-defined]
        [at], [gain.value], yerr=reach, fmt=mark, color=colour_of(place), capsize=3, markersize=size, label=label
    )
