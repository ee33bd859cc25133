"""Other tools to measure beside, each in an environment of its own under .evergreen/peers, made on first use."""

import os
import subprocess
import venv
from importlib.metadata import version

from benchmarks.harness.measuring import CONSOLE
from evergreen.project import CODE

# What a stored model is loaded with, in the versions that stored it.
_STORED = [f"{name}=={version(name)}" for name in ("numpy", "pandas", "scikit-learn", "scipy", "skops")]
_PEERS = {
    "bentoml": ["bentoml>=1.4,<1.5", *_STORED],
    "evidently": ["evidently>=0.7,<0.8", "pandas<3", "numpy<2.3"],
    "litserve": ["litserve>=0.2.19,<0.3", *_STORED],
    "mlserver": ["mlserver>=1.7,<1.8", "uvloop<0.22", *_STORED],  # its workers fail with a newer uvloop
    "nannyml": ["nannyml>=0.12,<0.14", "statsmodels"],
    "river": ["river>=0.22,<1"],
}


def environment(peer: str) -> str | None:
    """The interpreter of an environment with one peer in it; None where it cannot be made."""
    place = CODE / ".evergreen" / "peers" / peer
    python = place / "bin" / "python"
    if not (place / "installed").is_file():
        venv.create(place, with_pip=True, clear=True)
        if not _done(peer, [str(python), "-m", "pip", "install", "--quiet", *_PEERS[peer]]):
            return None
        (place / "installed").touch()
    return str(python)


def library(peer: str) -> str | None:
    """A folder to put on Python's path, with one peer and nothing that it needs; None where it cannot be had."""
    python, place = environment(peer), CODE / ".evergreen" / "peers" / f"{peer}-alone"
    if python is None:
        return None
    alone = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(place), *_PEERS[peer]]
    if not (place / peer).is_dir() and not _done(peer, alone):
        return None
    return str(place)


def _done(peer: str, command: list[str]) -> bool:
    done = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, check=False)
    if done.returncode:
        CONSOLE.print(f"{peer} cannot be installed here and is left out.", style="yellow")
    return not done.returncode
