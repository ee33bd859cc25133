"""The source `Call`: a Python function that returns the rows of a period."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import pandas as pd
from pydantic import BeforeValidator

from evergreen.definition.disclosure import of_error
from evergreen.definition.sources import BEFORE_ANY_ROW, Declared, Source, Tables
from evergreen.errors import SourceError, SourceShapeError
from evergreen.ingestion.sources.shared import rectangular


def _moment(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    moment = pd.Timestamp(value)
    return (moment if moment.tzinfo else moment.tz_localize("UTC")).to_pydatetime()


Moment = Annotated[datetime, BeforeValidator(_moment)]


class Call(Source):
    """A Python function ``(since, until) -> DataFrame`` of the rows in ``[since, until)``.

    Attributes
    ----------
    function : callable
        Called with two timestamps in UTC.
    start : datetime or None
        The start of the history; with None, the first batch asks for everything.
    """

    function: Callable[[pd.Timestamp, pd.Timestamp], pd.DataFrame]
    start: Moment | None = None

    def begins(self, model: Declared, until: pd.Timestamp, lake: Tables) -> pd.Timestamp | None:
        """Return `start`."""
        return BEFORE_ANY_ROW if self.start is None else pd.Timestamp(self.start)

    def read(self, model: Declared, since: pd.Timestamp, until: pd.Timestamp, lake: Tables) -> pd.DataFrame:
        """Return what the function gives for ``[since, until)``."""
        try:
            rows = self.function(since, until)
        except Exception as error:
            reason = of_error(error, model.columns).rstrip(".")
            raise SourceError(f"{model.name}: the source function raised {reason}.") from None
        if not isinstance(rows, pd.DataFrame):
            raise SourceShapeError(
                f"{model.name}: the source function returned {type(rows).__name__}, not a DataFrame."
            )
        return rectangular(rows, model)

    def origin(self, model: Declared, since: pd.Timestamp, until: pd.Timestamp) -> str:
        """Name the function."""
        name = getattr(self.function, "__qualname__", type(self.function).__qualname__)
        return f"{getattr(self.function, '__module__', '')}.{name}"
