"""Contracts: Great Expectations suites, in its own vocabulary (the only module that imports it)."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import pandas as pd

from evergreen.definition.expectations import Expectation, expect, expected
from evergreen.errors import ContractError

if TYPE_CHECKING:
    from evergreen.definition.model import Model


@dataclass(frozen=True)
class Result:
    """The result of one expectation: whether it passed, and the observed values as text."""

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
        """Whether every expectation passed, apart from those that only warn."""
        return all(result.success or result.warn for result in self.results)

    @property
    def failures(self) -> list[Result]:
        """The failed results, including those that only warn."""
        return [result for result in self.results if not result.success]


def required(model: "Model", until: pd.Timestamp) -> list[Expectation]:
    """The checks on every batch beside its schema: key unique, time not missing and in the past."""
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
        Columns whose values may not be shown; their failures are reported as counts.

    Raises
    ------
    ContractError
        An expectation cannot be run at all, for example a bound of the wrong type.
    """
    outcomes = _run(rows, [_implement(expectation) for expectation in expectations])
    results = [_result(outcome.to_json_dict(), rows, set(private)) for outcome in outcomes]
    return Report(rows=len(rows), results=results)


def _implement(expectation: Expectation) -> Any:
    from great_expectations.expectations.registry import get_expectation_impl

    severity = "warning" if expectation.warn else "critical"
    try:
        return get_expectation_impl(expectation.type)(severity=severity, **expectation.kwargs)
    except Exception as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise ContractError(f"{expectation.type} in the contract: {reason}. Fix the model file.") from error


def _run(rows: pd.DataFrame, expectations: list[Any]) -> Any:
    from great_expectations.execution_engine import PandasExecutionEngine
    from great_expectations.validator.validator import Validator

    engine = PandasExecutionEngine()
    # Not with a batch definition, which hashes the whole frame twice and takes as long as the checks.
    engine.load_batch_data("rows", rows)
    validator = Validator(execution_engine=engine, data_context=_context())
    configurations = [expectation.configuration for expectation in expectations]
    try:
        return validator.graph_validate(configurations, runtime_configuration={"result_format": "BASIC"})
    finally:
        # The validator and its parts form reference cycles, which would keep the rows in memory.
        engine.batch_manager.batch_data_cache.clear()


@cache
def _context() -> Any:
    """A context in memory without progress bars, created once in a process."""
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
        expected=expected(config["kwargs"]),
        found=_found(outcome, column, rows, hidden=bool(private & columns(config["kwargs"]))),
    )


def columns(kwargs: dict[str, Any]) -> set[str]:
    """The columns that an expectation is about."""
    column_arguments = [value for name, value in kwargs.items() if name.startswith("column")]
    return {column for value in column_arguments for column in (value if isinstance(value, list) else [value])}


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
    return [str(exception["exception_message"]) for exception in infos if exception.get("raised_exception")]
