"""Expectations as a model file declares them, in Great Expectations' vocabulary."""

import difflib
import importlib.util
import re
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Expectation(BaseModel):
    """One expectation by its name in Great Expectations; made by `expect`."""

    model_config = ConfigDict(frozen=True)

    type: str
    kwargs: dict[str, Any]
    warn: bool = False

    @model_validator(mode="after")
    def _known(self) -> "Expectation":
        if self.type not in vocabulary():
            near = difflib.get_close_matches(self.type, vocabulary(), n=1)
            hint = f" Did you mean {near[0].removeprefix('expect_')!r}?" if near else ""
            raise ValueError(f"Great Expectations has no {self.type!r}.{hint}")
        return self

    @property
    def sentence(self) -> str:
        """What it asks for, in words.

        Examples
        --------
        >>> expect("column_values_to_be_between", "distance", min_value=0).sentence
        'distance: values to be between (min_value 0)'
        """
        asked = expected(self.kwargs)
        words = self.type.removeprefix("expect_").removeprefix("column_").replace("_", " ")
        warns = "; a warning only" if self.warn else ""
        return f"{self.kwargs.get('column', 'table')}: {words}{f' ({asked})' if asked else ''}{warns}"


def expected(kwargs: dict[str, Any]) -> str:
    """The arguments of an expectation in one line."""
    return ", ".join(f"{name} {value}" for name, value in kwargs.items() if name not in ("column", "batch_id"))


def expect(type: str, /, column: str | None = None, *, warn: bool = False, **kwargs: Any) -> Expectation:
    """Name an expectation of Great Expectations, without its leading ``expect_``.

    Parameters
    ----------
    type : str
        For example ``"column_values_to_be_between"``.
    column : str, optional
        The column, for the expectations that take one.
    warn : bool
        Report a failure, but let the batch pass.
    **kwargs
        What the expectation takes, in its own words.

    Examples
    --------
    >>> expect("column_values_to_be_between", "distance", min_value=0).kwargs
    {'column': 'distance', 'min_value': 0}
    """
    named = {"column": column} if column is not None else {}
    return Expectation(type=f"expect_{type.removeprefix('expect_')}", kwargs=named | kwargs, warn=warn)


@cache
def vocabulary() -> frozenset[str]:
    """The names of Great Expectations' core expectations, read without importing it (3 s)."""
    spec = importlib.util.find_spec("great_expectations")
    assert spec is not None
    assert spec.submodule_search_locations
    core = Path(spec.submodule_search_locations[0]) / "expectations" / "core"
    # Those that its package imports: beside them lie some that are not implemented.
    return frozenset(re.findall(r"\b(expect_\w+) import", (core / "__init__.py").read_text()))
