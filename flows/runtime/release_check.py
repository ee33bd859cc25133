"""The check of a release before it is in force: its model files are loaded and tried in a process of their own."""

import json
import os
import subprocess
import tempfile
from dataclasses import asdict, dataclass, field
from unittest import SkipTest

from evergreen import lifeline
from evergreen.errors import EvergreenError, RunningError
from evergreen.releases import RELEASE, Release
from flows.runtime.progress import doing

SMOKE = "EVERGREEN_RELEASE_SMOKE"  # 1: a release is in force only after its contracts and small trainings have passed


@dataclass(frozen=True)
class Checked:
    """What a release holds.

    Attributes
    ----------
    models : list of str
    otherwise_installed : list of str
        Packages of its lock that are installed here in another version.
    """

    models: list[str] = field(default_factory=list)
    otherwise_installed: list[str] = field(default_factory=list)


def checked(release: Release, *, smoke: bool, in_force: bool = False) -> Checked:
    """The models of a release, after each file was loaded, and its gates were found able to judge.

    Parameters
    ----------
    release : Release
    smoke : bool
        Whether each model's contract and a small training are run as well, on the first rows of its source.
    in_force : bool
        Whether it is already, for the message.

    Raises
    ------
    RunningError
        One of that failed.
    """
    environ = lifeline.environment() | {RELEASE: str(release.folder), SMOKE: str(int(smoke))}
    found = Checked()
    doing("checking the model files")
    with tempfile.TemporaryFile("w+") as told:
        words = lifeline.command("flows.runtime.release_check")
        with (
            lifeline.guarded(),
            subprocess.Popen(  # noqa: S603
                words, env=environ, cwd=release.folder, text=True, stdout=subprocess.PIPE, stderr=told
            ) as process,
        ):
            for step in map(json.loads, process.stdout or ()):
                if "trying" in step:
                    doing(f"smoke run of {step['trying']}")
                else:
                    found = Checked(**step)
        told.seek(0)
        last = (told.read().strip().splitlines() or ["it ended without a word"])[-1]
    if process.returncode:
        became = "is in force, and stays so, but does not pass" if in_force else "was not put in force"
        raise RunningError(f"Release {release.commit[:10]} {became}: {last.partition('Error: ')[2] or last}")
    return found


def main() -> None:
    """Load each model, and try it if `SMOKE` says so; what is done is told in lines of JSON."""
    from evergreen import provenance
    from evergreen.definition import loader
    from evergreen.definition.feasibility import assess
    from evergreen.settings import embed

    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a model file prints is no line of JSON, nor what a library in C does
    embed()
    names = loader.names()
    for name in names:
        assess.require(loader.load(name))
    failures = []
    for name in names if os.environ[SMOKE] == "1" else []:
        print(json.dumps({"trying": name}), file=out, flush=True)
        failures += _tried(name)
    if failures:
        raise RunningError(" ".join(failures))
    print(json.dumps(asdict(Checked(names, provenance.otherwise_installed()))), file=out, flush=True)


def _tried(name: str) -> list[str]:
    """What a model's contract and a small training came to, if it is no success; a source without rows is one."""
    from evergreen import testing

    try:
        testing.check_contract(name)
        testing.check_training(name)
    except SkipTest:
        return []
    except (AssertionError, EvergreenError) as error:
        return [f"{' '.join(str(error).split()).rstrip('.')}."]
    return []


if __name__ == "__main__":
    main()
