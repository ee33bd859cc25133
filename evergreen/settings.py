"""The settings of an installation: all state is under one home unless a setting says otherwise."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evergreen import environments, files, project, releases
from evergreen.errors import ProjectError

# Telemetry off, every part's own state and caches inside the home, and one thread of OpenMP: its threads spin when
# they do not get their cores, and a worker shares them. Child processes import nothing from their working folder,
# where a team may have a `flows/` of its own.
_EMBEDDED = {
    "OMP_NUM_THREADS": "1",
    "PYTHONSAFEPATH": "1",
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GX_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_HOME": "{home}/prefect",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",  # a busy machine takes longer than Prefect's 20
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_CLI_COLORS": "true",
    "MPLCONFIGDIR": "{home}/cache/matplotlib",
    "SKB_DATA_DIRECTORY": "{home}/cache/skrub",
}

_DATABASES = ("sqlite", "postgresql", "postgres", "mysql", "mssql")  # schemes of stores that MLflow opens itself

FOUR_EYES = "EVERGREEN_UI_FOUR_EYES"


def four_eyes() -> bool:
    """Whether what one person requested is approved by another one."""
    return os.environ.get(FOUR_EYES, "").strip() not in ("", "0")


@dataclass(frozen=True)
class Settings:
    """The settings of one installation, read from the environment.

    Attributes
    ----------
    home : Path
        ``EVERGREEN_HOME``, default ``.evergreen/`` in the project: all local state.
    lake : str
        ``EVERGREEN_LAKE``, default ``<home>/lake``: a folder or an object store's URI.
    tracking_uri : str
        ``MLFLOW_TRACKING_URI``, default a SQLite store in the home.
    models : Path
        ``EVERGREEN_MODELS``, default ``models/`` in the project: the model files.
    alerts : tuple of str
        ``EVERGREEN_ALERTS``, default none: Prefect's notification blocks, separated by commas.
    artifacts : str
        ``EVERGREEN_ARTIFACTS``, default a folder in the home: where new artifacts of MLflow go, as a URI. Empty where
        MLflow's server says where, which is one that is asked by HTTP.
    locks : str
        ``EVERGREEN_LOCKS``, default the tracking URI where that is a Postgres: the database whose advisory locks keep
        workers on several machines apart. Empty for ``files``, and where there is none: then locks hold on this
        machine only.
    """

    home: Path
    lake: str
    tracking_uri: str
    models: Path
    alerts: tuple[str, ...] = ()
    artifacts: str = ""
    locks: str = ""

    @classmethod
    def read(cls) -> "Settings":
        """Read the environment as it is now.

        Raises
        ------
        ProjectError
            The home or the models are not set, and there is no project for them to be in.
        """
        return cls._given(os.environ)

    @classmethod
    def of_environment(cls, name: str) -> "Settings":
        """The settings of another environment of the project, by its file alone.

        Raises
        ------
        ProjectError
            There is no such environment, or its file names no home.
        """
        given = environments.settings_of(name)
        if "EVERGREEN_HOME" not in given:
            raise ProjectError(f"The environment {name!r} names no EVERGREEN_HOME, so nothing of it can be read.")
        return cls._given(given)

    @classmethod
    def _given(cls, given: Mapping[str, str]) -> "Settings":
        home = Path(given.get("EVERGREEN_HOME") or project.root() / ".evergreen").absolute()
        tracking_uri = given.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home}/mlflow.db"
        return cls(
            home=home,
            lake=given.get("EVERGREEN_LAKE") or str(home / "lake"),
            tracking_uri=tracking_uri,
            models=Path(given.get("EVERGREEN_MODELS") or project.root() / "models").absolute(),
            alerts=tuple(filter(None, map(str.strip, given.get("EVERGREEN_ALERTS", "").split(",")))),
            artifacts=_artifacts(given, tracking_uri, home),
            locks=_locks(given, tracking_uri),
        )


def _artifacts(given: Mapping[str, str], tracking_uri: str, home: Path) -> str:
    if tracking_uri.partition(":")[0].partition("+")[0] not in _DATABASES:
        return ""
    chosen = given.get("EVERGREEN_ARTIFACTS", "")
    if "://" in chosen:
        return chosen.rstrip("/")
    return (Path(chosen).absolute() if chosen else home / "artifacts").as_uri()


def _locks(given: Mapping[str, str], tracking_uri: str) -> str:
    chosen = given.get("EVERGREEN_LOCKS") or (tracking_uri if tracking_uri.startswith("postgres") else "")
    return "" if chosen == "files" else chosen


def secret() -> bytes:
    """The secret of this installation, created on first use: the service hashes private columns with it too."""
    return files.secret(Settings.read().home / "serving" / "secret", lambda: secrets.token_bytes(32))


def embed(*, packages: bool = True, released: bool = True) -> None:
    """Take the settings of the chosen environment, and point the libraries' own into the home, where none are set.

    Prefect, matplotlib and the others read these once, when imported, so this comes first in
    every process that is an entry point. Files that the process makes are closed to other users. Child processes
    agree on the project, whatever their working folder.

    Parameters
    ----------
    packages : bool
        Whether the process uses all of Evergreen's packages, so that none of them may be hidden.
    released : bool
        Whether it works with the release that is in force, if one is; not with the working tree.

    Raises
    ------
    ProjectError
        There is no project, or no such environment in it; or a package of Evergreen's is hidden by another one.
    """
    if packages:
        project.check_packages()
    if found := project.find():
        os.environ[project.PROJECT] = str(found)
    environments.apply()
    settings = _of_release(Settings.read(), released=released)
    os.umask(_umask(settings.home, Path(settings.lake)))
    if not settings.home.is_dir():
        settings.home.mkdir(parents=True, exist_ok=True)
        (settings.home / ".gitignore").write_text("*\n")  # rows of a team's tables do not belong in its repository
    for name, value in _EMBEDDED.items():
        os.environ.setdefault(name, value.format(home=settings.home))


def _of_release(settings: Settings, *, released: bool) -> Settings:
    """The settings with a release's model files: of that which the process began with, of the image, or in force."""
    if os.environ.get("EVERGREEN_MODELS"):
        return settings
    if releases.RELEASE not in os.environ:
        found = (releases.built(project.find()) or releases.in_force(settings.home)) if released else None
        os.environ[releases.RELEASE] = str(found.folder) if found else ""
    if folder := os.environ[releases.RELEASE]:
        os.environ["EVERGREEN_HOME"] = str(settings.home)  # not that of the folder of the release
        os.environ[project.PROJECT] = folder
    return Settings.read()


def follow_releases() -> None:
    """Work with whichever release is in force, in a process that outlives one; those that it starts do so too.

    In an image it stays that of the image.
    """
    home, began = Settings.read().home, os.environ.get(releases.RELEASE)
    if began and not releases.built(Path(began)) and (folder := releases.followed(home)):
        os.environ[project.PROJECT] = os.environ[releases.RELEASE] = str(folder)


def _umask(*folders: Path) -> int:
    """Nothing for other users, and nothing for the group, unless a folder is shared with its group on purpose.

    It is where the group may enter and others may not, which no usual umask makes of a new folder.
    """
    shared = 0
    for folder in folders:
        mode = folder.stat().st_mode if folder.is_dir() else 0
        shared |= 0 if mode & 0o007 else mode & 0o070
    return 0o077 & ~shared
