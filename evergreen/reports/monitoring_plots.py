"""The plots of performance over time and of drift."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from evergreen.definition.metrics import Floats
from evergreen.reports.evaluation_plots import shortened
from evergreen.reports.plot_style import BLUE, GREEN, GREY, ORANGE, as_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def year(
    frozen: list[tuple[str, float]], fresh: list[tuple[str, float]], marks: dict[str, list[str]], unit: str
) -> str:
    """Draw the error over time, frozen against fresh, with the actions of the loop marked below.

    Parameters
    ----------
    frozen, fresh : list of (ISO time, value)
    marks : dict of kind to list of ISO times
        Kinds are keys of `MARKS`.
    unit : str
        What the values are.

    Returns
    -------
    str
        An SVG element, its text as paths, so that no font is asked for.
    """
    from matplotlib.figure import Figure

    figure, kinds = Figure(figsize=(11, 5.2), layout="constrained"), [kind for kind in MARKS if marks.get(kind)]
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=[5, 0.25 + 0.24 * max(len(kinds), 1)])
    for line, colour, label, place in (
        (frozen, ORANGE, "frozen: trained once, in January", 0.95),
        (fresh, BLUE, "fresh: retrained by its policy", 0.05),
    ):
        times, values = pd.to_datetime([time for time, _ in line]), [value for _, value in line]
        top.plot(times, values, color=colour, linewidth=2.2, marker="o", markersize=3.5)
        top.text(0.02, place, label, color=colour, fontweight="bold", transform=top.transAxes, va="center")
    top.set(ylabel=unit, ylim=(0, None))
    top.grid(axis="y", alpha=0.25)
    _marked(below, marks, kinds)
    for axes in (top, below):
        axes.spines[["top", "right"]].set_visible(False)
    return as_svg(figure)


def _marked(axes: Any, marks: dict[str, list[str]], kinds: list[str]) -> None:
    """A row for each kind, the first on top."""
    for place, kind in enumerate(kinds):
        marker, colour = MARKS[kind]
        axes.scatter(
            pd.to_datetime(marks[kind], format="ISO8601"),
            [-place] * len(marks[kind]),
            marker=marker,
            color=colour,
            s=34,
        )
    axes.set_yticks([-place for place in range(len(kinds))], kinds, fontsize=9)
    axes.set_ylim(-max(len(kinds), 1) + 0.4, 0.6)


@dataclass(frozen=True)
class Watched:
    """The data of the plots of a monitored model; times are ISO 8601.

    Attributes
    ----------
    metric : str
    realised : list of (time, value, low, high)
        Of windows with mature labels, by their end.
    estimated, judged : list of (time, value)
        The estimates before labels arrive, and the baseline of the champion at that time.
    marks : dict of kind to list of times
        Kinds are keys of `MARKS`.
    days : list of str
    columns : list of str
    drift : array (columns, days)
        Distance over threshold; NaN where there is none.
    backtested : str
        Up to when a backtest observed instead of a monitor; empty if none did.
    """

    metric: str
    realised: list[tuple[str, float, float, float]]
    estimated: list[tuple[str, float]]
    judged: list[tuple[str, float]]
    marks: dict[str, list[str]]
    days: list[str]
    columns: list[str]
    drift: Floats
    backtested: str = ""


def performance_over_time(seen: Watched) -> tuple[str, bytes]:
    """Draw realised performance with its interval, earlier estimates, and the actions taken.

    Returns
    -------
    str, bytes
        An SVG element, its text as paths, so that no font is asked for; and a small PNG.
    """
    from io import BytesIO

    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.8), layout="constrained")
    kinds = [kind for kind in MARKS if seen.marks.get(kind)]
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=[5, 0.25 + 0.28 * max(len(kinds), 1)])
    line_chart(
        top,
        seen.judged,
        color=GREY,
        linestyle="--",
        linewidth=1.6,
        drawstyle="steps-post",
        label="baseline",
    )
    line_chart(top, seen.estimated, color=ORANGE, linestyle=":", linewidth=2.0, label="estimated, before labels come")
    if seen.realised:
        times = pd.to_datetime([point[0] for point in seen.realised])
        _, values, low, high = zip(*seen.realised, strict=True)
        top.fill_between(times, low, high, color=BLUE, alpha=0.2, linewidth=0)
        top.plot(
            times, values, color=BLUE, linewidth=2.2, marker="o", markersize=3, label="realised, with 95 % interval"
        )
    if seen.backtested:
        began, ended = pd.to_datetime([seen.days[0], seen.backtested])
        top.axvspan(began, ended, color=GREY, alpha=0.12, linewidth=0, label="backtest")
    top.set(ylabel=seen.metric)
    top.grid(axis="y", alpha=0.25)
    top.legend(frameon=False, fontsize=9)
    _marked(below, seen.marks, kinds)
    for axes in (top, below):
        axes.spines[["top", "right"]].set_visible(False)
    _dated(below)
    small = BytesIO()
    figure.savefig(small, format="png", dpi=80)
    return as_svg(figure), small.getvalue()


def drift_map(seen: Watched) -> str:
    """Draw each column's distance from the reference, by day, as a multiple of its threshold; a dot marks drift.

    Returns
    -------
    str
        An SVG element.
    """
    from matplotlib.figure import Figure

    count = len(seen.columns)
    figure = Figure(figsize=(9, 1.2 + 0.26 * count), layout="constrained")
    axes = figure.subplots()
    days = pd.to_datetime(seen.days)
    edges = pd.DatetimeIndex([*days, days[-1] + (days[-1] - days[-2] if len(days) > 1 else pd.Timedelta(days=1))])
    shown = axes.pcolormesh(
        edges, np.arange(count + 1), np.ma.masked_invalid(seen.drift), cmap="cividis", vmin=0, vmax=2, rasterized=True
    )
    row, column = np.nonzero(seen.drift > 1)
    axes.scatter(
        days[column] + (edges[1] - edges[0]) / 2, row + 0.5, s=14, color="white", edgecolor="black", linewidth=0.6
    )
    axes.set_yticks(np.arange(count) + 0.5, [shortened(name) for name in seen.columns], fontsize=9)
    axes.invert_yaxis()
    axes.set_facecolor("#dddddd")
    figure.colorbar(shown, ax=axes, label="distance / threshold", extend="max", aspect=max(8, 2 * count))
    _dated(axes)
    return as_svg(figure)


def line_chart(axes: "Axes", line: list[tuple[str, float]], **drawn: Any) -> None:
    """Draw values over time; a single value, through which no line goes, as a dot."""
    if len(line) == 1:
        drawn |= {"marker": "o", "markersize": 5}
    if line:
        axes.plot(pd.to_datetime([time for time, _ in line]), [value for _, value in line], **drawn)


def _dated(axes: "Axes") -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


MARKS = {
    "promoted": ("^", GREEN),
    "rolled back": ("v", "#000000"),
    "an earlier version came back": ("<", BLUE),
    "rejected": ("x", ORANGE),
    "not enough evidence": ("o", GREY),
    "alarm": ("D", "#E69F00"),
    "estimated degradation": ("_", ORANGE),
    "batch in quarantine": ("s", "#CC79A7"),
}
