"""The rules of access, from the settings: who is believed, and which groups have which role."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from evergreen import ui_address
from evergreen.errors import RunningError
from serving.http.origins import read_hosts
from ui.access.openid import ISSUER, OpenID
from ui.access.visitor import Role

KEYS_FILE = "EVERGREEN_UI_KEYS_FILE"
IDENTITY, GROUPS = "EVERGREEN_UI_IDENTITY_HEADER", "EVERGREEN_UI_GROUPS_HEADER"
PROXIES = "EVERGREEN_UI_PROXIES"
ROLES = {
    Role.VIEWER: "EVERGREEN_UI_VIEWERS",
    Role.OPERATOR: "EVERGREEN_UI_OPERATORS",
    Role.APPROVER: "EVERGREEN_UI_APPROVERS",
}


@dataclass(frozen=True)
class Rules:
    """What the settings say of access.

    Attributes
    ----------
    identity, groups : str
        The headers in which a proxy names a person, and their groups; empty if none does.
    proxies : tuple of network
        From where these headers are believed.
    members : dict of Role to frozenset of str
        The groups of each role, or the persons where no header names groups.
    everybody_views : bool
        Whether a person of no group may look.
    keys_file : str
        The file of keys; empty for none.
    hosts : frozenset of str
        Names, beside this machine's own, that the UI is called by.
    provider : OpenID or None
        Where people sign in by OpenID Connect; None for nowhere.
    """

    identity: str
    groups: str
    proxies: tuple[IPv4Network | IPv6Network, ...]
    members: Mapping[Role, frozenset[str]]
    everybody_views: bool
    keys_file: str
    hosts: frozenset[str]
    provider: OpenID | None = None

    @classmethod
    def read(cls) -> "Rules":
        """The rules that the environment states.

        Raises
        ------
        RunningError
            They contradict themselves, or an address is none.
        """
        identity, groups = (os.environ.get(name, "").strip().lower() for name in (IDENTITY, GROUPS))
        proxies = tuple(map(_network, _listed(PROXIES)))
        if bool(identity) != bool(proxies):
            raise RunningError(
                f"{IDENTITY} and {PROXIES} go together: the header in which a reverse proxy names the person, and the "
                "addresses of the proxy, from which alone it is believed."
            )
        members = {role: frozenset(_listed(name)) for role, name in ROLES.items()}
        keys_file = os.environ.get(KEYS_FILE, "").strip()
        provider = OpenID.read()
        hosts = read_hosts() | set(filter(None, [ui_address.host()]))
        return cls(identity, groups, proxies, members, not members[Role.VIEWER], keys_file, hosts, provider)

    @property
    def asks(self) -> bool:
        """Whether anybody has to say who they are."""
        return bool(self.identity or self.signs_in)

    @property
    def signs_in(self) -> bool:
        """Whether people sign in here, with a key or at a provider."""
        return bool(self.keys_file or self.provider)

    def trusts(self, address: str) -> bool:
        """Whether the headers of requests from an address are believed."""
        try:
            place = ip_address(address)
        except ValueError:
            return False
        place = getattr(place, "ipv4_mapped", None) or place
        return any(place in network for network in self.proxies)

    def role(self, name: str, groups: Iterable[str] | None) -> Role | None:
        """The role of a person by their groups, or by their name without any; None for who may not even look."""
        names = {name} if groups is None else set(groups)
        found = [role for role, members in self.members.items() if members & names]
        return max(found, default=Role.VIEWER if self.everybody_views else None)

    @property
    def groups_of_roles(self) -> frozenset[str]:
        """All groups that have a role."""
        return frozenset().union(*self.members.values())


def needed(host: str) -> str:
    """What to set so that the UI may listen on an address that others can reach."""
    return (
        f"The UI would be open to everybody who reaches {host}. Let people sign in first: set {KEYS_FILE} to a file of "
        f"lines that `evergreen key --person NAME --role ROLE` makes, {ISSUER} to a provider of OpenID Connect, or "
        f"{IDENTITY} and {PROXIES} if a reverse proxy knows who they are; or listen on 127.0.0.1."
    )


def _listed(name: str) -> list[str]:
    return list(filter(None, map(str.strip, os.environ.get(name, "").split(","))))


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text, strict=False)
    except ValueError as error:
        raise RunningError(
            f"{PROXIES} names {text!r}, which is no address. Give addresses or networks, separated by commas, such as "
            "10.0.0.7 or 10.0.0.0/24."
        ) from error
