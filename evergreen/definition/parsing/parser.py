"""The base class of what reads a column: `series` reads a whole column, `value` one value of a request."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from evergreen.definition.options import Part

if TYPE_CHECKING:
    from evergreen.definition.kinds.column_kind import Values


class Parser(Part, ABC):
    """Reads a column from one or more columns of a row."""

    @abstractmethod
    def inputs(self, name: str) -> list[str]:
        """The columns that it reads, for the column of this name."""

    @abstractmethod
    def series(self, columns: Sequence[Values], timezone: str) -> tuple[Values, str]:
        """Read a whole column.

        Parameters
        ----------
        columns : sequence of Series
            Of `inputs`, as the source gave them.
        timezone : str
            What a time without a zone means.

        Returns
        -------
        values : Series
        problem : str
            Which values cannot be read; empty if all can.
        """

    @abstractmethod
    def value(self, values: Sequence[Any], timezone: str) -> Any:
        """Read one value of a request; None if it is missing.

        Raises
        ------
        ValueError
            It cannot be read.
        """
