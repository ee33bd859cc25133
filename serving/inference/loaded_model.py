"""A loaded version: from rows to numbers or probabilities."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any
from zlib import crc32

import numpy as np

from serving import code_copy
from serving.inference.compiled_pipeline import Floats, Rows
from serving.log.masking import Masking
from serving.model_cache import ModelCache, Spec
from serving.requests import Reader
from serving.secret import secret_of

CHAMPION, CANARY, SHADOW = "champion", "canary", "shadow"
_CLOSE = 1e-9  # tolerance for the stored predictions of the input example


@dataclass(frozen=True)
class LoadedModel:
    """One version, ready to predict.

    Attributes
    ----------
    spec : Spec
    reader : Reader
        Of requests to it.
    outputs : callable
        From rows to numbers, (n, 1), or to probabilities, (n, classes).
    mask : Masking
        Of what is logged.
    role : {"champion", "canary", "shadow"}
    """

    spec: Spec
    reader: Reader
    outputs: Callable[[Rows], Floats]
    mask: Masking
    role: str = CHAMPION
    _classes: Callable[[Rows], list[Any]] | None = None

    def predictions(self, outputs: Floats, rows: Rows) -> list[Any]:
        """The predictions: the numbers, or the classes."""
        if self.spec.classes is None:
            return list(outputs[:, 0].tolist())
        if self._classes is not None:
            return self._classes(rows)
        classes = self.spec.classes
        return [classes[place] for place in outputs.argmax(axis=1).tolist()]


@dataclass(frozen=True)
class Canary:
    """A version that predicts a share of the requests."""

    served: LoadedModel
    share: float

    def takes(self, key: str) -> bool:
        """Whether it predicts this key: the same keys in every worker."""
        return crc32(key.encode()) < self.share * 2**32


def load(copies: ModelCache, model: str, number: str, most: int, role: str = CHAMPION) -> LoadedModel:
    """Load a version from its copy, check it on its input example, and so warm it.

    Raises
    ------
    AlteredCopyError
        The copy is not as it was made; nothing of it was loaded.
    ValueError
        Its predictions differ from those stored when the copy was made.
    Exception
        Whatever loading raises.
    """
    copies.verify(model, number)
    spec = copies.spec(model, number)
    served = _plain(copies, spec, most) if spec.compiled is None else _compiled(copies, spec, most)
    outputs = served.outputs(spec.example)
    stored = np.asarray(spec.answers, dtype=np.float64).reshape(outputs.shape)
    close = max(_CLOSE, 2 * (spec.compiled or 0.0))  # a compiled forest of single precision differs by its last digit
    if not np.allclose(outputs, stored, rtol=close, atol=close):
        raise ValueError(
            f"{model}@{number} predicts for its input example {outputs.tolist()}, not with {stored.tolist()}."
        )
    served.predictions(outputs, spec.example)
    return replace(served, role=role)


def predictor_of(
    estimator: Any, name: str, task: str, features: dict[str, str], timezone: str, private: Collection[str] = ()
) -> Callable[[Rows], Floats]:
    """The estimator's own predictions: from rows to (n, 1) numbers, or (n, classes) probabilities."""
    from evergreen.training import fitting

    of_log = SimpleNamespace(private=private)
    model: Any = SimpleNamespace(name=name, task=task, features=features, columns=features, serving=of_log)

    def answers(rows: Rows) -> Floats:
        return fitting.predict(model, estimator, fitting.frame(rows, features, timezone)).reshape(len(rows), -1)

    return answers


def _compiled(copies: ModelCache, spec: Spec, most: int) -> LoadedModel:
    from serving.inference.compiled_pipeline import Compiled

    pipeline = Compiled.load(copies.folder(spec.model, spec.number))
    return LoadedModel(spec, Reader(spec, most), pipeline.predict, _mask(copies, spec))


def _plain(copies: ModelCache, spec: Spec, most: int) -> LoadedModel:
    from evergreen.registry.model_store import ESTIMATOR, load_estimator
    from evergreen.training import fitting

    code_copy.install(copies.folder(spec.model, spec.number))
    data = (copies.folder(spec.model, spec.number) / ESTIMATOR).read_bytes()
    estimator = load_estimator(data, spec.trusted, f"{spec.model}@{spec.number}")
    outputs = predictor_of(estimator, spec.model, spec.task, spec.features, spec.timezone, spec.private)

    def classes(rows: Rows) -> list[Any]:
        predicted = np.asarray(estimator.predict(fitting.frame(rows, spec.features, spec.timezone)))
        classes: list[Any] = predicted.reshape(len(rows)).tolist()  # some give a column
        return classes

    predict_classes = None if spec.classes is None or spec.predicts_likeliest else classes
    return LoadedModel(spec, Reader(spec, most), outputs, _mask(copies, spec), _classes=predict_classes)


def _mask(copies: ModelCache, spec: Spec) -> Masking:
    return Masking(spec, secret_of(copies.root.parent) if spec.private else b"")
