"""A random table taken through the whole loop in this process."""

import shutil
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest

from evergreen.exit_codes import Exit
from tests.system import loop_properties as properties
from tests.system import random_tables, table_files
from tests.system.loop_properties import NAME
from tests.system.observed_commands import Commands
from tests.system.random_tables import RandomTable

_SCORED = 20  # rows that are scored, and that the service is asked for


@dataclass
class Trial:
    """One table on its way, in a home of its own.

    Attributes
    ----------
    table : RandomTable
    folder : Path
        The home, the model file and the deliveries lie in it.
    commands : Commands
        What was called, and what does not hold.
    ending : str
        How it ended: with an answer, or the sentence of the step that ended it.
    seconds : float
        Of CPU.
    """

    table: RandomTable
    folder: Path
    commands: Commands = field(default_factory=Commands)
    ending: str = ""
    seconds: float = 0.0

    def run(self) -> "Trial":
        """Every step; a fault does not keep the others from being found."""
        start = time.process_time()
        try:
            with warnings.catch_warnings(action="ignore"):  # of what no user sees
                self.ending = self._through()
        except Exception:
            self.commands.faults.append(traceback.format_exc())
        self.seconds = time.process_time() - start
        return self

    def _through(self) -> str:
        rows = random_tables.rows_of(self.table)
        first, end = rows.index[0], rows.index[-1] + pd.Timedelta("1s")
        cut = rows.index[int(0.75 * len(rows))]
        early = rows[rows.index < cut]
        if early.empty:
            early, cut = rows, end
        place = table_files.source_of(self.table, self.folder)
        if not self._written(early, place):
            return "not written: the format cannot hold it"
        if said := self._drafted(place):
            return f"new: {said}"
        landed = [self.commands.run("ingest", NAME, "--as-of", _moment(cut), codes=(0, 1, 4, 6), as_json=True)]
        if landed[0].code == Exit.FAILED:
            return f"ingest: {landed[0].sentence}"
        self.commands.run("train", NAME, "--as-of", _moment(cut), codes=(0, 1, 3, 5, 8))
        self.commands.run("monitor", NAME, "--as-of", _moment(first + (cut - first) * 0.9), codes=(0, 1))
        delivered = table_files.second_delivery(rows, self.table, cut)
        self._written(delivered, place)
        landed.append(self.commands.run("ingest", NAME, "--as-of", _moment(end), codes=(0, 1, 4), as_json=True))
        properties.check_rows(self.commands, self.table, landed, rows, _moment(end))
        for batch in _held():
            self.commands.run("quarantine", "show", NAME, batch, codes=(0,))
            self.commands.run("quarantine", "release", NAME, batch, codes=(0, 1))
        properties.check_keys(self.commands)
        properties.check_values(self.commands, self.table, rows)
        self.commands.run("monitor", NAME, "--as-of", _moment(end), codes=(0, 1))
        self.commands.run("refresh", NAME, "--as-of", _moment(end), codes=(0, 1, 3, 4, 5, 8))
        return self._used(delivered)

    def _used(self, rows: pd.DataFrame) -> str:
        """Asked for predictions by file and by request; then what a person looks at."""
        from evergreen.registry.version import CHAMPION
        from evergreen.stores import Stores

        self.commands.run("doctor", NAME, codes=(0,))
        registry = Stores.open().registry
        versions = registry.versions(NAME)
        ending = f"no version: {self.commands.said.get('train')}"
        if versions:
            champion = registry.champion(NAME)
            ending = "answered" if champion else f"answered, not promoted: {self.commands.said.get('train')}"
            if champion is None:
                registry.alias(versions[0], CHAMPION)
            properties.check_predictions(self.commands, self.table, self.folder, rows.tail(_SCORED))
        for words in (
            ["status"],
            ["report", NAME, "--no-open"],
            ["why", NAME],
            ["models", NAME],
            ["quarantine", "list"],
        ):
            self.commands.run(*words, codes=(0,))
        if versions:
            for words in (["verdict", NAME], ["lineage", NAME], ["model-card", NAME]):
                self.commands.run(*words, codes=(0, 1))
        self.commands.run("look", NAME, "--no-open", codes=(0, 1))
        properties.check_names(self.commands)
        return ending

    def _written(self, rows: pd.DataFrame, place: str) -> bool:
        try:
            table_files.write(rows, self.table.form, place)
        except Exception as error:
            self.commands.steps.append(f"not written: {error!r:.300}")
            return False
        return True

    def _drafted(self, place: str) -> str:
        """Draft the model; what is said if none was drafted."""
        words = ["--from", place]
        if self.table.named:
            words += ["--target", self.table.target, "--time", self.table.time_name]
            words += [word for name in random_tables.key_columns(self.table) for word in ("--key", name)]
        done = self.commands.run("new", NAME, *words, codes=(0, 1))
        return done.sentence if done.code else ""


def _held() -> list[str]:
    from evergreen.stores import Stores

    return [entry.batch for entry in Stores.open().quarantine.entries(NAME) if entry.state == "held"]


def _moment(at: pd.Timestamp) -> str:
    return f"{at.ceil('s'):%Y-%m-%dT%H:%M:%S}"


@contextmanager
def home_of(folder: Path, registry: Path) -> Iterator[Path]:
    """A home of its own in a folder, with an empty registry."""
    folder.mkdir(parents=True)
    (folder / "home").mkdir()
    shutil.copy(registry, folder / "home" / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVERGREEN_HOME", str(folder / "home"))
        patch.setenv("EVERGREEN_MODELS", str(folder / "models"))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.chdir(folder)
        yield folder
