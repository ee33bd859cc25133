"""The web pages and host names that may use the service.

A page in a browser can send requests to this machine, and by DNS rebinding read the answers. A browser names the page
in ``Origin``, and the host that the page asked for in ``Host``; other programs send no ``Origin``.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from evergreen.sockets import LOOPBACK
from serving.errors import denied

HOSTS = "EVERGREEN_HOSTS"


def read_hosts() -> frozenset[str]:
    """The host names under which a proxy serves the service, from the environment, separated by commas."""
    return frozenset(filter(None, map(str.strip, os.environ.get(HOSTS, "").lower().split(","))))


@dataclass(frozen=True)
class Origins:
    """Refuses requests from other origins, and for other hosts.

    Attributes
    ----------
    hosts : frozenset of str
        Names of hosts, beside this machine's own, whose pages may send requests.
    """

    hosts: frozenset[str] = field(default_factory=read_hosts)

    def check(self, headers: Iterable[tuple[bytes, bytes]], keys: bool) -> None:
        """Check the headers of a request.

        Parameters
        ----------
        headers : iterable of (bytes, bytes)
        keys : bool
            Whether a request needs an API key. A page does not know it, so any host is allowed.

        Raises
        ------
        RequestError
            403 for a page of another origin, and without keys for a host that is neither this machine nor configured.
        """
        origin, named = None, []
        for name, value in headers:
            if name == b"host":
                named.append(value)
            elif name == b"origin":
                origin = value
        if not keys:
            for host in named:
                self._check_host(host)
        if origin is not None:
            self._check_origin(origin, named)

    def _check_host(self, host: bytes) -> None:
        name = _name(host)
        if name not in LOOPBACK and name not in self.hosts:
            raise denied(
                f"The request is for the host {_shown(host)}, which is not the name of this service. Use 127.0.0.1 or "
                f"localhost, or add the name to {HOSTS}."
            )

    def _check_origin(self, origin: bytes, named: list[bytes]) -> None:
        place = origin.partition(b"://")[2].lower()
        if [place] != [host.lower() for host in named] and _name(place) not in self.hosts:
            raise denied(
                f"The request comes from a web page of {_shown(origin)}, which may not use this service. Add the "
                f"page's host to {HOSTS} to allow it."
            )


def _name(host: bytes) -> str:
    """The name in a host and port; an IPv6 address without its brackets."""
    text = host.decode("latin-1").lower()
    return text[1:].partition("]")[0] if text.startswith("[") else text.partition(":")[0]


def _shown(value: bytes) -> str:
    return repr(value[:100].decode("latin-1"))
