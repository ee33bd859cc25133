"""Realised performance of a champion: what it predicted, or could not have seen, beside the labels that came."""

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from evergreen import sql as sqls
from evergreen import time_units
from evergreen.definition import label_delay
from evergreen.definition.metrics import Floats
from evergreen.durations import in_words
from evergreen.errors import TrainingError
from evergreen.evaluation import performance
from evergreen.evaluation.performance import Observed
from evergreen.frames import with_columns
from evergreen.ingestion.label_arrival import ArrivalCurve
from evergreen.lake.lake import PREDICTIONS, ROWS, Lake
from evergreen.monitoring import degradation
from evergreen.monitoring.reference import Reference
from evergreen.monitoring.unseen import Unseen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evergreen.definition.model import Model

_ANSWERS = f"{sqls.RESERVED}answers"
_TRIES = 4  # times that a window is widened at one check; rows may come less often the further back it reaches
_MOST_TIMES = 1000  # by which it is widened at once


def measure(
    lake: Lake,
    model: "Model",
    version: str,
    base: Reference,
    times: tuple[pd.Timestamp, pd.Timestamp],
    labels: tuple[ArrivalCurve, timedelta | None],
    unseen: Unseen | None = None,
) -> dict[str, Any]:
    """Performance in the newest window with mature labels, of rows up to `now`, by what is known at `as_of`.

    Predictions count first. Where labels come late and trainings follow each other, each champion is replaced before
    labels of what it predicted are there: then it is judged on all rows of the window that it has not seen. A window
    with too few labelled rows for the gates is widened, as far back as there are rows that are new to the version.

    Parameters
    ----------
    lake : Lake
    model : Model
    version : str
    base : Reference
    times : tuple of Timestamp
        What is known counts up to the first, rows up to the second.
    labels : tuple
        When labels arrive, and from which age of a row on they are used; None if that is not known yet.
    unseen : Unseen, optional

    Returns
    -------
    dict
        Fields of an `Observation`.
    """
    (as_of, now), (curve, after) = times, labels
    if after is None:
        return {"reason": "the label delay is not known yet"}
    until = time_units.unit_start(min(as_of - after, now), model.monitoring.unit)
    check = _Check(lake, model, version, base, as_of, until, curve, after, unseen)
    found = check.over(window := model.performance_window)
    for _ in range(_TRIES):
        longer = window_needed(model, found["realised"], window) if found["state"] == "unknown" else None
        if longer is None or (unseen is not None and unseen.since >= until - window):
            break
        found, window = check.over(longer), longer
    if found["state"] != "unknown" and window > model.performance_window:
        few = f"{in_words(model.performance_window)} hold too few labels"
        found["reason"] += f", over {in_words(window)} since {few}"
    return found


def window_needed(model: "Model", realised: Observed | None, window: timedelta) -> timedelta | None:
    """The window that holds the labelled rows and blocks that the gates ask for, at the rate of this window.

    None if they are there, or if it is not them that is missing.
    """
    if realised is None or not realised.mature or not realised.whole.rows:
        return None
    score, gates, unit = realised.whole, model.gates, model.monitoring.unit
    times = min(max(gates.min_rows / score.rows, gates.min_blocks / max(score.blocks, 1)), _MOST_TIMES)
    return math.ceil(window * times / unit) * unit if times > 1 else None


@dataclass(frozen=True)
class _Check:
    """A look at a version, for windows that end at a time."""

    lake: Lake
    model: "Model"
    version: str
    base: Reference
    as_of: pd.Timestamp
    until: pd.Timestamp
    curve: ArrivalCurve
    after: timedelta
    unseen: Unseen | None

    def over(self, window: timedelta) -> dict[str, Any]:
        """Performance on the predictions of a window, or on all its rows that the version has not seen."""
        model, since, unseen = self.model, self.until - window, self.unseen
        rows = predicted_rows(self.lake, model, self.version, since, self.until)
        given = answers(model, rows)
        if not self.base.fits(given):
            rows, given = rows.head(0), given[:0]
        found = self._judged(rows, given, self.base.classes)
        if found["state"] != "unknown" or unseen is None or unseen.since >= self.until:
            return found
        rows = _rows(self.lake, model, max(since, unseen.since), self.until)
        try:
            prediction, classes = unseen.predict(model, rows)
        except TrainingError:  # such as of a column that the model file does not have any more
            return found
        instead = self._judged(rows, prediction, classes)
        if instead["state"] == "unknown":
            return instead if _has_more(instead["realised"], found["realised"]) else found
        return instead | {"reason": f"{instead['reason']}, on all rows since {max(since, unseen.since):%Y-%m-%d}"}

    def _judged(self, rows: pd.DataFrame, prediction: Floats, classes: "NDArray[Any] | None") -> dict[str, Any]:
        """Performance on rows, on the labels that are mature, beside the baseline."""
        model = self.model
        mature = rows[model.target].notna() & (label_delay.used_from(model, rows, self.after) <= self.as_of)
        rows = with_columns(rows, {model.target: rows[model.target].where(mature)})
        realised = performance.observed(
            model, rows, prediction, classes=classes, arrival=self.curve, as_of=self.as_of, after=self.after
        )
        declines = degradation.declines(model.metric, realised, self.base.judged)
        suspicion = model.policy.suspicion
        judged = degradation.degraded(realised, declines, model.gates, model.monitoring, suspicion=suspicion)
        return {
            "realised": realised,
            "ripened": self.until.isoformat(),
            "state": judged.state,
            "reason": judged.reason,
            "slices": judged.slices,
            "suspected": judged.suspected,
        }


def _has_more(other: Observed, predicted: Observed) -> bool:
    """Whether other rows have more mature labels than those that were predicted, of which none are overdue."""
    on_time = predicted.mature or not predicted.rows
    return other.mature and on_time and other.whole.rows > predicted.whole.rows


def _rows(lake: Lake, model: "Model", since: pd.Timestamp, until: pd.Timestamp) -> pd.DataFrame:
    """The rows of a period, predicted or not."""
    order = sqls.columns([model.time, *model.key])
    bounds = {"since": since.to_pydatetime(), "until": until.to_pydatetime()}
    sql = f"SELECT {sqls.columns(model.columns)} FROM {ROWS} WHERE {sqls.within(model.time)} ORDER BY {order}"
    return lake.query(model, sql, bounds)


def predicted_rows(lake: Lake, model: "Model", version: str, since: pd.Timestamp, until: pd.Timestamp) -> pd.DataFrame:
    """The rows of a period that one version predicted, with all their columns and the predictions."""
    key, period = sqls.columns(model.key), sqls.within(model.time)
    sql = f"""
        SELECT {sqls.columns(model.columns, "r")}, p."_answers" AS "{_ANSWERS}"
        FROM (SELECT * FROM {ROWS} WHERE {period}) AS r
        JOIN (SELECT {key}, "_answers" FROM {PREDICTIONS} WHERE {period} AND "_version" = $version) AS p USING ({key})
        ORDER BY {sqls.columns([model.time, *model.key], "r")}
    """
    bounds = {"since": since.to_pydatetime(), "until": until.to_pydatetime(), "version": version}
    return lake.query(model, sql, bounds, tables=[ROWS, PREDICTIONS])


def answers(model: "Model", rows: pd.DataFrame) -> Any:
    """The predictions of such rows: numbers, or the probabilities of the classes."""
    if rows.empty:
        return np.zeros((0,) if model.task == "regression" else (0, 2))
    predictions = np.array(rows[_ANSWERS].to_list(), dtype=np.float64)
    return predictions[:, 0] if model.task == "regression" else predictions
