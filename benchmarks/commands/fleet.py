"""What commands that go over all models cost with many of them, beside few.

    python -m benchmarks.commands.fleet [--models 1000] [--few 10] [--homes FOLDER] [--repeats 3] [--before CODE]

One model lives through three weeks of the demo; one template defines the others, which have copies of its tables and
versions. --homes takes the homes of an earlier run (or leaves them there); --before measures another checkout in turn.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.harness.fleet import make
from benchmarks.harness.measuring import Case, Goal, judged, measured
from evergreen.project import CODE

COMMANDS = ("status", "models", "doctor --judging")
_SECONDS = 3.0  # of CPU for the status of 1,000 models


def main() -> None:
    """Make the homes, measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--few", type=int, default=10)
    parser.add_argument("--homes", type=Path)
    parser.add_argument("--commands", nargs="*", default=COMMANDS)
    parser.add_argument("--before", type=Path, help="another checkout, to measure beside this one")
    given, _ = parser.parse_known_args()
    checkouts = {"": CODE} | ({" before": given.before.resolve()} if given.before else {})
    with tempfile.TemporaryDirectory(prefix="evergreen-bench-") as name:
        folder = (given.homes or Path(name)).resolve()
        homes = {count: folder / str(count) / "home" for count in (given.few, given.models)}
        for count, home in homes.items():
            if not (home / "models").is_dir():
                make(home, count, one_file=True, lived=folder)
        cases = [
            _command(words, count, home, beside, path)
            for words in given.commands
            for count, home in homes.items()
            for beside, path in checkouts.items()
        ]
        costs = measured("commands that go over all models", cases)
    if "status" in given.commands:
        spent = costs[f"status, {given.models:,} models"].cpu_s
        judged(Goal(f"CPU seconds of the status of {given.models:,} models", spent, _SECONDS))


def _command(words: str, count: int, home: Path, beside: str, checkout: Path) -> Case:
    where = {"EVERGREEN_HOME": str(home), "EVERGREEN_MODELS": str(home / "models"), "PYTHONPATH": str(checkout)}
    command = [sys.executable, "-P", "-m", "cli.main", *words.split(), "--json"]
    return Case(f"{words}, {count:,} models{beside}", command, lambda: where)


if __name__ == "__main__":
    main()
