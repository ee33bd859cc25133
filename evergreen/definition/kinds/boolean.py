"""The kind `boolean`: true, false or missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from evergreen.definition.kinds.column_kind import ColumnKind
from evergreen.definition.kinds.messages import describe

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from evergreen.definition.kinds.column_kind import Floats, Values

_WORDS = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}


class Boolean(ColumnKind):
    """True, false or missing."""

    name = "boolean"
    delta = "boolean"
    bins = "category"
    compiles_as = "boolean"
    words = "true or false, or null where it is missing"
    json_schema: ClassVar = {"type": ["boolean", "null"]}
    json_example = True
    json_types = frozenset({bool, type(None)})
    heading = "BOOLEANS"
    inferred = ("boolean",)
    extremes = (None, True, False)

    @property
    def arrow(self) -> pa.DataType:
        """The type in Arrow."""
        import pyarrow as pa

        return pa.bool_()

    def cast(self, values: Values, timezone: str, *, nullable: bool = False) -> tuple[Values, str]:
        """Cast from truth values, 0 and 1, and the words true and false."""
        cast = values.astype("str").str.strip().str.lower().map(_WORDS).where(values.notna()).astype("boolean")
        unread = cast.isna() & values.notna()
        return (values, describe(values, unread, "are neither true nor false")) if unread.any() else (cast, "")

    def parse(self, text: str, timezone: str) -> object:
        """True for the word true."""
        return text.lower() == "true"

    def column(self, values: list[Any], timezone: str) -> Any:
        """A bool array, or a nullable one where a value is missing."""
        import numpy as np
        import pandas as pd

        return pd.array(values, dtype="boolean") if None in values else np.array(values, dtype=np.bool_)

    def target(self, values: Values) -> NDArray[Any]:
        """A bool array."""
        import numpy as np

        return values.to_numpy(dtype=np.bool_)

    def categories(self, values: Values) -> Values:
        """``"true"`` and ``"false"``, as DuckDB writes them."""
        return values.dropna().astype(str).str.lower()

    def numbers(self, values: Values) -> Floats:
        """1 for true, 0 for false."""
        import numpy as np

        return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)

    def counted_sql(self, column: str) -> str:
        """The word."""
        return f"CAST({column} AS VARCHAR)"

    def label_sql(self, json: str) -> str:
        """A truth value."""
        return f"TRY_CAST({json} AS BOOLEAN)"

    def key_text(self, value: Any, timezone: str) -> object:
        """The word, in small letters."""
        return str(value).lower()

    def from_csv(self, text: str) -> Any:
        """A truth value for its word, or the text."""
        return {"true": True, "false": False, "1": True, "0": False}.get(text.lower(), text)

    def check(self, value: Any) -> Any:
        """Nothing else is a truth value."""
        raise ValueError

    def keep(self, value: Any) -> Any:
        """A truth value or None."""
        if value is not None and type(value) is not bool:
            raise ValueError
        return value
