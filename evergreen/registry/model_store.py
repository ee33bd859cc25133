"""Stored models: skops files, their digest, their signature."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from evergreen import provenance
from evergreen.definition import loader
from evergreen.errors import AlteredModelError, TrainingError, translated
from evergreen.registry import trusted
from evergreen.registry.version import Version

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

    from evergreen.definition.model import Model

ESTIMATOR = "model.skops"  # as MLflow names it within a stored model
_READ = ("signature", "saved_input_example_info")  # of its description, which also holds an address that may change
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

    with loader.blaming(model):
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

    return trusted.trusted_types(skops.io.dumps(estimator), model.trusted)


def stored_signature(path: str) -> "ModelSignature":
    """The inputs and outputs of the stored model at a local path."""
    from mlflow.models import Model

    signature: ModelSignature | None = Model.load(path).signature
    assert signature is not None
    return signature


def digest(folder: str | Path) -> str:
    """The SHA-256 of a stored model: of its estimator, and of what says how it is called."""
    return _digest((Path(folder) / ESTIMATOR).read_bytes(), folder)


def verified(version: Version, folder: str | Path) -> bytes:
    """The stored estimator of a version, read once: what was compared with its digest is what is returned.

    A version of a release that recorded no digest is not compared.

    Raises
    ------
    AlteredModelError
        It is not the one that was registered.
    OSError
        It cannot be read.
    """
    estimator = (Path(folder) / ESTIMATOR).read_bytes()
    found = _digest(estimator, folder) if version.stored_hash else ""
    if found != version.stored_hash:
        raise AlteredModelError(
            f"{version}: the stored model was altered after it was registered: its SHA-256 is {found[:12]}, recorded "
            f"is {version.stored_hash[:12]}. Restore its files from a backup, or use another version; "
            f"`evergreen models {version.model}` lists them."
        )
    return estimator


def trusted_of(version: Version) -> list[str]:
    """The types that the model file trusts: no store says it, since a person who can write there could say anything.

    While a version is reproduced, the model file is the one that it was trained with.
    """
    return loader.load(version.model).trusted if loader.path_of(version.model).is_file() else []


def load_estimator(estimator: bytes, types: list[str], name: str) -> Any:
    """Load an estimator without MLflow and without pickle.

    Parameters
    ----------
    estimator : bytes
    types : list of str
        What skops may build beside its own defaults.
    name : str
        Of the model, for the message.

    Raises
    ------
    AlteredModelError
        It needs other types, or it is no such file.
    """
    from zipfile import BadZipFile

    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        return skops.io.loads(estimator, trusted=types)
    except UntrustedTypesFoundException as error:
        needed = sorted(set(skops.io.get_untrusted_types(data=estimator)) - set(types))
        raise AlteredModelError(
            f"{name}: the stored model needs types that are not trusted: {', '.join(needed)}. If they are yours, name "
            "them in `trusted` of the model file; if not, the stored model was altered, and must not be used."
        ) from error
    except BadZipFile as error:
        raise AlteredModelError(
            f"{name}: the stored model cannot be read: {error}. Restore its files from a backup."
        ) from error


def load_version(version: Version, folder: str | Path) -> Any:
    """Load the stored estimator of a version, once it is verified."""
    estimator = verified(version, folder)
    return load_estimator(estimator, trusted.trusted_types(estimator, trusted_of(version)), str(version))


def load_saved(folder: str | Path, also: list[str]) -> Any:
    """Load an estimator that `save` wrote; `also` is what the model file trusts."""
    estimator = (Path(folder) / ESTIMATOR).read_bytes()
    return load_estimator(estimator, trusted.trusted_types(estimator, also), str(folder))


def _digest(estimator: bytes, folder: str | Path) -> str:
    from mlflow.utils.yaml_utils import read_yaml

    message = f"The stored model in {folder} cannot be read: {{reason}}. Restore its files from a backup."
    with translated(AlteredModelError, message, Exception):
        description = read_yaml(str(folder), "MLmodel")  # type: ignore[no-untyped-call]
        read = json.dumps([description.get(name) for name in _READ], sort_keys=True)
    return hashlib.sha256(hashlib.sha256(estimator).digest() + read.encode()).hexdigest()


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
