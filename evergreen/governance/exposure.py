"""What of an installation is open to others, and how to close it: `evergreen doctor --security`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evergreen import project
from evergreen.governance.listeners import MLFLOW, PREFECT, SERVICE, UI, Listener, Process, listeners, processes
from evergreen.permissions import exposed, mode_of
from evergreen.settings import Settings


@dataclass(frozen=True)
class Port:
    """A port, judged.

    Attributes
    ----------
    listener : Listener
    problem : str
        Why it should not be open as it is; empty if it may be.
    close : str
        How to close it, also where it may be open.
    """

    listener: Listener
    problem: str
    close: str


@dataclass(frozen=True)
class File:
    """A file or folder, judged.

    Attributes
    ----------
    path : str
    holds : str
    mode : str
        Its permissions, such as ``0600``.
    problem : str
        Who can read or change it though they should not, and how to close it; empty if nobody can.
    """

    path: str
    holds: str
    mode: str
    problem: str


@dataclass(frozen=True)
class Exposure:
    """What was found.

    Attributes
    ----------
    processes : list of Process
    ports : list of Port
    files : list of File
    keys : int
        API keys of the prediction service in this environment.
    """

    processes: list[Process]
    ports: list[Port]
    files: list[File]
    keys: int

    @property
    def problems(self) -> list[str]:
        """What should not be open, a sentence each."""
        ports = [f"{port.listener.part or 'A process'}: {port.problem} {port.close}" for port in self.ports]
        wrong = [sentence for sentence, port in zip(ports, self.ports, strict=True) if port.problem]
        return wrong + [file.problem for file in self.files if file.problem]


def examine(settings: Settings, secrets: dict[Path, str], keys: int) -> Exposure:
    """Look at the processes, ports and files of a home.

    Parameters
    ----------
    settings : Settings
    secrets : dict of Path to str
        Files that give access, and what each holds.
    keys : int
        How many API keys of the prediction service are configured.
    """
    locks = [settings.home / "locks" / name for name in ("up.lock", "serve.lock")]
    ports = [judged(listener) for listener in listeners(*locks)]
    return Exposure(processes(*locks), ports, list(_files(settings, secrets)), keys)


def judged(listener: Listener) -> Port:
    """Judge a port.

    Examples
    --------
    >>> judged(Listener("0.0.0.0", 8100, 1, "prediction service", "none")).problem
    'Other machines can call it without a key.'
    >>> judged(Listener("127.0.0.1", 8100, 1, "prediction service", "none")).problem
    ''
    """
    problem = ""
    if listener.key == "none" and not listener.local:
        problem = "Other machines can call it without a key."
    elif listener.key == "unknown" and not listener.local:
        problem = "Other machines can call it, and it is not known whether it asks for a key."
    elif listener.key == "none" and listener.part == PREFECT:
        problem = "Every web page that is opened on this machine can run commands through it."
    return Port(listener, problem, _closing(listener))


def _closing(listener: Listener) -> str:
    """How to close a port in one line."""
    if listener.key == "needed":
        return "Closed to callers without a key."
    if listener.part == PREFECT:
        return "Stop `evergreen up`, and start it again: it gives the server a secret."
    if listener.part == SERVICE:
        return "Create keys with `evergreen key`, and name their file in EVERGREEN_KEYS_FILE."
    if listener.part == MLFLOW:
        return "Users of this machine can call it: `evergreen up --no-mlflow` starts none."
    if listener.part == UI:
        return "Users of this machine can act by it: `evergreen up --no-ui` starts none."
    return f"End process {listener.pid}, or let it listen on 127.0.0.1."


def _files(settings: Settings, secrets: dict[Path, str]) -> Iterator[File]:
    folders = {settings.home: "all local state"}
    lake = Path(settings.lake)
    if lake.is_dir() and settings.home not in lake.parents:
        folders[lake] = "the Delta tables"
    for path, holds in folders.items():
        yield File(str(path), holds, f"{mode_of(path):04o}", exposed(path, shared=True))
    for path, holds in secrets.items():
        if path.exists():
            yield File(str(path), holds, f"{mode_of(path):04o}", exposed(path))
    code = [settings.models, *sorted([*settings.models.glob("*.py"), *settings.models.glob("*.csv")])]
    for path in code:
        if path == settings.models or _changeable(path):
            yield File(str(path), "code that every command runs", f"{mode_of(path):04o}", _changeable(path))
    for path in filter(_changeable, _of_project()):
        yield File(str(path), "settings of the project", f"{mode_of(path):04o}", _changeable(path))


def _of_project() -> list[Path]:
    folder = project.find()
    if folder is None:
        return []
    environments = folder / "environments"
    return [
        folder,
        folder / "pyproject.toml",
        folder / "prefect.yaml",
        environments,
        *sorted(environments.glob("*.env")),
    ]


def _changeable(path: Path) -> str:
    """The finding of a file that is no secret, but is run: everybody may read it, and other users may not change it."""
    return exposed(path, shared=True) if mode_of(path) & 0o002 else ""
