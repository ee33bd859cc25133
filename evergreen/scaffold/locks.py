"""The lock of a team's repository, cut from the lock that Evergreen itself was tested with; no network is asked."""

import json
from functools import cache
from importlib import metadata
from importlib.resources import files

from evergreen.pip_lock import entries, needed
from evergreen.provenance import requirements_of_evergreen

DEV = ("mypy", "pip-audit", "pytest", "ruff")  # what `make check`, `make security` and `make test` of a repository use
_DIRECT = "direct_url.json"  # where pip says what it installed a package from


@cache
def team_lock(version: str, wheel: str) -> str:
    """A lock of what Evergreen and the checks of a repository need, with hashes, for every platform.

    Parameters
    ----------
    version : str
        Of Evergreen.
    wheel : str
        The SHA-256 of its wheel; if it is not known, the lock does not name Evergreen.
    """
    text = (files("evergreen.scaffold") / "carried" / "requirements.lock").read_text()
    own = [f"evergreen=={version} \\\n    --hash=sha256:{wheel}\n    # via pyproject.toml\n"] if wheel else []
    chosen = needed(entries(text), {*requirements_of_evergreen(), *DEV})
    blocks = sorted([*own, *(entry.text for entry in chosen)])
    return (
        f"# Cut from the lock of Evergreen {version} by `evergreen init`; `make lock` makes it anew.\n{''.join(blocks)}"
    )


def installed_wheel() -> str:
    """The SHA-256 of the wheel that Evergreen was installed from; empty if pip did not keep it."""
    noted = metadata.distribution("evergreen").read_text(_DIRECT)
    archive = json.loads(noted or "{}").get("archive_info", {})
    return str(archive.get("hashes", {}).get("sha256") or "")
