"""A compiled pipeline: the steps that turn columns into predictions without scikit-learn."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.inference.quickscorer import Leaves

Floats = NDArray[np.float64]
Rows = Sequence[Sequence[Any]]
_FOREST, _LEAVES, _COLUMNS = "forest.treelite", "leaves.npz", "columns.json"
SET = 256  # how many categories a set of histogram gradient boosting can name
LINKS: dict[str, Callable[[Floats], Floats]] = {
    "identity": lambda scores: scores,
    "identity_multiclass": lambda scores: scores,
    "sigmoid": lambda scores: both_classes(1 / (1 + np.exp(-scores))),
    "softmax": lambda scores: class_shares(np.exp(scores - scores.max(axis=1, keepdims=True))),
    "exponential": lambda scores: np.exp(scores),
}


@dataclass(frozen=True)
class Number:
    """A column that is a number.

    Attributes
    ----------
    source : int
        Its place in a row.
    fill : float or None
        The value that replaces a missing one; None leaves it missing.
    shift, scale : float
        The value that is subtracted, and the divisor after that.
    single : bool
        Whether the forest sees it in single precision.
    gaps : bool
        Whether the forest accepts a missing value.
    endless : bool
        Whether the forest accepts a number that is infinite in its precision.
    """

    source: int
    fill: float | None = None
    shift: float = 0.0
    scale: float = 1.0
    single: bool = False
    gaps: bool = True
    endless: bool = False

    def values(self, sent: Sequence[Any]) -> Floats:
        """As the forest sees them.

        Raises
        ------
        ValueError
            A value is missing or too large for the pipeline.
        """
        numbers = np.array(sent, dtype=np.float64)
        if self.fill is not None:
            numbers[np.isnan(numbers)] = self.fill
        with np.errstate(over="ignore"):  # an infinite number is refused below
            if self.shift or self.scale != 1:
                numbers = (numbers - self.shift) / self.scale
            if self.single:
                numbers = numbers.astype(np.float32).astype(np.float64)
        if not self.endless and np.isinf(numbers).any():
            raise ValueError("a number is too large for the model")
        if not self.gaps and np.isnan(numbers).any():
            raise ValueError("a number is missing, which the model does not accept")
        return numbers


@dataclass(frozen=True)
class Lookup:
    """A column whose categories are mapped to numbers.

    Attributes
    ----------
    source : int
        Its place in a row.
    table : dict of str to float
        The number of each category.
    unknown, missing : float or None
        The numbers of an unknown category and of a missing value; None if the pipeline accepts no such value.
    """

    source: int
    table: dict[str, float]
    unknown: float | None
    missing: float | None

    @cached_property
    def _known(self) -> dict[Any, float]:
        return self.table if self.missing is None else {**self.table, None: self.missing}

    def values(self, sent: Sequence[Any]) -> list[float]:
        """As the forest sees them.

        Raises
        ------
        ValueError
            A value is unknown or missing, and the pipeline does not accept that.
        """
        known = self._known
        if self.unknown is not None and (self.missing is not None or None not in sent):
            unknown = self.unknown
            return [known.get(value, unknown) for value in sent]
        try:
            return [known[value] for value in sent]
        except KeyError as error:
            raise ValueError(f"the category {error.args[0]!r} is unknown to the model") from None


Column = Number | Lookup


@dataclass(frozen=True)
class Compiled:
    """A pipeline as plain lookups and a forest.

    Attributes
    ----------
    columns : list of Number or Lookup
        What the forest sees, in its order.
    forest : treelite.Model or None
        None once it is stored, if `leaves` are used.
    link : str
        The function from the forest's scores to predictions, by treelite's name.
    leaves : Leaves or None
        The forest as tables, if its trees are small.
    """

    columns: list[Column]
    forest: Any
    link: str
    leaves: Leaves | None

    def predict(self, rows: Rows) -> Floats:
        """The predictions: numbers (n, 1), or the probabilities of the classes (n, classes).

        Parameters
        ----------
        rows : sequence of sequence
            Values as they are read from JSON, None where one is missing, in the features' order.

        Raises
        ------
        ValueError
            A row has a value that the original pipeline does not accept either.
        """
        sent = list(zip(*rows, strict=True))
        inputs = np.empty((len(rows), len(self.columns)))
        for place, column in enumerate(self.columns):
            inputs[:, place] = column.values(sent[column.source])
        return LINKS[self.link](self.leaves.scores(inputs) if self.leaves else self._forest_scores(inputs))

    def _forest_scores(self, inputs: Floats) -> Floats:
        from treelite import gtil

        typed = inputs.astype(self.forest.input_type)
        margins = np.asarray(gtil.predict(self.forest, typed, nthread=1, pred_margin=True), np.float64)
        return margins.reshape(len(inputs), -1)

    def save(self, folder: Path) -> None:
        """Write it into a folder, the forest as tables or in treelite's own format."""
        if self.leaves:
            self.leaves.save(folder / _LEAVES)
        else:
            self.forest.serialize(folder / _FOREST)
        description = {"link": self.link, "columns": [asdict(column) for column in self.columns]}
        (folder / _COLUMNS).write_text(json.dumps(description))

    @classmethod
    def load(cls, folder: Path) -> "Compiled":
        """Read what `save` wrote."""
        description = json.loads((folder / _COLUMNS).read_text())
        columns: list[Column] = [
            (Lookup if "table" in column else Number)(**column) for column in description["columns"]
        ]
        if (folder / _LEAVES).exists():
            return cls(columns, None, description["link"], Leaves.load(folder / _LEAVES))
        import treelite

        return cls(columns, treelite.Model.deserialize(folder / _FOREST), description["link"], None)


def both_classes(second: Floats) -> Floats:
    """Probabilities of both classes from those of the second."""
    return np.column_stack([1 - second, second])


def class_shares(weights: Floats) -> Floats:
    """Weights as shares of their sum, by row."""
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
