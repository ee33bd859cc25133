"""Releases: a commit is put in force as a whole, in an environment, and taken back; processes stay with theirs."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from prefect import get_client

from evergreen import releases
from evergreen.errors import RunningError
from evergreen.lake import release_log, state_format
from flows.runtime.registered import POOL
from tests.system.two_environments import Team

pytestmark = pytest.mark.long


@pytest.fixture
def team(tmp_path):
    return Team(tmp_path / "team")


def registered():
    with get_client(sync_client=True) as client:
        return sorted(each.name for each in client.read_deployments() if each.work_pool_name == POOL)


def automations():
    """The triggers that the server has, by their ids: other tests have left some."""
    with get_client(sync_client=True) as client:
        found = client.request("POST", "/automations/filter", json={}).json()
    return {each["id"]: each["name"].rpartition("__")[2] for each in found}


def test_a_release_goes_to_staging_to_production_and_back(team, server):
    others, first = set(automations()), team.commit()
    refused = team.evergreen("--env", "production", "deploy", "--release", "HEAD", code=1)
    assert f"staging has not run release {first[:10]}" in refused.stderr
    done = team.evergreen("--env", "staging", "deploy", "--release", "HEAD", server=server)
    assert f"Release {first[:10]} is in force." in done.stdout
    assert registered() == ["approve", "refresh"]
    made = {key: name for key, name in automations().items() if key not in others}
    assert {"approval requested", "drift"} <= set(made.values())
    again = json.loads(
        team.evergreen("--env", "staging", "deploy", "--release", "main", "--json", server=server).stdout
    )
    assert (again["commit"], again["changed"]) == (first, False)
    done = team.evergreen("--env", "production", "deploy", "--release", "HEAD")
    assert "PREFECT_API_URL is not set, so nothing was registered" in done.stdout

    team.declare("refresh")
    second = team.commit()
    done = team.evergreen("--env", "staging", "deploy", "--release", "HEAD", server=server)
    assert f"Release {second[:10]} is in force, in the place of {first[:10]}." in done.stdout
    assert "Deployment 'approve' is not declared any more and was deleted" in done.stdout
    assert registered() == ["refresh"]
    assert "approval requested" not in [made.get(key) for key in automations()]

    team.evergreen("--env", "staging", "deploy", "--back", server=server)
    assert releases.in_force(team.home("staging")).commit == first
    assert registered() == ["approve", "refresh"]
    acts = [(entry.commit, entry.act) for entry in release_log.read(str(team.home("staging") / "lake"))]
    assert acts == [(first, "deploy"), (second, "deploy"), (first, "back")]


def test_a_release_is_put_in_force_only_where_the_installed_evergreen_opens_the_state(team):
    first, lake = team.commit(), team.home("staging") / "lake"
    (lake / "toy" / "rows").mkdir(parents=True)  # of an earlier release: there is no record
    done = team.evergreen("--env", "staging", "deploy", "--release", "HEAD")
    assert "`evergreen migrate --check` says what a migration would change" in " ".join(done.stdout.split())
    team.commit()
    state_format.write(str(lake), state_format.StateFormat(9, 9))
    for words in (("--release", "HEAD"), ("--back",), ()):
        refused = team.evergreen("--env", "staging", "deploy", *words, code=1)
        assert "is in format 9, written by a newer Evergreen" in refused.stderr
    assert releases.in_force(team.home("staging")).commit == first
    assert [entry.commit for entry in release_log.read(str(lake))] == [first]


def test_a_release_whose_smoke_run_fails_is_not_put_in_force(team):
    with (team.folder / "environments" / "staging.env").open("a") as file:
        file.write("EVERGREEN_RELEASE_SMOKE=1\n")
    with (team.folder / "models" / "toy.py").open("a") as file:
        file.write("import os\nos.write(1, b'what a library in C prints\\n')\n")
    first = team.commit()
    team.evergreen("--env", "staging", "deploy", "--release", "HEAD")
    (entry,) = release_log.read(str(team.home("staging") / "lake"))
    assert (entry.commit, entry.smoke) == (first, True)
    with (team.folder / "models" / "toy.py").open("a") as file:
        file.write(UNFIT)
    second = team.commit()
    done = team.evergreen("--env", "staging", "deploy", "--release", "HEAD", code=1)
    assert f"Release {second[:10]} was not put in force: toy: the estimator raised" in " ".join(done.stderr.split())
    assert releases.in_force(team.home("staging")).commit == first


def test_a_release_that_ran_without_the_smoke_run_that_is_asked_for_is_tried_first(team):
    commit = team.commit()
    team.evergreen("--env", "staging", "deploy", "--release", "HEAD")
    team.set("staging", EVERGREEN_RELEASE_SMOKE="1")  # since then
    refused = team.evergreen("--env", "production", "deploy", "--release", commit, code=1)
    assert f"staging has run release {commit[:10]} without the smoke run" in " ".join(refused.stderr.split())
    for _ in range(2):  # tried once
        team.evergreen("--env", "staging", "deploy", "--release", commit)
        entries = release_log.read(str(team.home("staging") / "lake"))
        assert [(entry.commit, entry.smoke) for entry in entries] == [(commit, False), (commit, True)]
    team.evergreen("--env", "production", "deploy", "--release", commit)


UNFIT = """
from sklearn.linear_model import Lasso
model = model.model_copy(update={"estimator": Lasso(alpha="much")})
"""


def test_a_release_waits_for_a_person_where_the_environment_asks_for_it(team):
    staging = team.folder / "environments" / "staging.env"
    before = staging.read_text()
    first = team.commit()
    team.evergreen("--env", "staging", "deploy", "--release", "HEAD")
    staging.write_text(f"{before}EVERGREEN_RELEASE_APPROVAL=1\n")
    second = team.commit()
    deploy = ("--env", "staging", "deploy", "--release", "HEAD")
    lake = str(team.home("staging") / "lake")
    assert release_log.waiting(lake) is None
    for _ in range(2):
        done = team.evergreen(*deploy, code=8)
        assert (release_log.waiting(lake).commit, release_log.waiting(lake).models) == (second, ["toy"])
        assert f"deploy --release {second[:10]} --approve --reason" in " ".join(done.stdout.split())
        assert releases.in_force(team.home("staging")).commit == first
    team.evergreen(*deploy, "--approve", code=2)
    team.evergreen(*deploy, "--approve", "--reason", "looked at its figures")
    assert releases.in_force(team.home("staging")).commit == second
    assert release_log.waiting(lake) is None
    assert [(each.commit, each.reason) for each in release_log.approvals(lake)] == [(second, "looked at its figures")]
    team.evergreen("--env", "staging", "deploy", "--back")  # the way back needs nobody
    team.evergreen(*deploy)  # it was approved
    assert releases.in_force(team.home("staging")).commit == second
    staging.write_text(f"{before}EVERGREEN_RELEASE_APPROVAL=yes\n")
    team.commit()
    assert "EVERGREEN_RELEASE_APPROVAL is 'yes'. Set it to 1" in team.evergreen(*deploy, code=1).stderr


def test_a_model_that_a_release_has_no_more_and_a_lock_that_is_not_installed_are_named(team):
    team.commit()
    team.evergreen("--env", "staging", "deploy", "--release", "HEAD")
    (team.folder / "models" / "toy.py").unlink()
    (team.folder / "requirements.lock").write_text(f"numpy==0.1\npandas=={pd.__version__}\n")
    team.commit()
    done = team.evergreen("--env", "staging", "deploy", "--release", "HEAD")
    assert f"lock of the release names: numpy {np.__version__}, the lock has 0.1. " in " ".join(done.stdout.split())
    assert "Model 'toy' is no part of this release: its champion answers until `evergreen retire toy" in " ".join(
        done.stdout.split()
    )


def test_a_release_that_does_not_load_leaves_the_one_before_in_force(team):
    first = team.commit()
    team.evergreen("--env", "staging", "deploy", "--release", "HEAD")
    (team.folder / "models" / "toy.py").write_text("import nothing_of_that_name\n")
    second = team.commit()
    done = team.evergreen("--env", "staging", "deploy", "--release", "HEAD", code=1)
    assert f"Release {second[:10]} was not put in force: " in done.stderr
    assert "nothing_of_that_name" in done.stderr
    assert releases.in_force(team.home("staging")).commit == first
    assert (
        "There is no release before the one in force"
        in team.evergreen("--env", "staging", "deploy", "--back", code=1).stderr
    )


SAYS = """
import sys
from evergreen.settings import Settings, embed
embed()
for _ in range(2):
    print((Settings.read().models / "toy.py").read_text().count("word"), flush=True)
    sys.stdin.readline()
"""


def test_a_process_stays_with_its_release_and_the_working_tree_is_another_thing(team):
    team.commit()
    home = team.home("staging")
    releases.put_in_force(home_of(home), releases.unpacked(home, team.folder))
    environ = team.environ() | {"EVERGREEN_ENV": "staging"}
    words = [sys.executable, "-P", "-c", SAYS]
    begun = subprocess.Popen(
        words, cwd=team.folder, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert begun.stdout.readline() == "0\n"
    with (team.folder / "models" / "toy.py").open("a") as file:
        file.write("# word\n")
    assert (
        subprocess.run(words, cwd=team.folder, env=environ, input="\n\n", text=True, capture_output=True).stdout[0]
        == "0"
    )
    team.commit()
    releases.put_in_force(home, releases.unpacked(home, team.folder))
    assert begun.communicate("\n\n")[0] == "0\n"
    assert (
        subprocess.run(words, cwd=team.folder, env=environ, input="\n\n", text=True, capture_output=True).stdout[0]
        == "1"
    )


def home_of(home: Path) -> Path:
    home.mkdir(parents=True)
    return home


@pytest.mark.parametrize("commit", ["nowhere", "--all", ""])
def test_what_is_no_commit_is_told(team, commit):
    team.commit()
    with pytest.raises(RunningError, match="has no commit"):
        releases.unpacked(team.folder / "state", team.folder, commit)


def test_a_folder_without_a_repository_is_told(tmp_path):
    with pytest.raises(RunningError, match="a release is a commit of a git repository"):
        releases.unpacked(tmp_path / "home", Path("/"), "HEAD")


def test_killed_between_unpacking_and_the_link_nothing_is_in_force_and_the_next_deploy_does_it(team):
    commit = team.commit()
    release = releases.unpacked(team.home("staging"), team.folder)
    assert releases.in_force(team.home("staging")) is None
    team.evergreen("--env", "staging", "deploy", "--release", commit)
    assert releases.in_force(team.home("staging")) == release
    versions = team.evergreen("--env", "staging", "models", "--json")
    assert versions.returncode == 0


def test_entries_of_a_machine_whose_clock_is_ahead_come_before_those_that_follow(team):
    first = team.commit()
    team.evergreen("--env", "staging", "deploy", "--release", first)
    lake = team.home("staging") / "lake"
    (path,) = (lake / "_releases").iterdir()
    (entry,) = release_log.read(str(lake))
    path.unlink()
    release_log.append(str(lake), replace(entry, at="2100-01-01T00:00:00.000000+00:00"))

    second = team.commit()
    team.evergreen("--env", "staging", "deploy", "--release", second)
    assert [entry.commit for entry in release_log.read(str(lake))] == [first, second]
    again = json.loads(team.evergreen("--env", "staging", "deploy", "--release", second, "--json").stdout)
    assert again["changed"] is False
    team.evergreen("--env", "production", "deploy", "--release", second)
    team.evergreen("--env", "staging", "deploy", "--back")
    assert [entry.commit for entry in release_log.read(str(lake))] == [first, second, first]
    assert releases.in_force(team.home("staging")).commit == first


LATER = "\nTURN = pd.Timestamp('2014-01-01', tz='UTC')\n"  # the world stays as it is


@pytest.mark.slow
def test_a_version_is_carried_to_production_and_judged_there(team):
    with (team.folder / "models" / "toy.py").open("a") as file:
        file.write(LATER)
    (team.folder / "requirements.lock").write_text("numpy==2.4.5\n")
    team.commit()
    for command in ("ingest", "train"):
        team.evergreen("--env", "staging", command, "toy", "--as-of", "2013-01-29")
    staged = json.loads(team.evergreen("--env", "staging", "models", "toy", "--json").stdout)[0]
    carry = ("--env", "production", "carry", "toy", "--from", "staging", "--json")
    team.evergreen("--env", "production", "ingest", "toy", "--as-of", "2013-01-22")
    refused = team.evergreen(*carry, "--as-of", "2013-01-22", code=1)
    assert "there are no later labelled rows here to judge it on" in refused.stderr

    team.evergreen("--env", "production", "ingest", "toy", "--as-of", "2013-02-12")
    (team.folder / "requirements.lock").write_text("numpy==2.4.6\n")  # production has another lock
    outcome = json.loads(team.evergreen(*carry, "--as-of", "2013-02-12").stdout)
    assert (outcome["decision"], outcome["moved"]) == ("promote", True)
    (carried,) = json.loads(team.evergreen("--env", "production", "models", "toy", "--json").stdout)
    assert "champion" in carried["aliases"]
    assert carried["tags"]["carried_from"] == f"staging toy@{staged['number']}"
    for name in ("data_hash", "lock", "commit"):  # how it was trained, and not how it is here
        assert carried["tags"][name] == staged["tags"][name], name
    assert carried["tags"]["holdout_from"] >= staged["tags"]["data_until"]
    again = json.loads(team.evergreen(*carry, "--as-of", "2013-02-12").stdout)
    assert (again["champion"], again["moved"]) == (outcome["champion"], False)

    with (team.folder / "models" / "toy.py").open("a") as file:
        file.write("# another file\n")
    refused = team.evergreen(*carry, "--as-of", "2013-02-12", code=1)
    assert (
        "was trained with another model file than the one in force here. Deploy the release that made it"
        in refused.stderr
    )
    assert (
        "There is no environment 'elsewhere'"
        in team.evergreen("--env", "production", "carry", "toy", "--from", "elsewhere", code=1).stderr
    )


KILLED = """
import os, signal, sys
from evergreen.settings import embed
embed(released=False)
from evergreen import git, releases
from evergreen.lake import release_log
from flows.runtime import deployments, releasing
module, name, when, *words = sys.argv[1:]
place = globals()[module]
usual = getattr(place, name)
def killed(*given, **more):
    if when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    usual(*given, **more)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(place, name, killed)
releasing.deploy_release(*words, back=not words)
"""
STEPS = [
    ("git", "unpack"),
    ("releasing", "checked"),
    ("release_log", "append"),
    ("releases", "put_in_force"),
    ("releasing", "_registered"),
]


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("module", "name"), STEPS)
def test_a_deploy_that_is_killed_at_any_step_is_run_again(team, module, name, when):
    """Forwards and back: at every moment a whole release is in force, and once more is enough."""
    first = team.commit()
    team.evergreen("--env", "staging", "deploy", "--release", first)
    second, home = team.commit(), team.home("staging")
    environ = team.environ() | {"EVERGREEN_ENV": "staging"}
    for words, wanted in (([second], second), ([], first)):
        again = ["--release", second] if words else ["--back"]
        command = [sys.executable, "-P", "-c", KILLED, module, name, when, *words]
        done = subprocess.run(command, cwd=team.folder, env=environ, capture_output=True, text=True)
        assert done.returncode == -signal.SIGKILL, done.stderr
        between = releases.in_force(home)
        assert between.commit in (first, second)
        assert (between.folder / "models" / "toy.py").is_file()
        team.evergreen("--env", "staging", "deploy", *again)
        assert releases.in_force(home).commit == wanted
        assert release_log.read(str(home / "lake"))[-1].commit == wanted


@pytest.mark.slow
@pytest.mark.parametrize(("name", "when", "then"), [("register", "after", "back"), ("_note", "before", "again")])
def test_a_deploy_that_is_killed_while_it_registers_is_run_again_or_taken_back(team, server, name, when, then):
    """Killed once the new deployments are on the server, and once the old ones are gone from it."""
    first = team.commit()
    team.evergreen("--env", "staging", "deploy", "--release", first, server=server)
    team.declare("refresh")
    second = team.commit()
    command = [sys.executable, "-P", "-c", KILLED, "deployments", name, when, second]
    environ = team.environ(server) | {"EVERGREEN_ENV": "staging"}
    done = subprocess.run(command, cwd=team.folder, env=environ, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert releases.in_force(team.home("staging")).commit == second
    remedy = ["--back"] if then == "back" else ["--release", second]
    team.evergreen("--env", "staging", "deploy", *remedy, server=server)
    assert releases.in_force(team.home("staging")).commit == (first if then == "back" else second)
    assert registered() == (["approve", "refresh"] if then == "back" else ["refresh"])


@pytest.mark.slow
def test_two_deploys_at_once_are_one_after_the_other_or_one_is_busy(team):
    team.commit()
    command = [sys.executable, "-P", "-m", "cli.main", "--env", "staging", "deploy", "--release", "HEAD"]
    both = [
        subprocess.Popen(command, cwd=team.folder, env=team.environ(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    codes = sorted(process.wait(timeout=120) for process in both)
    assert codes in ([0, 0], [0, 6])
    assert [entry.act for entry in release_log.read(str(team.home("staging") / "lake"))] == ["deploy"]
