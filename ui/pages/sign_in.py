"""Signing in, with a key or at a provider of identities, and out."""

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from serving.http.keys import digest_of
from ui.access import sessions
from ui.access.keys import KeyRing
from ui.access.openid import CALLBACK, Begun, OpenID
from ui.acts.forms import Form, sent
from ui.guard import AT_PROVIDER, SIGN_IN, Guard, local
from ui.refusal import RefusedError
from ui.site import plain_page

if TYPE_CHECKING:
    from ui.access.provider import Provider

_LONGEST = 2_000  # bytes of the form, or letters of an address
_UNREADABLE = "The keys cannot be read now. Tell the person who runs the UI: its log says why."


def router(guard: Guard) -> APIRouter:
    """The routes of signing in; there are none where nobody does."""
    routes = APIRouter()
    if not guard.rules.signs_in:
        return routes

    @routes.get(SIGN_IN)
    def ask(request: Request, to: str = "/") -> Response:
        return _asked(guard, request, to)

    @routes.post("/sign-out")
    def sign_out(request: Request, _form: Annotated[Form, Depends(sent)]) -> Response:
        root = request.scope.get("root_path", "")
        answer = RedirectResponse(f"{root}{SIGN_IN}", 303)
        sessions.end(answer, root)
        return answer

    if guard.keys is not None:
        _add_keys(routes, guard, guard.keys)
    if guard.rules.provider is not None:
        _add_provider(routes, guard, guard.rules.provider)
    return routes


def _add_keys(routes: APIRouter, guard: Guard, keys: KeyRing) -> None:
    @routes.post(SIGN_IN)
    async def sign_in(request: Request) -> Response:
        fields = await _fields(request)
        key, to = fields.get("key", "").strip(), local(fields.get("to", "/"))
        holder = keys.holder(digest_of(key))
        if holder is None:
            if refused := _wait(guard, request):
                return _asked(guard, request, to, refused)
            guard.attempts.failed(_address(request))
            told = _UNREADABLE if keys.are_away else "This is no key of the UI. Ask the person who runs it for one."
            return _asked(guard, request, to, RefusedError(401, told))
        root = request.scope.get("root_path", "")
        answer = RedirectResponse(f"{root}{to}", 303)
        sessions.begin(request, answer, holder, root)
        return answer


def _add_provider(routes: APIRouter, guard: Guard, settings: OpenID) -> None:
    from ui.access.provider import Provider

    provider = Provider(settings)

    @routes.get(AT_PROVIDER)
    async def begin(request: Request, to: str = "/") -> Response:
        root, to = request.scope.get("root_path", ""), local(to[:_LONGEST])
        try:
            address, begun = await provider.begin(to)
        except RefusedError as error:
            return _asked(guard, request, to, error)
        answer = RedirectResponse(address, 303)
        sessions.keep(request, answer, begun, root)
        return answer

    @routes.get(CALLBACK)
    async def come_back(request: Request) -> Response:
        root, state = request.scope.get("root_path", ""), request.query_params.get("state", "")
        begun = sessions.kept(request, state)
        to = begun.to if begun else "/"
        try:
            answer = await _signed_in(guard, provider, request, begun)
        except RefusedError as error:
            refused = error
            if error.status == 403:
                refused = _wait(guard, request) or error  # who is believed never waits
                guard.attempts.failed(_address(request))
            answer = _asked(guard, request, to, refused)
        sessions.forget(answer, state, root)
        return answer


async def _signed_in(guard: Guard, provider: "Provider", request: Request, begun: Begun | None) -> Response:
    """What a browser gets that has come back from the provider: a session, and the page that was asked for.

    Raises
    ------
    RefusedError
        It has not begun to sign in, the provider does not say who it is, or they may not look.
    """
    if begun is None:
        raise RefusedError(
            403,
            "This is the answer to no sign-in that this browser began in the last ten minutes. Sign in again.",
        )
    person = await provider.person(begun, request.query_params)
    if guard.rules.role(person.name, person.groups) is None:
        raise RefusedError(403, f"{person.name} is in none of the groups that may see these pages.")
    root = request.scope.get("root_path", "")
    # The browser comes from the provider's site, and would send no session with a redirect; it does with this link.
    answer = plain_page(request, "again", to=f"{root}{begun.to}", title="You are signed in")
    sessions.begin_of(request, answer, person, guard.rules, root)
    return answer


def _asked(guard: Guard, request: Request, to: str, refused: RefusedError | None = None) -> Response:
    """The page that asks who somebody is, and why they were not believed."""
    shown: dict[str, Any] = {
        "to": local(to),
        "keys": guard.keys is not None,
        "provider": guard.rules.provider.host if guard.rules.provider else "",
        "problem": str(refused or (_UNREADABLE if guard.keys and guard.keys.are_away else "")),
    }
    return plain_page(request, "sign_in", refused.status if refused else 200, **shown)


def _wait(guard: Guard, request: Request) -> RefusedError | None:
    """Why an address has to wait before it may try again; None if it may."""
    wait = guard.attempts.wait(_address(request))
    if not wait:
        return None
    return RefusedError(
        429, f"Too many attempts to sign in failed from this address. Try again in {max(wait / 60, 1):.0f} minutes."
    )


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


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
