"""`evergreen train late` on all flights of 2013 against one plain script that does the same.

The table is ingested and both MLflow stores are made beforehand; every run gets a fresh copy.
A Prefect server runs beside, as it does in production; what it costs itself is not counted.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.harness.measuring import BIN, Case, Goal, clean, judged, measured
from benchmarks.harness.server import prefect_server

AS_OF = "2014-01-02"
PLAIN = [sys.executable, "-m", "benchmarks.training.plain_train"]
_MAKE_STORE = "from evergreen.stores import Stores; Stores.open().registry.client"


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="evergreen-bench-") as folder, prefect_server(Path(folder)) as api:
        homes = Homes(Path(folder), api)
        homes.same_work()
        costs = measured(
            "train",
            [
                Case(
                    "plain script",
                    [*PLAIN, homes.now, AS_OF],
                    homes.fresh,
                ),
                Case("evergreen train", [str(BIN / "evergreen"), "train", "late", "--as-of", AS_OF], homes.fresh),
            ],
        )
    plain, ours = costs.values()
    judged(
        Goal("CPU seconds, times the plain script's", ours.cpu_s / plain.cpu_s, 1.5),
        Goal("peak memory, times the plain script's", ours.peak_mb / plain.peak_mb, 1.5),
    )


class Homes:
    """A home with the table ingested, and a fresh copy of it for every run."""

    def __init__(self, folder: Path, api: str) -> None:
        self._ready, self.now, self._api = folder / "ready", str(folder / "now"), api
        self._run(BIN / "evergreen", "ingest", "late", "--as-of", AS_OF, "--json")
        self._run(sys.executable, "-c", _MAKE_STORE)

    def fresh(self) -> dict[str, str]:
        """Copy the home anew, and give the environment that points to it."""
        shutil.rmtree(self.now, ignore_errors=True)
        shutil.copytree(self._ready, self.now)
        return self._environment(self.now)

    def same_work(self) -> None:
        """Compare the log loss that both come to, on how many rows; this also compiles and warms both.

        Raises
        ------
        RuntimeError
            It is not.
        """
        self.fresh()
        plain = json.loads(self._run(*PLAIN, self.now, AS_OF).splitlines()[-1])
        self.fresh()
        self._run(BIN / "evergreen", "train", "late", "--as-of", AS_OF, home=self.now)
        judged = json.loads(self._run(BIN / "evergreen", "verdict", "late", "--version", "1", "--json", home=self.now))
        evidence = judged["evidence"]
        ours, theirs = evidence["challenger"]["value"], plain["log_loss"]
        if abs(ours - theirs) > 1e-9 or evidence["rows"] != plain["holdout"]:
            raise RuntimeError(f"Not the same work: log loss {ours} on {evidence['rows']} rows, plain {plain}.")

    def _environment(self, home: str) -> dict[str, str]:
        return {"EVERGREEN_HOME": home, "PREFECT_API_URL": self._api}

    def _run(self, *command: str | Path, home: str = "") -> str:
        environment = clean(self._environment(home or str(self._ready)))
        return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    main()
