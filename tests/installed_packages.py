"""What a package needs here, by what is installed: to hold a lock complete."""

from importlib.metadata import distribution, requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def needed(name: str, extras: frozenset[str] = frozenset(), seen: dict[str, frozenset[str]] | None = None) -> set[str]:
    """A package and all that it needs.

    Parameters
    ----------
    name : str
    extras : frozenset of str
        Of the package.
    seen : dict, optional
        The packages that were looked at before, with their extras; it is added to.
    """
    seen = {} if seen is None else seen
    if name in seen and extras <= seen[name]:
        return set(seen)
    seen[name] = seen.get(name, frozenset()) | extras
    for text in requires(name) or []:
        requirement = Requirement(text)
        wanted = [{"extra": extra} for extra in extras] or [{"extra": ""}]
        if requirement.marker is None or any(requirement.marker.evaluate(extra) for extra in wanted):
            needed(canonicalize_name(distribution(requirement.name).name), frozenset(requirement.extras), seen)
    return set(seen)
