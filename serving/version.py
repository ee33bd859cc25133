"""A version that is loaded and answers: rows in, numbers or probabilities out."""

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.copies import Copies, Spec
from serving.wire import Reader

Rows = list[list[Any]]
_CLOSE = 1e-9  # of the answers to the input example, which were kept as they are


@dataclass(frozen=True)
class Served:
    """One version, ready to answer.

    Attributes
    ----------
    spec : Spec
    reader : Reader
        Of requests to it.
    outputs : callable
        From rows to numbers, (n, 1), or to probabilities, (n, classes).
    """

    spec: Spec
    reader: Reader
    outputs: Callable[[Rows], NDArray[np.float64]]
    _classes: Callable[[Rows], list[Any]] | None = None

    def predictions(self, outputs: NDArray[np.float64], rows: Rows) -> list[Any]:
        """What is predicted: the numbers, or the classes."""
        if self.spec.classes is None:
            return list(outputs[:, 0].tolist())
        if self._classes is not None:
            return self._classes(rows)
        classes = self.spec.classes
        return [classes[place] for place in outputs.argmax(axis=1).tolist()]


def load(copies: Copies, model: str, number: str, most: int) -> Served:
    """Load a version from its copy, check it on its input example, and so warm it.

    Raises
    ------
    ValueError
        It answers otherwise than it did when the copy was made.
    Exception
        Whatever loading raises.
    """
    spec = copies.spec(model, number)
    served = _plain(copies, spec, most)
    again = served.outputs(spec.example)
    kept = np.asarray(spec.answers, dtype=np.float64).reshape(again.shape)
    if not np.allclose(again, kept, rtol=_CLOSE, atol=_CLOSE):
        raise ValueError(f"{model}@{number} answers its input example with {again.tolist()}, not with {kept.tolist()}.")
    served.predictions(again, spec.example)
    return served


def _plain(copies: Copies, spec: Spec, most: int) -> Served:
    from evergreen import fitting
    from evergreen.registry import revived

    estimator = revived(copies.folder(spec.model, spec.number), spec.trusted)
    asked: Any = SimpleNamespace(name=spec.model, task=spec.task, features=spec.features)

    def frame(rows: Rows) -> Any:
        return fitting.frame(rows, spec.features, spec.timezone)

    def outputs(rows: Rows) -> NDArray[np.float64]:
        made = fitting.predict(asked, estimator, frame(rows))
        return made.reshape(len(rows), -1)

    def classes(rows: Rows) -> list[Any]:
        found: list[Any] = np.asarray(estimator.predict(frame(rows))).tolist()
        return found

    return Served(spec, Reader(spec, most), outputs, None if spec.classes is None or spec.likeliest else classes)
