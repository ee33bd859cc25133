"""Runs a model file: its text, with the modules of its folder that it imports."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from evergreen.definition.code import modules, source_files
from evergreen.definition.code.source_files import Code
from evergreen.errors import ModelFileError, translated


def code_at(path: Path, text: str | None = None) -> Code:
    """The Python code of a model file, without running it; `text` instead of what is in the file, if given.

    Raises
    ------
    ModelFileError
        It, or a module that it imports, cannot be read.
    """
    message = f"{path} cannot be read: {{reason}}. Write it and the modules that it imports as UTF-8 text."
    with translated(ModelFileError, message, OSError, SyntaxError, UnicodeError):
        return source_files.of_model(path, text)


def run(path: Path, code: Code) -> dict[str, Any]:
    """What a file defines; run again when its text, or that of a module that it imports, has changed.

    Raises
    ------
    ModelFileError
        It does not run.
    """
    return _run(path, code)


@lru_cache(maxsize=64)
def _run(path: Path, code: Code) -> dict[str, Any]:
    try:
        modules.install(code, path.parent)
        return vars(modules.model_module(code, path.stem))
    except SyntaxError as error:
        raise ModelFileError(f"{error.filename or path}, line {error.lineno}: {error.msg}. Fix the file.") from error
    except (Exception, SystemExit) as error:
        raise ModelFileError(f"{path}{reason(error, code)}") from error


def reason(error: BaseException, code: Code) -> str:
    """Why a definition cannot be used, to stand behind the place that makes it."""
    from pydantic import ValidationError

    if isinstance(error, ValidationError):
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "model"
        return f": {where}: {first['msg']} (got {_short(first['input'])})."
    said = f"{type(error).__name__}: {error}".replace(code.package, source_files.FOLDER)
    return f" does not run: {said}. Fix the file."


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
