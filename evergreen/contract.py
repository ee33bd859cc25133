"""Contracts: Great Expectations suites, in its own vocabulary (the only module that imports it)."""

import difflib
import importlib.util
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, model_validator

from evergreen.errors import ContractError

if TYPE_CHECKING:
    from evergreen.model import Model


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
        asked = _expected(self.kwargs)
        words = self.type.removeprefix("expect_").removeprefix("column_").replace("_", " ")
        warns = "; a warning only" if self.warn else ""
        return f"{self.kwargs.get('column', 'table')}: {words}{f' ({asked})' if asked else ''}{warns}"


def _expected(kwargs: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in kwargs.items() if name not in ("column", "batch_id"))


@dataclass(frozen=True)
class Result:
    """What came of one expectation: whether it held, and in words what was found."""

    type: str
    column: str
    success: bool
    warn: bool
    expected: str
    found: str


@dataclass(frozen=True)
class Report:
    """The results of a whole contract on one batch of rows."""

    rows: int
    results: list[Result]

    @property
    def success(self) -> bool:
        """Whether every expectation that does not only warn held."""
        return all(result.success or result.warn for result in self.results)

    @property
    def failures(self) -> list[Result]:
        """The results that did not hold, those that only warn among them."""
        return [result for result in self.results if not result.success]


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


def required(model: "Model", until: pd.Timestamp) -> list[Expectation]:
    """What every batch must meet beside its schema: key unique, time known and past."""
    always = [expect("column_values_to_not_be_null", column) for column in [*model.key, model.time]]
    always.append(
        expect("compound_columns_to_be_unique", column_list=model.key)
        if len(model.key) > 1
        else expect("column_values_to_be_unique", model.key[0])
    )
    always.append(expect("column_values_to_be_between", model.time, max_value=until, strict_max=True))
    return always


def check(rows: pd.DataFrame, expectations: list[Expectation], private: Collection[str] = ()) -> Report:
    """Run expectations on a frame.

    Parameters
    ----------
    rows : DataFrame
    expectations : list of Expectation
    private : collection of str
        Columns no value of which may be shown: of what is amiss in them only the rows are counted.

    Raises
    ------
    ContractError
        An expectation cannot be run at all, for example a bound of the wrong type.
    """
    outcomes = _run(rows, [_implement(one) for one in expectations])
    results = [_result(one.to_json_dict(), rows, set(private)) for one in outcomes]
    return Report(rows=len(rows), results=results)


def _implement(expectation: Expectation) -> Any:
    from great_expectations.expectations.registry import get_expectation_impl

    severity = "warning" if expectation.warn else "critical"
    try:
        return get_expectation_impl(expectation.type)(severity=severity, **expectation.kwargs)
    except Exception as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise ContractError(f"{expectation.type} in the contract: {reason}. Mend the model file.") from error


def _run(rows: pd.DataFrame, implemented: list[Any]) -> Any:
    from great_expectations.execution_engine import PandasExecutionEngine
    from great_expectations.validator.validator import Validator

    engine = PandasExecutionEngine()
    # Not by a batch definition: it hashes the whole frame, twice, which takes as long as the checks.
    engine.load_batch_data("rows", rows)
    validator = Validator(execution_engine=engine, data_context=_context())
    configurations = [one.configuration for one in implemented]
    try:
        return validator.graph_validate(configurations, runtime_configuration={"result_format": "BASIC"})
    finally:
        # The validator and its parts refer to each other: they outlive the call, and would keep the rows.
        engine.batch_manager.batch_data_cache.clear()


@cache
def _context() -> Any:
    """A context that lives in memory and draws no progress bars; made once a process."""
    import logging

    import great_expectations as gx

    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    return context


def _result(outcome: dict[str, Any], rows: pd.DataFrame, private: set[str]) -> Result:
    config = outcome["expectation_config"]
    column = config["kwargs"].get("column", "")
    return Result(
        type=config["type"],
        column=column,
        success=bool(outcome["success"]),
        warn=config["severity"] == "warning",
        expected=_expected(config["kwargs"]),
        found=_found(outcome, column, rows, hidden=bool(private & columns(config["kwargs"]))),
    )


def columns(kwargs: dict[str, Any]) -> set[str]:
    """The columns that an expectation is about."""
    named = [value for name, value in kwargs.items() if name.startswith("column")]
    return {one for value in named for one in (value if isinstance(value, list) else [value])}


def _found(outcome: dict[str, Any], column: str, rows: pd.DataFrame, *, hidden: bool) -> str:
    if column and column not in rows.columns:
        return "no such column"
    if any(info for info in _exceptions(outcome)):
        return f"could not be checked{'' if hidden else f': {_exceptions(outcome)[0]}'}"
    result = outcome["result"]
    if "unexpected_count" in result:
        examples = "" if hidden else ", ".join(str(value) for value in result["partial_unexpected_list"][:5])
        of = f"of {result['element_count']:,} rows" if "element_count" in result else "distinct values"
        share = f"{result['unexpected_count']:,} {of}"
        return f"{share}: {examples}" if examples else share
    return "a value that is not shown" if hidden else str(result.get("observed_value", ""))


def _exceptions(outcome: dict[str, Any]) -> list[str]:
    info = outcome["exception_info"]
    infos = [info] if "raised_exception" in info else list(info.values())
    return [str(one["exception_message"]) for one in infos if one.get("raised_exception")]
