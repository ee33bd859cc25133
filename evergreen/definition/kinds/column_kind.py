"""The base class of all kinds of columns: what a new kind has to define."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Values = pd.Series[Any]


class ColumnKind(ABC):
    """A kind of column: all that depends on what its values are.

    What is called when, in the order of a value's life:

    ====================== ====================================================================================
    called                 when
    ====================== ====================================================================================
    `cast`                 a batch is ingested: every column of the source's rows
    `key_problem`          then: a column of the model's key
    `arrow`                those rows are written to the lake
    `target`               a model is fitted or evaluated: its labels
    `bins`                 a reference is built: decides between `numbers` and `categories` for its bins
    `numbers`/`categories` then: the values that the bins are made of
    `counted_sql`          the monitor counts values in those bins, in DuckDB
    `from_csv`             a request as CSV is read, before any check; JSON has types of its own
    `check`                a request is read: a feature whose JSON type is not among `json_types`
    `keep`                 a request is read: a column that is no feature; and each label that is posted
    `column`               the checked features become a column for the estimator
    `key_text`             a request is read: a column of the model's key
    `logged`               a segment of the prediction log is moved into the lake: every value in it
    `label_sql`            posted labels are joined to their rows
    `parse`                a person types a value, as in `evergreen erase`
    ====================== ====================================================================================

    Attributes
    ----------
    name : str
        As model files declare it.
    delta : str
        The type of the column in a Delta table.
    bins : {"number", "category"}
        Whether values are counted by range or one by one.
    compiles_as : {"number", "boolean", "category"} or None
        How a compiled pipeline reads the column; None if it cannot.
    words : str
        What a request may send, for an error message.
    json_schema : dict
        The same as JSON Schema.
    json_example : object
    json_types : frozenset of type
        The types of JSON values that need no further check.
    heading : str
        The name of the list of such features in a drafted model file; empty if they are never drafted.
    inferred : tuple of str
        What `pandas.api.types.infer_dtype` calls such values.
    extremes : tuple
        Unusual values that a compiled pipeline is checked with.
    """

    name: ClassVar[str]
    delta: ClassVar[str]
    bins: ClassVar[Literal["number", "category"]] = "number"
    compiles_as: ClassVar[Literal["number", "boolean", "category"] | None] = None
    words: ClassVar[str]
    json_schema: ClassVar[dict[str, Any]]
    json_example: ClassVar[Any]
    json_types: ClassVar[frozenset[type]]
    heading: ClassVar[str] = ""
    inferred: ClassVar[tuple[str, ...]] = ()
    extremes: ClassVar[tuple[Any, ...]] = ()

    @property
    @abstractmethod
    def arrow(self) -> pa.DataType:
        """The type in Arrow."""

    @property
    def kept_schema(self) -> dict[str, Any]:
        """What `keep` takes, as JSON Schema."""
        return self.json_schema

    @abstractmethod
    def cast(self, values: Values, timezone: str, *, nullable: bool = False) -> tuple[Values, str]:
        """Cast what a source gave.

        Parameters
        ----------
        values : Series
        timezone : str
            What a time without a zone means.
        nullable : bool
            Whether values may be missing where the kind has no missing value of its own.

        Returns
        -------
        cast : Series
            Unchanged if it does not fit.
        problem : str
            What does not fit; empty if all fits.
        """

    def key_problem(self, values: Values, cast: Values) -> str:
        """Why values cannot identify rows once they are cast; empty if they can.

        Parameters
        ----------
        values, cast : Series
            As a source gave them, and what `cast` made of them.
        """
        return ""

    @abstractmethod
    def parse(self, text: str, timezone: str) -> object:
        """Read a value that a person typed.

        Raises
        ------
        ValueError
            It is not of this kind.
        """

    @abstractmethod
    def column(self, values: list[Any], timezone: str) -> Any:
        """Values of a request as the estimator sees them: a pandas or numpy array; None is missing."""

    @abstractmethod
    def target(self, values: Values) -> NDArray[Any]:
        """Labels without gaps as numpy values."""

    @abstractmethod
    def numbers(self, values: Values) -> Floats:
        """The numbers that a reference's bins are made of, NaN where missing; called only if `bins` is "number"."""

    @abstractmethod
    def counted_sql(self, column: str) -> str:
        """What is counted in the bins, in DuckDB's SQL: the same as `numbers`, or as `categories`.

        Parameters
        ----------
        column : str
            A quoted name.
        """

    @abstractmethod
    def label_sql(self, json: str) -> str:
        """Read a label from JSON text in DuckDB's SQL; null where it is not of this kind."""

    def categories(self, values: Values) -> Values:
        """The texts that a reference's bins are made of, without missing ones; called only if `bins` is "category"."""
        return values.dropna().astype(str)

    def logged(self, value: Any, timezone: str) -> Any:
        """A value of a request as Arrow takes it for the prediction log."""
        return value

    def key_text(self, value: Any, timezone: str) -> object:
        """A value of a request as part of a row's id: as DuckDB writes the stored value as text."""
        return value

    def from_csv(self, text: str) -> Any:
        """Read a field of a CSV request; text that is not of this kind stays as it is."""
        return text

    @abstractmethod
    def check(self, value: Any) -> Any:
        """Check a feature of a request whose JSON type is not among `json_types`, and return it converted.

        Raises
        ------
        ValueError
            It is not of this kind.
        """

    @abstractmethod
    def keep(self, value: Any) -> Any:
        """Check a value of a request that is no feature, or a posted label, and return it as it is logged.

        Raises
        ------
        ValueError
            It is not of this kind.
        """
