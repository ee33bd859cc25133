"""Where the model files are. What only asks for them imports nothing that works on rows."""

from pathlib import Path

from evergreen import releases
from evergreen.errors import ModelFileError
from evergreen.settings import Settings


def path_of(name: str) -> Path:
    """The file of a model, whether it exists or not."""
    return Settings.read().models / f"{name}.py"


def edited(name: str) -> Path:
    """The file of a model that a person changes: for a release, that of the repository it was made from."""
    path = path_of(name)
    release = releases.at(path.parent.parent)
    return release.repository / path.relative_to(release.folder) if release else path


def names() -> list[str]:
    """The names of all model files, without running them."""
    return sorted(path.stem for path in Settings.read().models.glob("*.py") if path.stem[0] != "_")


def existing(name: str) -> Path:
    """The file of a model, without running it.

    Raises
    ------
    ModelFileError
        There is none.
    """
    path = path_of(name)
    if not path.is_file():
        known = ", ".join(names()) or "none yet"
        raise ModelFileError(f"There is no model {name!r}: {path} does not exist. Models: {known}.")
    return path
