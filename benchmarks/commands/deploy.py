"""What `evergreen deploy` costs against a running server: of 100 models, and of nothing that changed.

    python -m benchmarks.commands.deploy [--repeats 3] [--models 100]

A repository of a team's, as `evergreen init` makes it, with so many models, each with its own schedules of refresh and
monitor. Before a deploy of all, the server has nothing of it and the home is new. `prefect deploy --all` is beside it.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.harness.measuring import BIN, Case, Goal, clean, judged, measured
from benchmarks.harness.server import prefect_server
from evergreen.scaffold.team_repository import prefect_file

ALL, NOTHING, TREE = "evergreen deploy --release HEAD, all new", "the same again", "evergreen deploy, nothing changed"
PREFECT = "prefect deploy --all, all new"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=int, default=100)
    given, _ = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="evergreen-bench-") as name, prefect_server(Path(name)) as api:
        team = Path(name) / "team"
        _make(team, given.models)
        where = {"EVERGREEN_PROJECT": str(team), "EVERGREEN_HOME": f"{name}/home", "PREFECT_API_URL": api}
        words = [sys.executable, "-P", "-m", "cli.main", "deploy"]
        prefect = [str(BIN / "prefect"), "--no-prompt", "deploy", "--all", "--prefect-file", f"{team}/prefect.yaml"]

        def empty() -> dict[str, str]:
            _empty(api)
            shutil.rmtree(where["EVERGREEN_HOME"], ignore_errors=True)
            return where

        costs = measured(
            f"deploy of {given.models} models to a running server",
            [
                Case(ALL, [*words, "--release", "HEAD"], empty),
                Case(NOTHING, [*words, "--release", "HEAD"], lambda: where),
                Case(TREE, words, lambda: where),
                Case(PREFECT, prefect, empty),
            ],
        )
    judged(
        Goal(f"seconds of a deploy of {given.models} models", costs[ALL].wall_s, 60),
        Goal("seconds of a deploy of nothing changed", costs[NOTHING].wall_s, 5),
        Goal("the same without --release", costs[TREE].wall_s, 5),
    )


def _make(team: Path, count: int) -> None:
    """A repository with so many models and their schedules, in one commit."""
    environment = clean({"EVERGREEN_HOME": str(team.parent / "none")})
    subprocess.run(
        [sys.executable, "-P", "-m", "cli.main", "init", str(team), "--example", "--ci", "none"],
        env=environment,
        cwd=team.parent,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    example, names = team / "models" / "demand.py", [f"demand_{number}" for number in range(count)]
    for name in names:
        (team / "models" / f"{name}.py").write_text(example.read_text().replace('name="demand"', f'name="{name}"'))
    example.unlink()
    (team / "prefect.yaml").write_text(prefect_file(names))
    who = ["-c", "user.name=bench", "-c", "user.email=bench@example.org"]
    for step in (["init", "--quiet"], ["add", "--all"], [*who, "commit", "--quiet", "--message", "all"]):
        subprocess.run(["git", *step], cwd=team, check=True)


def _empty(api: str) -> None:
    """Let a server have no deployment, and no note of one."""
    for deployment in _ask(api, "POST", "/deployments/filter", {}):
        _ask(api, "DELETE", f"/deployments/{deployment['id']}")
    for variable in _ask(api, "POST", "/variables/filter", {}):
        _ask(api, "DELETE", f"/variables/{variable['id']}")


def _ask(api: str, method: str, path: str, body: Any = None) -> Any:
    """Ask a server, again while its SQLite is busy with the runs that it schedules."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{api}{path}", data, {"content-type": "application/json"}, method=method)
    for last in (*[False] * 30, True):
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.loads(answer.read() or "null")
        except urllib.error.HTTPError as error:
            if last or error.code != 503:
                raise
            time.sleep(2)
    return None


if __name__ == "__main__":
    os.environ.pop("PREFECT_API_URL", None)
    main()
