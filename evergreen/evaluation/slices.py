"""Slices: the metric on each value of a column."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from evergreen.definition import disclosure
from evergreen.definition.metrics import Floats
from evergreen.evaluation import bootstrap
from evergreen.evaluation.bootstrap import Blocks, Interval

if TYPE_CHECKING:
    from evergreen.definition.model import Model


@dataclass(frozen=True)
class Slice:
    """One value of one slice column: the challenger's metric there, and its gain over the champion."""

    column: str
    value: str
    rows: int
    challenger: float
    champion: float | None
    gain: Interval | None


def sliced(
    model: "Model", holdout: pd.DataFrame, target: NDArray[Any], predictions: dict[str, Floats]
) -> Iterator[Slice]:
    """The metric, and the gain over the champion, on every slice."""
    parts = [(column, value, rows) for column in model.slices for value, rows in cells(model, holdout, column)]
    # Rejections always use the level of a first evaluation: a stricter level would let worse challengers pass.
    judged = sum(len(rows) >= model.gates.slice_rows for _, _, rows in parts)
    level = model.gates.level(0, max(judged, 1))
    for column, value, rows in parts:
        blocks = Blocks.of(model, holdout[model.time].iloc[rows])
        sums = {
            name: blocks.sums(model.metric, target[rows], predictions[name][rows])
            for name in ("challenger", "champion")
            if name in predictions
        }
        scores = {name: float(model.metric.finish(part.sum(axis=0))) for name, part in sums.items()}
        gain = None
        if "champion" in sums:
            gain = bootstrap.paired_gain(model.metric, sums["challenger"], sums["champion"], blocks.drawn, level)
        yield Slice(column, value, len(rows), scores["challenger"], scores.get("champion"), gain)


def cells(model: "Model", rows: pd.DataFrame, column: str) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """The rows' places of each group of a column, missing values among them.

    The groups' names are those of `evergreen.definition.disclosure.group_names`.
    """
    values = rows[column]
    groups: Mapping[Any, ArrayLike] = values.reset_index(drop=True).groupby(values.to_numpy(), dropna=False).indices
    places = {value: np.asarray(of_value, dtype=np.intp) for value, of_value in groups.items()}
    known = {value: len(of_value) for value, of_value in places.items() if not pd.isna(value)}
    names = disclosure.group_names(model, column, known)
    for value, of_value in places.items():
        yield names.get(value, "missing"), of_value
