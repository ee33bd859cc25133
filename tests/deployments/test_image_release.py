"""An image is a release, built once: its steps are run in a folder, and what runs there knows and logs its commit."""

import re
import shlex
import shutil
import subprocess
import sys

import pytest

from evergreen import releases
from evergreen.lake import release_log
from evergreen.project import CODE
from tests.repository import git
from tests.system.two_environments import Team

CONTAINERFILE = (CODE / "deployments" / "Containerfile").read_text().replace("\\\n", " ")
LAST = CONTAINERFILE.rpartition("\nFROM ")[2]  # the stage that becomes the image
SAYS = """
from evergreen.settings import Settings, embed, follow_releases
embed()
follow_releases()
from evergreen import provenance
models = Settings.read().models
print(*provenance.commit(models / "toy.py"), provenance.environment_name(), models)
"""


class Image:
    """A folder in the place of an image's files, made of the last commit of a team's repository.

    Parameters
    ----------
    team : Team
    folder : Path
        Where /srv/project is.
    """

    def __init__(self, team, folder):
        self.team, self.folder, self.commit = team, folder, team.git("rev-parse", "HEAD")
        context = folder.with_name(f"{folder.name}-context")
        context.mkdir()
        team.git("archive", "--format=tar", f"--output={context}.tar", "HEAD")
        shutil.unpack_archive(f"{context}.tar", context)
        for words in map(shlex.split, re.findall(r"^COPY (?!--)(.*)$", LAST, re.MULTILINE)):
            for source in words[:-1]:
                target = self.here(words[-1])
                copied = ["cp", "-r", f"{context / source}/.", target] if source.endswith("/") else None
                subprocess.run(["mkdir", "-p", target], check=True)
                subprocess.run(copied or ["cp", context / source, target], check=True)
        recorded(folder, self.commit)

    def here(self, text):
        return text.replace("/srv/project", str(self.folder))

    def environ(self, environment, server=""):
        """The variables of a container: those of the image, an environment's name, and no git on the PATH."""
        (text,) = re.findall(r"^ENV (.*)$", LAST, re.MULTILINE)
        image = dict(word.split("=", 1) for word in shlex.split(self.here(text)))
        home = {"EVERGREEN_HOME": str(self.folder.parent / f"home-{environment}"), "PATH": "/nowhere"}
        return self.team.environ(server) | image | home | {"EVERGREEN_ENV": environment}

    def run(self, environment, *words, server="", code=0):
        command = [sys.executable, "-P", *words]
        environ = self.environ(environment, server)
        done = subprocess.run(command, cwd=self.folder.parent, env=environ, capture_output=True, text=True)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return " ".join((done.stdout + done.stderr).split())


def recorded(folder, commit, code=0):
    """Run the step that records the commit."""
    (line,) = re.findall(r"^RUN (.*release\.json)$", LAST, re.MULTILINE)
    done = subprocess.run(["sh", "-c", line.replace("/srv/project", str(folder))], env={"COMMIT": commit})
    assert done.returncode == code


@pytest.fixture
def team(tmp_path):
    team = Team(tmp_path / "team")
    (team.folder / "requirements.lock").write_text("")
    for name in ("staging", "production"):
        team.set(name, EVERGREEN_LAKE=str(tmp_path / f"lake-{name}"))
    return team


@pytest.fixture
def build(team, tmp_path):
    """Commit, and make an image of it."""

    def made(name):
        team.commit()
        return Image(team, tmp_path / name)

    return made


def commits(tmp_path, environment):
    return [(entry.commit, entry.act) for entry in release_log.read(str(tmp_path / f"lake-{environment}"))]


@pytest.mark.long
def test_an_image_is_released_to_staging_to_production_and_back(build, tmp_path, server):
    deploy = ("-m", "cli.main", "deploy")
    first = build("first")
    assert (first.folder / "environments" / "staging.env").is_file()
    refused = first.run("production", *deploy, server=server, code=1)
    assert f"staging has not run release {first.commit[:10]}" in refused
    assert commits(tmp_path, "production") == []
    assert f"Release {first.commit[:10]} is in force" in first.run("staging", *deploy, server=server)
    first.run("staging", *deploy, server=server)  # as when the worker starts again
    assert commits(tmp_path, "staging") == [(first.commit, "deploy")]
    first.run("production", *deploy, server=server)

    second = build("second")
    done = second.run("staging", *deploy, server=server)
    assert f"Release {second.commit[:10]} is in force, in the place of {first.commit[:10]}" in done
    refused = second.run("staging", *deploy, "--back", server=server, code=1)
    assert f"This is an image of release {second.commit[:10]}, which holds no other" in refused
    refused = second.run("staging", *deploy, "--release", first.commit, server=server, code=1)
    assert f"Run the image of '{first.commit[:10]}'" in refused
    for image in (first, second):  # each process has the files of its image, whatever is in force
        known = image.run("staging", "-c", SAYS)
        assert known == f"{image.commit} False staging {image.folder / 'models'}"
    first.run("staging", *deploy, "--back", server=server)
    second.run("staging", *deploy, "--release", second.commit[:10], server=server)
    acts = [(first.commit, "deploy"), (second.commit, "deploy"), (first.commit, "back"), (second.commit, "deploy")]
    assert commits(tmp_path, "staging") == acts
    assert commits(tmp_path, "production") == [(first.commit, "deploy")]


def test_a_model_file_from_elsewhere_is_no_part_of_the_image(build, tmp_path):
    image = build("image")
    (tmp_path / "other").mkdir()
    shutil.copy(image.folder / "models" / "toy.py", tmp_path / "other")
    elsewhere = f"import os\nos.environ['EVERGREEN_MODELS'] = {str(tmp_path / 'other')!r}\n"
    says = f"{elsewhere}{SAYS}"
    assert image.run("production", "-c", says).startswith(f"{image.commit} True production")


@pytest.mark.parametrize("commit", ["", "main", "0.1.0"])
def test_no_image_is_built_without_a_whole_commit(tmp_path, commit):
    recorded(tmp_path, commit, code=1)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_unpacked_in_a_home_is_no_image(tmp_path, team):
    team.commit()
    release = releases.unpacked(tmp_path / "home", team.folder)
    assert releases.at(release.folder) == release
    assert releases.built(release.folder) is None
    assert releases.built(team.folder) is None
    assert git(team.folder, "status", "--porcelain") == ""
