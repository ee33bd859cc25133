"""The copy of one version: its estimator, compiled if that is possible, and all that a worker has to know of it."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from evergreen.definition.loader import load as definition_of
from evergreen.definition.model import Model
from evergreen.definition.parsing import columns as parsing
from evergreen.registry import model_store
from evergreen.registry.registry import Registry
from evergreen.registry.trusted import trusted_types
from evergreen.registry.version import Version
from serving import code_copy
from serving.inference import compiler, equivalence
from serving.inference.compiled_pipeline import Floats, Rows
from serving.inference.likeliest import predicts_likeliest
from serving.inference.loaded_model import predictor_of
from serving.model_cache import Spec

_KINDS = {"string": "category", "double": "number", "float": "number", "long": "integer", "integer": "integer"}


def copy_version(store: Registry, version: Version, folder: Path) -> Spec:
    """Copy a version's estimator into a folder, load it from there, and predict its input example.

    Raises
    ------
    Exception
        Whatever loading or predicting raises: the version cannot be served.
    """
    path = store.path(version)
    data = model_store.verified(version, path)
    (folder / model_store.ESTIMATOR).write_bytes(data)
    also, model = store.trusted(version), definition_of(version.model)
    estimator, trusted = model_store.loaded(data, Path(path), also, str(version)), trusted_types(data, also)
    code_copy.add(data, folder)
    features = _features(model, path)
    example = _rows(model_store.input_example(path)[list(features)])
    predict = predictor_of(estimator, model.name, model.task, features, model.timezone, model.serving.private)
    answers = predict(example)
    if not np.isfinite(answers).all():
        raise ValueError("its predictions for its input example are not all finite")
    likeliest = model.task != "regression" and predicts_likeliest(estimator)
    classes = None if model.task == "regression" else np.asarray(estimator.classes_).tolist()
    return Spec(
        model=model.name,
        number=version.number,
        task=model.task,
        features=features,
        beside={name: kind for name, kind in _beside(model).items() if name not in features},
        key=model.key,
        target=model.columns[model.target],
        timezone=model.timezone,
        parsing=parsing.stored(model.parsing),
        time=model.time,
        classes=classes,
        predicts_likeliest=likeliest,
        example=example,
        answers=answers.tolist(),
        trusted=trusted,
        private=dict(model.serving.private),
        compiled=_compiled(estimator, features, predict, example, folder) if classes is None or likeliest else None,
    )


def _compiled(
    estimator: Any, features: dict[str, str], predict: Callable[[Rows], Floats], example: Rows, folder: Path
) -> float | None:
    """Compile an estimator into a folder if the predictions agree; return the largest difference, or None."""
    for pipeline in compiler.candidates(estimator, features):
        difference = equivalence.difference(pipeline, predict, features, example)
        if equivalence.agrees(pipeline, difference):
            pipeline.save(folder)
            return difference
    return None


def _features(model: Model, path: str) -> dict[str, str]:
    """The version's features. Kinds are as declared, or from its signature for columns no longer declared."""
    inputs = model_store.stored_signature(path).inputs
    stored = dict(zip(inputs.input_names(), inputs.input_types(), strict=True))
    return {name: model.columns.get(name) or _KINDS.get(kind.name, kind.name) for name, kind in stored.items()}


def _beside(model: Model) -> dict[str, str]:
    """Columns that a request may send besides the features: all declared columns but the label."""
    label = {model.target, model.label_time}
    return {name: kind for name, kind in model.columns.items() if name not in label}


def _rows(example: Any) -> list[list[Any]]:
    """The rows of a frame in the form of a request: plain values, times as text, None for missing values."""
    plain = example.astype("object").where(example.notna(), None)
    return [[_plain(value) for value in row] for row in plain.to_numpy().tolist()]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.item() if isinstance(value, np.generic) else value
