"""Every table through every step with nothing edited: what passes, how long it takes, and how good the model is.

The error of the champion on its holdout stands beside that of a plain script: boosted trees on the same columns and
the parts of the time, trained on the rows before the same holdout.

    python -m benchmarks.first_try.run [NAME ...] [--groups raw case stream flights nasty] [--keep FOLDER]
"""

import argparse
import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.first_try.baseline import errors
from benchmarks.first_try.steps import NAMES, Step, Trial
from benchmarks.first_try.tables import Untouched, tables
from benchmarks.harness.measuring import CONSOLE, Goal, judged
from benchmarks.harness.server import prefect_server

_TO_ANSWER = ("new", "ingest", "train", "serve")
_RATIO = 1.05  # of the champion's error to the script's, at most
_SECONDS, _ROWS = 60, 20_000  # from `new` to an answer of the service, at most, of tables with up to so many rows


@dataclass(frozen=True)
class Outcome:
    """How one table went.

    Attributes
    ----------
    table : Untouched
    steps : list of Step
        Those that were tried.
    through : bool
        Whether it passed all that it has.
    errors : tuple of float or None
        Of the champion and of the script; None without a champion.
    rows : int
        That landed.
    """

    table: Untouched
    steps: list[Step]
    through: bool
    errors: tuple[float, float] | None
    rows: int

    @property
    def ratio(self) -> float:
        """Of the champion's error to the script's; NaN without a champion, or where the script has none."""
        return self.errors[0] / self.errors[1] if self.errors and self.errors[1] else math.nan

    @property
    def to_answer(self) -> float:
        """Seconds from `new` to the first answer of the service; NaN if a step of these is missing."""
        seconds = {step.name: step.seconds for step in self.steps}
        return sum(seconds.get(name, math.nan) for name in _TO_ANSWER)


def main() -> None:
    """Run what was asked for, and print one line for each table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--groups", nargs="*", default=["raw", "case", "stream", "flights", "nasty"])
    parser.add_argument("--steps", nargs="*", choices=NAMES, default=NAMES, help="only these, such as new")
    parser.add_argument("--keep", type=Path, help="keep the homes in this folder")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="evergreen-first-") as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        wanted = [table for table in tables(folder, given.groups) if not given.names or table.name in given.names]
        with prefect_server(Path(temporary)) as api:
            outcomes = [_outcome(Trial(table, folder / table.name, api, tuple(given.steps))) for table in wanted]
    Console(width=180, highlight=False).print(_shown(outcomes))
    for outcome in outcomes:
        _print_failures(outcome)
    through = sum(outcome.through for outcome in outcomes)
    trained = [outcome for outcome in outcomes if outcome.errors]  # of whom a missing error or step misses the goal
    worst = float(np.max([outcome.ratio for outcome in trained] or [math.nan]))
    small = [outcome.to_answer for outcome in trained if outcome.rows <= _ROWS] or [math.nan]
    judged(
        Goal("tables through every step", through, len(outcomes), at_least=True),
        Goal("the largest error, as a multiple of the script's", worst, _RATIO),
        Goal(f"most seconds to an answer, of up to {_ROWS:,} rows", float(np.max(small)), _SECONDS),
    )


def _outcome(trial: Trial) -> Outcome:
    steps = list(_printed(trial))
    trained = any(step.name == "train" and step.passed for step in steps)
    return Outcome(
        trial.table,
        steps,
        trial.through(steps),
        errors(trial) if trained else None,
        len(trial.rows()) if trained else 0,
    )


def _printed(trial: Trial) -> Iterator[Step]:
    """The steps, each printed as soon as it is done."""
    for step in trial.steps():
        passed = "passed" if step.passed else "FAILED"
        CONSOLE.print(f"{trial.table.name}: {step.name} {passed} in {step.seconds:.1f} s", style="dim")
        yield step


def _print_failures(outcome: Outcome) -> None:
    for step in outcome.steps:
        if not step.passed:
            CONSOLE.print(f"\n{outcome.table.name}: {step.name}", style="bold")
            CONSOLE.print(step.said, markup=False)


def _shown(outcomes: list[Outcome]) -> Table:
    shown = Table(title="A table as it is published, nothing edited", title_justify="left")
    for heading in ("", *NAMES, "to an answer", "error", "of a script", "ratio"):
        shown.add_column(heading, justify="left" if not heading else "right")
    for outcome in outcomes:
        by_name = {step.name: step for step in outcome.steps}
        marks = [_mark(by_name.get(name)) for name in NAMES]
        whole = "-" if math.isnan(outcome.to_answer) else f"{outcome.to_answer:.0f} s"
        pair = outcome.errors
        figures = [f"{pair[0]:.4g}", f"{pair[1]:.4g}", f"{outcome.ratio:.2f}"] if pair else ["-"] * 3
        shown.add_row(outcome.table.name, *marks, whole, *figures)
    return shown


def _mark(step: Step | None) -> str:
    return "-" if step is None else f"{step.seconds:.0f} s" if step.passed else "[red]no[/red]"


if __name__ == "__main__":
    main()
