"""Every table through every step with nothing edited: what passes, how long it takes, and how good the model is.

The error of the champion on its holdout stands beside that of a plain script: boosted trees on the same columns and
the parts of the time, trained on the rows before the same holdout.

    python -m benchmarks.first_try.run [NAME ...] [--groups raw case stream] [--keep FOLDER] [--said]
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.table import Table

from benchmarks.first_try.baseline import errors
from benchmarks.first_try.steps import NAMES, Step, Trial
from benchmarks.first_try.tables import Untouched, tables
from benchmarks.harness.measuring import CONSOLE, Goal, judged
from benchmarks.harness.server import prefect_server

_TO_ANSWER = ("new", "ingest", "train", "serve")


def main() -> None:
    """Run what was asked for, and print one line for each table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--groups", nargs="*", default=["raw", "case", "stream"])
    parser.add_argument("--keep", type=Path, help="keep the homes in this folder")
    parser.add_argument("--said", action="store_true", help="print what failed steps printed")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="evergreen-first-") as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        wanted = [
            table
            for table in tables(folder)
            if table.group in given.groups and (not given.names or table.name in given.names)
        ]
        with prefect_server(Path(temporary)) as api:
            outcomes = [(table, *_lived(Trial(table, folder / table.name, api), given.said)) for table in wanted]
    CONSOLE.print(_shown(outcomes))
    through = sum(len(steps) == len(NAMES) and all(step.passed for step in steps) for _, steps, _ in outcomes)
    judged(Goal("tables through every step", through, len(outcomes), at_least=True))


def _lived(trial: Trial, said: bool) -> tuple[list[Step], tuple[float, float] | None]:
    steps = list(_told(trial, said))
    trained = any(step.name == "train" and step.passed for step in steps)
    return steps, errors(trial) if trained else None


def _told(trial: Trial, said: bool) -> Iterator[Step]:
    for step in trial.steps():
        passed = "passed" if step.passed else "FAILED"
        CONSOLE.print(f"{trial.table.name}: {step.name} {passed} in {step.seconds:.1f} s", style="dim")
        if said and not step.passed:
            CONSOLE.print(step.said, style="red", markup=False)
        yield step


def _shown(outcomes: list[tuple[Untouched, list[Step], tuple[float, float] | None]]) -> Table:
    shown = Table(title="A table as it is published, nothing edited", title_justify="left")
    for heading in ("", *NAMES, "to an answer", "error", "of a script", "ratio"):
        shown.add_column(heading, justify="left" if not heading else "right")
    for table, steps, pair in outcomes:
        by_name = {step.name: step for step in steps}
        marks = [_mark(by_name.get(name)) for name in NAMES]
        answered = [by_name[name].seconds for name in _TO_ANSWER if name in by_name]
        whole = f"{sum(answered):.0f} s" if len(answered) == len(_TO_ANSWER) else "-"
        figures = [f"{pair[0]:.4g}", f"{pair[1]:.4g}", f"{pair[0] / pair[1]:.2f}"] if pair else ["-"] * 3
        shown.add_row(table.name, *marks, whole, *figures)
    return shown


def _mark(step: Step | None) -> str:
    return "-" if step is None else "yes" if step.passed else "[red]no[/red]"


if __name__ == "__main__":
    main()
