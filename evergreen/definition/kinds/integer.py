"""The kind `integer`: whole numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from evergreen.definition.kinds.exactness import are_whole, restored
from evergreen.definition.kinds.messages import describe
from evergreen.definition.kinds.number import Number

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from evergreen.definition.kinds.column_kind import Values

_LONG = 2**63  # the least whole number that 64 bits with a sign cannot hold


class Integer(Number):
    """A whole number of 64 bits; only a target may be missing."""

    name = "integer"
    delta = "long"
    words = "a whole number"
    json_schema: ClassVar = {"type": "integer"}
    json_example = 1
    json_types = frozenset()
    heading = "INTEGERS"
    inferred = ("integer",)
    extremes = (0, -1, 16777217, 2**53, -(2**62))

    @property
    def arrow(self) -> pa.DataType:
        """The type in Arrow."""
        import pyarrow as pa

        return pa.int64()

    def cast(self, values: Values, timezone: str, *, nullable: bool = False) -> tuple[Values, str]:
        """Cast to int64, or to Int64 where values may be missing."""
        exact = _exactly(values)  # not through floats, which end at 2**53
        if exact is not None and (nullable or not exact.isna().any()):
            return exact.astype("Int64" if nullable else "int64"), ""
        numbers, problem = super().cast(values, timezone)
        if problem:
            return values, problem
        numbers = restored(values, numbers)
        broken = numbers.notna() & ~are_whole(numbers)
        if broken.any():
            return values, describe(values, broken, "are not whole")
        beyond = numbers.abs() >= _LONG
        if beyond.any():
            return values, describe(values, beyond, "have more than 64 bits; declare the column a number")
        if nullable:
            return _whole(numbers), ""
        if numbers.isna().all() and len(numbers):
            return values, describe(values, numbers.isna(), "are missing; is the column still in the source?")
        if numbers.isna().any():
            return values, describe(values, numbers.isna(), "are missing; declare the column a number if that is right")
        return _whole(numbers).astype("int64"), ""

    def key_problem(self, values: Values, cast: Values) -> str:
        """None: whole numbers stay what they are."""
        return ""

    def parse(self, text: str, timezone: str) -> object:
        """Read a whole number."""
        return int(text)

    def column(self, values: list[Any], timezone: str) -> Any:
        """An int64 array, or Int64 where a value is missing."""
        import numpy as np
        import pandas as pd

        return pd.array(values, dtype="Int64") if None in values else np.array(values, dtype=np.int64)

    def target(self, values: Values) -> NDArray[Any]:
        """An int64 array."""
        import numpy as np

        return values.to_numpy(dtype=np.int64)

    def label_sql(self, json: str) -> str:
        """A 64-bit integer."""
        return f"TRY_CAST({json} AS BIGINT)"

    def logged(self, value: Any, timezone: str) -> Any:
        """The number itself."""
        return value

    def key_text(self, value: Any, timezone: str) -> object:
        """The number itself."""
        return value

    def from_csv(self, text: str) -> Any:
        """A whole number, else what a number would be."""
        try:
            return int(text)
        except ValueError:
            return super().from_csv(text)

    def check(self, value: Any) -> Any:
        """A whole number of 64 bits, given as int or as a float without a fraction."""
        if type(value) not in (int, float) or value % 1 or not -_LONG <= value < _LONG:
            raise ValueError
        return int(value)

    def keep(self, value: Any) -> Any:
        """A whole number or None."""
        return None if value is None else self.check(value)


def _whole(numbers: Values) -> Values:
    """Restored whole numbers as Int64."""
    import pandas as pd

    if numbers.dtype.kind == "f":
        return numbers.astype("Int64")
    whole = [None if pd.isna(number) else int(number) for number in numbers]
    return pd.Series(whole, index=numbers.index, name=numbers.name, dtype="Int64")


def _exactly(values: Values) -> Values | None:
    """Whole numbers, or texts of such, as Int64; None if they are others."""
    import pandas as pd

    if values.dtype.kind in "iu":
        return values.astype("Int64") if values.isna().all() or values.max() < _LONG else None
    if not (pd.api.types.is_object_dtype(values) or pd.api.types.is_string_dtype(values)):
        return None
    numbers = pd.to_numeric(values, errors="coerce", dtype_backend="numpy_nullable")
    return numbers if numbers.dtype == "Int64" and (numbers.isna() == values.isna()).all() else None
