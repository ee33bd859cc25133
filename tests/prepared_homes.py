"""Homes that tests begin with: what some runs leave behind, run once for all workers and copied from then on."""

import hashlib
import pickle
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from filelock import FileLock

from evergreen.settings import Settings

if TYPE_CHECKING:
    from evergreen.lifecycle.outcome import Outcome

T = TypeVar("T")


class PreparedHomes:
    """The homes that this session has prepared, in a folder that its workers share.

    A home is known by the function that makes it, what that function is given, and the text of the model files with
    all that they import from beside them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)

    def begin(self, build: Callable[..., T], *given: Any) -> T:
        """Put the home of this moment, which must be new, into the state that ``build(*given)`` makes of it.

        Returns what `build` returned, which must be of a kind that can be pickled.
        """
        settings = Settings.read()
        prepared = self._folder / _key(settings.models, build, given)
        with FileLock(f"{prepared}.lock"):
            if not prepared.exists():
                returned = build(*given)
                unfinished = prepared.with_suffix(".unfinished")
                shutil.copytree(settings.home, unfinished / "home")
                (unfinished / "returned").write_bytes(pickle.dumps((str(settings.home), returned)))
                unfinished.rename(prepared)
                return returned
        before, returned = pickle.loads((prepared / "returned").read_bytes())
        shutil.rmtree(settings.home)
        shutil.copytree(prepared / "home", settings.home)
        _move(settings.home, before)
        return returned


def _key(models: Path, build: Callable[..., Any], given: tuple[Any, ...]) -> str:
    known = [build.__module__, build.__qualname__, repr(given)]
    files = sorted([*models.rglob("*.py"), *models.rglob("*.csv")])
    known += [part for path in files for part in (str(path.relative_to(models)), path.read_text())]
    return hashlib.sha256("\0".join(known).encode()).hexdigest()[:16]


def _move(home: Path, before: str) -> None:
    """Where MLflow has kept the home's address, it is the new one."""
    from mlflow.tracking._tracking_service import utils

    utils._artifact_repos_cache.clear()  # by run: those of this home have the same ids, and another place
    for path in home.rglob("MLmodel"):
        path.write_text(path.read_text().replace(before, str(home)))
    with closing(sqlite3.connect(home / "mlflow.db")) as store, store:
        columns = store.execute(
            "SELECT t.name, c.name FROM sqlite_master t JOIN pragma_table_info(t.name) c"
            " WHERE t.type = 'table' AND (c.type LIKE 'VARCHAR%' OR c.type = 'TEXT')"
        ).fetchall()
        for table, column in columns:
            change = f'UPDATE "{table}" SET "{column}" = replace("{column}", ?, ?) WHERE instr("{column}", ?)'
            store.execute(change, (before, str(home), before))


def refreshed(*moments: datetime, model: str = "toy") -> "Outcome":
    """Refresh a model at these moments; what came of the last one."""
    from flows.refresh import refresh

    outcomes = [refresh(model, as_of=moment) for moment in moments]
    return outcomes[-1]


def ingested(*moments: datetime, model: str = "toy") -> None:
    """Ingest up to these moments."""
    from flows.ingest import ingest

    for moment in moments:
        ingest(model, as_of=moment)
