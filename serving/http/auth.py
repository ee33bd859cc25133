"""Authentication by API key: which key may use which models, and its limit of concurrent requests."""

import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from serving.errors import RequestError, denied
from serving.http.keys import ALL, Keys, digest_of, file_state
from serving.http.origins import Origins

_OPEN = frozenset({"/ping", "/health", "/version"})  # load balancers use these without a key
Message = dict[str, Any]


@dataclass
class ApiKeyAuth:
    """Checks origin, host and API key before the body is read; no key is needed if none is configured.

    Parameters
    ----------
    app : ASGI application
        Gets the allowed models as ``allowed`` in the scope; None means all.
    per_key : int
        Concurrent requests allowed for one key in this worker.
    record : callable
        Called with no model, the status and the seconds of each request that is refused here.
    """

    app: Any
    per_key: int
    record: Callable[[str, int, float], object] = lambda *_: None
    _keys: Keys = field(default_factory=Keys.read)
    _changed: tuple[int, ...] = field(default_factory=file_state)
    _origins: Origins = field(default_factory=Origins)
    _concurrent: dict[str, int] = field(default_factory=dict)

    def reload(self) -> None:
        """Read the keys again if their file has changed. A key that is no longer there is refused."""
        changed = file_state()
        if changed != self._changed:
            self._changed, self._keys = changed, Keys.read()

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        """Handle an ASGI scope."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        arrived, keys, digest = time.perf_counter(), self._keys, None
        try:
            self._origins.check(scope["headers"], keys.required)
            if keys.required and scope["path"] not in _OPEN:
                digest = self._authenticated(dict(scope["headers"]).get(b"authorization", b""))
        except RequestError as error:
            self.record("", error.status, time.perf_counter() - arrived)
            await refuse(send, error)
            return
        if digest is None:
            await self.app(scope, receive, send)
            return
        self._concurrent[digest] = self._concurrent.get(digest, 0) + 1
        try:
            models = keys.allowed[digest]
            await self.app(scope | {"allowed": None if ALL in models else models}, receive, send)
        finally:
            self._concurrent[digest] -= 1

    def _authenticated(self, header: bytes) -> str:
        kind, _, key = header.decode("latin-1").partition(" ")
        digest = digest_of(key.strip())
        if kind.lower() != "bearer" or digest not in self._keys.allowed:
            message = "The request has no valid API key. Send one as `Authorization: Bearer KEY`."
            raise RequestError(401, "UNAUTHENTICATED", message)
        if self._concurrent.get(digest, 0) >= self.per_key:
            message = (
                f"The worker already has {self.per_key} requests of this API key in progress. Send this one again in a "
                "second."
            )
            raise RequestError(429, "REQUEST_LIMIT_EXCEEDED", message)
        return digest


def visible(scope: MutableMapping[str, Any], model: str) -> bool:
    """Whether the key of a request allows a model; without keys, every model."""
    allowed = scope.get("allowed")
    return allowed is None or model in allowed


def require(scope: MutableMapping[str, Any], model: str) -> None:
    """Refuse a request whose key does not allow a model.

    Raises
    ------
    RequestError
        403, whether or not there is such a model.
    """
    if not visible(scope, model):
        valid = ", ".join(sorted(scope["allowed"]))
        raise denied(f"This API key is valid for {valid}, not for {scope['path']!r}. Use a key for this model.")


async def refuse(send: Any, error: RequestError) -> None:
    """Send an error response."""
    body = orjson.dumps(error.body())
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += _EXTRA_HEADERS.get(error.status, [])
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


_RETRY_HEADERS = [(b"retry-after", b"1")]
_EXTRA_HEADERS = {
    401: [(b"www-authenticate", b"Bearer")],
    405: [(b"allow", b"POST")],
    408: [(b"connection", b"close")],  # otherwise the rest of the body is read as the next request
    429: _RETRY_HEADERS,
    503: _RETRY_HEADERS,
}
