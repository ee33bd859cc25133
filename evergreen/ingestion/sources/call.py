"""The source `Call`: a Python function that returns the rows of a period."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import pandas as pd
from pydantic import BeforeValidator

from evergreen.definition.code.source_files import displayed
from evergreen.definition.disclosure import of_error
from evergreen.definition.sources import BEFORE_ANY_ROW, Counts, Declared, Source, Tables
from evergreen.errors import SourceError, SourceShapeError
from evergreen.ingestion.sources.shared import daily, rectangular, times_of


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
    recount : bool
        Whether each ingest asks for all earlier rows too, and lands those that came later than the lookback.
    """

    function: Callable[[pd.Timestamp, pd.Timestamp], pd.DataFrame]
    start: Moment | None = None
    recount: bool = False

    @property
    def countable(self) -> bool:
        """Whether it may be asked for all rows again."""
        return self.recount

    def begins(self, model: Declared, until: pd.Timestamp, lake: Tables) -> pd.Timestamp | None:
        """Return `start`."""
        return BEFORE_ANY_ROW if self.start is None else pd.Timestamp(self.start)

    def read(self, model: Declared, since: pd.Timestamp, until: pd.Timestamp, lake: Tables) -> pd.DataFrame:
        """Return what the function gives for ``[since, until)``."""
        return self._rows(model, since, until)

    def daily(self, model: Declared, until: pd.Timestamp) -> Counts:
        """Return how many rows the function gives for each day before `until`; empty unless it may be asked again."""
        if not self.recount:
            return {}
        begin = BEFORE_ANY_ROW if self.start is None else pd.Timestamp(self.start)
        return daily(times_of(self._rows(model, begin, until), model), model, until)

    def _rows(self, model: Declared, since: pd.Timestamp, until: pd.Timestamp) -> pd.DataFrame:
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
        module = displayed(getattr(self.function, "__module__", ""))
        return f"{module}.{name}"
