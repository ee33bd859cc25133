"""Variants: what a model file would be."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evergreen import provenance
from evergreen.definition import loader
from evergreen.definition.code.source_files import Code
from evergreen.errors import ExperimentError, translated
from evergreen.experiments import changes

if TYPE_CHECKING:
    from evergreen.definition.model import Model

OWN = "model file"  # the name of the recipe that variants are compared with
_SAME = ("task", "key", "time", "timezone", "target", "target_kind")  # or the rows are others


@dataclass(frozen=True)
class Variant:
    """A recipe: a model file, perhaps with another text, perhaps with other settings.

    Attributes
    ----------
    name : str
        For tables and pages.
    path : Path
        Of the model file; modules that it imports are looked for in its folder.
    text : str or None
        Instead of what is in the file.
    settings : str
        Changes as `evergreen.experiments.changes.parse` reads them.
    estimator : Any
        An unfitted estimator instead of the file's. It may be of a class that only this process knows, so that such a
        variant is fitted here.
    model : str
        The name of the model, where the file defines many.
    """

    name: str
    path: Path
    text: str | None = None
    settings: str = ""
    estimator: Any = None
    model: str = ""

    @classmethod
    def own(cls, model: str) -> "Variant":
        """The model file as it is."""
        return cls(OWN, loader.existing(model), model=model)

    @classmethod
    def of_file(cls, model: str, file: Path) -> "Variant":
        """What the model file would be with the text of another file.

        Raises
        ------
        ExperimentError
            It cannot be read.
        """
        with translated(ExperimentError, f"{file} cannot be read: {{reason}}.", OSError, UnicodeError):
            return cls(file.name, loader.existing(model), file.read_text(encoding="utf-8"), model=model)

    @classmethod
    def of_settings(cls, model: str, settings: str) -> "Variant":
        """The model file with other settings.

        Raises
        ------
        ExperimentError
            They are not of the form that `evergreen.experiments.changes.parse` reads.
        """
        changes.parse(settings)
        return cls(" ".join(settings.split()), loader.existing(model), None, settings, model=model)

    @property
    def code(self) -> Code:
        """The code of the file and of the modules that it imports."""
        return loader.code_at(self.path, self.text, self.model)

    @property
    def fingerprint(self) -> str:
        """Equal for two variants that train alike on the same rows."""
        made = "" if self.estimator is None else _digest(self.estimator)
        return provenance.fingerprint([self.code.digest, self.settings, made, provenance.lock_hash()])

    def load(self) -> "Model":
        """The model that it defines.

        Raises
        ------
        ModelFileError
            The file does not run, or defines no model.
        ExperimentError
            A setting does not exist or does not take its value.
        """
        model = loader.load_file(self.path, self.text, self.model)
        if self.estimator is not None:
            return model.model_copy(update={"estimator": Copies(self.estimator)})
        return changes.applied(model, changes.parse(self.settings)) if self.settings else model


def _digest(estimator: Any) -> str:
    """A hash of an estimator with its parameters and, of a class that a notebook defines, its code."""
    import cloudpickle

    return hashlib.sha256(cloudpickle.dumps(estimator)).hexdigest()


@dataclass(frozen=True)
class Copies:
    """In the place of a model file's `estimator`: unfitted copies of one estimator."""

    estimator: Any

    def __call__(self, **params: Any) -> Any:
        """A copy, with parameters of a search."""
        from sklearn.base import clone

        return clone(self.estimator).set_params(**params)


def require_comparable(own: "Model", variant: "Model", stored: Iterable[str]) -> None:
    """Make sure that a variant is about the same rows, and that these are stored.

    Parameters
    ----------
    own, variant : Model
    stored : collection of str
        The columns of the model's table.

    Raises
    ------
    ExperimentError
        It predicts something else, or needs a column that is not stored, or is stored as another kind.
    """
    other = [name for name in ("name", *_SAME) if getattr(own, name) != getattr(variant, name)]
    if other:
        name = other[0]
        raise ExperimentError(
            f"The variant has another {name}: {getattr(variant, name)!r} instead of {getattr(own, name)!r}. "
            f"An experiment compares models of the same rows; give it the same {', '.join(other)}."
        )
    there = set(stored)
    new = [column for column in variant.columns if column not in there]
    if new:
        raise ExperimentError(
            f"The table of {own.name} has no column {', '.join(new)}. Compute it within the estimator from columns "
            "that it has, or add it to `extra` in the model file and let the next batches bring it."
        )
    changed = [name for name, kind in variant.columns.items() if own.columns.get(name, kind) != kind]
    if changed:
        name = changed[0]
        raise ExperimentError(
            f"Column {name!r} is stored as {own.columns[name]}, and the variant declares it as "
            f"{variant.columns[name]}. Convert it within the estimator."
        )
