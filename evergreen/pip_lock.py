"""Locks in pip's form, as uv writes them: an entry a package, with its hashes and who needs it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_ENTRY = re.compile(r"^\w[^\n]*(?:\n|\Z)(?: +[^\n]*(?:\n|\Z))*", re.MULTILINE)
_NEEDED_BY = re.compile(r"^ +#(?: +via)? +([\w.-]+)", re.MULTILINE)
_HASH = re.compile(r"--hash=(\w+):([0-9a-f]+)")


@dataclass(frozen=True)
class Entry:
    """A package of a lock. A package can have several, each for some platforms or versions of Python.

    Attributes
    ----------
    name, version, marker : str
        The name in its canonical form; the version and the marker are empty where the lock has none.
    hashes : list of (str, str)
        Algorithm and digest, of each file that may be installed.
    parents : frozenset of str
        The packages that need it, as comments name them.
    text : str
        As it stands in the lock.
    """

    name: str
    version: str
    marker: str
    hashes: list[tuple[str, str]]
    parents: frozenset[str]
    text: str


def entries(lock: str) -> list[Entry]:
    """The entries of a lock, in its order.

    Examples
    --------
    >>> lines = ["a==1 ; python_version < '3.12'", "    --hash=sha256:0f", ""]
    >>> [entry] = entries(chr(10).join(lines))
    >>> entry.name, entry.version, entry.marker, entry.hashes
    ('a', '1', 'python_version < "3.12"', [('sha256', '0f')])
    """
    return [_parsed(text) for text in _ENTRY.findall(lock)]


def _parsed(text: str) -> Entry:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    requirement = Requirement(text.partition("\n")[0].rstrip("\\ "))
    return Entry(
        canonicalize_name(requirement.name),
        next((each.version for each in requirement.specifier if each.operator == "=="), ""),
        str(requirement.marker or ""),
        _HASH.findall(text),
        frozenset(_NEEDED_BY.findall(text)) - {"via"},
        text,
    )


def needed(found: Iterable[Entry], roots: Iterable[str]) -> list[Entry]:
    """The entries of some packages, and of all that these need.

    Examples
    --------
    >>> lock = ["a==1", "    # via b", "b==1", "    # via evergreen (pyproject.toml)", "c==1", "    # via c", ""]
    >>> [entry.name for entry in needed(entries(chr(10).join(lock)), {"b"})]
    ['a', 'b']
    """
    found = list(found)
    chosen, before = {*roots}, -1
    while len(chosen) > before:
        before = len(chosen)
        chosen |= {entry.name for entry in found if entry.parents & chosen}
    return [entry for entry in found if entry.name in chosen]
