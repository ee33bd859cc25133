"""How far back drafted models train: windows counted in holdouts, as before, and in the time between trainings, as now.

What `evergreen new` drafts of a table is trained often and holds out many weeks, since a verdict needs them. Every
window is fitted at every training and scored on what follows, once, as `benchmarks.replay.rules` does it for the
streams. Every training takes over. Tables are the published ones and the streams of `benchmarks.first_try`.

    python -m benchmarks.replay.drafted_windows [--tables etth,seoul] [--trainings 40] [--keep FOLDER]
"""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd
from rich.table import Table

from benchmarks.first_try.tables import Untouched, tables
from benchmarks.harness.commands import evergreen
from benchmarks.harness.measuring import CONSOLE
from benchmarks.replay import rules
from benchmarks.replay.rules import Losses
from evergreen.definition import loader
from evergreen.durations import parse
from evergreen.stores import Stores
from evergreen.training import window
from evergreen.training.snapshot import Snapshot

_NEVER_TRAINED = "too short"


@dataclass(frozen=True)
class Drafted:
    """A table with the model file that `evergreen new` drafts of it, cut into so many trainings at most.

    Attributes
    ----------
    table : Untouched
    home : Path
    trainings : int
    """

    table: Untouched
    home: Path
    trainings: int

    @property
    def name(self) -> str:
        """Of the table and of its model."""
        return self.table.name

    @property
    def step(self) -> int:
        """Days from one training to the next: the drafted cadence, or as many of it as give few enough trainings."""
        every, span = self._every, self._span
        return every * ceil(span / every / self.trainings)

    @property
    def _every(self) -> int:
        every = loader.load(self.name).policy.every
        assert every is not None, "every draft has a schedule"
        return max(1, every.days)

    @property
    def _span(self) -> int:
        times = pd.read_parquet(self.home / f"{self.name}.parquet")[loader.load(self.name).time]
        return int((times.max() - times.min()).days)

    def write(self, home: Path) -> None:
        """Draft and ingest the table, and write its labelled rows as one file."""
        (home / "models").mkdir(exist_ok=True)
        source = self.table.source or str(self.table.path)
        evergreen(home, "new", self.name, "--from", source, "--target", self.table.target, *self.table.options)
        evergreen(home, "ingest", self.name)
        snapshot = Snapshot.pin(Stores.open().lake, loader.load(self.name), pd.Timestamp.now(tz="UTC"))
        rows = snapshot.labelled(None, snapshot.newest() + pd.Timedelta(1, "us"))
        rows.to_parquet(home / f"{self.name}.parquet")


def main() -> None:
    """Print what each way of counting comes to."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--tables", default="", help="names, separated by commas; all by default")
    asked.add_argument("--trainings", type=int, default=40, help="at most, of a table")
    asked.add_argument("--keep", type=Path, help="a folder for the losses; those that are there are not made again")
    given = asked.parse_args()
    wanted = set(filter(None, given.tables.split(",")))
    shown = Table("table", "holdout", "trainings", "all history", "in holdouts", "in trainings", "known in hindsight")
    shown.add_column("fixed windows")
    with nullcontext(given.keep) if given.keep else tempfile.TemporaryDirectory(prefix="evergreen-windows-") as folder:
        work = Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        for table in tables(work, ["raw", "stream"]):
            if not wanted or table.name in wanted:
                shown.add_row(table.name, *_row(Drafted(table, work / table.name, given.trainings), work))
    CONSOLE.print(shown)


def _row(drafted: Drafted, work: Path) -> Iterator[str]:
    """The error with each way of counting, beside that of the best fixed window."""
    found = rules.losses(drafted, work)
    model, step = loader.load(drafted.name), timedelta(days=drafted.step)
    holdout = model.training.holdout
    found = replace(found, holdout=max(1, round(holdout / step)), unit=window.unit(model) / step)
    trainings = list(range(2 * found.holdout + 1, len(found)))
    yield f"{holdout.days} d"
    yield f"{len(trainings)}, one in {drafted.step} d"
    if not trainings:
        yield _NEVER_TRAINED
        return
    fixed = [rules.total(found, trainings, [of] * len(trainings)) for of in range(len(found.names))]
    long = [of for of, name in enumerate(found.names) if name == window.ALL or parse(name) >= window.SHORTEST * holdout]
    in_holdouts = _only(found, long, holdout / step)
    chosen = {
        "in holdouts": rules.total(in_holdouts, trainings, rules.as_the_product(in_holdouts, trainings)),
        "in trainings": rules.total(found, trainings, rules.as_the_product(found, trainings)),
        "in hindsight": rules.total(found, trainings, rules.in_hindsight(found, trainings)),
    }
    best = min(fixed)
    yield from (f"{value / best:.3f}" for value in (fixed[0], *chosen.values()))
    yield ", ".join(f"{name} {value / best:.2f}" for name, value in zip(found.names, fixed, strict=True))


def _only(found: Losses, kept: list[int], unit: float) -> Losses:
    """Some of the windows, with ages in another unit."""
    names = [found.names[of] for of in kept]
    return replace(found, names=names, loss=found.loss[kept], fitted=found.fitted[kept], unit=unit)


if __name__ == "__main__":
    np.seterr(invalid="ignore")
    main()
