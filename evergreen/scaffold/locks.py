"""The lock of a team's repository, cut from the lock that Evergreen itself was tested with; no network is asked."""

import json
import re
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from importlib.resources import files

_DIRECT = "direct_url.json"  # where pip says what it installed a package from


@cache
def team_lock(version: str, wheel: str) -> str:
    """A lock of what Evergreen and pytest need, with hashes, for every platform.

    Parameters
    ----------
    version : str
        Of Evergreen.
    wheel : str
        The SHA-256 of its wheel; if it is not known, the lock does not name Evergreen.
    """
    from packaging.utils import canonicalize_name

    needed = [line for line in metadata.requires("evergreen") or [] if "extra ==" not in line]
    roots = {canonicalize_name(re.split(r"[^\w.-]", line, maxsplit=1)[0]) for line in (*needed, "pytest")}
    text = (files("evergreen.scaffold") / "carried" / "requirements.lock").read_text()
    own = [f"evergreen=={version} \\\n    --hash=sha256:{wheel}\n    # via pyproject.toml\n"] if wheel else []
    blocks = sorted([*own, *subset(text, roots)])
    return (
        f"# Cut from the lock of Evergreen {version} by `evergreen init`; `make lock` makes it anew.\n{''.join(blocks)}"
    )


def installed_wheel() -> str:
    """The SHA-256 of the wheel that Evergreen was installed from; empty if pip did not keep it."""
    noted = metadata.distribution("evergreen").read_text(_DIRECT)
    archive = json.loads(noted or "{}").get("archive_info", {})
    return str(archive.get("hashes", {}).get("sha256") or "")


def subset(lock: str, roots: Iterable[str]) -> list[str]:
    """The entries of a lock for some packages, and for all that they need.

    Examples
    --------
    >>> lock = ["a==1", "    # via b", "b==1", "    # via evergreen (pyproject.toml)", "c==1", "    # via c", ""]
    >>> [entry.splitlines()[0] for entry in subset(chr(10).join(lock), {"b"})]
    ['a==1', 'b==1']
    """
    found = [(entry.split("==")[0], entry) for entry in re.findall(r"^\w[^\n]*\n(?: +[^\n]*\n)*", lock, re.MULTILINE)]
    chosen, before = {*roots}, -1  # a package can have several entries, each for some versions of Python
    while len(chosen) > before:
        before = len(chosen)
        chosen |= {name for name, entry in found if _parents(entry) & chosen}
    return [entry for name, entry in found if name in chosen]


def _parents(entry: str) -> set[str]:
    """The packages that need an entry, as its comments name them."""
    return set(re.findall(r"^ +#(?: +via)? +([\w.-]+)", entry, re.MULTILINE)) - {"via"}
