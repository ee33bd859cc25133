"""Sessions of those who signed in with a key: a signed cookie, for half a day; and how often signing in may fail."""

import hmac
import secrets
import time
from collections import deque
from dataclasses import dataclass, field

from fastapi import Request
from fastapi.responses import Response

from evergreen import ui_address
from ui.access.keys import Holder, KeyRing
from ui.access.visitor import Visitor, signature

LASTS = 12 * 3600  # seconds
_TRIES, _WITHIN = 10, 300.0  # failures from an address in so many seconds
_ADDRESSES = 10_000  # that are remembered


def cookie_name() -> str:
    """The name of the cookie; another one for each installation, as cookies know no ports."""
    return f"evergreen_{signature('cookie', '')[:8]}"


def begin(request: Request, answer: Response, holder: Holder, root: str) -> None:
    """Give the browser a session."""
    told = f"{int(time.time()) + LASTS}.{holder.digest}.{secrets.token_urlsafe(12)}"
    value = f"{told}.{signature('session', told)}"
    safe = ui_address.is_safe() or "https" in (request.url.scheme, request.headers.get("x-forwarded-proto", ""))
    answer.set_cookie(cookie_name(), value, LASTS, path=root or "/", httponly=True, samesite="strict", secure=safe)


def end(answer: Response, root: str) -> None:
    """Take the session from the browser."""
    answer.delete_cookie(cookie_name(), path=root or "/", httponly=True, samesite="strict")


def visitor(request: Request, keys: KeyRing) -> Visitor | None:
    """Who has the session of a request; None if it has none, it has ended, or its key is no longer in the file."""
    told, _, signed = request.cookies.get(cookie_name(), "").rpartition(".")
    if not hmac.compare_digest(signed.encode(), signature("session", told).encode()):
        return None
    until, digest, _ = told.split(".")
    holder = keys.holder(digest) if float(until) > time.time() else None
    return Visitor(holder.name, holder.role, told, signed_in=True) if holder else None


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
