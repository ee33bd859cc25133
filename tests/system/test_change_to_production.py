"""The way of a change: a pull request that makes a model worse, one that makes it better, and a bad release."""

import json
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.repository import Repository
from tests.running_system import Up, free_port, until

STRONG, WEAK, CONSTANT = "max_iter=60", "max_iter=25", "max_iter=1, learning_rate=1e-6"
ROW = {"hour": 8, "weekday": 1, "temperature": 12.5, "rain": 0}


class Team(Repository):
    """A repository as `evergreen init` makes it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.evergreen("init", ".", "--example")
        with (folder / "environments" / "production.env").open("a") as file:
            file.write("\nEVERGREEN_RELEASE_AFTER=staging\n")
        self.git("init", "--initial-branch=main", "--quiet")

    def production(self, *words: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        return self.evergreen("--env", "production", *words, code=code)

    def write(self, before: str, after: str) -> None:
        path = self.folder / "models" / "demand.py"
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))

    def check(self, code: int) -> str:
        """What CI says of the branch: its comment."""
        comment = self.folder.parent / "comment.md"
        self.production("ci", "--base", "main", "--output", str(comment), code=code)
        return comment.read_text()

    def release(self) -> str:
        self.evergreen("--env", "staging", "deploy", "--release", "main")
        return self.production("deploy", "--release", "main").stdout


class Production(Up):
    """`evergreen up` in the environment of production."""

    def __init__(self, repository: Team, served: int) -> None:
        self.home, self.port = repository.folder / ".evergreen" / "production", free_port()
        self.api, self.said = f"http://127.0.0.1:{self.port}/api", repository.folder.parent / "up.log"
        ports = ["--port", str(self.port), "--serve-port", str(served)]
        words = ["--env", "production", "up", "--no-mlflow", "--no-ui", *ports]
        with self.said.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "cli.main", *words],
                cwd=repository.folder,
                env=repository.environ(),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


def ask(port: int) -> tuple[int, str]:
    """The status of one request, and the version that answered."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/models/demand/invocations",
        json.dumps({"dataframe_records": [ROW]}).encode(),
        {"content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)["version"]
    except urllib.error.HTTPError as error:
        return error.code, ""
    except OSError:
        return 0, ""


@contextmanager
def callers(port: int) -> Iterator[list[tuple[int, str]]]:
    """A caller that asks all the time, and what it was answered."""
    answers: list[tuple[int, str]] = []
    ended = threading.Event()

    def call() -> None:
        while not ended.wait(0.05):
            answers.append(ask(port))

    thread = threading.Thread(target=call)
    thread.start()
    try:
        yield answers
    finally:
        ended.set()
        thread.join()


@pytest.mark.slow
def test_from_a_pull_request_to_production_and_back(tmp_path):
    team = Team(tmp_path / "team")
    team.write(STRONG, WEAK)
    first = team.commit("a first model")
    team.release()
    served = free_port()
    system = Production(team, served)
    try:
        system.wait()
        team.production("refresh", "demand", "--reason", "demand")
        until(lambda: ask(served)[0] == 200, "an answer")

        team.git("switch", "--quiet", "--create", "worse")
        team.write(WEAK, CONSTANT)
        team.commit("simpler")
        assert "| ❌ | demand | Worse than the base on production's history, beyond chance. |" in team.check(code=3)

        team.git("switch", "--quiet", "--create", "better", "main")
        team.write(WEAK, STRONG)
        second = team.commit("more trees")
        assert "| ✅ | demand | Better than the base on production's history, beyond chance. |" in team.check(code=0)

        with callers(served) as answers:
            team.git("switch", "--quiet", "main")
            team.git("merge", "--quiet", "--ff-only", "better")
            assert f"Release {second[:10]} is in force, in the place of {first[:10]}." in team.release()
            system.run("train", model="demand", reason="demand a release")  # by the worker, which was there before
            assert system.ended("demand · demand a release")[0]["state_type"] == "COMPLETED"
            champion = json.loads(team.production("status", "--json").stdout)[0]["champion"]
            until(lambda: ask(served) == (200, champion), "the new champion")
        assert {status for status, _ in answers} == {200}
        assert len({version for _, version in answers}) == 2
        made = json.loads(team.production("lineage", f"demand@{champion}", "--json").stdout)
        assert (made["commit"], made["environment"]) == (second, "production")

        with callers(served) as answers:
            team.production("deploy", "--back")
            team.production("rollback", "--made-by", second[:8], "--reason", "the wrong station")
            before = json.loads(team.production("status", "--json").stdout)[0]["champion"]
            until(lambda: ask(served) == (200, before), "the champion before")
        assert {status for status, _ in answers} == {200}
        assert before != champion
        assert json.loads(team.production("lineage", f"demand@{before}", "--json").stdout)["commit"] == first
    finally:
        system.stop()
