"""The user's code that a stored estimator needs: kept beside it, and compared with its digest before it is loaded.

An estimator names each class and function of the user's by a package whose name holds the digest of its code. So
what proves that the estimator is the registered one proves that of its code as well.
"""

import io
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

from evergreen.definition.code import modules
from evergreen.definition.code.source_files import PREFIX, Code
from evergreen.errors import AlteredModelError, RegistrySetupError, translated

FOLDER = "code"  # as MLflow names it within a stored model
_PACKAGE = re.compile(rf"{PREFIX}[0-9a-f]{{32}}")


def packages(estimator: bytes) -> list[str]:
    """The packages of users' code that a stored estimator names.

    Raises
    ------
    AlteredModelError
        It is no such file.
    """
    message = "The stored model cannot be read: {reason}. Restore its files from a backup."
    with (
        translated(AlteredModelError, message, zipfile.BadZipFile, KeyError),
        zipfile.ZipFile(io.BytesIO(estimator)) as file,
    ):
        return sorted(set(_PACKAGE.findall(file.read("schema.json").decode(errors="replace"))))


def write(code: Code, folder: Path) -> Path:
    """Write code into a folder as a package, which also MLflow alone can import; return its path."""
    root = folder / code.package
    root.mkdir(parents=True)
    (root / "__init__.py").touch()
    for path, text in code.files:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8", newline="")
    return root


def read(folder: Path, package: str) -> Code:
    """The code that `write` wrote.

    Raises
    ------
    AlteredModelError
        It is not there, or is not the code that the package's name stands for.
    """
    root = folder / package
    message = f"The code in {root} cannot be read: {{reason}}. Restore its files from a backup."
    with translated(AlteredModelError, message, OSError, UnicodeError):
        texts = {file.relative_to(root).as_posix(): file.read_bytes().decode() for file in sorted(root.rglob("*.py"))}
    given = [texts, {path: text for path, text in texts.items() if path != "__init__.py"}]
    code = next((code for code in map(Code.of_texts, given) if code.package == package), None)
    if code is None:
        raise AlteredModelError(
            f"The code in {root} is not there, or was altered after the model was registered. Restore its files from "
            "a backup, or use another version."
        )
    return code


def check(estimator: bytes, folder: Path) -> None:
    """Check that the code that a stored estimator needs lies beside it unchanged; nothing of it runs.

    Raises
    ------
    AlteredModelError
        It does not.
    """
    for package in packages(estimator):
        read(folder / FOLDER, package)


def install(estimator: bytes, folder: Path, also: Iterable[str], name: str) -> None:
    """Let the code that a stored estimator needs be imported.

    Parameters
    ----------
    estimator : bytes
    folder : Path
        The stored model.
    also : iterable of str
        What may be loaded: among others the packages of code that may run.
    name : str
        Of the model, for the message.

    Raises
    ------
    AlteredModelError
        The code is not the one that the estimator was trained with, or is none that may run.
    RegistrySetupError
        It does not run here.
    """
    allowed = set(also)
    for package in packages(estimator):
        if package not in allowed:
            raise AlteredModelError(
                f"{name}: the stored model needs code that no training of this lake has recorded. If you have read "
                f"{folder / FOLDER / package} and it is yours, name it in `trusted` of the model file: "
                f"trusted=[{package!r}]; if not, the stored model was altered, and must not be used."
            )
        if not modules.installed(package):
            modules.install(read(folder / FOLDER, package))
        message = (
            f"{name}: the code that the model was trained with does not run here: {{reason}}. Mend that, or train anew."
        )
        with translated(RegistrySetupError, message, reason=lambda error: f"{type(error).__name__}: {error}"):
            modules.run(_named_modules(estimator, package))
        modules.send_by_value(package)


def _named_modules(estimator: bytes, package: str) -> list[str]:
    """The modules of a package that a stored estimator names."""
    with zipfile.ZipFile(io.BytesIO(estimator)) as file:
        schema = file.read("schema.json").decode(errors="replace")
    return sorted(set(re.findall(rf'"({package}(?:\.[^"\s]+)?)"', schema)))
