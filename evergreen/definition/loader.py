"""Model files: where they are, and how they are loaded."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evergreen.definition import disclosure, model_code
from evergreen.definition.code.source_files import Code
from evergreen.definition.each import Each
from evergreen.definition.model import Model
from evergreen.definition.model_files import existing as existing
from evergreen.definition.model_files import is_declared as is_declared
from evergreen.definition.model_files import names as names
from evergreen.definition.model_files import path_of as path_of
from evergreen.definition.templates import is_template, template
from evergreen.errors import ModelFileError, TrainingError


@contextmanager
def blaming(model: "Model", part: str = "estimator") -> Iterator[None]:
    """Turn an error raised by a part of the model file into a TrainingError that names the part, but no value."""
    try:
        yield
    except TrainingError:
        raise
    except Exception as error:
        reason = disclosure.of_error(error, model.columns, model.serving.private)
        raise TrainingError(f"{model.name}: the {part} raised {reason}. Fix it in the model file.") from None


MODEL_FILE = "model_file.py"  # the name of the copy that is stored with a run


def load(name: str, folder: Path | None = None) -> Model:
    """Run the file of a model and return the model.

    Parameters
    ----------
    name : str
    folder : Path, optional
        Of the model files; by default that of the settings.

    Raises
    ------
    ModelFileError
        There is no such file, it does not run, or it defines no usable ``model``.
    """
    path = existing(name, folder)
    model = load_file(path, name=name)
    if model.name != name:
        raise ModelFileError(f"{path} defines the model {model.name!r}. Name file and model alike.")
    return model


def load_file(path: Path, text: str | None = None, name: str = "") -> Model:
    """Run a file that defines a model, wherever it is.

    Parameters
    ----------
    path : Path
        Modules that it imports are looked for in its folder.
    text : str, optional
        Instead of what is in the file.
    name : str, optional
        Of the model, where a file defines many.

    Raises
    ------
    ModelFileError
        It cannot be read, does not run, or defines no ``model``.
    """
    if is_template(path, text):
        return template(path, text).model(name or path.stem)
    defined = model_code.run(path, code_at(path, text))
    model = defined.get("model")
    if not isinstance(model, Model) and isinstance(defined.get("models"), Each):
        raise ModelFileError(f"{path} defines many models in another form. Write `models = Model.each(` in one line.")
    if not isinstance(model, Model):
        raise ModelFileError(f"{path} defines no `model`. End it with `model = Model(name={path.stem!r}, ...)`.")
    return model


def code_of(name: str) -> Code:
    """The code of a model: its file, the modules of its folder that it imports, and its row of a CSV, if it is of one.

    A file of one model does not run for it.

    Raises
    ------
    ModelFileError
        There is no such file, or one of them is no text; a file of many models does not run.
    """
    return code_at(existing(name), name=name)


def trusted(name: str) -> list[str]:
    """What loading an estimator of the model may build beside the default types: of `trusted`, and of its code."""
    return [*load(name).trusted, code_of(name).package]


def code_at(path: Path, text: str | None = None, name: str = "") -> Code:
    """The same of a file wherever it is; `text` instead of what is in the file, if given.

    Raises
    ------
    ModelFileError
        It, or a module that it imports, cannot be read; a file of many models does not run.
    """
    if name and is_template(path, text):
        return template(path, text).code_of(name)
    return model_code.code_at(path, text)


def fingerprint(name: str) -> str:
    """A hash of the model file's text, and of the modules that it imports: if it changed, the recipe did."""
    code = code_of(name)
    return code.digest[:16] if code.modules else file_hash(name)


def file_hash(name: str) -> str:
    """A hash of the model file's text alone."""
    return fingerprint_of(path_of(name).read_bytes())


def fingerprint_of(content: bytes) -> str:
    """The same of a text that is no file."""
    return hashlib.sha256(content).hexdigest()[:16]
