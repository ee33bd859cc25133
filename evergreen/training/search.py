"""The search for hyperparameters (the only module that imports optuna)."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from evergreen.definition import label_delay, loader
from evergreen.errors import TrainingError
from evergreen.training import fitting
from evergreen.training.split import folds

if TYPE_CHECKING:
    import optuna

    from evergreen.definition.model import Model


def search(model: "Model", rows: pd.DataFrame, after: timedelta | None = None) -> dict[str, Any]:
    """Search the space that the model file declares, in time-ordered folds of the training rows.

    Parameters
    ----------
    model : Model
        With ``training.search``; without one nothing is searched.
    rows : DataFrame
        The training rows, without the holdout.
    after : timedelta, optional
        The age from which on rows take part; by default the declared label delay.

    Returns
    -------
    dict
        The estimator arguments with the best score.

    Raises
    ------
    TrainingError
        No trial finished with a score within the time.
    """
    options = model.training.search
    if options is None:
        return {}
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)  # failures are raised below
    better = "maximize" if model.metric.greater_is_better else "minimize"
    study = optuna.create_study(direction=better, sampler=optuna.samplers.TPESampler(seed=model.seed))
    cuts = list(folds(rows[model.time], label_delay.used_from(model, rows, after), options.folds))

    def objective(trial: "optuna.Trial") -> float:
        with loader.blaming(model, "space of the search"):
            params = options.space(trial)
        trial.set_user_attr("params", params)
        return float(np.mean([_validated(model, rows[fit], rows[validate], params) for fit, validate in cuts]))

    study.optimize(objective, n_trials=options.trials, timeout=options.seconds)
    if not study.best_trials:
        raise TrainingError(
            f"{model.name}: no trial of the search finished with a score in {options.seconds} s. "
            "Raise `seconds`, or fix the space: a score of NaN does not count."
        )
    return dict(study.best_trial.user_attrs["params"])


def _validated(model: "Model", rows: pd.DataFrame, validation: pd.DataFrame, params: dict[str, Any]) -> float:
    estimator = fitting.fit(model, rows, params)
    target = fitting.target(model, validation)
    if model.task == "regression":
        return model.metric.score(target, fitting.predict(model, estimator, validation))
    classes = np.unique(np.concatenate([np.asarray(estimator.classes_), target]))
    return model.metric.score(np.searchsorted(classes, target), fitting.predict(model, estimator, validation, classes))
