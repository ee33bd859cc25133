"""A small provider of identities by OpenID Connect: a process of its own that signs, and that tests can let do wrong.

It checks what it is sent, as real ones do: client and secret, the registered address, the challenge of PKCE, and
each code once.
"""

import base64
import hashlib
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from tests.running_system import CHECKOUT, free_port

CLIENT, SECRET = "evergreen-ui", "a secret: of%20the client"
WHO = {"sub": "7", "email": "ann@example.org", "groups": ["ml", "others"]}


@dataclass
class State:
    """What the provider says, and does wrong.

    Attributes
    ----------
    claims, userinfo : dict
        Of the person who signs in, in the token and where the UI asks for more.
    metadata : dict
        Instead of the true description of itself.
    fault : str
        What goes wrong.
    callback : str
        The registered address.
    """

    claims: dict[str, Any] = field(default_factory=lambda: dict(WHO))
    userinfo: dict[str, Any] = field(default_factory=lambda: dict(WHO))
    metadata: dict[str, Any] = field(default_factory=dict)
    fault: str = ""
    callback: str = "http://localhost/sign-in/callback"


class _Provider(BaseHTTPRequestHandler):
    issuer = ""
    state = State()
    codes: dict[str, dict[str, str]] = {}  # noqa: RUF012 - of the process
    keys: dict[str, Any] = {}  # noqa: RUF012

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        given = {name: values[0] for name, values in parse_qs(place.query).items()}
        match place.path:
            case "/.well-known/openid-configuration":
                self._send(self._description())
            case "/jwks":
                self._send({"keys": [key.as_dict(private=False) for key in self.keys.values()]})
            case "/authorize":
                self._authorize(given)
            case "/userinfo":
                self._send(self.state.userinfo, 200 if "Bearer a-token" in self.headers["authorization"] else 401)
            case _:
                self._send({}, 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        if self.path == "/test":
            type(self).state = State(**json.loads(body))
            self._send({})
        else:
            self._token({name: values[0] for name, values in parse_qs(body).items()})

    def _description(self) -> dict[str, Any]:
        true = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
        }
        return {name: value for name, value in (true | self.state.metadata).items() if value is not None}

    def _authorize(self, given: dict[str, str]) -> None:
        asked = [given.get(name) for name in ("client_id", "redirect_uri", "response_type", "code_challenge_method")]
        if asked != [CLIENT, self.state.callback, "code", "S256"] or "openid" not in given["scope"].split():
            self._send({"wrong": asked}, 400)
            return
        code = secrets.token_urlsafe(12)
        self.codes[code] = given
        told = {"code": code, "state": given["state"]}
        if self.state.fault == "refused":
            told = {"error": "access_denied", "error_description": "<b>not today</b>", "state": given["state"]}
        self.send_response(303)
        self.send_header("location", f"{given['redirect_uri']}?{urlencode(told)}")
        self.end_headers()

    def _token(self, given: dict[str, str]) -> None:
        from authlib.common.urls import quote

        code = self.codes.pop(given.get("code", ""), None)
        sent = base64.b64decode(self.headers.get("authorization", "").removeprefix("Basic ")).decode()
        known = sent in (f"{CLIENT}:{SECRET}", f"{quote(CLIENT)}:{quote(SECRET)}") or (
            given.get("client_id"),
            given.get("client_secret"),
        ) == (CLIENT, SECRET)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(given.get("code_verifier", "").encode()).digest())
        if self.state.fault == "slow":
            time.sleep(30)
        if not known:
            self._send({"error": "invalid_client"}, 401)
        elif (
            not code
            or code["code_challenge"] != challenge.decode().rstrip("=")
            or (given.get("redirect_uri") != code["redirect_uri"])
        ):
            self._send({"error": "invalid_grant"}, 400)
        elif self.state.fault == "nonsense":
            self._send("<html>", 200)
        else:
            token = {"access_token": "a-token", "token_type": "Bearer", "id_token": self._id_token(code["nonce"])}
            self._send({name: value for name, value in token.items() if value})

    def _id_token(self, nonce: str) -> str:
        from joserfc import jwt
        from joserfc.jwk import OctKey, RSAKey

        now, fault = int(time.time()), self.state.fault
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce} | self.state.claims
        wrong = {
            "issuer": {"iss": "https://evil.example"},
            "audience": {"aud": "another"},
            "nonce": {"nonce": "another"},
            "expired": {"iat": now - 900, "exp": now - 600},
        }
        claims |= wrong.get(fault, {})
        if fault == "no token":
            return ""
        if fault == "none":
            head = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
            return f"{head}.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}."
        if fault == "shared secret":
            return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET.ljust(32)))
        if fault == "rotated":
            self.keys.clear()
            self.keys["new"] = RSAKey.generate_key(2048, {"kid": "new"})
        kid, key = next(iter(self.keys.items()))
        if fault == "other key":
            key = RSAKey.generate_key(2048, {"kid": kid})
        return jwt.encode({"alg": "RS256", "kid": kid}, claims, key)

    def _send(self, answer: Any, status: int = 200) -> None:
        body = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@dataclass
class Running:
    """A provider that runs.

    Attributes
    ----------
    issuer : str
    process : Popen
    """

    issuer: str
    process: "subprocess.Popen[bytes]"

    def says(self, **state: Any) -> None:
        """Let it say, and do wrong, something else from now on."""
        httpx.post(f"{self.issuer}/test", json=state, timeout=60).raise_for_status()

    def away(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


@contextmanager
def provider() -> Iterator[Running]:
    """A provider of its own, until the end of the block."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.ui.identity_provider", str(port)], cwd=CHECKOUT)
    running = Running(f"http://127.0.0.1:{port}", process)
    try:
        for _ in range(600):
            try:
                running.says()
                break
            except httpx.HTTPError:
                assert process.poll() is None, "the provider has ended"
                time.sleep(0.1)
        yield running
    finally:
        running.away()


def _run(port: int) -> None:
    from joserfc.jwk import RSAKey

    _Provider.issuer = f"http://127.0.0.1:{port}"
    _Provider.keys["first"] = RSAKey.generate_key(2048, {"kid": "first"})
    ThreadingHTTPServer(("127.0.0.1", port), _Provider).serve_forever()


if __name__ == "__main__":
    _run(int(sys.argv[1]))
