"""Plots of a training and of its evaluation."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evergreen.definition.metrics import Floats
from evergreen.reports.plot_style import BLUE, GREY, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from evergreen.definition.model import Model
    from evergreen.evaluation.comparison import Comparison
    from evergreen.evaluation.evidence import Evidence


def judged(model: "Model", trial: "Comparison") -> "Figure":
    """One plot of a challenger's evaluation on its holdout: fit, importance and slices."""
    from matplotlib.figure import Figure

    target, predictions, evidence = trial.target, trial.predictions, trial.evidence
    figure = Figure(figsize=(13, 7.5))
    columns = 2 if model.task == "regression" else 3
    # Fixed margins: a constrained layout takes longer than all the drawing.
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
    _bars(places[1], trial.importance(), f"permutation importance ({evidence.metric})")
    _slices(places[2], evidence)
    figure.suptitle(f"{model.name}: {evidence.rows:,} rows of holdout, {evidence.since:.10} to {evidence.until:.10}")
    return figure


def _residuals(axes: "Axes", target: NDArray[Any], predictions: dict[str, Floats]) -> None:
    drawn = [("challenger", BLUE)] + ([("champion", ORANGE)] if "champion" in predictions else [])
    errors = np.abs(target - predictions["challenger"])
    reach = float(np.quantile(errors[np.isfinite(errors)], 0.99)) if np.isfinite(errors).any() else 1.0
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
    axes.barh([shortened(name) for name, _ in shown], [value for _, value in shown], color=BLUE)
    axes.set(title=title)
    axes.tick_params(axis="y", labelsize=8)


def _slices(axes: "Axes", evidence: "Evidence") -> None:
    shown = sorted(evidence.slices, key=lambda slice_: -slice_.rows)[:20][::-1]
    names = [f"{shortened(f'{slice_.column} {slice_.value}')} ({slice_.rows:,})" for slice_ in shown]
    places = range(len(names))
    axes.scatter([slice_.challenger for slice_ in shown], places, color=BLUE, zorder=2)
    champions = [math.nan if slice_.champion is None else slice_.champion for slice_ in shown]
    axes.scatter(champions, places, color=ORANGE, marker="|", s=90)
    axes.set_yticks(places, names)
    axes.set(title=f"{evidence.metric} by slice")
    axes.set_visible(bool(shown))
    axes.tick_params(axis="y", labelsize=8)
    axes.grid(axis="x", alpha=0.3)


def shortened(name: str, most: int = 24) -> str:
    """A name cut to at most so many characters."""
    return name if len(name) <= most else f"{name[: most - 1]}…"
