"""Workflows, those of `evergreen init` and the project's own: what each job may do, and with whose code."""

import re
from dataclasses import replace

import pytest
import yaml

from evergreen.project import CODE
from tests.workflow_conditions import Event, begun, gitlab

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


RUNNERS = {"CI_RUNNER": "ubuntu-24.04", "STAGING_RUNNER": "staging", "PRODUCTION_RUNNER": "production"}
TAG = Event("push", "refs/tags/v1.4", variables=RUNNERS)
PULL = Event("pull_request", "refs/pull/7/merge", variables=RUNNERS)
MAIN = Event("push", variables=RUNNERS)


def named(value):
    """An event, or jobs in the same order in every process."""
    if isinstance(value, Event):
        return f"{value.name} {value.ref} of {value.head} with {len(value.variables)} variables"
    return ", ".join(sorted(value)) or "nothing"


def all_begun(files, event):
    return {f"{path.stem}: {name}" for path in files for name in begun(read(path), event)}


@pytest.mark.parametrize(
    ("event", "jobs"),
    [
        (PULL, {"check: test", "models: compare", "models: comment"}),
        (replace(PULL, head="b/fork"), {"check: test"}),
        (MAIN, {"check: test", "deploy: staging"}),
        (replace(MAIN, ref="refs/heads/other"), set()),
        (replace(MAIN, ref="refs/heads/v2"), set()),
        (TAG, {"deploy: production"}),
        (replace(TAG, ref="refs/tags/before-v2"), set()),
        (Event("schedule", variables=RUNNERS), {"nightly: test", "nightly: security"}),
        (Event("workflow_dispatch", variables=RUNNERS), {"nightly: test", "nightly: security"}),
        (replace(PULL, variables={}), {"check: test"}),
        (replace(MAIN, variables={}), {"check: test"}),
        (replace(TAG, variables={}), set()),
        (replace(MAIN, variables={"PRODUCTION_RUNNER": "production"}), {"check: test"}),
    ],
    ids=named,
)
def test_an_event_in_a_teams_repository_starts_these_jobs(event, jobs):
    assert all_begun(OF_TEAMS, event) == jobs


@pytest.mark.parametrize(
    ("event", "jobs"),
    [
        (PULL, {"test", "models", "previous-release"}),
        (replace(PULL, head="b/fork"), {"test", "models", "previous-release"}),
        (MAIN, {"test", "previous-release"}),
        (replace(MAIN, ref="refs/heads/other"), set()),
        (TAG, set()),
    ],
    ids=named,
)
def test_an_event_in_the_projects_own_repository_starts_these_jobs(event, jobs):
    assert all_begun(OWN, event) == {f"pull-request: {name}" for name in jobs}
    assert all_begun(OWN, Event("schedule")) == {"nightly: test", "nightly: fuzz", "nightly: security"}


SET = {"CI_COMPARE": "1", "STAGING_RUNNER": "staging", "PRODUCTION_RUNNER": "production"}
NIGHT = {"nightly": "on_success", "security": "on_success"}
ALWAYS = {"CI_PROJECT_ID": "1", "CI_DEFAULT_BRANCH": "main"}
REQUEST = {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "1"}
PUSH = {"CI_PIPELINE_SOURCE": "push"}


@pytest.mark.parametrize(
    ("given", "jobs"),
    [
        (SET | REQUEST, {"test": "on_success", "compare": "on_success", "comment": "always"}),
        (SET | REQUEST | {"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "2"}, {"test": "on_success"}),
        (SET | PUSH | {"CI_COMMIT_BRANCH": "main"}, {"test": "on_success", "staging": "on_success"}),
        (SET | PUSH | {"CI_COMMIT_BRANCH": "other"}, {}),
        (SET | PUSH | {"CI_COMMIT_TAG": "v1.4"}, {"production": "manual"}),
        (SET | PUSH | {"CI_COMMIT_TAG": "before-v2"}, {}),
        (SET | {"CI_PIPELINE_SOURCE": "schedule", "CI_COMMIT_BRANCH": "main"}, NIGHT),
        (SET | {"CI_PIPELINE_SOURCE": "schedule", "CI_COMMIT_TAG": "v1.4"}, NIGHT),
        (REQUEST, {"test": "on_success"}),
        (PUSH | {"CI_COMMIT_BRANCH": "main"}, {"test": "on_success"}),
        (PUSH | {"CI_COMMIT_TAG": "v1.4"}, {}),
    ],
    ids=str,
)
def test_a_pipeline_of_gitlab_has_these_jobs(given, jobs):
    assert gitlab(yaml.safe_load((TEMPLATES / "gitlab-ci.yml").read_text()), ALWAYS | given) == jobs


@pytest.mark.parametrize(
    "condition", ["github.actor == 'a'", "contains(github.ref, 'v')", "github.ref == 'a' || 1 < 2"]
)
def test_a_condition_that_these_tests_do_not_know_is_an_error(condition):
    with pytest.raises((AssertionError, NameError, SyntaxError)):
        begun({"on": {"push": None}, "jobs": {"a": {"if": condition}}}, Event("push"))
