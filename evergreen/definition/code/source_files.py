"""Which files a model file is made of: itself, and every module of its folder that it imports, directly or not."""

import ast
import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache, partial
from importlib.machinery import PathFinder
from importlib.util import decode_source
from pathlib import Path, PurePosixPath

PREFIX = "evergreen_code_"  # of the package that the files of a model are loaded as
_PYTHON = ".py"
FOLDER = "models"  # what the folder of the model files is called in an absolute import


@dataclass(frozen=True)
class Code:
    """The text of a model file and of the modules that it imports from its folder.

    That of a model that a CSV has parameters of holds the CSV as well, with the row of this model alone.

    Attributes
    ----------
    files : tuple of (path, text)
        Sorted; a path is relative to the folder of the model files, with ``/``.
    """

    files: tuple[tuple[str, str], ...]

    @classmethod
    def of_texts(cls, texts: dict[str, str]) -> "Code":
        """The code of these texts by path."""
        return cls(tuple(sorted(texts.items())))

    @cached_property
    def hashes(self) -> dict[str, str]:
        """The SHA-256 of each file, by its path."""
        return {path: hashlib.sha256(text.encode()).hexdigest() for path, text in self.files}

    @cached_property
    def digest(self) -> str:
        """A hash of all files: equal digests mean equal code."""
        return hashlib.sha256(json.dumps(self.hashes, sort_keys=True).encode()).hexdigest()[:32]

    @property
    def python(self) -> "Code":
        """The files that can run: all but a CSV of parameters."""
        return Code(tuple((path, text) for path, text in self.files if path.endswith(_PYTHON)))

    @cached_property
    def package(self) -> str:
        """The name of the package that the files are loaded as; other Python code has another name.

        Examples
        --------
        >>> Code.of_texts({"toy.py": "x = 1"}).package
        'evergreen_code_632fce8d6bd455347be2da287cc1598c'
        """
        return f"{PREFIX}{self.python.digest}"

    @property
    def modules(self) -> dict[str, str]:
        """The modules beside the model file: their texts by path."""
        return {path: text for path, text in self.files if len(self.files) > 1}


def of_model(path: Path, text: str | None = None) -> Code:
    """The code of a model file.

    Imports are found in the text, also within functions, so that no file has to run.

    Parameters
    ----------
    path : Path
        Of the model file; every module is looked for in its folder.
    text : str, optional
        Instead of what is in the model file.

    Raises
    ------
    OSError
        The model file cannot be read.
    """
    folder, texts = path.parent, {path.name: decode_source(path.read_bytes()) if text is None else text}
    waiting, of_folder = [path.name], cache(partial(_is_of, folder))
    while waiting:
        importer = waiting.pop()
        for dotted in _imports(texts[importer], PurePosixPath(importer).parent.parts):
            for found in _files(folder, dotted, path.stem, of_folder):
                if found not in texts:
                    texts[found] = decode_source((folder / found).read_bytes())
                    waiting.append(found)
    return Code.of_texts(texts)


def foreign(code: Code) -> set[str]:
    """The packages that the code imports beside its own modules and Python's, by the names of their modules.

    Examples
    --------
    >>> sorted(foreign(Code.of_texts({"toy.py": "import os, numpy.linalg, lib.a", "lib/a.py": "import scipy"})))
    ['numpy', 'scipy']
    """
    own = {FOLDER, *(path.split("/")[0].removesuffix(".py") for path, _ in code.files)}
    names = {
        found.parts[0]
        for path, text in code.files
        for found in _imports(text, PurePosixPath(path).parent.parts)
        if not found.relative
    }
    return names - own - sys.stdlib_module_names


def displayed(module: str) -> str:
    """The name of a module as its author knows it.

    Examples
    --------
    >>> displayed("evergreen_code_0123abcd.lib.text"), displayed("numpy.linalg")
    ('models.lib.text', 'numpy.linalg')
    """
    package, _, inner = module.partition(".")
    return f"{FOLDER}.{inner}".rstrip(".") if package.startswith(PREFIX) else module


@dataclass(frozen=True)
class _Import:
    """A dotted name that a file imports; `relative` if it is one of this folder for certain."""

    parts: tuple[str, ...]
    relative: bool


@lru_cache(maxsize=256)
def _imports(text: str, package: tuple[str, ...]) -> tuple[_Import, ...]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):  # running it says so
        return ()
    return tuple(found for node in ast.walk(tree) for found in _imported(node, package))


def _imported(node: ast.AST, package: tuple[str, ...]) -> Iterator[_Import]:
    if isinstance(node, ast.Import):
        yield from (_Import(tuple(alias.name.split(".")), False) for alias in node.names)
    if isinstance(node, ast.ImportFrom) and node.level - 1 <= len(package):
        above = package[: len(package) - node.level + 1] if node.level else ()
        base = (*above, *(node.module or "").split(".")) if node.module else above
        yield from (_Import((*base, *alias.name.split(".")), node.level > 0) for alias in node.names)


def _files(folder: Path, imported: _Import, model: str, of_folder: Callable[[str], bool]) -> Iterator[str]:
    """The files of the folder that an import runs; `of_folder` says whether it means the folder."""
    parts = imported.parts
    if not imported.relative:
        if parts[0] == FOLDER:
            parts = parts[1:]
        elif parts[0] == model or not of_folder(parts[0]):
            return
    for end in range(1, len(parts) + 1):
        place = PurePosixPath(*parts[:end])
        for candidate in (place / "__init__.py", place.with_name(f"{place.name}.py")):
            if (folder / candidate).is_file():
                yield str(candidate)
                break


def _is_of(folder: Path, name: str) -> bool:
    """Whether an absolute import of this name means the folder: not if Python or a package has it."""
    here = (folder / name).is_dir() or (folder / f"{name}.py").is_file()
    return here and not is_elsewhere(name, str(folder))


def is_elsewhere(name: str, folder: str) -> bool:
    """Whether Python or an installed package has a module of this name, outside of a folder."""
    if name in sys.stdlib_module_names:
        return True
    known = PathFinder.find_spec(name)
    if known is None or known.origin is None:
        return False
    return not Path(known.origin).resolve().is_relative_to(Path(folder).resolve())
