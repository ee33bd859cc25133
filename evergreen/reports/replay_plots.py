"""The plots on the page of a replay: metrics and changes of champion over time, and quality against cost."""

import math
from typing import TYPE_CHECKING, Any

import pandas as pd

from evergreen.reports.monitoring_plots import line_chart
from evergreen.reports.plot_style import PALETTE, as_svg, colour_of

if TYPE_CHECKING:
    pass


def replayed(lines: dict[str, list[tuple[str, float]]], moves: dict[str, list[str]], unit: str) -> str:
    """Draw the metric of each policy over time, and below when each changed the champion.

    Parameters
    ----------
    lines : dict of policy to list of (ISO time, value)
    moves : dict of policy to list of ISO times
    unit : str
        What the values are.

    Returns
    -------
    str
        An SVG element.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6 + 0.3 * len(lines)), layout="constrained")
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=[12, 1 + len(lines)])
    for place, (name, line) in enumerate(lines.items()):
        look: dict[str, Any] = {"color": colour_of(place), "linestyle": "--" if place >= len(PALETTE) else "-"}
        line_chart(top, line, linewidth=1.8, label=name, **look)
        times = pd.to_datetime(moves.get(name, []))
        below.scatter(times, [-place] * len(times), marker="^", color=look["color"], s=26)
    top.set(ylabel=unit)
    top.grid(axis="y", alpha=0.25)
    top.legend(frameon=False, ncols=3, fontsize=9)
    below.set_yticks([-place for place in range(len(lines))], list(lines), fontsize=9)
    below.set(ylim=(-len(lines) + 0.4, 0.6), title="another version took over")
    below.title.set_fontsize(9)
    for axes in (top, below):
        axes.spines[["top", "right"]].set_visible(False)
    return as_svg(figure)


def costs(points: dict[str, tuple[float, float, float, float]], unit: str, best: str) -> str:
    """Draw quality against cost: a policy with better quality at lower cost is preferable.

    Parameters
    ----------
    points : dict of policy to (CPU seconds, value, low, high)
    unit : str
        What the values are.
    best : str
        The policy that is recommended.

    Returns
    -------
    str
        An SVG element.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.4), layout="constrained")
    axes = figure.subplots()
    for place, (name, (seconds, value, low, high)) in enumerate(points.items()):
        reach = [[value - low], [high - value]] if math.isfinite(low + high) else None
        axes.errorbar(seconds, value, yerr=reach, fmt="o", color=colour_of(place), capsize=3, markersize=7)
        weight = "bold" if name == best else "normal"
        axes.annotate(
            name, (seconds, value), (7, 5), textcoords="offset points", fontweight=weight, color=colour_of(place)
        )
    axes.set(xlabel="CPU seconds", ylabel=unit)
    axes.margins(x=0.12)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return as_svg(figure)
