"""Pictures of a training and of its judging (the only module that imports matplotlib)."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen import fitting
from evergreen.metric import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from evergreen.evaluation import Evidence
    from evergreen.model import Model

    Picture: TypeAlias = Figure  # so that whoever passes one on need not know matplotlib

# Okabe and Ito's palette, which is told apart by the colour-blind.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#8A8A8A"
_PALETTE = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9", GREY)


def judged(
    model: "Model",
    target: NDArray[Any],
    predictions: dict[str, Floats],
    importance: dict[str, float],
    evidence: "Evidence",
) -> "Figure":
    """One picture of how a challenger did on its holdout: fit, importance and slices."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 7.5))
    columns = 2 if model.task == "regression" else 3
    # Fixed margins: to have them computed (constrained layout) takes longer than all the drawing.
    room = {"left": 0.15, "right": 0.98, "top": 0.91, "bottom": 0.07, "wspace": 0.2 * columns, "hspace": 0.3}
    axes = figure.subplots(2, columns, gridspec_kw=room)
    if model.task == "regression":
        _residuals(axes[0][0], target, predictions)
        places = [axes[0][1], axes[1][0], axes[1][1]]
        _agreement(places[0], target, predictions["challenger"])
    else:
        _reliability(axes[0][0], target, predictions)
        _curve(axes[0][1], target, predictions, "ROC")
        _curve(axes[0][2], target, predictions, "precision and recall")
        places = [axes[1][2], axes[1][0], axes[1][1]]
        places[0].axis("off")
    _bars(places[1], importance, f"permutation importance ({evidence.metric})")
    _slices(places[2], evidence)
    figure.suptitle(f"{model.name}: {evidence.rows:,} rows of holdout, {evidence.since:.10} to {evidence.until:.10}")
    return figure


def permutation_importance(
    model: "Model",
    estimator: Any,
    rows: pd.DataFrame,
    target: NDArray[Any],
    classes: NDArray[Any] | None,
    sample: int = 1000,
) -> dict[str, float]:
    """By how much the metric worsens when one feature is shuffled (Breiman 2001), on a sample."""
    random = np.random.default_rng(model.seed)
    chosen = np.sort(random.permutation(len(rows))[:sample])
    part, truth = rows.iloc[chosen].reset_index(drop=True), target[chosen]
    shuffled = [part] + [
        part.assign(**{name: part[name].sample(frac=1, random_state=model.seed).array}) for name in model.features
    ]
    stacked = fitting.predict(model, estimator, pd.concat(shuffled, ignore_index=True), classes)
    scores = [model.metric.score(truth, made) for made in np.split(stacked, len(shuffled))]
    gains = model.metric.gain(np.array(scores[:1]), np.array(scores[1:]))
    return dict(sorted(zip(model.features, gains.tolist(), strict=True), key=lambda item: -item[1]))


def _residuals(axes: "Axes", target: NDArray[Any], predictions: dict[str, Floats]) -> None:
    drawn = [("challenger", BLUE)] + ([("champion", ORANGE)] if "champion" in predictions else [])
    found = np.abs(target - predictions["challenger"])
    reach = float(np.quantile(found[np.isfinite(found)], 0.99)) if np.isfinite(found).any() else 1.0
    for name, colour in drawn:
        axes.hist(
            np.clip(predictions[name] - target, -reach, reach),
            bins=60,
            range=(-reach, reach),
            histtype="step",
            color=colour,
            label=name,
        )
    axes.set(title="residuals (prediction minus target)", xlabel="residual", ylabel="rows")
    axes.legend(frameon=False)


def _agreement(axes: "Axes", target: NDArray[Any], prediction: Floats) -> None:
    chosen = slice(None, None, max(1, len(target) // 3000))
    axes.scatter(prediction[chosen], target[chosen], s=3, alpha=0.3, color=BLUE, rasterized=True)
    axes.axline((float(np.mean(target)),) * 2, slope=1, color=GREY, linewidth=1)
    axes.set(title="target against prediction", xlabel="prediction", ylabel="target")


def _reliability(axes: "Axes", target: NDArray[Any], predictions: dict[str, Floats]) -> None:
    for name, colour in (("challenger", BLUE), ("champion", ORANGE)):
        if name in predictions:
            probability = predictions[name][:, -1]
            truth = (target == predictions[name].shape[1] - 1).astype(float)
            groups = np.array_split(np.argsort(probability), 10)
            points = [(probability[group].mean(), truth[group].mean()) for group in groups if len(group)]
            axes.plot(*zip(*points, strict=True), marker="o", markersize=3, color=colour, label=name)
    axes.axline((0, 0), slope=1, color=GREY, linewidth=1)
    axes.set(title="calibration", xlabel="predicted", ylabel="observed")
    axes.legend(frameon=False)


def _curve(axes: "Axes", target: NDArray[Any], predictions: dict[str, Floats], kind: str) -> None:
    from sklearn.metrics import precision_recall_curve, roc_curve

    for name, colour in (("challenger", BLUE), ("champion", ORANGE)):
        if name in predictions:
            truth = target == predictions[name].shape[1] - 1
            score = np.nan_to_num(predictions[name][:, -1])
            if kind == "ROC":
                x, y, _ = roc_curve(truth, score)
            else:
                y, x, _ = precision_recall_curve(truth, score)
            axes.plot(x, y, color=colour, label=name)
    axes.set(
        title=kind,
        xlabel="false positive rate" if kind == "ROC" else "recall",
        ylabel="true positive rate" if kind == "ROC" else "precision",
    )


def _bars(axes: "Axes", values: dict[str, float], title: str) -> None:
    shown = list(values.items())[:15][::-1]
    axes.barh([_short(name) for name, _ in shown], [value for _, value in shown], color=BLUE)
    axes.set(title=title)
    axes.tick_params(axis="y", labelsize=8)


def _slices(axes: "Axes", evidence: "Evidence") -> None:
    shown = sorted(evidence.slices, key=lambda one: -one.rows)[:20][::-1]
    names = [f"{_short(f'{one.column} {one.value}')} ({one.rows:,})" for one in shown]
    places = range(len(names))
    axes.scatter([one.challenger for one in shown], places, color=BLUE, zorder=2)
    champions = [math.nan if one.champion is None else one.champion for one in shown]
    axes.scatter(champions, places, color=ORANGE, marker="|", s=90)
    axes.set_yticks(places, names)
    axes.set(title=f"{evidence.metric} by slice")
    axes.set_visible(bool(shown))
    axes.tick_params(axis="y", labelsize=8)
    axes.grid(axis="x", alpha=0.3)


def _short(name: str, most: int = 24) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def year(
    frozen: list[tuple[str, float]], fresh: list[tuple[str, float]], marks: dict[str, list[str]], unit: str
) -> str:
    """Draw the error over time, frozen against fresh, with what the loop did marked below.

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
        times, values = pd.to_datetime([one for one, _ in line]), [value for _, value in line]
        top.plot(times, values, color=colour, linewidth=2.2, marker="o", markersize=3.5)
        top.text(0.02, place, label, color=colour, fontweight="bold", transform=top.transAxes, va="center")
    top.set(ylabel=unit, ylim=(0, None))
    top.grid(axis="y", alpha=0.25)
    _marked(below, marks, kinds)
    for axes in (top, below):
        axes.spines[["top", "right"]].set_visible(False)
    return _svg(figure)


def _marked(axes: Any, marks: dict[str, list[str]], kinds: list[str]) -> None:
    """A row for each kind, the first on top."""
    for place, kind in enumerate(kinds):
        marker, colour = MARKS[kind]
        axes.scatter(pd.to_datetime(marks[kind]), [-place] * len(marks[kind]), marker=marker, color=colour, s=34)
    axes.set_yticks([-place for place in range(len(kinds))], kinds, fontsize=9)
    axes.set_ylim(-max(len(kinds), 1) + 0.4, 0.6)


def replayed(lines: dict[str, list[tuple[str, float]]], moves: dict[str, list[str]], unit: str) -> str:
    """Draw how policies did over time, and below when each let another version take over.

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
        look: dict[str, Any] = {"color": _colour(place), "linestyle": "--" if place >= len(_PALETTE) else "-"}
        _line(top, line, linewidth=1.8, label=name, **look)
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
    return _svg(figure)


def costs(points: dict[str, tuple[float, float, float, float]], unit: str, best: str) -> str:
    """Draw quality against cost: what is nearer to the good corner at less cost is the better policy.

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
        axes.errorbar(seconds, value, yerr=reach, fmt="o", color=_colour(place), capsize=3, markersize=7)
        weight = "bold" if name == best else "normal"
        axes.annotate(
            name, (seconds, value), (7, 5), textcoords="offset points", fontweight=weight, color=_colour(place)
        )
    axes.set(xlabel="CPU seconds", ylabel=unit)
    axes.margins(x=0.12)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return _svg(figure)


def _colour(place: int) -> str:
    return _PALETTE[place % len(_PALETTE)]


def _svg(figure: "Figure") -> str:
    from io import StringIO

    from matplotlib import rc_context

    drawn = StringIO()
    with rc_context({"svg.hashsalt": "evergreen"}):
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    return "".join(drawn.getvalue().partition("<svg")[1:])


@dataclass(frozen=True)
class Watched:
    """What is drawn of a model that is watched; times are ISO 8601.

    Attributes
    ----------
    metric : str
    realised : list of (time, value, low, high)
        Of windows whose labels have ripened, by their end.
    estimated, judged : list of (time, value)
        Before labels come, and what the champion of the time had at its judging.
    marks : dict of kind to list of times
        Kinds are keys of `MARKS`.
    days : list of str
    columns : list of str
    drift : array (columns, days)
        Distance over threshold; NaN where there is none.
    """

    metric: str
    realised: list[tuple[str, float, float, float]]
    estimated: list[tuple[str, float]]
    judged: list[tuple[str, float]]
    marks: dict[str, list[str]]
    days: list[str]
    columns: list[str]
    drift: Floats


def performance_over_time(seen: Watched) -> tuple[str, bytes]:
    """Draw realised performance with its interval, what was estimated before, and what was done about it.

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
    _line(top, seen.judged, color=GREY, linestyle="--", linewidth=1.6, drawstyle="steps-post", label="at the judging")
    _line(top, seen.estimated, color=ORANGE, linestyle=":", linewidth=2.0, label="estimated, before labels come")
    if seen.realised:
        times = pd.to_datetime([one[0] for one in seen.realised])
        _, values, low, high = zip(*seen.realised, strict=True)
        top.fill_between(times, low, high, color=BLUE, alpha=0.2, linewidth=0)
        top.plot(
            times, values, color=BLUE, linewidth=2.2, marker="o", markersize=3, label="realised, with 95 % interval"
        )
    top.set(ylabel=seen.metric)
    top.grid(axis="y", alpha=0.25)
    top.legend(frameon=False, fontsize=9)
    _marked(below, seen.marks, kinds)
    for axes in (top, below):
        axes.spines[["top", "right"]].set_visible(False)
    _dated(below)
    small = BytesIO()
    figure.savefig(small, format="png", dpi=80)
    return _svg(figure), small.getvalue()


def drift_map(seen: Watched) -> str:
    """Draw how far each column lay from the reference, by day, in thresholds; a dot marks what is beyond its own.

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
    axes.set_yticks(np.arange(count) + 0.5, [_short(name) for name in seen.columns], fontsize=9)
    axes.invert_yaxis()
    axes.set_facecolor("#dddddd")
    figure.colorbar(shown, ax=axes, label="distance / threshold", extend="max", aspect=max(8, 2 * count))
    _dated(axes)
    return _svg(figure)


def _line(axes: "Axes", line: list[tuple[str, float]], **drawn: Any) -> None:
    if line:
        axes.plot(pd.to_datetime([one for one, _ in line]), [value for _, value in line], **drawn)


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
    "batch in quarantine": ("s", "#CC79A7"),
}
