"""The kind `number`: finite numbers with a fraction."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from evergreen.definition.kinds.column_kind import ColumnKind
from evergreen.definition.kinds.exactness import altered, is_kept
from evergreen.definition.kinds.messages import describe

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from evergreen.definition.kinds.column_kind import Floats, Values


class Number(ColumnKind):
    """A finite number, stored as 64-bit floating point; NaN is missing."""

    name = "number"
    delta = "double"
    compiles_as = "number"
    words = "a finite number, or null where it is missing"
    json_schema: ClassVar = {"type": ["number", "null"]}
    json_example = 1.5
    json_types = frozenset({float, int, type(None)})
    heading = "NUMBERS"
    inferred: ClassVar[tuple[str, ...]] = ("floating", "mixed-integer-float", "decimal")
    extremes: ClassVar[tuple[Any, ...]] = (None, 0.0, -1.0, 1e-300, -1e300, 1.7e308, 3e38, 16777217.0)

    @property
    def arrow(self) -> pa.DataType:
        """The type in Arrow."""
        import pyarrow as pa

        return pa.float64()

    def cast(self, values: Values, timezone: str, *, nullable: bool = False) -> tuple[Values, str]:
        """Cast to float64; infinite values do not fit."""
        import numpy as np
        import pandas as pd

        if values.dtype.kind in "mM":
            return values, describe(values, values.notna(), "are times, not numbers")
        numbers = values
        if values.dtype != np.float64:
            numbers = pd.to_numeric(values, errors="coerce").astype("float64")
            unread = numbers.isna() & values.notna()
            if unread.any():
                return values, describe(values, unread, "hold no number")
        infinite = np.isinf(numbers.to_numpy())
        if infinite.any():
            return values, describe(values, pd.Series(infinite, index=values.index), "are infinite")
        return numbers, ""

    def key_problem(self, values: Values, cast: Values) -> str:
        """Numbers that a float does not hold, such as whole ones beyond 2**53: several of them have the same float."""
        lost = altered(values, cast)
        what = "have more digits than a number keeps, so that several have one key; declare the column a category"
        return describe(values, lost, what) if lost.any() else ""

    def parse(self, text: str, timezone: str) -> object:
        """Read a number."""
        return float(text)

    def column(self, values: list[Any], timezone: str) -> Any:
        """A float64 array."""
        import numpy as np

        return np.array(values, dtype=np.float64)

    def target(self, values: Values) -> NDArray[Any]:
        """A float64 array."""
        import numpy as np

        return values.to_numpy(dtype=np.float64)

    def numbers(self, values: Values) -> Floats:
        """The numbers themselves."""
        import numpy as np

        return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)

    def counted_sql(self, column: str) -> str:
        """The number, null if it is not finite."""
        return f"CASE WHEN isfinite(CAST({column} AS DOUBLE)) THEN CAST({column} AS DOUBLE) END"

    def label_sql(self, json: str) -> str:
        """A double."""
        return f"TRY_CAST({json} AS DOUBLE)"

    def logged(self, value: Any, timezone: str) -> Any:
        """A float: Arrow takes no whole number above 2**53 for one."""
        return None if value is None else float(value)

    def key_text(self, value: Any, timezone: str) -> object:
        """A float: the stored 7 is written 7.0; a number that no float holds, which the lake has not, stays itself."""
        number = float(value)
        return number if is_kept(value, number) else value

    def from_csv(self, text: str) -> Any:
        """A finite number, or the text."""
        try:
            value = float(text)
        except ValueError:
            return text
        return value if math.isfinite(value) else text

    def check(self, value: Any) -> Any:
        """Nothing else is a number."""
        raise ValueError

    def keep(self, value: Any) -> Any:
        """A number or None."""
        if type(value) not in self.json_types:
            raise ValueError
        return value
