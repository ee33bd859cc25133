"""The declared schema: cast a source's rows to it, and report the columns that do not fit."""

import difflib
from collections.abc import Collection
from typing import TYPE_CHECKING

import pandas as pd

from evergreen.definition import disclosure
from evergreen.definition.kinds import exactness
from evergreen.definition.kinds.register import kind_of
from evergreen.definition.model import ROW_KEY
from evergreen.definition.parsing import columns as parsing
from evergreen.definition.parsing.time_part import TimePart
from evergreen.ingestion.contract import Result
from evergreen.sql import RESERVED

if TYPE_CHECKING:
    from evergreen.definition.model import Model
    from evergreen.definition.options import Kind

_HASH_KEY = "evergreen row 01"  # 16 bytes; another would give every stored row another key


def cast(rows: pd.DataFrame, model: "Model", only: Collection[str] | None = None) -> tuple[pd.DataFrame, list[Result]]:
    """Cast rows to the declared columns and kinds.

    Parameters
    ----------
    rows : DataFrame
        As the source gave them.
    model : Model
        The model that declares the columns.
    only : collection of str, optional
        Of the declared columns; all by default.

    Returns
    -------
    cast : DataFrame
        The declared columns in their order; a column that does not fit is left unchanged.
    problems : list of Result
        Empty if everything fits.

    Notes
    -----
    Undeclared columns are left out. A missing label is no problem: it can become known later.
    """
    declared = {column: kind for column, kind in model.columns.items() if column != ROW_KEY or column in rows.columns}
    wanted = {column: kind for column, kind in declared.items() if only is None or column in only}
    parsers = {column: model.parsing[column] for column in wanted if column in model.parsing}
    rows, unread = parsing.read(rows, parsers, model.timezone, model.time if model.time in wanted else "", model.key)
    absent = [column for column in wanted if column not in rows.columns and column not in unread]
    problems, columns = [_absent(column, rows, model) for column in absent], {}
    silent = disclosure.without_examples(model)
    for column, kind in wanted.items():
        problem = unread.get(column, "")
        if column in rows.columns:
            columns[column] = rows[column]
        if column in rows.columns and not problem:
            columns[column], problem = kind_of(kind).cast(rows[column], model.timezone, nullable=column == model.target)
        if column in columns and not problem and column in model.key:
            problem = kind_of(kind).key_problem(rows[column], columns[column])
        found, _, examples = problem.partition(": ")
        problems += [_problem(column, kind, found, "" if column in silent else examples)] if problem else []
    fitting = pd.DataFrame(columns, copy=False)
    if model.identified_by_content and ROW_KEY not in rows.columns and only is None and not problems:
        fitting.insert(0, ROW_KEY, _content_keys(fitting, model))
    return fitting, problems


def each_once(rows: pd.DataFrame, given: pd.DataFrame, model: "Model") -> tuple[pd.DataFrame, list[Result]]:
    """Rows that fit the schema without exact doubles, and a warning that counts them.

    Parameters
    ----------
    rows : DataFrame
        Cast to the schema.
    given : DataFrame
        The same as the source gave them: rows whose numbers differ there, and were rounded, are no doubles.
    model : Model
    """
    if rows.empty or not rows.duplicated(model.key).any():
        return rows, []
    doubles = rows.duplicated(keep=False)
    doubles[doubles] = _again(rows[doubles], given[doubles.to_numpy()], model).to_numpy()
    if not doubles.any():
        return rows, []
    found = f"{int(doubles.sum()):,} of {len(rows):,} rows are exact doubles of others, and were left out"
    warning = Result("doubles", "", success=False, warn=True, expected="each row once", found=found)
    return rows[~doubles].reset_index(drop=True), [warning]


def _again(rows: pd.DataFrame, given: pd.DataFrame, model: "Model") -> "pd.Series[bool]":
    """Which rows hold what an earlier one holds, to the last digit of numbers that were rounded."""
    whole = rows.reset_index(drop=True)
    for name in [name for name, kind in model.columns.items() if kind == "number" and name in given]:
        values = given[name].reset_index(drop=True)
        whole[f"{RESERVED}{name}"] = values.astype("str").where(exactness.altered(values, whole[name]), "")
    return whole.duplicated()


def _content_keys(rows: pd.DataFrame, model: "Model") -> "pd.Series[str]":
    """A key from what a row holds but its label, and from its number among rows that are alike in that."""
    parts = [name for name, parser in model.parsing.items() if isinstance(parser, TimePart)]
    content = rows[sorted(set(rows.columns) - {model.target, model.label_time, *parts})]
    digests = pd.util.hash_pandas_object(content, index=False, hash_key=_HASH_KEY, categorize=False)
    return digests.map("{:016x}".format).astype("str") + "-" + digests.groupby(digests).cumcount().astype("str")


def _absent(column: str, rows: pd.DataFrame, model: "Model") -> Result:
    """A column that is missing; names of others are examples: in a file without a header they are a row."""
    others = [str(other) for other in rows.columns if other not in model.columns]
    if len(others) == len(rows.columns):
        return _problem(column, model.columns[column], "no such column, nor any other declared one; is there a header?")
    near = difflib.get_close_matches(column, others, n=1, cutoff=0.6)
    if near:
        return _problem(column, model.columns[column], f"no such column; did {near[0]!r} take its place?")
    return _problem(column, model.columns[column], "no such column", f"undeclared: {others}" if others else "")


def _problem(column: str, kind: "Kind", found: str, examples: str = "") -> Result:
    expected = f"a column of kind {kind}"
    return Result("schema", column, success=False, warn=False, expected=expected, found=found, examples=examples)
