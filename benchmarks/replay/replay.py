"""The replay of a year of `airtime` by weeks through five policies and the oracle: its time, its memory, and its fits.

python -m benchmarks.replay.replay [--repeats 1]
"""

import json
import subprocess
import tempfile
from pathlib import Path
from shutil import rmtree

from benchmarks.harness.measuring import BIN, CONSOLE, Case, Goal, clean, judged, measured

POLICIES = ["never", "every-7d", "every-28d", "performance", "own"]
END = "2014-01-01"


def main() -> None:
    """Take the year in once, then replay it from nothing each time."""
    with tempfile.TemporaryDirectory(prefix="evergreen-replay-") as folder:
        home = {"EVERGREEN_HOME": folder}
        command = [str(BIN / "evergreen"), "ingest", "airtime", "--as-of", END]
        subprocess.run(command, check=True, env=clean(home), stdout=subprocess.DEVNULL)

        def anew() -> dict[str, str]:
            rmtree(Path(folder) / "replays", ignore_errors=True)
            return home

        case = Case(
            "evergreen replay airtime",
            [str(BIN / "evergreen"), "replay", "airtime", "--policies", ",".join(POLICIES)],
            anew,
        )
        cost = measured("replay: airtime by weeks, five policies and the oracle", [case])[case.name]
        alone, shared = _fits(Path(folder))
    CONSOLE.print(f"Fits: {shared:.0f} CPU s, each made once; {alone:.0f} if each policy made its own.")
    judged(
        Goal("wall seconds", cost.wall_s, 240),
        Goal("peak MB", cost.peak_mb, 2048),
        Goal("CPU, to that of the fits of all policies", cost.cpu_s / alone, 1.3),
    )


def _fits(home: Path) -> tuple[float, float]:
    """CPU seconds of the fits: of all policies together as if each made its own, and as they were made."""
    seconds = {
        int(path.stem.removeprefix("step-")): json.loads(path.read_text())["seconds"]
        for path in home.rglob("step-*.json")
    }
    walks = [json.loads(path.read_text()) for path in home.rglob("walk-*.json")]
    steps = [{0, *(training["step"] for training in walk["trainings"])} for walk in walks]
    return sum(seconds[step] for some in steps for step in some), sum(seconds.values())


if __name__ == "__main__":
    main()
