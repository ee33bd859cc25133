"""Every table through every step with nothing edited: what passes, how long it takes, and how good the model is.

The error of the champion on its holdout stands beside that of a plain script: boosted trees on the same columns and
the parts of the time, trained on the rows before the same holdout.

    python -m benchmarks.first_try.run [NAME ...] [--groups raw case stream nasty] [--keep FOLDER]
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.first_try.baseline import errors
from benchmarks.first_try.steps import NAMES, Step, Trial
from benchmarks.first_try.tables import Untouched, tables
from benchmarks.harness.measuring import CONSOLE, Goal, judged
from benchmarks.harness.server import prefect_server

_TO_ANSWER = ("new", "ingest", "train", "serve")


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
    """

    table: Untouched
    steps: list[Step]
    through: bool
    errors: tuple[float, float] | None


def main() -> None:
    """Run what was asked for, and print one line for each table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--groups", nargs="*", default=["raw", "case", "stream", "nasty"])
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
    judged(Goal("tables through every step", through, len(outcomes), at_least=True))


def _outcome(trial: Trial) -> Outcome:
    steps = list(_printed(trial))
    trained = any(step.name == "train" and step.passed for step in steps)
    return Outcome(trial.table, steps, trial.through(steps), errors(trial) if trained else None)


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
        answered = [by_name[name].seconds for name in _TO_ANSWER if name in by_name]
        whole = f"{sum(answered):.0f} s" if len(answered) == len(_TO_ANSWER) else "-"
        pair = outcome.errors
        figures = [f"{pair[0]:.4g}", f"{pair[1]:.4g}", f"{pair[0] / pair[1]:.2f}"] if pair else ["-"] * 3
        shown.add_row(outcome.table.name, *marks, whole, *figures)
    return shown


def _mark(step: Step | None) -> str:
    return "-" if step is None else "yes" if step.passed else "[red]no[/red]"


if __name__ == "__main__":
    main()
