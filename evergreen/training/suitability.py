"""Whether an estimator can do what the model asks of it: give probabilities, take weights, square numbers."""

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evergreen.errors import TrainingError

if TYPE_CHECKING:
    from evergreen.definition.model import Model

LARGEST_TARGET = 1e150  # whose square, summed over all rows, is still a number


def require_estimator(model: "Model", estimator: Any) -> None:
    """Require what scikit-learn calls an estimator: it can be fitted, and lists and takes its parameters.

    Raises
    ------
    TrainingError
        It is a class, has no `fit`, or has no `get_params`.
    """
    if isinstance(estimator, type):
        name = estimator.__name__
        raise TrainingError(
            f"{model.name}: `estimator` gives the class {name}, not an object of it. Call it: {name}()."
        )
    name = type(estimator).__name__
    if not hasattr(estimator, "fit"):
        raise TrainingError(f"{model.name}: `estimator` gives a {name}, which has no `fit`. Return an estimator.")
    if not hasattr(estimator, "get_params") or not hasattr(estimator, "set_params"):
        raise TrainingError(
            f"{model.name}: {name} has no `get_params`, by which an estimator is seeded and recorded. Let the class "
            "inherit from sklearn.base.BaseEstimator."
        )


def require_probabilities(model: "Model", estimator: Any, *, fitted: bool = False) -> None:
    """Require probabilities where the metric is of these.

    Parameters
    ----------
    model : Model
    estimator
        Not fitted yet, if that is certain without: one that holds others may only know once it is fitted.
    fitted : bool

    Raises
    ------
    TrainingError
        The estimator has none.
    """
    if model.task != "classification" or not model.metric.probabilities or hasattr(estimator, "predict_proba"):
        return
    _, last = last_step(estimator)
    require_estimator(model, last)  # no other could be wrapped by one that makes probabilities
    if fitted or not _holds_estimators(last):
        kind = type(last).__name__
        raise TrainingError(
            f"{model.name}: the metric {model.metric.name} is one of probabilities, and {kind} has no `predict_proba`. "
            f'Take another metric, such as metric="accuracy", or let CalibratedClassifierCV({kind}(...)) of '
            "sklearn.calibration make probabilities."
        )


def require_squares(model: "Model", target: NDArray[Any]) -> None:
    """Require numbers whose squares are numbers: metrics, estimators and trees sum them.

    Raises
    ------
    TrainingError
        One is too large, or infinite.
    """
    largest = np.abs(target).max(initial=0) if model.task == "regression" else 0
    if not largest < LARGEST_TARGET:
        raise TrainingError(
            f"{model.name}: the target {model.target!r} holds values up to {largest:.3g}, whose squares are too large "
            f"for a number. Divide it in the source, so that all lie below {LARGEST_TARGET:.0e}."
        )


def require_weights(model: "Model", estimator: Any) -> None:
    """Require that the last step of an estimator takes weights of rows.

    Raises
    ------
    TrainingError
        It takes none.
    """
    _, last = last_step(estimator)
    parameters = inspect.signature(last.fit).parameters
    passes_on = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
    if "sample_weight" not in parameters and not passes_on:
        raise TrainingError(
            f"{model.name}: `half_life` weighs rows by their age, and {type(last).__name__} takes no `sample_weight`. "
            "Leave `half_life` out, or take another estimator."
        )


def last_step(estimator: Any) -> tuple[str, Any]:
    """The last step of a pipeline, which may be another one, and how `fit` names its arguments; or the estimator."""
    path = ""
    while hasattr(estimator, "steps"):
        name, estimator = estimator.steps[-1]
        path += f"{name}__"
    return path, estimator


def _holds_estimators(estimator: Any) -> bool:
    return any(hasattr(value, "fit") for value in estimator.get_params().values())
