"""Stored models: skops files, their signature, their trusted types."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from evergreen import provenance
from evergreen.definition.loader import blaming
from evergreen.errors import TrainingError

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

    from evergreen.definition.model import Model

ESTIMATOR = "model.skops"  # as MLflow names it within a stored model
_TRUSTED = ("sklearn.", "skrub.", "numpy.", "scipy.", "pandas.")  # beside what skops trusts itself
# Plain values and a function's arguments: building one runs no code. skrub keeps them of encoded times.
_PLAIN = frozenset({"functools.partial", "datetime.timedelta", "datetime.timezone"})
_RUNTIME = frozenset({"joblib", "mlflow", "numpy", "pandas", "scikit-learn", "scipy", "skops", "threadpoolctl"})


def save(model: "Model", estimator: Any, example: pd.DataFrame, path: str) -> None:
    """Store an estimator in a folder as it would be registered, without recording it.

    Raises
    ------
    TrainingError
        It cannot be stored without pickle.
    """
    import mlflow.sklearn

    with explain_refusal(model):
        mlflow.sklearn.save_model(estimator, path, **storage_arguments(model, estimator, example))


def storage_arguments(model: "Model", estimator: Any, example: pd.DataFrame) -> dict[str, Any]:
    """The arguments that MLflow stores an estimator with."""
    from mlflow.models import infer_signature

    with blaming(model):
        prediction = estimator.predict(example)
    return {
        "signature": infer_signature(example, prediction),
        "input_example": example,
        "pip_requirements": provenance.requirements(_RUNTIME | packages(estimator)),
        "serialization_format": "skops",
        "skops_trusted_types": trusted_types(model, estimator),
    }


@contextmanager
def explain_refusal(model: "Model") -> Iterator[None]:
    """Explain what to do about an estimator that skops refuses."""
    try:
        yield
    except Exception as error:
        if "skops" not in repr(error):
            raise
        raise TrainingError(
            f"{model.name}: the estimator cannot be stored without pickle: {error} "
            "Name its types in `trusted` of the model file if you trust them."
        ) from error


def trusted_types(model: "Model", estimator: Any) -> list[str]:
    """The types that skops may load for an estimator: those of scikit-learn and related packages, and `trusted`."""
    import skops.io

    unknown = skops.io.get_untrusted_types(data=skops.io.dumps(estimator))
    known = [name for name in unknown if name.startswith(_TRUSTED) or name in _PLAIN]
    return sorted({*known, *model.trusted})


def stored_signature(path: str) -> "ModelSignature":
    """The inputs and outputs of the stored model at a local path."""
    from mlflow.models import Model

    signature: ModelSignature | None = Model.load(path).signature
    assert signature is not None
    return signature


def stored_types(path: str) -> list[str]:
    """The types that the stored model at a local path asks skops to load, beside what skops trusts itself."""
    from mlflow.models import Model

    return list(Model.load(path).flavors["sklearn"]["skops_trusted_types"])


def load_stored(folder: Path, trusted: list[str]) -> Any:
    """Load the estimator stored in a folder, without MLflow and without pickle."""
    import skops.io

    return skops.io.load(folder / ESTIMATOR, trusted=trusted)


def input_example(path: str) -> pd.DataFrame:
    """The input example of the stored model at a local path, as its JSON reads."""
    from mlflow.models import Model

    # MLflow's own annotation, `str | None`, is wrong for an example that was given as a frame.
    return cast(pd.DataFrame, Model.load(path).load_input_example(path))


def directory_size(path: str) -> float:
    """The size of a stored model in MB."""
    return sum(file.stat().st_size for file in Path(path).rglob("*") if file.is_file()) / 1e6


def packages(estimator: Any) -> set[str]:
    """The packages that the estimator's parts come from, by their distribution's name."""
    parts = [estimator, *(value for value in estimator.get_params().values() if hasattr(value, "fit"))]
    modules = {type(part).__module__.split(".")[0].replace("_", "-") for part in parts}
    return {"scikit-learn" if module == "sklearn" else module for module in modules}


def not_in_lock(estimator: Any) -> list[str]:
    """The packages whose version the stored requirements must leave open."""
    return provenance.unlocked(packages(estimator))
