"""Compile a fitted pipeline into lookups for its columns and tables for its forest.

scikit-learn predicts one row in some milliseconds, mostly checks and copies of frames. A compiled
pipeline takes a tenth of a millisecond, and is loaded without scikit-learn. It is used only if
`serving.inference.equivalence.difference` finds equal predictions.
"""

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from evergreen.definition.kinds.register import kind_of
from serving.inference import quickscorer
from serving.inference.compiled_pipeline import (
    LINKS,
    SET,
    Column,
    Compiled,
    Floats,
    Lookup,
    Number,
)


def candidates(estimator: Any, kinds: Mapping[str, str]) -> Iterator[Compiled]:
    """The compiled pipelines that may predict as an estimator does; none if one of its steps is not supported.

    XGBoost takes a number beyond single precision for infinite, or refuses it, by the type of array that it is given.
    """
    for endless in (False, True):
        pipeline = compiled(estimator, kinds, endless=endless)
        if pipeline is None:
            return
        yield pipeline
        if pipeline.forest.input_type != "float32":
            return


def compiled(estimator: Any, kinds: Mapping[str, str], *, endless: bool = False) -> Compiled | None:
    """Compile a fitted pipeline; None if one of its steps is not supported.

    Parameters
    ----------
    estimator : scikit-learn estimator
        A forest, or a pipeline that ends in one: of histogram gradient boosting, gradient boosting,
        random forests, extremely random trees, LightGBM or XGBoost; before it column transformers, encoders of
        categories, imputers and scalers.
    kinds : mapping of column to kind
        The features in their order.
    endless : bool
        Whether a forest of single precision accepts numbers that are infinite in it.
    """
    *steps, last = [step for _, step in estimator.steps] if hasattr(estimator, "steps") else [estimator]
    try:
        columns = _initial_columns(kinds)
        for step in steps:
            columns = _apply_step(step, columns)
        return _compile_forest(last, columns, endless)
    except Exception:  # an unsupported step, or a library whose internals have changed
        return None


_TINY = float(np.float32(1e-35))  # the largest number that LightGBM takes for 0


class _UnknownStepError(Exception):
    pass


@dataclass(frozen=True)
class _Category:
    """A category that no step has encoded yet."""

    source: int


_Columns = dict[str, Any]  # of name to Number, Lookup or _Category


def _initial_columns(kinds: Mapping[str, str]) -> _Columns:
    makers: dict[str | None, Callable[[int], Any]] = {
        "number": Number,
        "boolean": lambda place: Number(place, gaps=False),
        "category": _Category,
    }
    if not {kind_of(kind).compiles_as for kind in kinds.values()} <= set(makers):
        raise _UnknownStepError
    return {name: makers[kind_of(kind).compiles_as](place) for place, (name, kind) in enumerate(kinds.items())}


def _apply_step(step: Any, columns: _Columns) -> _Columns:
    """Apply a fitted step to columns."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

    if step == "passthrough":
        return columns
    if type(step) is Pipeline:
        for _, inner in step.steps:
            columns = _apply_step(inner, columns)
        return columns
    if type(step) is ColumnTransformer:
        return _apply_column_transformer(step, columns)
    if type(step) in (OrdinalEncoder, OneHotEncoder):
        return _apply_encoder(step, columns)
    return _apply_numeric_step(step, columns)


def _apply_numeric_step(step: Any, columns: _Columns) -> _Columns:
    """An imputer or a scaler of numbers."""
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import StandardScaler

    if not all(isinstance(column, Number) for column in columns.values()):
        raise _UnknownStepError
    if type(step) is SimpleImputer and not step.add_indicator and step.strategy != "most_frequent":
        return _map_columns(step, columns, lambda column, place: _with_fill(column, float(step.statistics_[place])))
    if type(step) is StandardScaler:
        return _map_columns(step, columns, lambda column, place: _with_scale(column, step, place))
    raise _UnknownStepError


def _apply_column_transformer(step: Any, columns: _Columns) -> _Columns:
    """A column transformer: each part transforms some columns, and the outputs are concatenated."""
    from sklearn.preprocessing import FunctionTransformer

    names = list(columns)
    outputs: _Columns = {}
    for name, part, chosen in step.transformers_:
        if isinstance(part, str) and part == "drop":
            continue
        part_columns = {column: columns[column] for column in (_selected_columns(chosen, names))}
        plain = isinstance(part, str) or (type(part) is FunctionTransformer and part.func is None)
        encoded = part_columns if plain else _apply_step(part, part_columns)
        if not encoded:
            continue
        outputs |= {f"{name}__{key}": column for key, column in encoded.items()}
    return outputs


def _selected_columns(chosen: Any, names: list[str]) -> list[str]:
    """The columns that a part of a column transformer sees."""
    if isinstance(chosen, slice):
        return names[chosen]
    selection = np.asarray(chosen)
    if selection.dtype == bool:
        return [name for name, wanted in zip(names, selection, strict=True) if wanted]
    return [position if isinstance(position, str) else names[position] for position in selection.tolist()]


def _apply_encoder(step: Any, columns: _Columns) -> _Columns:
    """Apply an encoder of categories: the fitted encoder itself encodes each known category."""
    import pandas as pd

    if not all(isinstance(column, _Category) for column in columns.values()):
        raise _UnknownStepError
    outputs: _Columns = {}
    known = [[category for category in categories if isinstance(category, str)] for categories in step.categories_]
    fitting = {name: categories[0] if categories else None for name, categories in zip(columns, known, strict=True)}
    places = _output_slices(step)
    for number, ((name, column), categories) in enumerate(zip(columns.items(), known, strict=True)):
        unknown_category = "\0".join(categories) + "\0"  # not one of them

        def asked(values: list[str | None], name: str = name, mine: Any = places[number]) -> Floats | None:
            rows = pd.DataFrame(
                {column_name: [first] * len(values) for column_name, first in fitting.items()}, dtype="str"
            )
            rows[name] = pd.Series(values, dtype="str")
            try:
                encoded = step.transform(rows)
            except (ValueError, TypeError):
                return None
            dense = encoded.toarray() if hasattr(encoded, "toarray") else np.asarray(encoded)
            return np.asarray(dense, dtype=np.float64)[:, mine]

        some: list[list[str | None]] = [[*categories], [unknown_category], [None]]
        table, unknown, missing = (asked(values) for values in some)
        if table is None:
            raise _UnknownStepError
        for place in range(table.shape[1]):
            outputs[f"{name}_{place}"] = Lookup(
                column.source,
                dict(zip(categories, table[:, place].tolist(), strict=True)),
                None if unknown is None else float(unknown[0, place]),
                None if missing is None else float(missing[0, place]),
            )
    return outputs


def _output_slices(step: Any) -> list[slice]:
    """The slice of an encoder's outputs that belongs to each column."""
    counts = getattr(step, "_n_features_outs", None) or [1] * len(step.categories_)  # more than one where one-hot
    ends = np.cumsum(counts).tolist()
    return [slice(end - count, end) for end, count in zip(ends, counts, strict=True)]


def _map_columns(step: Any, columns: _Columns, change: Callable[[Number, int], Number]) -> _Columns:
    return {name: change(column, place) for place, (name, column) in enumerate(columns.items())}


def _with_fill(column: Number, value: float) -> Number:
    if column.shift or column.scale != 1 or math.isnan(value):
        raise _UnknownStepError
    return replace(column, fill=value if column.fill is None else column.fill)


def _with_scale(column: Number, step: Any, place: int) -> Number:
    if column.shift or column.scale != 1:
        raise _UnknownStepError
    shift = float(step.mean_[place]) if step.with_mean else 0.0
    return replace(column, shift=shift, scale=float(step.scale_[place]) if step.with_std else 1.0)


def _compile_forest(last: Any, columns: _Columns, endless: bool) -> Compiled:
    """Compile the forest at the end of a pipeline."""
    import treelite
    from sklearn import ensemble

    exact = (ensemble.HistGradientBoostingClassifier, ensemble.HistGradientBoostingRegressor)
    single = (
        ensemble.RandomForestClassifier,
        ensemble.RandomForestRegressor,
        ensemble.ExtraTreesClassifier,
        ensemble.ExtraTreesRegressor,
    )
    whole = (ensemble.GradientBoostingClassifier, ensemble.GradientBoostingRegressor)  # they accept no missing values
    if any(isinstance(column, _Category) for column in columns.values()):
        raise _UnknownStepError
    boosted = _boosted_forest(last)
    if boosted is None and type(last) not in (*exact, *single, *whole):
        raise _UnknownStepError
    inputs: list[Column] = list(columns.values())
    if type(last) in exact:
        last, inputs = _with_known_categories(last, inputs)
    elif boosted is None:
        inputs = [_single_precision(column, gaps=type(last) in single) for column in inputs]
    elif boosted.input_type == "float32":
        inputs = [_single_precision(column, gaps=True, endless=endless) for column in inputs]
    forest = boosted or treelite.sklearn.import_model(last)
    link = str(forest.get_header_accessor().get_field("postprocessor"))
    if link not in LINKS:
        raise _UnknownStepError
    return Compiled(inputs, forest, link, quickscorer.tabulated(forest))


def _boosted_forest(last: Any) -> Any:
    """The forest of an estimator of LightGBM or XGBoost, up to the tree that early stopping chose; None of another."""
    from treelite import frontend

    package, kind = type(last).__module__.split(".")[0], type(last).__name__
    if package == "lightgbm" and kind in ("LGBMClassifier", "LGBMRegressor"):
        return _with_tiny_as_zero(frontend.from_lightgbm(last.booster_))
    if package == "xgboost" and kind in ("XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor"):
        booster, best = last.get_booster(), getattr(last, "best_iteration", None)
        return frontend.from_xgboost(booster if best is None else booster[: best + 1])
    return None


def _with_tiny_as_zero(forest: Any) -> Any:
    """LightGBM takes a number next to 0 for 0: a threshold between them moves beyond the last such number."""
    for number in range(forest.num_tree):
        tree = forest.get_tree_accessor(number)
        at = tree.get_field("threshold")
        moved = np.where((at >= 0) & (at < _TINY), _TINY, at)
        tree.set_field("threshold", np.where((at < 0) & (at >= -_TINY), np.nextafter(-_TINY, -np.inf), moved))
    return forest


def _with_known_categories(last: Any, columns: list[Column]) -> tuple[Any, list[Column]]:
    """Histogram gradient boosting numbers its categories, and treats an unknown one as missing.

    A split of one category against missing ones keeps, in scikit-learn, the set of another split: it may
    name categories that its column has not. So treelite is given every number that a set can name,
    each as itself, and the columns become those numbers.
    """
    if last.is_categorical_ is None:
        return last, columns
    last = copy.deepcopy(last)
    encoder = last._preprocessor.named_transformers_["encoder"]
    fitted = iter(encoder.categories_)
    encoder.categories_ = [np.arange(SET) for _ in encoder.categories_]
    return last, [
        _category_numbers(column, next(fitted)) if categorical else column
        for column, categorical in zip(columns, last.is_categorical_, strict=True)
    ]


def _category_numbers(column: Column, fitted: Sequence[float]) -> Lookup:
    if not isinstance(column, Lookup):
        raise _UnknownStepError
    places = {value: float(place) for place, value in enumerate(fitted) if not math.isnan(value)}

    def number(code: float) -> float:
        return places.get(code, math.nan)

    table = {name: number(code) for name, code in column.table.items()}
    unknown, missing = (None if code is None else number(code) for code in (column.unknown, column.missing))
    return Lookup(column.source, table, unknown, missing)


def _single_precision(column: Column, *, gaps: bool, endless: bool = False) -> Column:
    """A column of a forest that uses single precision."""
    if isinstance(column, Lookup):
        return column
    return replace(column, single=True, gaps=gaps and column.gaps, endless=endless)
