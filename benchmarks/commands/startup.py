"""What commands cost in the home of a demo, beside bare imports and beside a flow that does nothing.

    python -m benchmarks.commands.startup [--repeats 3] [--weeks 3] [--home HOME --as-of DATE] [--before CODE]

--home takes the home of a demo that was run before (`.evergreen/demo`) up to --as-of; --before runs the commands of
another checkout in the same home in turn.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.harness.measuring import Case, Goal, clean, judged, measured
from benchmarks.harness.server import prefect_server
from evergreen.project import CODE

READS = {
    "--help": 0.3,
    "--version": 0.3,
    "status": 1.0,
    "models airtime": 1.0,
    "verdict airtime": 1.0,
    "why airtime": 1.0,
}
FLOORS = {"nothing": "pass", "pandas, DuckDB, Delta": "import pandas, duckdb, deltalake, pyarrow.dataset"}
EMPTY = "an empty Prefect flow"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--weeks", type=int, default=3)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--as-of", default="2014-01-01")
    parser.add_argument("--before", type=Path, help="another checkout, to measure beside this one")
    given, _ = parser.parse_known_args()
    checkouts = {"": CODE} | ({" before": given.before.resolve()} if given.before else {})
    with tempfile.TemporaryDirectory(prefix="evergreen-bench-") as name:
        home, as_of = given.home, given.as_of
        if home is None:
            home, as_of = Path(name) / "demo", _live(Path(name), given.weeks)
        where = {"EVERGREEN_HOME": str(home.resolve()), "EVERGREEN_MODELS": str(home.resolve() / "models")}
        _reads(where, checkouts)
        _ingests("no server", where, checkouts, as_of)
        with prefect_server(Path(name)) as api:
            _ingests("a running server", where | {"PREFECT_API_URL": api}, checkouts, as_of)


def _live(folder: Path, weeks: int) -> str:
    """Run a demo of so many weeks, and give the day that it ends at."""
    command = [sys.executable, "-m", "cli.main", "demo", "--weeks", str(weeks), "--json"]
    environment = clean({"EVERGREEN_HOME": str(folder)})
    subprocess.run(command, env=environment, cwd=CODE, check=True, stdout=subprocess.DEVNULL)
    return f"2013-02-{1 + 7 * (weeks - 1):02}"


def _reads(where: dict[str, str], checkouts: dict[str, Path]) -> None:
    floors = [Case(f"import {name}", [sys.executable, "-c", code], lambda: where) for name, code in FLOORS.items()]
    commands = [
        _command(words, beside, path, where)
        for words in READS
        for beside, path in checkouts.items()
        if not (beside and words == "--version")  # which is newer
    ]
    costs = measured("commands that only read", [*floors, *commands])
    judged(*(Goal(f"CPU seconds of {words}", costs[f"evergreen {words}"].cpu_s, most) for words, most in READS.items()))


def _ingests(mode: str, where: dict[str, str], checkouts: dict[str, Path], as_of: str) -> None:
    words = f"ingest airtime --as-of {as_of}"
    empty = Case(EMPTY, [sys.executable, "-m", "benchmarks.commands.empty_flow"], lambda: where)
    commands = [_command(words, beside, path, where) for beside, path in checkouts.items()]
    costs = measured(f"an ingest that finds nothing new, {mode}", [empty, *commands])
    ours = costs[f"evergreen {words}"].cpu_s
    judged(Goal(f"CPU of such an ingest with {mode}, times an empty flow's", ours / costs[EMPTY].cpu_s, 1.3))


def _command(words: str, beside: str, checkout: Path, where: dict[str, str]) -> Case:
    command = [sys.executable, "-P", "-m", "cli.main", *words.split()]
    return Case(f"evergreen {words}{beside}", command, lambda: where | {"PYTHONPATH": str(checkout)})


if __name__ == "__main__":
    os.environ.pop("PREFECT_API_URL", None)
    main()
