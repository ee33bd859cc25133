"""Where the model files are. What only asks for them imports nothing that works on rows.

A file that defines many models by `Model.each` holds those whose names begin with its own: `stores.py` that of
`stores_17`. So the file of a model is found by the model's name, and no other file runs for it.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from evergreen import releases
from evergreen.errors import ModelFileError
from evergreen.settings import Settings

DRAFTED = "drafted by `evergreen new`"  # in the first line of a file that is
_SHOWN = 20  # names of models in a message


def path_of(name: str, folder: Path | None = None) -> Path:
    """The file of a model, whether it exists or not.

    Parameters
    ----------
    name : str
    folder : Path, optional
        Of the model files; by default that of the settings.
    """
    folder = folder or Settings.read().models
    return next(_defining(name, folder), folder / f"{name}.py")


def edited(name: str) -> Path:
    """The file of a model that a person changes: for a release, that of the repository it was made from."""
    path = path_of(name)
    release = releases.at(path.parent.parent)
    return release.repository / path.relative_to(release.folder) if release else path


def names(folder: Path | None = None) -> list[str]:
    """The names of all models: of a file of one model without running it.

    A file of many that does not run has the name of itself in the place of its models, so that its error is told.
    """
    found: set[str] = set()
    for path in (folder or Settings.read().models).glob("*.py"):
        if path.stem[0] != "_":
            found.update(_names(path))
    return sorted(found)


def is_declared(name: str) -> bool:
    """Whether there is a file of a model; one of many models that does not run may define it, and so counts."""
    return path_of(name).is_file()


def existing(name: str, folder: Path | None = None) -> Path:
    """The file of a model.

    Raises
    ------
    ModelFileError
        There is none, or more than one defines it.
    """
    folder = folder or Settings.read().models
    first, second = [*_defining(name, folder), None, None][:2]
    if first is None:
        known = names(folder)
        more = f" and {len(known) - _SHOWN:,} more" if len(known) > _SHOWN else ""
        listed = f"{', '.join(known[:_SHOWN])}{more}" if known else "none yet"
        draft = f" `evergreen new {name} --from TABLE` drafts it." if re.fullmatch(r"[a-z][a-z0-9_]*", name) else ""
        missing = folder / f"{name}.py"
        raise ModelFileError(f"There is no model {name!r}: {missing} does not exist. Models: {listed}.{draft}")
    if second is not None:
        raise ModelFileError(f"{name} is defined by {first} and by {second}. Rename one of the two.")
    return first


def files_of(name: str) -> list[Path]:
    """The files that say what a model is: its model file, and the CSV of parameters that this goes over."""
    from evergreen.definition import templates

    path = path_of(name)
    try:
        rows = templates.rows_file(path)
    except ModelFileError:
        return [path]
    return [path, rows] if rows else [path]


def _names(path: Path) -> list[str]:
    from evergreen.definition import templates

    if not templates.is_template(path):
        return [path.stem]
    try:
        return templates.template(path).names
    except ModelFileError:
        return [path.stem]


def _defining(name: str, folder: Path) -> Iterator[Path]:
    """The files that define a model."""
    own = folder / f"{name}.py"
    if own.is_file():
        yield own
    words = name.split("_")
    for length in range(len(words) - 1, 0, -1):
        path = folder / f"{'_'.join(words[:length])}.py"
        if path.is_file() and _is_of(path, name, alone=not own.is_file()):
            yield path


def _is_of(path: Path, name: str, *, alone: bool) -> bool:
    """Whether a file of many models defines one; of a file that does not run, if no other does."""
    from evergreen.definition import templates

    if not templates.is_template(path):
        return False
    try:
        return templates.template(path).defines(name)
    except ModelFileError:
        return alone


def unmentioned(name: str, columns: Iterable[str]) -> list[str]:
    """Those of the columns that a drafted model file names nowhere: the table did not have them when it was drafted.

    A file that was written by hand, or of which the first line was changed, need not name what it leaves out.
    """
    path = path_of(name)
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return [name for name in columns if json.dumps(name, ensure_ascii=False) not in text] if DRAFTED in text else []
