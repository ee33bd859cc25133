"""Production takes a release only once staging's service has tried it: two homes, real trainings and evaluations."""

import json
import shutil

import pandas as pd
import pytest

from evergreen import releases
from evergreen.lake import release_log
from evergreen.lake.release_log import Trial
from evergreen.project import PROJECT
from flows.judge import judge
from tests.flows.online_world import END, TRAINED, World
from tests.system.two_environments import Team
from tests.toy import rows as toy_rows

SHADOW = "EVERGREEN_RELEASE_SHADOW"
TO_PRODUCTION = ("--env", "production", "deploy", "--release", "HEAD")
pytestmark = pytest.mark.long


class Staged(Team):
    """A team whose production asks for the figures, and whose staging can be looked at from this process."""

    def __init__(self, folder, registry):
        super().__init__(folder)
        self.set("production", **{SHADOW: "1"})
        self.registry, self.given = registry, {}

    def environ(self, server=""):
        return super().environ(server) | self.given

    def to_staging(self):
        commit = self.commit()
        self.evergreen("--env", "staging", "deploy", "--release", "HEAD")
        if not (self.home("staging") / "mlflow.db").exists():
            shutil.copy(self.registry, self.home("staging") / "mlflow.db")
        return commit

    def enter(self, patch):
        """Be a process that works in staging with the release that is in force there."""
        folder = str(releases.in_force(self.home("staging")).folder)
        patch.setenv("EVERGREEN_HOME", str(self.home("staging")))
        patch.setenv(PROJECT, folder)
        patch.setenv(releases.RELEASE, folder)
        for name in ("EVERGREEN_MODELS", "EVERGREEN_LAKE", "MLFLOW_TRACKING_URI"):
            patch.delenv(name, raising=False)

    def to_production(self, code=0, **environ):
        """Deploy with these variables set, and what was said, without line breaks."""
        self.given = environ
        done = self.evergreen(*TO_PRODUCTION, code=code)
        self.given = {}
        return " ".join((done.stdout + done.stderr).split())

    def releases(self):
        return release_log.read(str(self.home("production") / "lake"))


@pytest.fixture
def team(tmp_path, empty_registry):
    return Staged(tmp_path / "team", empty_registry)


def test_a_release_goes_to_production_once_its_version_has_passed_beside_the_champion(team, monkeypatch):
    first = team.to_staging()
    assert "Next: evergreen --env staging train toy" in team.to_production(code=1)
    with monkeypatch.context() as patch:
        team.enter(patch)
        world = World()
        world.train()  # champion and challenger are both of this release
        assert {version.commit for version in (world.champion, world.challenger)} == {first}
        number = world.challenger.number
        said = team.to_production(code=1)
        assert f"toy@{number} never ran beside the champion" in said
        assert said.endswith(f"Next: evergreen --env staging challenge toy --version {number}")
        team.evergreen("--env", "staging", "challenge", "toy", "--version", number)
        assert team.to_production(code=1).endswith("Next: evergreen --env staging challenge toy --judge")
        assert team.releases() == []
        assert releases.in_force(team.home("production")) is None

        rows = world.shadowed()
        world.take(END)
        assert judge("toy", as_of=END).decision == "promote"
        tried = world.now()
    reason, against = tried.trial_reason, world.champion.number
    figures = Trial("toy", number, against, len(rows), "promote", reason)
    done = json.loads(team.evergreen(*TO_PRODUCTION, "--json").stdout)
    judged = f"toy@{number} was evaluated online in staging on {len(rows):,} rows against version {against}"
    sentence = f"{judged}: promote. {reason}"
    assert (done["commit"], done["trials"]) == (first, [vars(figures)])
    assert sentence in done["notes"]
    (entry,) = team.releases()
    assert (entry.commit, entry.trials) == (first, [figures])
    assert sentence not in team.to_production(), "it is in force: nothing is asked again"

    second = team.to_staging()  # another commit, with which nothing was trained there
    said = team.to_production()
    assert f"Release {second[:10]} is in force, in the place of {first[:10]}." in said
    assert "toy: not changed by the release, and no version was made with it in staging." in said
    assert team.releases()[-1].trials == []


@pytest.mark.slow
def test_a_version_that_was_worse_online_keeps_its_release_out_of_production(team, monkeypatch):
    release = team.to_staging()
    with monkeypatch.context() as patch:
        team.enter(patch)
        world = World()
        world.train()
        world.challenge()
        rows = toy_rows(pd.Timestamp(TRAINED), pd.Timestamp(END))
        world.shadowed(answers=world.answers(world.challenger, rows) + 25.0)
        world.take(END)
        assert judge("toy", as_of=END).decision == "reject"
        reason, number = world.now().trial_reason, world.challenger.number
    said = team.to_production(code=1)
    assert f"Release {release[:10]} was not put in force: {SHADOW} asks" in said
    assert f"reject. {' '.join(reason.split())} Next: evergreen --env staging verdict toy --version {number}" in said
    assert team.releases() == []
    assert team.evergreen("--env", "staging", "verdict", "toy", "--version", number).returncode == 0
    assert f"Release {release[:10]} is in force." in team.to_production(**{SHADOW: "0"}), "a person may ask for less"
    assert team.releases()[-1].trials == []


def test_figures_are_asked_of_an_environment_that_can_be_read(team):
    release = team.to_staging()
    staging = team.folder / "environments" / "staging.env"
    before = staging.read_text()
    lake = f"EVERGREEN_LAKE={team.home('staging') / 'lake'}\n"
    for away, said in (
        (f"EVERGREEN_HOME=state/elsewhere\n{lake}", f"There is no folder {team.folder / 'state' / 'elsewhere'}"),
        (f"{before}MLFLOW_TRACKING_URI=http://127.0.0.1:9\n", "Cannot list versions: "),
    ):
        staging.write_text(away)
        told = team.to_production(code=1, MLFLOW_HTTP_REQUEST_MAX_RETRIES="0")
        assert f"The registry of staging cannot be read, and {SHADOW} asks what it found: {said}" in told
        assert told.endswith("Nothing was changed.")
    assert not (team.folder / "state" / "elsewhere").exists()
    assert (team.releases(), releases.in_force(team.home("production"))) == ([], None)
    staging.write_text(before)
    assert "toy was not trained with this release in staging" in team.to_production(code=1)
    assert f"Release {release[:10]} is in force." in team.to_production(**{SHADOW: "0"})


def test_figures_are_asked_of_an_environment_that_is_named(team):
    team.set("staging", **{SHADOW: "1"})
    team.commit()
    refused = team.evergreen("--env", "staging", "deploy", "--release", "HEAD", code=1)
    assert "EVERGREEN_RELEASE_AFTER names none. Set EVERGREEN_RELEASE_AFTER" in " ".join(refused.stderr.split())
    assert not (team.home("staging") / "releases").exists()
