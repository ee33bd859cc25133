"""The search for hyperparameters (the only module that imports optuna)."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from evergreen.definition import loader
from evergreen.errors import TrainingError
from evergreen.training import fitting
from evergreen.training.split import folds

if TYPE_CHECKING:
    import optuna

    from evergreen.definition.model import Model


def search(model: "Model", rows: pd.DataFrame) -> dict[str, Any]:
    """Search the space that the model file declares, in time-ordered folds of the training rows.

    Parameters
    ----------
    model : Model
        With ``training.search``; without one nothing is searched.
    rows : DataFrame
        The training rows; the holdout is never seen.

    Returns
    -------
    dict
        The arguments for the model file's estimator that scored best.

    Raises
    ------
    TrainingError
        No trial came to a score within the time.
    """
    wanted = model.training.search
    if wanted is None:
        return {}
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)  # what fails is raised below
    better = "maximize" if model.metric.greater_is_better else "minimize"
    study = optuna.create_study(direction=better, sampler=optuna.samplers.TPESampler(seed=model.seed))
    cuts = list(folds(rows[model.time], fitting.known_at(model, rows), wanted.folds))

    def objective(trial: "optuna.Trial") -> float:
        with loader.blaming(model, "space of the search"):
            params = wanted.space(trial)
        trial.set_user_attr("params", params)
        return float(np.mean([_validated(model, rows[fit], rows[held], params) for fit, held in cuts]))

    study.optimize(objective, n_trials=wanted.trials, timeout=wanted.seconds)
    if not study.best_trials:
        raise TrainingError(
            f"{model.name}: no trial of the search came to a score in {wanted.seconds} s. "
            "Raise `seconds`, or mend the space: a score of NaN counts for none."
        )
    return dict(study.best_trial.user_attrs["params"])


def _validated(model: "Model", rows: pd.DataFrame, held: pd.DataFrame, params: dict[str, Any]) -> float:
    estimator = fitting.fit(model, rows, params)
    target = fitting.target(model, held)
    if model.task == "regression":
        return model.metric.score(target, fitting.predict(model, estimator, held))
    classes = np.unique(np.concatenate([np.asarray(estimator.classes_), target]))
    return model.metric.score(np.searchsorted(classes, target), fitting.predict(model, estimator, held, classes))
