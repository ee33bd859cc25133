"""Helpers that several kinds of sources share; not a source itself."""

from datetime import datetime

import pandas as pd

from evergreen.definition.sources import Declared
from evergreen.errors import SourceShapeError


def rectangular(rows: pd.DataFrame, model: Declared) -> pd.DataFrame:
    """The rows, if no column name occurs twice."""
    if not rows.columns.is_unique:
        twice = sorted({str(column) for column in rows.columns[rows.columns.duplicated()]})
        raise SourceShapeError(
            f"{model.name}: the source gave the columns {twice} more than once. Name each differently."
        )
    return rows


def naive(moment: pd.Timestamp, model: Declared) -> datetime:
    """A time without its zone, in the zone of the model."""
    return moment.tz_convert(model.timezone).tz_localize(None).to_pydatetime()
