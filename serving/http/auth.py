"""Authentication by API key: which key may use which models, and its limit of concurrent requests."""

import hashlib
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from evergreen.errors import RunningError
from serving.errors import RequestError

KEYS, KEYS_FILE = "EVERGREEN_KEYS", "EVERGREEN_KEYS_FILE"
ALL = "*"
_OPEN = frozenset({"ping", "health", "version"})  # load balancers use these without a key
Message = dict[str, Any]


def new_key(models: list[str]) -> tuple[str, str]:
    """A new API key, and its line for the file of keys. It allows all models if none is named."""
    key = secrets.token_urlsafe(32)
    return key, f"{_digest(key)} {' '.join(models) or ALL}"


def read_keys() -> dict[str, frozenset[str]]:
    """The models of each key, by the key's SHA-256, from the environment and the file it names.

    A line holds the digest and then the models, ``*`` for all. In the environment, semicolons may
    separate lines. Text after # is a comment.

    Raises
    ------
    RunningError
        The file cannot be read or holds no key, or a line has another form.
    """
    text = os.environ.get(KEYS, "").replace(";", "\n")
    path = os.environ.get(KEYS_FILE)
    if path:
        try:
            text += "\n" + Path(path).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise RunningError(f"{KEYS_FILE} names {path}, which cannot be read: {error}.") from error
    keys = dict(_parse_line(line) for line in (raw.split("#")[0].split() for raw in text.splitlines()) if line)
    if path and not keys:  # a file without keys must not open the service to everybody
        raise RunningError(
            f"{KEYS_FILE} names {path}, which has no key. Add a line with `evergreen key`, or unset the variable."
        )
    return keys


def keys_file() -> Path | None:
    """The file of keys; None if none is named."""
    path = os.environ.get(KEYS_FILE)
    return Path(path) if path else None


def _parse_line(words: list[str]) -> tuple[str, frozenset[str]]:
    digest, *models = words
    if len(digest) != 64 or set(digest.lower()) - set("0123456789abcdef") or not models:
        raise RunningError(
            f"Invalid line of API keys: {' '.join(words)[:24]!r}... A line holds the SHA-256 of a key, then the models "
            "that it may use, or *. Run `evergreen key MODEL` to create a key and its line."
        )
    return digest.lower(), frozenset(models)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


@dataclass
class ApiKeyAuth:
    """Checks the API key before the body is read; lets every request pass if no keys are configured.

    Parameters
    ----------
    app : ASGI application
        Gets the allowed models as ``allowed`` in the scope; None means all.
    per_key : int
        Concurrent requests allowed for one key.
    """

    app: Any
    per_key: int
    _keys: dict[str, frozenset[str]] = field(default_factory=read_keys)
    _changed: float = field(default_factory=lambda: _modified_at())
    _concurrent: dict[str, int] = field(default_factory=dict)

    def reload(self) -> None:
        """Read the keys again if their file has changed. If it cannot be read, the old keys stay valid."""
        changed = _modified_at()
        if changed != self._changed:
            self._changed = changed
            self._keys = read_keys()

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        """Handle an ASGI scope."""
        if scope["type"] != "http" or not self._keys or scope["path"].rpartition("/")[2] in _OPEN:
            await self.app(scope, receive, send)
            return
        try:
            digest = self._authenticated(dict(scope["headers"]).get(b"authorization", b""))
        except RequestError as error:
            await refuse(send, error)
            return
        self._concurrent[digest] = self._concurrent.get(digest, 0) + 1
        try:
            allowed = self._keys[digest]
            await self.app(scope | {"allowed": None if ALL in allowed else allowed}, receive, send)
        finally:
            self._concurrent[digest] -= 1

    def _authenticated(self, header: bytes) -> str:
        kind, _, key = header.decode("latin-1").partition(" ")
        digest = _digest(key.strip())
        if kind.lower() != "bearer" or digest not in self._keys:
            message = "The request has no valid API key. Send one as `Authorization: Bearer KEY`."
            raise RequestError(401, "UNAUTHENTICATED", message)
        if self._concurrent.get(digest, 0) >= self.per_key:
            message = f"This API key already has {self.per_key} requests in progress. Send this one again in a second."
            raise RequestError(429, "REQUEST_LIMIT_EXCEEDED", message)
        return digest


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


def _modified_at() -> float:
    path = os.environ.get(KEYS_FILE)
    try:
        return Path(path).stat().st_mtime if path else 0.0
    except OSError:
        return 0.0
