"""Asks who sends a request before a page sees it: on this machine nobody has to say, beyond it everybody has."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from evergreen.sockets import LOOPBACK
from serving.errors import RequestError
from serving.http.keys import digest_of
from serving.http.origins import Origins
from ui.access import sessions
from ui.access.keys import KeyRing
from ui.access.openid import CALLBACK
from ui.access.rules import Rules
from ui.access.sessions import Attempts
from ui.access.visitor import LONGEST_NAME, Role, Visitor, owner
from ui.refusal import RefusedError
from ui.site import Site, plain_page

_LOCAL = re.compile(r"/(?![/\\])[\x21-\x7e]*")  # an address of this site, and of no other one
SIGN_IN, AT_PROVIDER = "/sign-in", "/sign-in/provider"
SIGNING_IN = (SIGN_IN, AT_PROVIDER, CALLBACK)


@dataclass
class Guard:
    """Lets requests through with their visitor, or refuses them.

    Attributes
    ----------
    site : Site
    rules : Rules
    keys : KeyRing or None
        The keys of persons; None if no file is set.
    attempts : Attempts
        Failures of signing in.
    """

    site: Site
    rules: Rules = field(default_factory=Rules.read)
    attempts: Attempts = field(default_factory=Attempts)
    keys: KeyRing | None = field(init=False)

    def __post_init__(self) -> None:
        self.keys = KeyRing(Path(self.rules.keys_file)) if self.rules.keys_file else None

    async def __call__(self, request: Request, answer: Any) -> Response:
        """Handle a request."""
        path = request.url.path.removeprefix(request.scope.get("root_path", ""))
        if _is_open(path) or "visitor" in request.scope:  # which an export sets, and no request can
            return await _answered(request, answer)
        try:
            self._check_origin(request)
            visitor = self.visitor(request)
            if visitor is None and not (self.rules.signs_in and path in SIGNING_IN):
                raise self._unknown(request)
        except RequestError as error:
            return refusal(request, RefusedError(403, error.message))
        except RefusedError as error:
            if error.status == 401 and request.method == "GET" and "text/html" in request.headers.get("accept", ""):
                root, query = request.scope.get("root_path", ""), f"?{request.url.query}" if request.url.query else ""
                address = local(f"{quote(path)}{query}")
                if request.headers.get("sec-fetch-site") == "cross-site":
                    # By a page of this site: browsers send no session with a link of another site.
                    return plain_page(request, "again", to=f"{root}{address}")
                return RedirectResponse(f"{root}{SIGN_IN}?to={quote(address)}", 303)
            return refusal(request, error)
        if visitor is not None:
            request.scope["visitor"] = _capped(visitor) if self.site.read_only else visitor
        return await _answered(request, answer)

    def _check_origin(self, request: Request) -> None:
        """Refuse pages of other sites, and names of hosts that are not this machine's.

        A page that has led a browser here by DNS rebinding can send any header, but knows no key and gets no cookie.
        """
        local = _address(request) in LOOPBACK
        named = not self.rules.asks or (bool(self.rules.identity) and local)
        Origins(self.rules.hosts).check(request.headers.raw, keys=not named)

    def visitor(self, request: Request) -> Visitor | None:
        """Who sends a request; None if nobody can say.

        Raises
        ------
        RefusedError
            It is known who, and they may not look; or a key is none.
        """
        if not self.rules.asks:
            return owner()
        if self.rules.identity and self.rules.trusts(_address(request)):
            found = self._of_proxy(request)
            if found is not None:
                return found
        return self._of_key(request) or sessions.visitor(request, self.keys, self.rules)

    def _of_proxy(self, request: Request) -> Visitor | None:
        names = [name for line in request.headers.getlist(self.rules.identity) if (name := _text(line))]
        if len(names) > 1:
            raise RefusedError(403, "The proxy named two persons. It has to replace the header that a browser sends.")
        if not names:
            return None
        if len(names[0]) > LONGEST_NAME or not names[0].isprintable():
            raise RefusedError(
                403, f"The proxy named nobody who can be recorded: at most {LONGEST_NAME} printed letters."
            )
        listed = request.headers.getlist(self.rules.groups) if self.rules.groups else []
        groups = [group.strip() for line in listed for group in _text(line).split(",")]
        role = self.rules.role(names[0], groups if self.rules.groups else None)
        if role is None:
            raise RefusedError(403, f"{names[0]} is in none of the groups that may see these pages.")
        return Visitor(names[0], role)

    def _of_key(self, request: Request) -> Visitor | None:
        kind, _, key = request.headers.get("authorization", "").partition(" ")
        if self.keys is None or kind.lower() != "bearer":
            return None
        holder = self.keys.holder(digest_of(key.strip()))
        if holder is None:  # many persons may come from the address of one proxy: a right key never waits
            if self.attempts.wait(_address(request)):
                raise RefusedError(429, "Too many wrong keys came from this address. Try again in some minutes.")
            self.attempts.failed(_address(request))
            raise RefusedError(401, "This is no key of the UI.")
        return Visitor(holder.name, holder.role, holder.digest)

    def _unknown(self, request: Request) -> RefusedError:
        if self.rules.signs_in:
            key = ", or send a key as `Authorization: Bearer KEY`" if self.keys else ""
            return RefusedError(401, f"Sign in at {SIGN_IN}{key}.")
        if self.rules.trusts(_address(request)):
            return RefusedError(403, f"The proxy named nobody in the header {self.rules.identity!r}.")
        return RefusedError(403, "These pages are reached through their reverse proxy only, which says who you are.")


def _is_open(path: str) -> bool:
    """Whether an address says nothing of a model."""
    return path == "/health" or path.startswith("/static/")


def refusal(request: Request, error: RefusedError) -> Response:
    """What somebody is told who may not see a page: nothing of what is on it."""
    headers = {"www-authenticate": "Bearer"} if error.status == 401 else {}
    if "text/html" in request.headers.get("accept", ""):
        answer = plain_page(request, "refused", error.status, title=error.title, message=str(error))
        answer.headers.update(headers)
        return answer
    return JSONResponse({"detail": str(error)}, error.status, headers)


def local(address: str) -> str:
    """An address of this site; its first page for any other one."""
    return address if _LOCAL.fullmatch(address) else "/"


async def _answered(request: Request, answer: Any) -> Response:
    response: Response = await answer(request)
    return response


def _text(header: str) -> str:
    """The text of a header, which proxies send as UTF-8."""
    try:
        return header.encode("latin-1").decode().strip()
    except UnicodeError:
        return header.strip()


def _capped(visitor: Visitor) -> Visitor:
    return Visitor(visitor.name, Role.VIEWER, visitor.session, visitor.signed_in)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
