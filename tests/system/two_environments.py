"""A team's repository with staging and production, each with a home of its own, for tests of releases."""

import shutil
from pathlib import Path

import yaml

from evergreen.project import CODE
from tests.conftest import TOY
from tests.repository import Repository


class Team(Repository):
    """A repository with two environments."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "models").mkdir(parents=True)
        (folder / "environments").mkdir()
        shutil.copy(TOY, folder / "models" / "toy.py")
        (folder / "pyproject.toml").write_text("[tool.evergreen]\n")
        (folder / ".gitignore").write_text("state\n__pycache__\n")
        (folder / "environments" / "staging.env").write_text("EVERGREEN_HOME=state/staging\n")
        after = "EVERGREEN_HOME=state/production\nEVERGREEN_RELEASE_AFTER=staging\n"
        (folder / "environments" / "production.env").write_text(after)
        self.declare("refresh", "approve")
        self.git("init", "--initial-branch=main", "--quiet")

    def declare(self, *names: str) -> None:
        """Let prefect.yaml declare these deployments only."""
        declared = yaml.safe_load((CODE / "prefect.yaml").read_text())
        declared["deployments"] = [each for each in declared["deployments"] if each["name"] in names]
        (self.folder / "prefect.yaml").write_text(yaml.safe_dump(declared))

    def home(self, environment: str) -> Path:
        return self.folder / "state" / environment

    def set(self, environment: str, **values: str) -> None:
        """Add settings to those of an environment."""
        with (self.folder / "environments" / f"{environment}.env").open("a") as file:
            file.writelines(f"{name}={value}\n" for name, value in values.items())
