"""Sessions of those who signed in: a signed cookie, for half a day; and how often signing in may fail."""

import base64
import hmac
import json
import secrets
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from evergreen import ui_address
from ui.access.keys import Holder, KeyRing
from ui.access.openid import Begun, Person
from ui.access.rules import Rules
from ui.access.visitor import Visitor, signature

LASTS = 12 * 3600  # seconds
BEGUN_LASTS = 600  # seconds that somebody may take at the provider
_TRIES, _WITHIN = 10, 300.0  # failures from an address in so many seconds
_ADDRESSES = 10_000  # that are remembered
_OF_PROVIDER = "~"  # in front of who somebody is by a provider, in place of the digest of a key


def cookie_name() -> str:
    """The name of the cookie; another one for each installation, as cookies know no ports."""
    return f"evergreen_{signature('cookie', '')[:8]}"


def begin(request: Request, answer: Response, holder: Holder, root: str) -> None:
    """Give the browser a session of who has a key."""
    _begin(request, answer, holder.digest, root)


def begin_of(request: Request, answer: Response, person: Person, rules: Rules, root: str) -> None:
    """Give the browser a session of whom the provider named, with those of their groups that have a role."""
    assert rules.provider is not None
    groups = None if person.groups is None else sorted(rules.groups_of_roles.intersection(person.groups))
    told = {"issuer": rules.provider.issuer, "name": person.name, "groups": groups}
    _begin(request, answer, f"{_OF_PROVIDER}{_written(told)}", root)


def _begin(request: Request, answer: Response, who: str, root: str) -> None:
    value = _signed("session", f"{int(time.time()) + LASTS}.{who}.{secrets.token_urlsafe(12)}")
    safe = _is_safe(request)
    answer.set_cookie(cookie_name(), value, LASTS, path=root or "/", httponly=True, samesite="strict", secure=safe)


def end(answer: Response, root: str) -> None:
    """Take the session from the browser."""
    answer.delete_cookie(cookie_name(), path=root or "/", httponly=True, samesite="strict")


def visitor(request: Request, keys: KeyRing | None, rules: Rules) -> Visitor | None:
    """Who has the session of a request.

    None if it has none, it has ended, its key is no longer in the file, or its groups have no role any more.
    """
    told = _told("session", request.cookies.get(cookie_name(), ""))
    until, who, _ = told.split(".") if told else ("0", "", "")
    if float(until) <= time.time():
        return None
    if who.startswith(_OF_PROVIDER):
        person = _read(who.removeprefix(_OF_PROVIDER))
        known = rules.provider is not None and rules.provider.issuer == person["issuer"]
        role = rules.role(person["name"], person["groups"]) if known else None
        return Visitor(person["name"], role, told, signed_in=True) if role else None
    holder = keys.holder(who) if keys else None
    return Visitor(holder.name, holder.role, told, signed_in=True) if holder else None


def keep(request: Request, answer: Response, begun: Begun, root: str) -> None:
    """Let the browser keep what it has begun at the provider; the provider's answer brings it here from there."""
    value = _signed("begun", f"{int(time.time()) + BEGUN_LASTS}.{_written(asdict(begun))}")
    name, safe = _begun_name(begun.state), _is_safe(request)
    answer.set_cookie(name, value, BEGUN_LASTS, path=root or "/", httponly=True, samesite="lax", secure=safe)


def kept(request: Request, state: str) -> Begun | None:
    """What the browser has begun at the provider with a state; None if it has not, or too long ago."""
    told = _told("begun", request.cookies.get(_begun_name(state), ""))
    until, _, begun = told.partition(".")
    if not told or float(until) <= time.time():
        return None
    found = Begun(**_read(begun))
    return found if hmac.compare_digest(found.state.encode(), state.encode()) else None


def forget(answer: Response, state: str, root: str) -> None:
    """Take from the browser what it has begun: an answer of the provider counts once."""
    answer.delete_cookie(_begun_name(state), path=root or "/", httponly=True, samesite="lax")


def _begun_name(state: str) -> str:
    return f"{cookie_name()}_{signature('state', state)[:12]}"


def _signed(purpose: str, told: str) -> str:
    return f"{told}.{signature(purpose, told)}"


def _told(purpose: str, value: str) -> str:
    """What was signed for a purpose; empty if it was not."""
    told, _, signed = value.rpartition(".")
    return told if hmac.compare_digest(signed.encode(), signature(purpose, told).encode()) else ""


def _written(told: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")


def _read(text: str) -> dict[str, Any]:
    """What `_written` wrote, which a signature vouches for."""
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(f"{text}{'=' * (-len(text) % 4)}"))
    return found


def _is_safe(request: Request) -> bool:
    """Whether the browser talks https to this UI, or to the proxy in front."""
    return ui_address.is_safe() or "https" in (request.url.scheme, request.headers.get("x-forwarded-proto", ""))


@dataclass
class Attempts:
    """The failures of signing in, by address."""

    _failures: dict[str, deque[float]] = field(default_factory=dict)

    def wait(self, address: str) -> float:
        """How many seconds an address has to wait; 0 if it may try."""
        failures = self._failures.get(address, deque())
        if len(failures) < _TRIES:
            return 0.0
        return max(failures[0] + _WITHIN - time.monotonic(), 0.0)

    def failed(self, address: str) -> None:
        """Count a failure."""
        while len(self._failures) >= _ADDRESSES and address not in self._failures:
            self._failures.pop(next(iter(self._failures)))
        self._failures.setdefault(address, deque(maxlen=_TRIES)).append(time.monotonic())
