"""The guard: who may ask which model, and how much at one time."""

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
_OPEN = frozenset({"ping", "health", "version"})  # what a load balancer asks
Message = dict[str, Any]


def made(models: list[str]) -> tuple[str, str]:
    """A new API key, and the line that lets it in: all models if none is named."""
    key = secrets.token_urlsafe(32)
    return key, f"{_digest(key)} {' '.join(models) or ALL}"


def read() -> dict[str, frozenset[str]]:
    """The models of each key, by the key's SHA-256, from the environment and from the file that it names.

    A line is the digest and then the models, ``*`` for all; in the environment lines may be parted
    by semicolons. What follows # is a comment.

    Raises
    ------
    RunningError
        The file cannot be read or no key is to be found, or a line is not of this form.
    """
    text = os.environ.get(KEYS, "").replace(";", "\n")
    path = os.environ.get(KEYS_FILE)
    if path:
        try:
            text += "\n" + Path(path).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise RunningError(f"{KEYS_FILE} names {path}, which cannot be read: {error}.") from error
    keys = dict(_allowed(line) for line in (raw.split("#")[0].split() for raw in text.splitlines()) if line)
    if path and not keys:  # whoever names a file wants nobody else in
        raise RunningError(f"{KEYS_FILE} names {path}, which has no key. Add a line, or take the variable away.")
    return keys


def _allowed(words: list[str]) -> tuple[str, frozenset[str]]:
    digest, *models = words
    if len(digest) != 64 or set(digest.lower()) - set("0123456789abcdef") or not models:
        raise RunningError(
            f"A line of the API keys is {' '.join(words)[:24]!r}...; it should be the SHA-256 of a key and then the "
            "models that it may ask, or *. `evergreen key MODEL` makes a key and its line."
        )
    return digest.lower(), frozenset(models)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


@dataclass
class Guard:
    """Lets in whoever has a key, before anything is read of what was sent; everybody where there are no keys.

    Parameters
    ----------
    app : ASGI application
        Finds the models that may be asked under ``allowed`` in the scope; None stands for all.
    per_key : int
        Requests at one time of one key.
    """

    app: Any
    per_key: int
    _keys: dict[str, frozenset[str]] = field(default_factory=read)
    _changed: float = field(default_factory=lambda: _changed())
    _now: dict[str, int] = field(default_factory=dict)

    def look(self) -> None:
        """Read the keys again if their file has changed; one that cannot be read changes nothing."""
        changed = _changed()
        if changed != self._changed:
            self._changed = changed
            self._keys = read()

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        """Answer an ASGI scope."""
        if scope["type"] != "http" or not self._keys or scope["path"].rpartition("/")[2] in _OPEN:
            await self.app(scope, receive, send)
            return
        try:
            digest = self._known(dict(scope["headers"]).get(b"authorization", b""))
        except RequestError as error:
            await refuse(send, error)
            return
        self._now[digest] = self._now.get(digest, 0) + 1
        try:
            allowed = self._keys[digest]
            await self.app(scope | {"allowed": None if ALL in allowed else allowed}, receive, send)
        finally:
            self._now[digest] -= 1

    def _known(self, sent: bytes) -> str:
        kind, _, key = sent.decode("latin-1").partition(" ")
        digest = _digest(key.strip())
        if kind.lower() != "bearer" or digest not in self._keys:
            message = "Send an API key that is known here, as `Authorization: Bearer KEY`."
            raise RequestError(401, "UNAUTHENTICATED", message)
        if self._now.get(digest, 0) >= self.per_key:
            message = f"{self.per_key} requests of this key are being answered already. Send it again in a second."
            raise RequestError(429, "REQUEST_LIMIT_EXCEEDED", message)
        return digest


async def refuse(send: Any, error: RequestError) -> None:
    """Answer with an error."""
    body = orjson.dumps(error.body())
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += _BESIDE.get(error.status, [])
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


_LATER = [(b"retry-after", b"1")]
_BESIDE = {
    401: [(b"www-authenticate", b"Bearer")],
    405: [(b"allow", b"POST")],
    408: [(b"connection", b"close")],  # the rest of the body would be taken for the next request
    429: _LATER,
    503: _LATER,
}


def _changed() -> float:
    path = os.environ.get(KEYS_FILE)
    try:
        return Path(path).stat().st_mtime if path else 0.0
    except OSError:
        return 0.0
