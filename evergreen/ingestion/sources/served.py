"""The model's own service: what it was asked and predicted."""

from datetime import timedelta
from typing import ClassVar

import pandas as pd

from evergreen.definition.sources import Declared, Source, Tables
from evergreen.durations import Duration
from evergreen.lake import prediction_log
from evergreen.lake.lake import SERVED


class Served(Source):
    """What the model's own service was asked and answered, with the labels that were sent to it.

    Beside the columns that callers sent it gives ``id``, ``asked_at`` (when it was asked, unless the
    caller sent that himself), the label as the model's target, null until it comes, and
    ``labelled_at``. What is read goes by when it reached the lake: so answers and labels, however
    late, are all read, and a label that comes or is corrected brings its row again.

    Examples
    --------
    >>> Served().lookback
    datetime.timedelta(seconds=600)
    """

    predictions: ClassVar[bool] = True

    lookback: Duration = timedelta(minutes=10)  # a commit may be seen later than the moment that it carries

    def begins(self, model: Declared, until: pd.Timestamp, lake: Tables) -> pd.Timestamp | None:
        """Return when the first answer reached the lake; None before that."""
        if not lake.exists(model.name, SERVED):
            return None
        first = lake.query(model, f'SELECT min("_landed") AS t FROM {SERVED}', tables=[SERVED])["t"][0]
        return pd.Timestamp(first)

    def read(self, model: Declared, since: pd.Timestamp, until: pd.Timestamp, lake: Tables) -> pd.DataFrame:
        """Return the rows of which an answer or a label reached the lake in ``[since, until)``."""
        return prediction_log.read(lake, model, since, until)

    def origin(self, model: Declared, since: pd.Timestamp, until: pd.Timestamp) -> str:
        """Say that it is the model's own service."""
        return "what the service was asked and answered"
