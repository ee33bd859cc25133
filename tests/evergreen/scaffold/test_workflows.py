"""Workflows, those of `evergreen init` and the project's own: what each job may do, and with whose code."""

import re

import pytest
import yaml

from evergreen.project import CODE

TEMPLATES = CODE / "evergreen" / "scaffold" / "repository"
OF_TEAMS = sorted((TEMPLATES / "github").glob("*.yml"))
OWN = sorted((CODE / ".github" / "workflows").glob("*.yml"))
FILES = [*OF_TEAMS, *OWN]
SAME = "github.event.pull_request.head.repo.full_name == github.repository"


def read(path):
    workflow = yaml.safe_load(path.read_text())
    return workflow | {"on": workflow[True]}  # to YAML 1.1 `on` is a truth value


def jobs():
    """Every job, with its workflow and the permissions that it has."""
    for path in FILES:
        workflow = read(path)
        for name, job in workflow["jobs"].items():
            given = job.get("permissions", workflow["permissions"])
            yield pytest.param(workflow, job, given, id=f"{path.parent.parent.name}/{path.name}: {name}")


def test_the_files_are_there():
    assert {path.name for path in FILES} == {"check.yml", "deploy.yml", "models.yml", "nightly.yml", "pull-request.yml"}


@pytest.mark.parametrize(("workflow", "job", "given"), jobs())
def test_a_job_has_no_permission_to_write_beside_code_of_the_repository(workflow, job, given):
    written = {name for name, right in given.items() if right != "read"}
    checks_out = any("actions/checkout@" in step.get("uses", "") for step in job["steps"])
    assert written <= ({"pull-requests"} if not checks_out else set())
    assert job["timeout-minutes"] <= 300


@pytest.mark.parametrize(("workflow", "job", "given"), jobs())
def test_what_comes_of_a_fork_sees_no_secret(workflow, job, given):
    of_forks = "pull_request" in workflow["on"]
    assert "pull_request_target" not in workflow["on"]
    if "secrets." in str(job):
        assert "environment" in job
        assert not of_forks or SAME in job["if"]


@pytest.mark.parametrize(("workflow", "job", "given"), jobs())
def test_actions_are_pinned_by_hash_and_keep_no_credentials(workflow, job, given):
    used = [step for step in job["steps"] if "uses" in step]
    assert used
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", step["uses"]) for step in used)
    assert all(not step["with"]["persist-credentials"] for step in used if "checkout" in step["uses"])
    assert "${{" not in "".join(step.get("run", "") for step in job["steps"])


def test_one_action_is_one_hash_everywhere_and_names_its_release():
    text = "".join(path.read_text() for path in FILES)
    pins = re.findall(r"uses: (actions/[a-z-]+)@(\w+ # v\d+\.\d+\.\d+)\n", text)
    assert len(pins) == text.count("uses: ")
    assert len(dict(pins)) == len(set(pins))


def test_words_of_make_are_those_of_the_makefile():
    of_teams = [*OF_TEAMS, TEMPLATES / "gitlab-ci.yml"]
    for makefile, files in ((TEMPLATES / "Makefile", of_teams), (CODE / "Makefile", OWN)):
        targets = set(re.findall(r"^([a-z-]+):", makefile.read_text(), re.MULTILINE))
        text = "".join(path.read_text() for path in files)
        words = set(re.findall(r"(?:run:|^ +-) make ([a-z-]+)", text, re.MULTILINE))
        assert words
        assert words <= targets


def test_gitlab_does_what_github_does():
    gitlab = (TEMPLATES / "gitlab-ci.yml").read_text()
    same = {"$GITHUB_BASE_REF": "$TARGET", "$GITHUB_SHA": "$CI_COMMIT_SHA"}
    commands = [line for path in OF_TEAMS for line in re.findall(r"run: (.*evergreen .*)\n", path.read_text())]
    assert len(commands) == 3
    for command in commands:
        for ours, theirs in same.items():
            command = command.replace(ours, theirs)
        assert f"- {command}\n" in gitlab
