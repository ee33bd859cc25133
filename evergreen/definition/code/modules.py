"""Loads a model's code from its text, as modules of a package whose name holds its digest."""

import builtins
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import Any

from evergreen.definition.code.source_files import FOLDER, PREFIX, Code, is_elsewhere

_INSTALLED: dict[str, tuple[Code, str]] = {}  # by package: its code, and where its files lie
_LOCK = RLock()


def install(code: Code, folder: Path | None = None) -> None:
    """Let the code be imported; nothing of it runs yet.

    Parameters
    ----------
    code : Code
    folder : Path, optional
        Where its files lie. Code that is read from a store has no place: its `__file__` names no file.
    """
    with _LOCK:
        _finder()
        known = _INSTALLED.get(code.package)
        if known is None or (folder is not None and known[1] != str(folder)):
            if known is not None:  # the same code of another place
                _forget(code.package)
            _INSTALLED[code.package] = (code, str(folder or f"<{code.package}>"))


def _forget(package: str) -> None:
    """Let the modules of a package run again."""
    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        del sys.modules[name]


def model_module(code: Code, name: str) -> ModuleType:
    """Run a model file, unless it ran before, and return its module."""
    return import_module(f"{code.package}.{name}")


def run(names: Iterable[str]) -> None:
    """Run modules of installed code, unless they ran before; those that do not exist are passed over."""
    for name in names:
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise


def send_by_value(module: str) -> None:
    """Let joblib send what a module of installed code defines to its processes, which cannot import it."""
    package = module.partition(".")[0]
    if package in _INSTALLED:
        import cloudpickle

        cloudpickle.register_pickle_by_value(import_module(package))


def installed(package: str) -> Code | None:
    """The code of a package that can be imported; None if it is not installed."""
    known = _INSTALLED.get(package)
    return known and known[0]


class _Finder(MetaPathFinder):
    """Finds the modules of installed code."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module of that name, if it is of installed code."""
        package, _, inner = fullname.partition(".")
        if not package.startswith(PREFIX) or package not in _INSTALLED:
            return None
        code, folder = _INSTALLED[package]
        texts, place = dict(code.files), inner.replace(".", "/")
        for file in (f"{place}/__init__.py", f"{place}.py"):
            if place and file in texts:
                within = [f"{folder}/{place}"] if file.endswith("/__init__.py") else None
                return _spec(fullname, f"{folder}/{file}", texts[file], code, within)
        if not place or any(file.startswith(f"{place}/") for file in texts):
            return _spec(fullname, f"{folder}/{place}", "", code, [f"{folder}/{place}"])
        return None


class _File(str):
    """`__file__` of a module, which goes along with each function that is sent by value: there it installs the code.

    So a process that cannot import the package runs the imports within its functions.
    """

    __slots__ = ("code",)
    code: Code

    @classmethod
    def of(cls, code: Code, file: str) -> "_File":
        """The file of a module of this code."""
        made = cls(file)
        made.code = code
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored_file, (self.code, _INSTALLED[self.code.package][1], str(self))


def _restored_file(code: Code, folder: str, file: str) -> _File:
    """Install code that another process has sent, or sent back, and let imports within its functions find it."""
    if code.package not in _INSTALLED:
        install(code, Path(folder))
    if code.modules:
        builtins.__import__ = _import_for_caller
    return _File.of(code, file)


_plain_import = builtins.__import__


def _import_for_caller(
    name: str, globals: Any = None, locals: Any = None, fromlist: Sequence[str] | None = (), level: int = 0
) -> Any:
    """`__import__` in a process that was sent functions by value, which have the builtins of all others."""
    package = str((globals or {}).get("__package__") or "").partition(".")[0]
    code = installed(package)
    run = _importer(code) if code and code.modules else _plain_import
    return run(name, globals, locals, fromlist or (), level)


class _TextLoader(Loader):
    """Runs the text of a module."""

    def __init__(self, text: str, file: str, code: Code) -> None:
        self._text, self._file, self._code = text, file, code

    def exec_module(self, module: ModuleType) -> None:
        """Run it."""
        module.__dict__["__file__"] = _File.of(self._code, self._file)
        if self._code.modules:
            module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _importer(self._code)}
        exec(compile(self._text, self._file, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - as an import does

    def get_source(self, fullname: str) -> str:
        """The text, for tracebacks and `inspect`."""
        return self._text


def _spec(name: str, file: str, text: str, code: Code, within: list[str] | None) -> ModuleSpec | None:
    loader = _TextLoader(text, file, code)
    return spec_from_file_location(name, file, loader=loader, submodule_search_locations=within)


@cache
def _importer(code: Code) -> Any:
    """`__import__` for the code: an absolute import of a module that came from the models folder is its own."""

    def import_(
        name: str, globals: Any = None, locals: Any = None, fromlist: Sequence[str] | None = (), level: int = 0
    ) -> Any:
        inner = "" if level else _inner(code, name, fromlist or ())
        if not inner:
            return _plain_import(name, globals, locals, fromlist or (), level)
        module = import_module(f"{code.package}.{inner}".rstrip("."))
        if fromlist:
            return _plain_import(module.__name__, globals, locals, fromlist, 0)
        return sys.modules[code.package if name.startswith(f"{FOLDER}.") else f"{code.package}.{inner.split('.')[0]}"]

    return import_


def _inner(code: Code, name: str, fromlist: Sequence[str]) -> str:
    """The name within the package that an absolute import means; empty if it is of another package."""
    first, _, rest = name.partition(".")
    if first != FOLDER:
        return name if first in _roots(code) else ""
    wanted = [rest] if rest else list(fromlist)
    return (rest or ".") if any(_holds(code, each.replace(".", "/")) for each in wanted) else ""


def _holds(code: Code, place: str) -> bool:
    return any(file == f"{place}.py" or file.startswith(f"{place}/") for file, _ in code.files)


@cache
def _roots(code: Code) -> frozenset[str]:
    """The first names of absolute imports that mean a folder or a file of the code, and not a package of that name."""
    folders = {file.split("/")[0] for file in code.modules if "/" in file}
    single = {file.removesuffix(".py") for file in code.modules if "/" not in file}
    return frozenset(folders | {name for name in single if not is_elsewhere(name, _INSTALLED[code.package][1])})


@cache
def _finder() -> _Finder:
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    return finder
