"""Signing in with a key, and out."""

import re
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from serving.http.keys import digest_of
from ui.access import sessions
from ui.acts.forms import Form, sent
from ui.guard import SIGN_IN, Guard
from ui.site import plain_page

_LOCAL = re.compile(r"/(?![/\\])[\x21-\x7e]*")  # an address of this site, and of no other one
_LONGEST = 2_000  # bytes of the form


def router(guard: Guard) -> APIRouter:
    """The routes of signing in; there are none without keys."""
    routes = APIRouter()
    if guard.keys is None:
        return routes
    keys, attempts = guard.keys, guard.attempts

    @routes.get(SIGN_IN)
    def ask(request: Request, to: str = "/") -> Response:
        return plain_page(request, "sign_in", to=_local(to), problem=keys.problem)

    @routes.post(SIGN_IN)
    async def sign_in(request: Request) -> Response:
        address = request.client.host if request.client else ""
        fields = await _fields(request)
        key, to = fields.get("key", "").strip(), _local(fields.get("to", "/"))
        wait = attempts.wait(address)
        if wait:
            problem = f"Too many wrong keys came from this address. Try again in {wait / 60:.0f} minutes."
            return plain_page(request, "sign_in", 429, to=to, problem=problem)
        holder = keys.holder(digest_of(key))
        if holder is None:
            attempts.failed(address)
            problem = keys.problem or "This is no key of the UI. Ask the person who runs it for one."
            return plain_page(request, "sign_in", 401, to=to, problem=problem)
        root = request.scope.get("root_path", "")
        answer = RedirectResponse(f"{root}{to}", 303)
        sessions.begin(request, answer, holder, root)
        return answer

    @routes.post("/sign-out")
    def sign_out(request: Request, _form: Annotated[Form, Depends(sent)]) -> Response:
        root = request.scope.get("root_path", "")
        answer = RedirectResponse(f"{root}{SIGN_IN}", 303)
        sessions.end(answer, root)
        return answer

    return routes


async def _fields(request: Request) -> dict[str, str]:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST:
            return {}
    try:
        return {name: values[0] for name, values in parse_qs(body.decode(), max_num_fields=10).items()}
    except ValueError:
        return {}


def _local(address: str) -> str:
    """An address of this site; its first page for any other one."""
    return address if _LOCAL.fullmatch(address) else "/"
