"""A wheel of this code, really built, and an environment that has it installed."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from zipfile import ZipFile

from filelock import FileLock

from evergreen.project import CODE
from tests.conftest import SHARED

_PARTS = ("cli", "evergreen", "flows", "serving", "tasks", "ui")
_FILES = ("pyproject.toml", "README.md", "LICENSE", "requirements.lock", "models/airtime.py")
_BUILD = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"


def wheel() -> Path:
    """Build it once for all workers, from a copy of the code, so that nothing is left beside it."""
    folder = SHARED / "wheel"
    with FileLock(folder.with_suffix(".lock")):
        if not list(folder.glob("*.whl")):
            _build(folder)
    (built,) = folder.glob("*.whl")
    return built


def _build(folder: Path) -> None:
    source = folder / "source"
    for name in _PARTS:
        shutil.copytree(CODE / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in _FILES:
        (source / name).parent.mkdir(exist_ok=True)
        shutil.copy(CODE / name, source / name)
    subprocess.run([sys.executable, "-c", _BUILD, str(folder)], cwd=source, check=True, capture_output=True)
    shutil.rmtree(source)


def installed(built: Path, folder: Path) -> Path:
    """An environment in which the wheel is installed; all other packages are those of this one. Its folder of commands.

    The wheel is unpacked as pip does it, which takes a tenth of pip's time.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    bin = folder / "bin"
    site = next((folder / "lib").glob("python*/site-packages"))
    with ZipFile(built) as archive:
        archive.extractall(site)
    # A path in a .pth file: its own .pth files, such as that of an editable install, are not read.
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    _command(bin / "evergreen", "from evergreen.__main__ import main", "sys.exit(main())")
    (bin / "ruff").symlink_to(Path(sys.executable).with_name("ruff"))
    for name in ("prefect", "mlflow", "mypy", "pytest"):
        run = f"runpy.run_module({name!r}, run_name='__main__')"
        _command(bin / name, "import runpy", f"sys.argv[0] = {name!r}", run)
    return bin


def _command(path: Path, *lines: str) -> None:
    """A command as pip makes it: with its condition, as processes of a pool import the file once more."""
    run = "\n    ".join(lines)
    path.write_text(f"#!{path.parent / 'python'}\nimport sys\n\nif __name__ == '__main__':\n    {run}\n")
    path.chmod(0o755)
