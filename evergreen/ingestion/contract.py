"""Contracts: Great Expectations suites, in its own vocabulary (the only module that imports it)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from evergreen.definition import disclosure
from evergreen.definition.expectations import Expectation, expect, expected
from evergreen.definition.options import MIN_GROUP_SIZE
from evergreen.errors import ContractError

if TYPE_CHECKING:
    from evergreen.definition.model import Model

# What Great Expectations observes for these belongs to no single row.
_COUNTS = (
    "table_row_count",
    "table_column_count",
    "column_proportion",
    "column_unique_value_count",
    "column_values_to_be_of_type",
    "column_values_to_be_in_type_list",
)
_MEANS = ("column_mean", "column_stdev", "column_sum", "column_kl_divergence", "column_pair_cramers")


@dataclass(frozen=True)
class Result:
    """The result of one expectation: whether it passed, and what was found.

    Attributes
    ----------
    type, column : str
    success, warn : bool
    expected : str
        What the model file asks for.
    found : str
        Counts and means, which any record may hold.
    examples : str
        Values of rows; empty for keys, texts and private columns. They are kept beside the rows only, in quarantine.
    """

    type: str
    column: str
    success: bool
    warn: bool
    expected: str
    found: str
    examples: str = ""

    @property
    def without_examples(self) -> "Result":
        """The same without values of rows; results of earlier releases hold them in `found`."""
        return replace(self, found=disclosure.without_old_examples(self.found), examples="")

    @property
    def shown(self) -> str:
        """What was found, with the examples: for a person who looks at the batch."""
        return f"{self.found}: {self.examples}" if self.examples else self.found


@dataclass(frozen=True)
class Report:
    """The results of a whole contract on one batch of rows.

    Attributes
    ----------
    rows : int
    results : list of Result
    first : dict of (type, column) to int
        The first row that an expectation did not expect, as far as it is known.
    """

    rows: int
    results: list[Result]
    first: Mapping[tuple[str, str], int] = field(default_factory=dict)

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


def check(rows: pd.DataFrame, expectations: list[Expectation], hidden: Collection[str] = ()) -> Report:
    """Run expectations on a frame.

    Parameters
    ----------
    rows : DataFrame
    expectations : list of Expectation
    hidden : collection of str
        Columns of which no example is given, from `evergreen.definition.disclosure.without_examples`.

    Raises
    ------
    ContractError
        An expectation cannot be run at all, for example a bound of the wrong type.
    """
    outcomes = _run(rows, [_implement(expectation) for expectation in expectations])
    found = [outcome.to_json_dict() for outcome in outcomes]
    results = [_result(outcome, rows, set(hidden)) for outcome in found]
    known = zip(results, map(partial(_first, rows=rows), found), strict=True)
    first = {(one.type, one.column): row for one, row in known if row is not None}
    return Report(len(rows), results, first)


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


def _result(outcome: dict[str, Any], rows: pd.DataFrame, hidden: set[str]) -> Result:
    config = outcome["expectation_config"]
    column = config["kwargs"].get("column", "")
    hides = bool(hidden & columns(config["kwargs"]))
    found, examples = _found(outcome, column, rows, hides=hides)
    return Result(
        type=config["type"],
        column=column,
        success=bool(outcome["success"]),
        warn=config["severity"] == "warning",
        expected=expected(config["kwargs"]),
        found=found,
        examples="" if hides else examples,
    )


def columns(kwargs: dict[str, Any]) -> set[str]:
    """The columns that an expectation is about."""
    column_arguments = [value for name, value in kwargs.items() if name.startswith("column")]
    return {column for value in column_arguments for column in (value if isinstance(value, list) else [value])}


def _found(outcome: dict[str, Any], column: str, rows: pd.DataFrame, *, hides: bool) -> tuple[str, str]:
    """What was found in counts and means, and examples of it."""
    if column and column not in rows.columns:
        return "no such column", ""
    if any(info for info in _exceptions(outcome)):
        return "could not be checked", _exceptions(outcome)[0]
    result = outcome["result"]
    if "unexpected_count" in result:
        if result["unexpected_count"] == result.get("element_count") and column and rows[column].isna().all():
            return f"no value in all {len(rows):,} rows; is the column still in the source?", ""
        of = f"of {result['element_count']:,} rows" if "element_count" in result else "distinct values"
        known = [value for value in result["partial_unexpected_list"] if value is not None]
        return f"{result['unexpected_count']:,} {of}", ", ".join(map(str, known[:5]))
    observed = str(result.get("observed_value", ""))
    type_ = outcome["expectation_config"]["type"].removeprefix("expect_")
    if type_.startswith(_COUNTS) or (type_.startswith(_MEANS) and not hides and len(rows) >= MIN_GROUP_SIZE):
        return observed, ""
    return ("a value that is not shown" if hides else "another value"), observed


def _first(outcome: dict[str, Any], rows: pd.DataFrame) -> int | None:
    """The first row in which a column has a value that was not expected; None where it is not known."""
    column, result = outcome["expectation_config"]["kwargs"].get("column", ""), outcome["result"]
    if outcome["success"] or column not in rows.columns or "partial_unexpected_list" not in result:
        return None
    values = rows[column]
    known = [value for value in result["partial_unexpected_list"] if value is not None]
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        known = [pd.Timestamp(value) for value in known]
    matches = (values.isin(known) if known else values.isna()).to_numpy()
    return int(matches.argmax()) if matches.any() else None


def _exceptions(outcome: dict[str, Any]) -> list[str]:
    info = outcome["exception_info"]
    infos = [info] if "raised_exception" in info else list(info.values())
    return [str(exception["exception_message"]) for exception in infos if exception.get("raised_exception")]
