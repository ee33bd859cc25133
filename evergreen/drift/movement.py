"""Movement: which columns of a holdout differ from the training rows, by how much, and when they changed most."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.definition import disclosure
from evergreen.definition.kinds.register import kind_of
from evergreen.definition.options import MIN_GROUP_SIZE
from evergreen.definition.parsing.time_part import TimePart
from evergreen.drift.bins import Bins, bins_of
from evergreen.drift.distances import jensen_shannon
from evergreen.drift.profile import Column, nothing
from evergreen.drift.thresholds import Threshold, calibrate, comparable
from evergreen.time_units import ORIGIN

if TYPE_CHECKING:
    from evergreen.definition.model import Model
    from evergreen.definition.options import Kind


@dataclass(frozen=True)
class Movement:
    """How far one column of the holdout lies from the training rows.

    Attributes
    ----------
    column : str
    distance : float
        The Jensen-Shannon distance, 0 to 1.
    threshold : float
        What windows of the training rows as long as the holdout differ by; infinite if there are fewer than three.
    changed : str
        The day of the largest change; ISO 8601.
    before, after : str
        What the training rows and the holdout hold, in words; empty where no value may be shown.
    """

    column: str
    distance: float
    threshold: float
    changed: str
    before: str = ""
    after: str = ""

    @property
    def phrase(self) -> str:
        """As text, for a person."""
        held = f"{self.before} in the training rows, {self.after} in the holdout; " if self.before else ""
        over = "over" if self.distance > self.threshold else "under"
        limit = f" {over} {self.threshold:.3f}" if self.threshold < 1 else ""  # no distance is over 1
        return f"{self.column}: {held}distance {self.distance:.3f}{limit}; it changed most on {self.changed}"


def movements(model: "Model", train: pd.DataFrame, holdout: pd.DataFrame, most: int = 3) -> list[Movement]:
    """The columns, target or feature, whose holdout lies farthest from the training rows.

    Columns that follow from the time alone are left out: a holdout of weeks always differs in them.

    Parameters
    ----------
    model : Model
    train, holdout : DataFrame
        Labelled rows.
    most : int
        How many columns to give.
    """
    found = [_movement(model, name, kind, train, holdout) for name, kind in _kinds(model).items()]
    known = [movement for movement in found if movement.distance > 0]
    return sorted(known, key=lambda movement: -movement.distance)[:most]


def change_point(counts: NDArray[np.int64]) -> int:
    """The row that begins the second of two parts which differ most, by the weighted Jensen-Shannon divergence.

    Segmentation of a sequence of counts (Bernaola-Galvan, Roman-Roldan and Oliver, Physical Review E 53, 1996).

    Parameters
    ----------
    counts : array (units, slots)
        At least two units.

    Examples
    --------
    >>> change_point(np.array([[9, 1], [8, 2], [1, 9], [2, 8]]))
    2
    """
    before = np.cumsum(counts, axis=0)[:-1]
    spent = _entropy(before) + _entropy(counts.sum(axis=0) - before)
    return int(np.argmin(spent)) + 1


def _entropy(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The entropy of each row times its count, in nats."""
    from scipy.special import xlogy

    total = counts.sum(axis=-1)
    return np.asarray(xlogy(total, total) - xlogy(counts, counts).sum(axis=-1))


def _kinds(model: "Model") -> dict[str, "Kind"]:
    assert model.target_kind is not None, "filled in by the model"
    label: Kind = "category" if model.task == "classification" else model.target_kind
    features = {
        name: kind
        for name, kind in model.features.items()
        if kind != "datetime" and not isinstance(model.parsing.get(name), TimePart)
    }
    return {model.target: label, **features}


def _movement(model: "Model", name: str, kind: "Kind", train: pd.DataFrame, holdout: pd.DataFrame) -> Movement:
    bins, unit = bins_of(train[name], kind, private=name in model.serving.private), model.monitoring.unit
    rows = pd.concat([train[[model.time, name]], holdout[[model.time, name]]], ignore_index=True)
    starts = ((rows[model.time] - ORIGIN) // unit).to_numpy(dtype=np.int64)
    units, of_row = np.unique(starts, return_inverse=True)
    slots, held_out = _slots(bins, kind, rows[name]), np.arange(len(rows)) >= len(train)
    counted = _counted(bins, of_row, slots, len(units))
    before, after = comparable(_counted(bins, held_out, slots, 2))
    first = units[change_point(comparable(counted))] if len(units) > 1 else units[0]
    edge = int(np.searchsorted(units, starts[held_out].min()))
    return Movement(
        name,
        float(jensen_shannon(before, after)),
        _threshold(model, counted, edge).at(int(after.sum()), int(before.sum())),
        f"{ORIGIN + first * pd.Timedelta(unit):%Y-%m-%d}",
        *_words(model, name, kind, train, holdout),
    )


def _counted(bins: Bins, of_row: NDArray[Any], slots: NDArray[np.intp], units: int) -> Column:
    counts = np.bincount(of_row * bins.slots + slots, minlength=units * bins.slots)
    return Column(bins, counts.reshape(units, bins.slots), nothing(units))


def _slots(bins: Bins, kind: "Kind", values: "pd.Series[Any]") -> NDArray[np.intp]:
    """The slot of each value, as `evergreen.drift.scan` counts it."""
    slots = np.full(len(values), bins.slots - 1)
    if bins.kind == "category":
        texts = kind_of(kind).categories(values)
        place = {category: position for position, category in enumerate(bins.categories)}
        slots[texts.index] = texts.map(place).fillna(len(place)).to_numpy(dtype=np.intp)
        return slots
    numbers = kind_of(kind).numbers(values)
    known = np.isfinite(numbers)
    slots[known] = np.searchsorted(bins.edges, numbers[known], side="left")
    return slots


def _threshold(model: "Model", counted: Column, edge: int) -> Threshold:
    """Calibrated from windows of the first `edge` units that are as long as the other units together."""
    monitoring = model.monitoring.model_copy(update={"window": (len(counted.counts) - edge) * model.monitoring.unit})
    return calibrate({"": replace(counted, counts=counted.counts[:edge])}, monitoring)[""]


def _words(model: "Model", name: str, kind: "Kind", train: pd.DataFrame, holdout: pd.DataFrame) -> tuple[str, str]:
    """What the training rows and the holdout hold; empty for a column whose values are not shown."""
    values = [rows[name].dropna().reset_index(drop=True) for rows in (train, holdout)]
    if name in disclosure.without_examples(model) or min(map(len, values)) < MIN_GROUP_SIZE:
        return "", ""
    if kind_of(kind).bins == "number":
        before, after = (f"mean {np.nanmean(kind_of(kind).numbers(part)):.3g}" for part in values)
        return before, after
    counts = [kind_of(kind).categories(part).value_counts().to_dict() for part in values]
    sizes = {value: sum(count.get(value, 0) for count in counts) for value in (counts[0] | counts[1])}
    shares = {
        value: [count.get(value, 0) / len(part) for count, part in zip(counts, values, strict=True)] for value in sizes
    }
    moved = max(shares, key=lambda value: abs(shares[value][1] - shares[value][0]))
    shown = disclosure.group_names(model, name, sizes)[moved]
    before, after = (f"{share:.0%} {shown}" for share in shares[moved])
    return before, after
