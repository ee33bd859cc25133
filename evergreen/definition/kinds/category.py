"""The kind `category`: texts that repeat, such as codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from evergreen.definition.kinds.column_kind import ColumnKind
from evergreen.definition.kinds.exactness import EXACT

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from evergreen.definition.kinds.column_kind import Floats, Values

_UNKNOWN = "a category that does not occur"


class Category(ColumnKind):
    """A text that stands for a group, or missing."""

    name = "category"
    delta = "string"
    bins: ClassVar[Literal["number", "category"]] = "category"
    compiles_as = "category"
    words = "text, or null where it is missing"
    json_schema: ClassVar = {"type": ["string", "null"]}
    json_example = "text"
    json_types = frozenset({str, type(None)})
    heading = "CATEGORIES"
    inferred: ClassVar[tuple[str, ...]] = ("categorical",)
    extremes = (None, _UNKNOWN, "")

    @property
    def arrow(self) -> pa.DataType:
        """The type in Arrow."""
        import pyarrow as pa

        return pa.string()

    def cast(self, values: Values, timezone: str, *, nullable: bool = False) -> tuple[Values, str]:
        """Cast to text; everything fits."""
        import pandas as pd

        if values.dtype == pd.StringDtype(na_value=float("nan")):
            return values, ""
        text = values.where(values.notna(), None).astype("str")
        # Whole numbers with gaps come as floats: 7 and 7.0 must not be two keys or categories.
        return (text.str.removesuffix(".0") if values.dtype.kind == "f" else text), ""

    def parse(self, text: str, timezone: str) -> object:
        """The text itself."""
        return text

    def column(self, values: list[Any], timezone: str) -> Any:
        """A string array."""
        import pandas as pd

        return pd.array(values, dtype="str")

    def target(self, values: Values) -> NDArray[Any]:
        """An array of texts."""
        return values.to_numpy(dtype=object)

    def numbers(self, values: Values) -> Floats:
        """The lengths of the texts."""
        import numpy as np

        return np.asarray(values.str.len().astype("float64"), dtype=np.float64)

    def counted_sql(self, column: str) -> str:
        """The text."""
        return f"CAST({column} AS VARCHAR)"

    def label_sql(self, json: str) -> str:
        """The text within the JSON."""
        return f"{json} ->> '$'"

    def check(self, value: Any) -> Any:
        """Nothing else is text."""
        raise ValueError

    @property
    def kept_schema(self) -> dict[str, Any]:
        """A text, or a whole number or truth value that becomes one."""
        return {"type": ["string", "integer", "boolean", "null"]}

    def keep(self, value: Any) -> Any:
        """A text or None; whole numbers, 7.0 too, and truth values become text, as in `cast`."""
        if type(value) in (int, bool):
            return str(value)
        if type(value) is float and abs(value) <= EXACT and value % 1 == 0:
            return str(value).removesuffix(".0")
        if value is not None and type(value) is not str:
            raise ValueError
        return value
