"""Estimated performance: a model's expected metric on rows whose labels have not arrived."""

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
    """A calibration curve of one class: predicted probability to observed share.

    Attributes
    ----------
    said, came : list of float
        Predicted and observed; knots with linear interpolation, constant beyond the ends.
    """

    said: list[float]
    came: list[float]

    @classmethod
    def fit(cls, probability: Floats, truth: NDArray[np.bool_]) -> "Curve":
        """Fit by isotonic regression: the curve never falls.

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
        """The expected share; NaN stays NaN."""
        return np.interp(probability, self.said, self.came)


@dataclass(frozen=True)
class FittedEstimator(JsonRecord):
    """What an estimator has learnt from a holdout: a curve for each class, or a tree for regression."""

    curves: list[Curve]
    tree: ErrorTree | None


@dataclass(frozen=True)
class Estimator:
    """Estimates the metric of one fitted model's predictions on rows without labels.

    For classes it is confidence-based: the calibrated probabilities give the expected frequency of
    each label, and the metric is computed on the expected labels (Kivimäki, Białek,
    Nurminen and Kuberski, "Confidence-based Estimators for Predictive Performance in Model
    Monitoring", arXiv 2407.08649, 2024). For numbers a small tree predicts the error of
    each row from features and prediction (direct loss estimation, as NannyML's documentation
    calls it). Both follow a shift of rows to regions where the model is known to be good or bad;
    neither sees a change in the relation of features and target (concept drift).

    Attributes
    ----------
    model : Model
        Its task, metric and features.
    learnt : Learnt
    """

    model: "Model"
    learnt: FittedEstimator

    @classmethod
    def fit(cls, model: "Model", rows: pd.DataFrame, prediction: Floats, target: NDArray[Any]) -> "Estimator":
        """Learn from labelled rows that the model was not trained on, such as its holdout.

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
            return cls(model, FittedEstimator([], None))
        if model.task == "regression":
            alone = np.arange(len(rows))
            sums = model.metric.sums(target, prediction, alone, len(rows))
            return cls(model, FittedEstimator([], ErrorTree.fit(model, rows, prediction, sums)))
        classes = range(prediction.shape[1])
        fitted = [classes[-1]] if len(classes) == 2 else classes  # with two classes, one curve determines the other
        return cls(model, FittedEstimator([Curve.fit(prediction[:, label], target == label) for label in fitted], None))

    def estimate(self, rows: pd.DataFrame, prediction: Floats) -> float:
        """The expected metric; NaN for no rows, or if a prediction is not finite."""
        fitted = self.learnt.curves or self.learnt.tree
        if not len(rows) or not fitted or not np.isfinite(prediction).all():
            return math.nan
        if self.learnt.tree:
            return float(self.model.metric.finish(self.learnt.tree.expected(rows, prediction).sum(axis=0)))
        return expected(self.model.metric, prediction, self.chances(prediction))

    def chances(self, prediction: Floats) -> Floats:
        """How likely each class is (n, classes), after calibration."""
        if len(self.learnt.curves) == 1:
            last = self.learnt.curves[0](prediction[:, 1])
            return np.column_stack([1 - last, last])
        calibrated = np.column_stack(
            [curve(column) for curve, column in zip(self.learnt.curves, prediction.T, strict=True)]
        )
        total = calibrated.sum(axis=1, keepdims=True)
        return np.where(total > 0, calibrated / np.where(total > 0, total, 1), prediction)

    def dump(self) -> str:
        """As JSON; the model stays in its file."""
        return self.learnt.dump()

    @classmethod
    def parse(cls, model: "Model", text: str) -> "Estimator":
        """Read what `dump` wrote."""
        return cls(model, FittedEstimator.parse(text))


def expected(metric: Metric, prediction: Floats, chances: Floats) -> float:
    """A classifier's metric if each label occurs with the probabilities `chances`.

    Exact for whatever adds up row by row, since the expectation of a sum is the sum of
    expectations; for the area under the ROC curve the expected counts of positives and
    negatives at each score stand for the counts.

    Parameters
    ----------
    metric : Metric
    prediction : array (n, classes)
        The predictions to score.
    chances : array (n, classes)
        The probability of each label.

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
        possible = chance > 0  # skip impossible labels: 0 times an infinite loss is NaN
        total = total + chance[possible] @ sums[possible]
    return float(metric.finish(total))


def _expected_area(metric: Metric, score: Floats, chance: Floats) -> float:
    levels, place = np.unique(score, return_inverse=True)
    counts = [np.bincount(place, weights=weight, minlength=len(levels)) for weight in (chance, 1 - chance)]
    return float(metric.finish(np.concatenate(counts)))


@dataclass(frozen=True)
class PastError:
    """The error of past estimates, on windows whose labels have arrived since.

    Attributes
    ----------
    periods : int
        Windows with both an estimate and a realised value.
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
    """Compare estimates with realised values, to be shown beside every estimate.

    Parameters
    ----------
    pairs : iterable of (estimated, realised)
        A pair with a NaN, such as a period without mature labels, is left out.

    Examples
    --------
    >>> str(past_error([(0.5, 0.4), (0.5, 0.7), (0.5, math.nan)]))
    'off by 0.15 on average over 2 past periods, bias -0.05'
    """
    errors = np.array([estimated - realised for estimated, realised in pairs], dtype=np.float64)
    errors = errors[np.isfinite(errors)]
    if not len(errors):
        return PastError(0, math.nan, math.nan)
    return PastError(len(errors), float(np.abs(errors).mean()), float(errors.mean()))
