"""The kind `datetime`: times, stored in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import ZoneInfo

from evergreen.definition.kinds.column_kind import ColumnKind
from evergreen.definition.kinds.local_times import localized
from evergreen.definition.kinds.messages import describe

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from evergreen.definition.kinds.column_kind import Floats, Values


class Datetime(ColumnKind):
    """A time, stored in UTC to the microsecond; missing where it is null."""

    name = "datetime"
    delta = "timestamp"
    words = "an ISO 8601 time, or null where it is missing"
    json_schema: ClassVar = {"type": ["string", "null"], "format": "date-time"}
    json_example = "2026-01-31T12:00:00Z"
    json_types = frozenset()
    heading = "TIMES"
    inferred = ("datetime", "datetime64", "date")

    @property
    def arrow(self) -> pa.DataType:
        """The type in Arrow."""
        import pyarrow as pa

        return pa.timestamp("us", tz="UTC")

    def cast(self, values: Values, timezone: str, *, nullable: bool = False) -> tuple[Values, str]:
        """Cast to UTC; a time without a zone is in `timezone`, as `local_times.localized` reads it."""
        return self.placed(values, timezone)

    def placed(self, values: Values, timezone: str, apart: pd.DataFrame | None = None) -> tuple[Values, str]:
        """As `cast`; `apart` are columns that tell series of rows apart, in the order of which an hour comes twice."""
        import pandas as pd

        if not isinstance(values.dtype, pd.DatetimeTZDtype) and values.dtype.kind != "M":
            values, problem = _parsed(values)
            if problem:
                return values, problem
        if values.dt.tz is None:
            values, problem = localized(values, timezone, apart)
            if problem:
                return values, problem
        return values.dt.tz_convert("UTC").dt.as_unit("us"), ""

    def parse(self, text: str, timezone: str) -> object:
        """Read a time."""
        import pandas as pd

        moment = pd.Timestamp(text)
        return (moment if moment.tzinfo else moment.tz_localize(timezone)).to_pydatetime()

    def column(self, values: list[Any], timezone: str) -> Any:
        """A series of times in UTC."""
        import pandas as pd

        moments = [None if value is None else pd.Timestamp(value) for value in values]
        zoned = [moment if moment is None or moment.tzinfo else moment.tz_localize(timezone) for moment in moments]
        return pd.Series(pd.to_datetime(pd.Series(zoned, dtype="object"), utc=True)).dt.as_unit("us")

    def target(self, values: Values) -> NDArray[Any]:
        """An array of times."""
        return values.to_numpy(dtype=object)

    def numbers(self, values: Values) -> Floats:
        """Seconds since 1970."""
        import numpy as np
        import pandas as pd

        return np.asarray((values - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1), dtype=np.float64)

    def counted_sql(self, column: str) -> str:
        """Seconds since 1970."""
        return f"epoch_us({column}) / 1e6"

    def label_sql(self, json: str) -> str:
        """A time with zone."""
        return f"TRY_CAST({json} ->> '$' AS TIMESTAMPTZ)"

    def logged(self, value: Any, timezone: str) -> Any:
        """The time in UTC."""
        if value is None:
            return None
        moment = datetime.fromisoformat(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(timezone))
        try:
            return moment.astimezone(UTC)
        except OverflowError:  # in the first or last hours of the calendar, where a conversion overflows
            return moment.replace(tzinfo=UTC)

    def key_text(self, value: Any, timezone: str) -> object:
        """The time in UTC, with a fraction of a second only where it has one."""
        moment = self.logged(value, timezone)
        fraction = f".{moment:%f}".rstrip("0") if moment.microsecond else ""
        return f"{moment:%Y-%m-%d %H:%M:%S}{fraction}+00"

    def check(self, value: Any) -> Any:
        """An ISO 8601 text or None."""
        if value is None:
            return None
        if type(value) is not str:
            raise ValueError
        datetime.fromisoformat(value)
        return value

    def keep(self, value: Any) -> Any:
        """An ISO 8601 text or None."""
        return self.check(value)


def _parsed(values: Values) -> tuple[Values, str]:
    import pandas as pd

    present = values.dropna().astype("str").str.strip()
    zoned = present.str.contains(r"(?:Z|:\d{2}(?:\.\d+)?[+-]\d{2}|[+-]\d{2}:?\d{2})$", regex=True)
    if zoned.any() and not zoned.all():
        return values, describe(values.dropna(), ~zoned, "have no time zone while others do")
    times = pd.to_datetime(
        values.astype("str").str.strip().where(values.notna()), errors="coerce", format="ISO8601", utc=bool(zoned.any())
    )
    unread = times.isna() & values.notna()
    return (values, describe(values, unread, "are no ISO 8601 time")) if unread.any() else (times, "")
