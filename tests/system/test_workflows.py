"""The workflows of `evergreen init`: every `run:` line of theirs is executed, on clones of a bare repository.

What GitHub does around these lines is done here as GitHub does it: the checkout, its variables, artifacts. Two parts
are not real: `.venv` is an environment with a wheel of this code, made beside the clone, as `make setup` takes minutes
(so `make setup` runs, and finds it complete); and GitHub itself is a `gh` that keeps comments in a file.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

import pytest
import yaml

from evergreen.lake import release_log
from evergreen.reports.change_comment import MARK
from flows.runtime.registered import POOL
from tests.built_wheel import installed, wheel
from tests.repository import git
from tests.running_system import free_port, prefect_server
from tests.workflow_conditions import Event, begun

STRONG, WEAK, CONSTANT = "max_iter=60", "max_iter=25", "max_iter=1, learning_rate=1e-6"
NUMBER = "7"
RUNNERS = dict.fromkeys(("CI_RUNNER", "STAGING_RUNNER", "PRODUCTION_RUNNER"), "a-runner")
GH = """#!{python}
import json, pathlib, subprocess, sys
words, path = sys.argv[2:], pathlib.Path({comments!r})
comments = json.loads(path.read_text())
option = lambda name: words[words.index(name) + 1] if name in words else ""
place = next(word for word in words if word.startswith("repos/a/team/issues/"))
if option("--jq"):
    assert place == "repos/a/team/issues/7/comments"
    done = subprocess.run(["jq", "-r", option("--jq")], input=json.dumps(comments), text=True, check=True)
    sys.exit()
body = pathlib.Path(option("--field").removeprefix("body=@")).read_text()
if option("--method") == "PATCH":
    next(each for each in comments if place == f"repos/a/team/issues/comments/{{each['id']}}")["body"] = body
else:
    comments.append({{"id": len(comments) + 1, "user": {{"login": "github-actions[bot]"}}, "body": body}})
path.write_text(json.dumps(comments))
"""


class Host:
    """A bare repository, the machine that runs its workflows, and the comments of one pull request."""

    def __init__(self, folder: Path, commands: Path, servers: dict[str, str]) -> None:
        self.folder, self.commands, self.servers, self.runs = folder, commands, servers, 0
        self.bare, self.author, self.comments = folder / "team.git", folder / "team", folder / "comments.json"
        self.variables = {"HOME": str(folder), "PATH": f"{folder / 'bin'}:/usr/bin:/bin", "LANG": "C.UTF-8"}
        self.variables |= {"TMPDIR": os.environ.get("TMPDIR", "/tmp"), "CI": "true", "GITHUB_REPOSITORY": "a/team"}
        (folder / "bin").mkdir()
        (folder / "bin" / "gh").write_text(GH.format(python=sys.executable, comments=str(self.comments)))
        (folder / "bin" / "gh").chmod(0o755)
        self.comments.write_text("[]")
        self.evergreen("init", "team", "--example", within=folder)
        self.evergreen("init", "team", "--ci", "gitlab", within=folder)
        self.environment("staging")
        self.environment("production", "EVERGREEN_RELEASE_AFTER=staging")
        git(folder, "init", "--bare", "--quiet", "--initial-branch=main", "team.git")
        git(self.author, "init", "--quiet", "--initial-branch=main")
        git(self.author, "remote", "add", "origin", self.bare.as_uri())
        self.write(STRONG, WEAK)
        self.push("a first model")

    def environment(self, name: str, *more: str) -> None:
        """Stores and a server of its own, with a home outside of every clone."""
        at = self.folder / name
        lines = [f"EVERGREEN_HOME={at}", f"EVERGREEN_LAKE={at}/lake", f"PREFECT_API_URL={self.servers[name]}"]
        lines.append(f"MLFLOW_TRACKING_URI=sqlite:///{at}/mlflow.db")
        (self.author / "environments" / f"{name}.env").write_text("\n".join([*lines, *more, ""]))

    def asked(self, name: str, what: str) -> list[dict[str, object]]:
        """What the Prefect server of an environment has of something, such as deployments."""
        address, kind = f"{self.servers[name]}/{what}/filter", {"content-type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(address, b"{}", kind), timeout=60) as answer:
            return json.load(answer)

    def registered(self, name: str) -> dict[str, str]:
        """The deployments on the server of an environment, and when each was changed."""
        found = self.asked(name, "deployments")
        return {each["name"]: each["updated"] for each in found if each["work_pool_name"] == POOL}

    def declared(self) -> set[str]:
        """The deployments of the author's prefect.yaml."""
        return {each["name"] for each in self.plan()["deployments"]}

    def plan(self) -> dict[str, list[dict[str, object]]]:
        return yaml.safe_load((self.author / "prefect.yaml").read_text())

    def evergreen(self, *words: str, within: Path) -> str:
        command = [str(self.commands / "evergreen"), *words]
        done = subprocess.run(command, cwd=within, env=self.variables, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def write(self, before: str, after: str) -> None:
        path = self.author / "models" / "demand.py"
        assert before in path.read_text()
        path.write_text(path.read_text().replace(before, after))

    def push(self, message: str) -> str:
        """Commit everything on the branch of the author's clone, and push it."""
        git(self.author, "add", "--all")
        git(self.author, "commit", "--quiet", "--message", message)
        git(self.author, "push", "--quiet", "origin", "HEAD")
        return git(self.author, "rev-parse", "HEAD")

    def pull_request(self, branch: str) -> str:
        """The merge commit that a host makes of a branch for its pull request."""
        git(self.author, "checkout", "--quiet", "--detach", "main")
        git(self.author, "merge", "--quiet", "--no-ff", "--message", "merged", branch)
        git(self.author, "push", "--quiet", "--force", "origin", f"HEAD:refs/pull/{NUMBER}/merge")
        git(self.author, "checkout", "--quiet", branch)
        return f"refs/pull/{NUMBER}/merge"

    def checked_out(self, ref: str, depth: int = 1) -> Path:
        """A clone as the action `checkout` makes it, with the environment that `make setup` would make."""
        self.runs += 1
        clone = self.folder / f"run-{self.runs}"
        clone.mkdir()
        git(clone, "init", "--quiet")
        git(clone, "remote", "add", "origin", self.bare.as_uri())
        whole = ["+refs/heads/*:refs/remotes/origin/*"] if depth == 0 else [f"--depth={depth}"]
        git(clone, "fetch", "--quiet", "origin", *whole, f"+{ref}:refs/remotes/checked-out")
        git(clone, "checkout", "--quiet", "--detach", "refs/remotes/checked-out")
        (clone / ".venv").symlink_to(self.commands.parent)
        (clone / ".venv" / "installed").touch()
        return clone

    def run(self, script: str, within: Path, code: int = 0, **variables: str) -> str:
        """A step, by the shell that GitHub and GitLab run it with."""
        environ = self.variables | variables
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
        done = subprocess.run(command, cwd=within, env=environ, capture_output=True, text=True, timeout=900)
        assert done.returncode == code, f"{script}\n{done.returncode}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def job(self, name: str, job: str, ref: str, code: int = 0, **variables: str) -> tuple[Path, str]:
        """Run a job of GitHub: its folder, and what its last step prints, which ends with the code."""
        event = "schedule" if name == "nightly" else "pull_request" if ref.startswith("refs/pull/") else "push"
        assert job in begun(workflow(self.author, name), Event(event, ref, variables=RUNNERS))
        steps = steps_of(self.author, name, job)
        checkout = next(step for step in steps if "/checkout@" in step.get("uses", ""))
        clone = self.checked_out(ref, checkout["with"].get("fetch-depth", 1))
        commit, said = git(clone, "rev-parse", "HEAD"), ""
        lines = [step for step in steps if "run" in step]
        for step in lines:
            given = {"GITHUB_SHA": commit, "GITHUB_REF": ref} | variables | expressions(step, self.folder)
            said = self.run(step["run"], clone, code if step is lines[-1] else 0, **given)
        return clone, said

    def comment(self, clone: Path) -> None:
        """The job that writes the comment; it has no clone, and the artifact of the job before."""
        event = Event("pull_request", f"refs/pull/{NUMBER}/merge", variables=RUNNERS)
        assert "comment" in begun(workflow(self.author, "models"), event)
        (step,) = [step for step in steps_of(self.author, "models", "comment") if "run" in step]
        place = self.folder / f"comment-{self.runs}"
        place.mkdir()
        shutil.copy(clone / "comment.md", place)
        self.run(step["run"], place, **expressions(step, self.folder))


def workflow(folder: Path, name: str) -> dict[str, Any]:
    return yaml.safe_load((folder / ".github" / "workflows" / f"{name}.yml").read_text())


def steps_of(folder: Path, name: str, job: str) -> list[dict[str, Any]]:
    return workflow(folder, name)["jobs"][job]["steps"]


def expressions(step: dict[str, object], temporary: Path) -> dict[str, str]:
    """The variables of a step with its expressions evaluated; a secret that is not set is empty, as on GitHub."""
    known = {"runner.temp": str(temporary / "temp"), "github.token": "token"}
    known["github.event.pull_request.number"] = NUMBER

    def value(found: re.Match[str]) -> str:
        return "" if found[1].startswith("secrets.") else known[found[1]]

    return {name: re.sub(r"\$\{\{ (\S+) }}", value, text) for name, text in step.get("env", {}).items()}


@pytest.fixture(scope="module")
def host(server, tmp_path_factory):
    """Staging has the server of all tests, production one of its own."""
    folder, other = tmp_path_factory.mktemp("host"), tmp_path_factory.mktemp("production")
    with prefect_server(other, free_port()) as production:
        servers = {"staging": server, "production": production}
        yield Host(folder, installed(wheel(), folder / "venv"), servers)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("jq"), reason="the stand-in of gh has no jq")
def test_every_line_of_githubs_workflows_does_its_work(host):
    for name in ("check", "nightly"):
        _, said = host.job(name, "test", "refs/heads/main")
        assert "passed" in said

    first = git(host.author, "rev-parse", "HEAD")
    git(host.author, "tag", "v1.4")
    git(host.author, "push", "--quiet", "origin", "v1.4")
    _, said = host.job("deploy", "production", "refs/tags/v1.4", code=1)
    assert f"staging has not run release {first[:10]}" in said
    for name, ref in (("staging", "refs/heads/main"), ("production", "refs/tags/v1.4")):
        assert host.registered("production") == {}
        _, said = host.job("deploy", name, ref)
        assert f"Release {first[:10]} is in force" in said
        assert [entry.commit for entry in release_log.read(str(host.folder / name / "lake"))] == [first]
        assert set(host.registered(name)) == host.declared() >= {"refresh", "carry"}

    host.evergreen("--env", "production", "refresh", "demand", within=host.checked_out("refs/heads/main"))
    assert {str(run["name"]).split(" · ")[0] for run in host.asked("production", "flow_runs")} >= {"demand"}
    assert not (host.folder / "staging" / "mlflow.db").exists()
    theirs = [
        {"id": 1, "user": {"login": "a-person"}, "body": f"{MARK} I quote"},
        {"id": 2, "user": {"login": "github-actions[bot]"}, "body": "of another workflow"},
    ]
    host.comments.write_text(json.dumps(theirs))
    git(host.author, "switch", "--quiet", "--create", "worse")
    host.write(WEAK, CONSTANT)
    host.push("simpler")
    clone, _ = host.job("models", "compare", host.pull_request("worse"), code=3, GITHUB_BASE_REF="main")
    assert not (clone / ".evergreen").exists()
    host.comment(clone)
    comments = json.loads(host.comments.read_text())
    assert comments[:2] == theirs
    assert "| ❌ | demand | Worse than the base" in comments[2]["body"]

    host.write(CONSTANT, WEAK)
    host.push("as it was")
    clone, _ = host.job("models", "compare", host.pull_request("worse"), GITHUB_BASE_REF="main")
    host.comment(clone)
    comments = json.loads(host.comments.read_text())
    assert (len(comments), comments[:2]) == (3, theirs)
    assert "no model is affected" in comments[2]["body"]


class Notes(BaseHTTPRequestHandler):
    """GitLab's notes of a merge request, for who has the token."""

    notes: "list[dict[str, object]]"

    def do_GET(self) -> None:
        self.answer(self.notes)

    def do_POST(self) -> None:
        self.notes.append({"id": len(self.notes) + 1, "body": self.body()})
        self.answer({})

    def do_PUT(self) -> None:
        number = int(self.path.rpartition("/")[2])
        next(note for note in self.notes if note["id"] == number)["body"] = self.body()
        self.answer({})

    def body(self) -> str:
        return parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())["body"][0]

    def answer(self, value: object) -> None:
        self.send_response(200 if self.headers["private-token"] == "token" else 401)
        self.end_headers()
        self.wfile.write(json.dumps(value).encode())

    def log_message(self, *_: object) -> None:
        """Keep it off the terminal."""


@pytest.fixture
def gitlab():
    """A server with notes."""
    notes = type("Some", (Notes,), {"notes": [{"id": 1, "body": "a question"}]})
    server = HTTPServer(("127.0.0.1", 0), notes)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/notes", notes.notes
    server.shutdown()


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")
def test_every_line_of_gitlabs_workflow_does_its_work(host, gitlab):
    address, notes = gitlab
    jobs = yaml.safe_load((host.author / ".gitlab-ci.yml").read_text())
    git(host.author, "checkout", "--quiet", "-B", "words", "main")
    plan = host.plan()
    plan["deployments"] = [each for each in plan["deployments"] if each["name"] != "carry"]
    (host.author / "prefect.yaml").write_text(yaml.safe_dump(plan))
    commit = host.push("no deployment of carry")
    clone = host.checked_out("refs/heads/words", 0)
    for line in jobs["compare"]["script"]:
        host.run(line, clone, TARGET="main", EVERGREEN_HOME=str(clone / ".evergreen" / "ci"))
    (script,) = jobs["comment"]["script"]
    host.run(script, clone, NOTES=address, COMMENT_TOKEN="token")
    assert [note["body"].splitlines()[0] for note in notes] == ["a question", MARK]
    (clone / "comment.md").write_text(f"{MARK}\nanew & more: 100 %\n")
    host.run(script, clone, NOTES=address, COMMENT_TOKEN="token")
    assert [note["body"] for note in notes] == ["a question", f"{MARK}\nanew & more: 100 %\n"]
    assert "401" in host.run(script, clone, code=22, NOTES=address, COMMENT_TOKEN="wrong")
    assert len(notes) == 2

    production = host.registered("production")
    for name in ("staging", "production"):
        assert host.registered("production") == production, "a release in staging has touched production's server"
        said = [host.run(line, clone, CI_COMMIT_SHA=commit) for line in jobs[name]["script"]]
        assert f"Release {commit[:10]} is in force" in said[-1]
        assert set(host.registered(name)) == host.declared()
