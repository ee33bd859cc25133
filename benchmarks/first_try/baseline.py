"""A plain script on the rows that landed: boosted trees on the model's columns and the parts of the time."""

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import log_loss, root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from benchmarks.first_try.steps import Trial


def errors(trial: Trial) -> tuple[float, float] | None:
    """The error of the champion's judged copy and of the script, on the same holdout; None if it is not known."""
    verdict = trial.json("verdict", trial.table.name, "--version", "champion")
    if not isinstance(verdict, dict):
        return None
    values = {check["name"]: check["value"] for check in verdict["verdict"]["checks"]}
    return float(values["floor"]), _script(trial)


def _script(trial: Trial) -> float:
    model, rows = trial.model(), trial.rows()
    rows = rows[rows[model.target].notna()]
    since = rows[model.time].max() - model.training.holdout
    inputs = rows[[*model.features]].assign(**_parts(rows[model.time]))
    words = [name for name in inputs if inputs[name].dtype.kind not in "iufb"]
    inputs[words] = inputs[words].astype("str")
    encode = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, max_categories=200)
    regression = model.task == "regression"
    trees = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    script = make_pipeline(make_column_transformer((encode, words), remainder="passthrough"), trees(random_state=0))
    before, held = rows[model.time] < since, rows[model.time] >= since
    script.fit(inputs[before], rows.loc[before, model.target])
    truth = rows.loc[held, model.target]
    if regression:
        return float(root_mean_squared_error(truth, script.predict(inputs[held])))
    return float(log_loss(truth, script.predict_proba(inputs[held]), labels=script.classes_))


def _parts(times: "pd.Series[pd.Timestamp]") -> dict[str, "pd.Series[int]"]:
    parts = {"hour_": times.dt.hour, "weekday_": times.dt.dayofweek, "yearday_": times.dt.dayofyear}
    return {name: part for name, part in parts.items() if np.unique(part).size > 1}
