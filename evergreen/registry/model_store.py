"""Stored models: skops files, their digest, their signature."""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from evergreen import provenance
from evergreen.definition import loader
from evergreen.definition.code import modules
from evergreen.definition.code.source_files import PREFIX, Code, foreign
from evergreen.errors import AlteredModelError, translated
from evergreen.registry import code_permission, refusal, skops_nodes, stored_code, trusted
from evergreen.registry.version import Version

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

    from evergreen.definition.model import Model
    from evergreen.lake.lake import Lake

ESTIMATOR = "model.skops"  # as MLflow names it within a stored model
_READ = ("signature", "saved_input_example_info")  # of its description, which also holds an address that may change
_DISTRIBUTIONS = {"sklearn": ("scikit-learn",), "xgboost": ("xgboost-cpu", "xgboost")}  # named unlike their module
_RUNTIME = frozenset({"joblib", "mlflow", "numpy", "pandas", "scikit-learn", "scipy", "skops", "threadpoolctl"})


def save(model: "Model", estimator: Any, example: pd.DataFrame, path: str) -> None:
    """Store an estimator in a folder as it would be registered, without recording it.

    Raises
    ------
    TrainingError
        It cannot be stored without pickle.
    """
    import mlflow.sklearn

    with storage_arguments(model, estimator, example) as arguments:
        mlflow.sklearn.save_model(estimator, path, **arguments)


@contextmanager
def storage_arguments(model: "Model", estimator: Any, example: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """The arguments that MLflow stores an estimator with.

    Raises
    ------
    TrainingError
        It cannot be stored without pickle.
    """
    from mlflow.models import infer_signature

    with loader.blaming(model):
        prediction = estimator.predict(example)
    stored = refusal.dumped(model, estimator)
    types = _trusted_types(model, stored)
    refusal.require(model, estimator, stored, types)
    codes = codes_of(stored)
    with tempfile.TemporaryDirectory(prefix="evergreen-code-") as folder:
        yield {
            "signature": infer_signature(example, prediction),
            "input_example": example,
            "pip_requirements": provenance.requirements(_RUNTIME | packages(estimator) | _imported(codes)),
            "serialization_format": "skops",
            "skops_trusted_types": types,
            "code_paths": [str(stored_code.write(code, Path(folder))) for code in codes] or None,
        }


def trusted_types(model: "Model", estimator: Any) -> list[str]:
    """The types that skops may load for an estimator: of scikit-learn and related packages, `trusted`, and own code.

    Raises
    ------
    TrainingError
        It holds what cannot be stored without pickle.
    """
    return _trusted_types(model, refusal.dumped(model, estimator))


def _trusted_types(model: "Model", stored: bytes) -> list[str]:
    return trusted.trusted_types(stored, [*model.trusted, *(code.package for code in codes_of(stored))])


def trusted_here(model: "Model", folder: str | Path) -> list[str]:
    """What loading an estimator that this process stored may build, and the packages of its code."""
    stored = stored_bytes(folder)
    return [*model.trusted, *(code.package for code in codes_of(stored))]


def codes_of(stored: bytes) -> list[Code]:
    """The user's code that a stored estimator of this process needs, as it was when it ran."""
    found = map(modules.installed, stored_code.packages(stored))
    return [code for code in found if code is not None]


def stored_signature(path: str) -> "ModelSignature":
    """The inputs and outputs of the stored model at a local path."""
    from mlflow.models import Model

    signature: ModelSignature | None = Model.load(path).signature
    assert signature is not None
    return signature


def stored_bytes(folder: str | Path) -> bytes:
    """The stored estimator of a folder, as it is, not compared with anything."""
    return (Path(folder) / ESTIMATOR).read_bytes()


def digest(folder: str | Path) -> str:
    """The SHA-256 of a stored model: of its estimator, and of what says how it is called."""
    return _digest(stored_bytes(folder), folder)


def verified(version: Version, folder: str | Path) -> bytes:
    """The stored estimator of a version, read once: what was compared with its digest is what is returned.

    The code that it needs is compared, too. A version of a release that recorded no digest is not compared.

    Raises
    ------
    AlteredModelError
        It is not the one that was registered.
    OSError
        It cannot be read.
    """
    estimator = stored_bytes(folder)
    found = _digest(estimator, folder) if version.stored_hash else ""
    if found != version.stored_hash:
        raise AlteredModelError(
            f"{version}: the stored model was altered after it was registered: its SHA-256 is {found[:12]}, recorded "
            f"is {version.stored_hash[:12]}. Restore its files from a backup, or use another version; "
            f"`evergreen models {version.model}` lists them."
        )
    if version.stored_hash:
        stored_code.check(estimator, Path(folder))
    return estimator


def trusted_of(version: Version, estimator: bytes, lake: "Lake | None") -> list[str]:
    """What loading a version may build beside the default types, and the packages of code that may run.

    Parameters
    ----------
    version : Version
    estimator : bytes
        As it is stored. Neither it nor the registry says what is trusted, since a person who can write there could say
        anything: the model file does, and for code of other versions of that file the audit log.
    lake : Lake, optional
        With the audit log.
    """
    name = version.model
    # While a version is reproduced, the model file is the one that it was trained with.
    own = loader.trusted(name) if loader.path_of(name).is_file() else []
    others = set(stored_code.packages(estimator)).difference(own)
    return [*own, *sorted(others & code_permission.recorded(lake, name))] if others and lake else own


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

    skops_nodes.register()
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


def load_version(version: Version, folder: str | Path, lake: "Lake | None" = None) -> Any:
    """Load the stored estimator of a version, once it and its code are verified."""
    estimator = verified(version, folder)
    return loaded(estimator, Path(folder), trusted_of(version, estimator, lake), str(version))


def load_saved(folder: str | Path, also: list[str]) -> Any:
    """Load an estimator that `save` wrote; `also` is what the model file trusts, and the packages of its code."""
    return loaded(stored_bytes(folder), Path(folder), also, str(folder))


def loaded(estimator: bytes, folder: Path, also: list[str], name: str) -> Any:
    """Load an estimator with the code that lies beside it; `also` says what may be loaded."""
    stored_code.install(estimator, folder, also, name)
    return load_estimator(estimator, trusted.trusted_types(estimator, also), name)


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
    """The packages that the estimator's parts come from, by their distribution's name; a user's code is none."""
    parts = [estimator, *(value for value in estimator.get_params().values() if hasattr(value, "fit"))]
    modules = {type(part).__module__.split(".")[0] for part in parts}
    own = {module for module in modules if module.startswith(PREFIX)}
    return {_distribution(module) for module in modules - own}


def _imported(codes: list[Code]) -> set[str]:
    """The packages that a user's code imports, by their distribution's name."""
    return {_distribution(module) for code in codes for module in foreign(code)}


def _distribution(module: str) -> str:
    """The distribution that a module comes from."""
    names = _DISTRIBUTIONS.get(module, (module.replace("_", "-"),))
    return next((name for name in names if provenance.is_installed(name)), names[0])


def not_in_lock(estimator: Any) -> list[str]:
    """The packages whose version the stored requirements must leave open."""
    return provenance.unlocked(packages(estimator))
