"""Estimated performance: what a model's metric is likely to be on rows whose labels have not come."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.definition.metrics import METRICS, Floats, Metric
from evergreen.json_record import JsonRecord
from evergreen.monitoring.error_tree import ErrorTree

if TYPE_CHECKING:
    from evergreen.definition.model import Model


@dataclass(frozen=True)
class Curve:
    """A calibration curve of one class: the probability that was said, and the share that came.

    Attributes
    ----------
    said, came : list of float
        Knots; in between is a straight line, beyond the ends the end's value.
    """

    said: list[float]
    came: list[float]

    @classmethod
    def fit(cls, probability: Floats, truth: NDArray[np.bool_]) -> "Curve":
        """Isotonic regression: a better chance is never said to be worse.

        (Zadrozny and Elkan, "Transforming Classifier Scores into Accurate Multiclass
        Probability Estimates", KDD 2002.)

        Examples
        --------
        >>> Curve.fit(np.array([0.1, 0.2, 0.8, 0.9]), np.array([False, True, False, True]))
        Curve(said=[0.1, 0.2, 0.8, 0.9], came=[0.0, 0.5, 0.5, 1.0])
        """
        from sklearn.isotonic import IsotonicRegression

        fitted = IsotonicRegression(y_min=0, y_max=1).fit(probability, truth.astype(np.float64))
        return cls(fitted.X_thresholds_.tolist(), fitted.y_thresholds_.tolist())

    def __call__(self, probability: Floats) -> Floats:
        """The share to expect; NaN stays NaN."""
        return np.interp(probability, self.said, self.came)


@dataclass(frozen=True)
class Learnt(JsonRecord):
    """What an estimator has learnt from a holdout: of classes a curve each, of numbers a tree."""

    curves: list[Curve]
    tree: ErrorTree | None


@dataclass(frozen=True)
class Estimator:
    """Estimates the metric of one fitted model's predictions on rows without labels.

    For classes it is confidence-based: the calibrated probabilities say how often each label is
    to be expected, and the metric is taken over what is to be expected (Kivimäki, Białek,
    Nurminen and Kuberski, "Confidence-based Estimators for Predictive Performance in Model
    Monitoring", arXiv 2407.08649, 2024). For numbers a small tree says from features and
    prediction what error is to be expected of each row (direct loss estimation, as NannyML's
    documentation has it). Either follows the rows to where the model is known to do well or
    badly; neither can know that what the model has learnt no longer holds.

    Attributes
    ----------
    model : Model
        Its task, metric and features.
    learnt : Learnt
    """

    model: "Model"
    learnt: Learnt

    @classmethod
    def fit(cls, model: "Model", rows: pd.DataFrame, prediction: Floats, target: NDArray[Any]) -> "Estimator":
        """Learn from labelled rows that the predicting model was not trained on, such as its holdout.

        Parameters
        ----------
        model : Model
        rows : DataFrame
            With the features.
        prediction : array (n,) or (n, classes)
        target : array (n,)
            Numbers, or the position of each row's class.
        """
        if not len(rows):
            return cls(model, Learnt([], None))
        if model.task == "regression":
            alone = np.arange(len(rows))
            sums = model.metric.sums(target, prediction, alone, len(rows))
            return cls(model, Learnt([], ErrorTree.fit(model, rows, prediction, sums)))
        classes = range(prediction.shape[1])
        said = [classes[-1]] if len(classes) == 2 else classes  # of two, the one follows from the other
        return cls(model, Learnt([Curve.fit(prediction[:, one], target == one) for one in said], None))

    def estimate(self, rows: pd.DataFrame, prediction: Floats) -> float:
        """The metric that is to be expected; NaN for no rows, or a prediction that is no number."""
        known = self.learnt.curves or self.learnt.tree
        if not len(rows) or not known or not np.isfinite(prediction).all():
            return math.nan
        if self.learnt.tree:
            return float(self.model.metric.finish(self.learnt.tree.expected(rows, prediction).sum(axis=0)))
        return expected(self.model.metric, prediction, self.chances(prediction))

    def chances(self, prediction: Floats) -> Floats:
        """How likely each class is (n, classes), after calibration."""
        if len(self.learnt.curves) == 1:
            last = self.learnt.curves[0](prediction[:, 1])
            return np.column_stack([1 - last, last])
        raised = np.column_stack([curve(said) for curve, said in zip(self.learnt.curves, prediction.T, strict=True)])
        total = raised.sum(axis=1, keepdims=True)
        return np.where(total > 0, raised / np.where(total > 0, total, 1), prediction)

    def dump(self) -> str:
        """As JSON; the model stays in its file."""
        return self.learnt.dump()

    @classmethod
    def parse(cls, model: "Model", text: str) -> "Estimator":
        """Read what `dump` wrote."""
        return cls(model, Learnt.parse(text))


def expected(metric: Metric, prediction: Floats, chances: Floats) -> float:
    """A classifier's metric if each label came as often as `chances` say.

    Exact for whatever adds up row by row, since the expectation of a sum is the sum of
    expectations; for the area under the ROC curve the expected counts of positives and
    negatives at each score stand for the counts.

    Parameters
    ----------
    metric : Metric
    prediction : array (n, classes)
        What is scored.
    chances : array (n, classes)
        Of each label.

    Examples
    --------
    >>> from evergreen.definition.metrics import named
    >>> said = np.array([[0.9, 0.1], [0.4, 0.6]])
    >>> round(expected(named("accuracy"), said, said), 3)
    0.75
    """
    if metric is METRICS["roc_auc"]:
        return _expected_area(metric, prediction[:, -1], chances[:, -1])
    alone = np.arange(len(prediction))
    total = np.zeros(())
    for label, chance in enumerate(chances.T):
        sums = metric.sums(np.full(len(prediction), label), prediction, alone, len(prediction))
        comes = chance > 0  # an endless loss that cannot come costs nothing
        total = total + chance[comes] @ sums[comes]
    return float(metric.finish(total))


def _expected_area(metric: Metric, score: Floats, chance: Floats) -> float:
    levels, place = np.unique(score, return_inverse=True)
    counts = [np.bincount(place, weights=weight, minlength=len(levels)) for weight in (chance, 1 - chance)]
    return float(metric.finish(np.concatenate(counts)))


@dataclass(frozen=True)
class PastError:
    """How far estimates were off where labels have come since.

    Attributes
    ----------
    periods : int
        With both an estimate and a realised value.
    error : float
        The mean absolute difference; NaN for no period.
    bias : float
        The mean difference: positive where estimates were too high.
    """

    periods: int
    error: float
    bias: float

    def __str__(self) -> str:
        if not self.periods:
            return "no estimate has been checked yet"
        return f"off by {self.error:.3g} on average over {self.periods} past periods, bias {self.bias:+.3g}"


def past_error(pairs: Iterable[tuple[float, float]]) -> PastError:
    """Compare estimates with what was realised, to be shown beside every estimate.

    Parameters
    ----------
    pairs : iterable of (estimated, realised)
        One with a NaN, such as a period that is not ripe, is left out.

    Examples
    --------
    >>> str(past_error([(0.5, 0.4), (0.5, 0.7), (0.5, math.nan)]))
    'off by 0.15 on average over 2 past periods, bias -0.05'
    """
    off = np.array([estimated - realised for estimated, realised in pairs], dtype=np.float64)
    off = off[np.isfinite(off)]
    if not len(off):
        return PastError(0, math.nan, math.nan)
    return PastError(len(off), float(np.abs(off).mean()), float(off.mean()))
