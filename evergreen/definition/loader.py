"""Model files: where they are, and how they are loaded."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from evergreen.definition import disclosure
from evergreen.definition.code import modules, source_files
from evergreen.definition.code.source_files import Code
from evergreen.definition.model import Model
from evergreen.definition.model_files import existing as existing
from evergreen.definition.model_files import names as names
from evergreen.definition.model_files import path_of as path_of
from evergreen.errors import ModelFileError, TrainingError, translated


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


def load(name: str) -> Model:
    """Run a model file and return the model that it defines.

    Raises
    ------
    ModelFileError
        There is no such file, it does not run, or it defines no usable ``model``.
    """
    return load_of_models(existing(name))


def load_of_models(path: Path) -> Model:
    """The same for a file of any folder of models, where a file has the name of its model.

    Raises
    ------
    ModelFileError
        It does not run, defines no usable ``model``, or one of another name.
    """
    model = load_file(path)
    if model.name != path.stem:
        raise ModelFileError(f"{path} defines the model {model.name!r}. Name file and model alike.")
    return model


def load_file(path: Path, text: str | None = None) -> Model:
    """Run a file that defines a model, wherever it is.

    Parameters
    ----------
    path : Path
        Modules that it imports are looked for in its folder.
    text : str, optional
        Instead of what is in the file.

    Raises
    ------
    ModelFileError
        It cannot be read, does not run, or defines no ``model``.
    """
    model = _run(path, code_at(path, text)).get("model")
    if not isinstance(model, Model):
        raise ModelFileError(f"{path} defines no `model`. End it with `model = Model(name={path.stem!r}, ...)`.")
    return model


def code_of(name: str) -> Code:
    """The code of a model, without running it: its file, and the modules of its folder that it imports.

    Raises
    ------
    ModelFileError
        There is no such file, or one of them is no text.
    """
    return code_at(existing(name))


def trusted(name: str) -> list[str]:
    """What loading an estimator of the model may build beside the default types: of `trusted`, and of its code."""
    return [*load(name).trusted, code_of(name).package]


def code_at(path: Path, text: str | None = None) -> Code:
    """The code of a file that defines a model, without running it; `text` instead of what is in the file, if given.

    Raises
    ------
    ModelFileError
        It, or a module that it imports, cannot be read.
    """
    message = f"{path} cannot be read: {{reason}}. Write it and the modules that it imports as UTF-8 text."
    with translated(ModelFileError, message, OSError, SyntaxError, UnicodeError):
        return source_files.of_model(path, text)


@lru_cache(maxsize=64)
def _run(path: Path, code: Code) -> dict[str, Any]:
    """What a file defines; run again when its text, or that of a module that it imports, has changed."""
    try:
        modules.install(code, path.parent)
        return vars(modules.model_module(code, path.stem))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "model"
        raise ModelFileError(f"{path}: {where}: {first['msg']} (got {_short(first['input'])}).") from error
    except SyntaxError as error:
        raise ModelFileError(f"{error.filename or path}, line {error.lineno}: {error.msg}. Fix the file.") from error
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}".replace(code.package, source_files.FOLDER)
        raise ModelFileError(f"{path} does not run: {reason}. Fix the file.") from error


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


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
