"""The source `Served`: the model's own service, its requests, predictions and labels."""

from datetime import timedelta
from typing import ClassVar

import pandas as pd

from evergreen.definition.sources import Declared, Source, Tables
from evergreen.durations import Duration
from evergreen.lake import prediction_log
from evergreen.lake.lake import SERVED


class Served(Source):
    """The requests and predictions of the model's own service, with the labels that were sent to it.

    Its columns are those that callers sent, ``id``, ``asked_at`` (the time of the request, unless the
    caller sent this column), the label as the model's target, null until it arrives, and
    ``labelled_at``. Rows are read by the time at which they reached the lake: so late predictions and
    labels are read too, and a new or corrected label brings its row again.

    Examples
    --------
    >>> Served().lookback
    datetime.timedelta(seconds=600)
    """

    predictions: ClassVar[bool] = True

    lookback: Duration = timedelta(minutes=10)  # a commit can become visible later than its timestamp

    def begins(self, model: Declared, until: pd.Timestamp, lake: Tables) -> pd.Timestamp | None:
        """Return when the first prediction reached the lake; None before that."""
        if not lake.exists(model.name, SERVED):
            return None
        first = lake.query(model, f'SELECT min("_landed") AS t FROM {SERVED}', tables=[SERVED])["t"][0]
        return pd.Timestamp(first)

    def read(self, model: Declared, since: pd.Timestamp, until: pd.Timestamp, lake: Tables) -> pd.DataFrame:
        """Return the rows of which a prediction or a label reached the lake in ``[since, until)``."""
        return prediction_log.read(lake, model, since, until)

    def origin(self, model: Declared, since: pd.Timestamp, until: pd.Timestamp) -> str:
        """Say that it is the model's own service."""
        return "requests and predictions of the service"
