"""Fit a model file's estimator and predict with it (the scikit-learn idiom)."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen import lifeline
from evergreen.definition import disclosure
from evergreen.definition.code import modules
from evergreen.definition.kinds.register import kind_of
from evergreen.definition.loader import blaming
from evergreen.definition.metrics import Floats
from evergreen.errors import NotEnoughDataError, TrainingError
from evergreen.training import suitability
from evergreen.training.quietness import quiet

if TYPE_CHECKING:
    from evergreen.definition.model import Model

_COLUMNS = "evergreen_columns_"  # the attribute of an estimator that does not record its columns itself
_EXAMPLES = 5  # rows of an input example


def fit(model: "Model", rows: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:
    """Fit the model file's estimator on labelled rows.

    Parameters
    ----------
    model : Model
    rows : DataFrame
        The features, the target without gaps, and the time.
    params : dict, optional
        For the model file's `estimator`, from a search.

    Returns
    -------
    estimator
        A fitted scikit-learn estimator, every unset ``random_state`` seeded by the model.

    Raises
    ------
    NotEnoughDataError
        There are fewer rows than the model asks for, or one class only.
    TrainingError
        The estimator raised, is none, or does not fit the model: it takes no weights, or gives no probabilities. Or
        the target is too large to be squared.
    """
    _require(model, rows)
    suitability.require_squares(model, target(model, rows))
    with blaming(model):
        modules.send_by_value(getattr(model.estimator, "__module__", ""))
        estimator = model.estimator(**(params or {}))
        suitability.require_estimator(model, estimator)
        estimator = quiet(seeded(estimator, model.seed))
        suitability.require_probabilities(model, estimator)
        weights = _weighting(estimator, model, rows)
        with lifeline.guarded() if _has_workers(estimator) else nullcontext():
            fitted = estimator.fit(features(model, rows), target(model, rows), **weights)
    suitability.require_probabilities(model, fitted, fitted=True)
    if not fitted_columns(fitted):
        with suppress(AttributeError):  # a class may refuse attributes that are not its own
            setattr(fitted, _COLUMNS, list(model.features))
    return fitted


def dummy(model: "Model", rows: pd.DataFrame) -> Any:
    """Fit the baseline that any model must beat: the median, or the share of each class."""
    from sklearn.dummy import DummyClassifier, DummyRegressor

    estimator = DummyRegressor(strategy="median") if model.task == "regression" else DummyClassifier(strategy="prior")
    return estimator.fit(np.zeros((len(rows), 1)), target(model, rows))


def features(model: "Model", rows: pd.DataFrame, estimator: Any = None) -> pd.DataFrame:
    """The estimator's input columns: those it was fitted on, or by default the declared features in order."""
    return rows[[*fitted_columns(estimator)] or list(model.features)]


def example(model: "Model", rows: pd.DataFrame) -> pd.DataFrame:
    """Five rows of features in the form of a request, shown with the registered model; none is a row of the data.

    Each column is filled by itself with what `evergreen.definition.disclosure.typical` allows.
    """
    private = model.serving.private
    shown = features(model, rows)
    made = {
        str(name): pd.Series(
            disclosure.typical(shown[name], model.columns[str(name)], _EXAMPLES, private=name in private),
            dtype=shown[name].dtype,
        )
        for name in shown
    }
    return pd.DataFrame(made)


def fitted_columns(estimator: Any) -> list[str]:
    """The columns that an estimator was fitted on; empty if neither it nor `fit` recorded them."""
    names = getattr(estimator, "feature_names_in_", None)
    return [str(name) for name in (getattr(estimator, _COLUMNS, ()) if names is None else names)]


def frame(rows: Sequence[Sequence[Any]], columns: Mapping[str, str], timezone: str = "UTC") -> pd.DataFrame:
    """Turn rows of plain values (None for missing) into a frame of the lake's kinds.

    Parameters
    ----------
    rows : list of list
        One value for each column; a time is ISO 8601 text.
    columns : dict of column to kind
    timezone : str
        The zone of a time without one.
    """
    column_values = zip(*rows, strict=True) if rows else [()] * len(columns)
    return pd.DataFrame(
        {
            name: kind_of(kind).column(list(values), timezone)
            for (name, kind), values in zip(columns.items(), column_values, strict=True)
        }
    )


def target(model: "Model", rows: pd.DataFrame) -> NDArray[Any]:
    """The labels, as plain numpy values without gaps."""
    assert model.target_kind is not None, "filled in by the model"
    return kind_of(model.target_kind).target(rows[model.target])


def predict(model: "Model", estimator: Any, rows: pd.DataFrame, classes: NDArray[Any] | None = None) -> Floats:
    """Predict numbers (n,), or probabilities of `classes` (n, classes).

    Parameters
    ----------
    model : Model
    estimator
        Fitted; a classifier without probabilities gives its predicted class the probability 1.
    rows : DataFrame
        With at least the features.
    classes : array, optional
        All classes in order; one that the estimator was not fitted on gets the probability 0.
        By default the estimator's own.
    """
    with blaming(model):
        inputs = np.zeros((len(rows), 1)) if is_dummy(estimator) else features(model, rows, estimator)
        if model.task == "regression":
            return np.asarray(estimator.predict(inputs), dtype=np.float64).reshape(len(rows))
        known = np.asarray(estimator.classes_)
        probabilities = _probabilities(estimator, inputs, known)
    return probabilities if classes is None else aligned(probabilities, known, classes)


def aligned(probabilities: Floats, known: NDArray[Any], classes: NDArray[Any]) -> Floats:
    """Probabilities of all `classes` in order, from those of the `known` classes; 0 for the others."""
    all_probabilities = np.zeros((len(probabilities), len(classes)))
    all_probabilities[:, np.searchsorted(classes, known)] = probabilities
    return all_probabilities


def _probabilities(estimator: Any, inputs: Any, known: NDArray[Any]) -> Floats:
    if hasattr(estimator, "predict_proba"):
        return np.asarray(estimator.predict_proba(inputs), dtype=np.float64)
    return np.asarray(np.asarray(estimator.predict(inputs))[:, None] == known, dtype=np.float64)


def is_dummy(estimator: Any) -> bool:
    """Whether this is a baseline from `dummy`, which uses no feature."""
    return type(estimator).__name__ in ("DummyRegressor", "DummyClassifier")


def _has_workers(estimator: Any) -> bool:
    """Whether a part of an estimator is fitted in processes of its own."""
    counts = (value for name, value in estimator.get_params().items() if name.endswith("n_jobs"))
    return any(count not in (None, 1) for count in counts)


def seeded(estimator: Any, seed: int) -> Any:
    """Set every ``random_state`` that the model file does not set."""
    open_states = [
        name for name, value in estimator.get_params().items() if name.endswith("random_state") and value is None
    ]
    return estimator.set_params(**dict.fromkeys(open_states, seed))


def age_weights(times: "pd.Series[pd.Timestamp]", half_life: timedelta) -> Floats:
    """Weigh rows by age: 1 for the newest, half as much for each half-life before it.

    Examples
    --------
    >>> days = pd.Series(pd.to_datetime(["2013-01-01", "2013-01-15", "2013-01-29"]))
    >>> age_weights(days, timedelta(days=14))
    array([0.25, 0.5 , 1.  ])
    """
    age = (times.max() - times) / half_life
    return np.asarray(0.5 ** age.to_numpy(dtype=np.float64))


def _weighting(estimator: Any, model: "Model", rows: pd.DataFrame) -> dict[str, Any]:
    if model.training.half_life is None:
        return {}
    suitability.require_weights(model, estimator)
    path, _ = suitability.last_step(estimator)
    return {f"{path}sample_weight": age_weights(rows[model.time], model.training.half_life)}


def _require(model: "Model", rows: pd.DataFrame) -> None:
    least, known = model.training.min_rows, ""
    if model.label_time:
        known = f" Only labels known before the holdout began, by {model.label_time!r}, are used for training."
    if len(rows) < least:
        raise NotEnoughDataError(
            f"{model.name}: {len(rows)} labelled rows in the training window, at least {least} are needed. "
            "Ingest more, lengthen `window`, or lower `min_rows`; "
            f"`evergreen doctor {model.name} --judging` says how many rows it takes.{known}"
        )
    if model.task == "classification" and rows[model.target].nunique() < 2:
        raise NotEnoughDataError(
            f"{model.name}: every label in the training window is {rows[model.target].iloc[0]}; two classes are needed."
        )
    if model.metric.name == "roc_auc" and (classes := rows[model.target].nunique()) > 2:
        raise TrainingError(
            f"{model.name}: roc_auc ranks two classes, and the labels in the training window have {classes}. Take "
            "another metric, such as log_loss, or leave out the rows with the rare ones."
        )
