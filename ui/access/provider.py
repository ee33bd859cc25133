"""Ask a provider of identities who somebody is, by OpenID Connect: the code flow with PKCE, state and nonce."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.base_client import OAuthError
from authlib.integrations.starlette_client import OAuth, StarletteOAuth2App
from httpx2 import HTTPError
from joserfc.errors import JoseError

from evergreen.errors import RunningError
from ui.access.openid import GROUPS_CLAIM, NAME_CLAIM, Begun, OpenID, Person, is_safe
from ui.access.visitor import LONGEST_NAME
from ui.refusal import RefusedError

_PATIENCE = 5.0  # seconds for each answer of the provider
_FRESH = 3600.0  # seconds that its description is taken for what is
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")
# Algorithms that sign with the provider's private key. The others sign with a shared secret, or not at all.
_SIGNED = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
)
_WRONG = (AuthlibBaseError, JoseError, ValueError, KeyError, TypeError, AttributeError, RuntimeError)


@dataclass
class Provider:
    """A provider of identities.

    Attributes
    ----------
    settings : OpenID
    """

    settings: OpenID
    _client: StarletteOAuth2App | None = None
    _read: float = field(default=-_FRESH)

    async def begin(self, to: str) -> tuple[str, Begun]:
        """The address at the provider to send a person to, and what their browser keeps until they come back.

        Raises
        ------
        RefusedError
            The provider is away, or describes itself otherwise than is needed.
        """
        with self._told():
            client = await self._known()
            begun = await client.create_authorization_url(self.settings.callback)
            return begun["url"], Begun(begun["state"], begun["nonce"], begun["code_verifier"], to)

    async def person(self, begun: Begun, answer: Mapping[str, str]) -> Person:
        """Who has come back from the provider.

        Parameters
        ----------
        begun : Begun
            What their browser has kept.
        answer : mapping
            What stands in the address that the provider sent them to.

        Raises
        ------
        RefusedError
            The provider did not say, is away, or what it says cannot be believed or lacks a claim.
        """
        if error := answer.get("error"):
            why = " ".join(filter(None, [error[:100], answer.get("error_description", "")[:300]]))
            raise RefusedError(403, f"{self.settings.host} did not sign you in: {why}. Sign in again.")
        with self._told():
            client = await self._known()
            token = await client.fetch_access_token(
                self.settings.callback, code=answer.get("code", ""), code_verifier=begun.verifier
            )
            if "id_token" not in token:
                raise KeyError("id_token")
            claims = dict(await client.parse_id_token(token, begun.nonce, self._expected(), leeway=60))
            if self._lacks(claims) and client.server_metadata.get("userinfo_endpoint"):
                claims = await self._completed(client, token, claims)
        return self._person(claims)

    def _expected(self) -> dict[str, Any]:
        return {
            "iss": {"essential": True, "value": self.settings.issuer},
            "aud": {"essential": True, "value": self.settings.client},
        }

    async def _completed(
        self, client: StarletteOAuth2App, token: dict[str, Any], claims: dict[str, Any]
    ) -> dict[str, Any]:
        """The claims, with those that the provider tells only who asks for them."""
        more = dict(await client.userinfo(token=token))
        if more.get("sub") != claims["sub"]:
            raise ValueError("it tells of another person than the token")
        return more | claims

    async def _known(self) -> StarletteOAuth2App:
        """The client, with the provider's description of itself."""
        if self._client is not None and time.monotonic() - self._read < _FRESH:
            return self._client
        client = OAuth().register(
            "provider",
            client_id=self.settings.client,
            client_secret=self.settings.secret() or None,
            server_metadata_url=f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={
                "scope": self.settings.scopes,
                "code_challenge_method": "S256",
                "timeout": _PATIENCE,
                "follow_redirects": False,
            },
        )
        metadata = await client.load_server_metadata()
        if metadata.get("issuer") != self.settings.issuer:
            raise ValueError(f"it calls itself {metadata.get('issuer')!r}")
        unsafe = [name for name in _ENDPOINTS if name in metadata and not is_safe(metadata[name])]
        missing = [name for name in _ENDPOINTS[:3] if name not in metadata]
        if unsafe or missing:
            raise ValueError(f"its description has no {' and '.join(missing + unsafe)} by https")
        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        metadata["id_token_signing_alg_values_supported"] = [name for name in offered if name in _SIGNED]
        if not metadata["id_token_signing_alg_values_supported"]:
            raise ValueError(f"it signs by {', '.join(map(str, offered))} only")
        methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if client.client_secret and "client_secret_basic" not in methods:
            client.client_kwargs["token_endpoint_auth_method"] = "client_secret_post"  # noqa: S105 - a way
        self._client, self._read = client, time.monotonic()
        return client

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What goes wrong with the provider, as a sentence for the person."""
        host = self.settings.host
        try:
            yield
        except RunningError as error:  # of the settings, which are for who runs the UI
            logging.getLogger(__name__).error("%s", error)
            raise RefusedError(
                503, "Signing in does not work now. Tell the person who runs the UI: its log says why."
            ) from error
        except HTTPError as error:
            raise RefusedError(
                503, f"{host}, which says who people are, cannot be asked now: {_reason(error)}. Try again in a minute."
            ) from error
        except OAuthError as error:
            raise RefusedError(403, f"{host} did not sign you in: {_reason(error)}. Sign in again.") from error
        except _WRONG as error:
            raise RefusedError(
                403, f"What {host} answers cannot be believed: {_reason(error)}. Sign in again; tell who runs this UI."
            ) from error

    def _lacks(self, claims: Mapping[str, Any]) -> bool:
        wanted = filter(None, (self.settings.name_claim, self.settings.groups_claim))
        return any(_claim(claims, name) is None for name in wanted)

    def _person(self, claims: Mapping[str, Any]) -> Person:
        """The person of some claims.

        Raises
        ------
        RefusedError
            A claim is missing or cannot be used.
        """
        host, claim = self.settings.host, self.settings.name_claim
        name = _claim(claims, claim)
        if not isinstance(name, str) or not name.strip():
            raise RefusedError(
                403,
                f"{host} sent no claim {claim!r}, which names a person here. Let it send the claim, or name another "
                f"one in {NAME_CLAIM}.",
            )
        name = " ".join(name.split())
        if len(name) > LONGEST_NAME or not name.isprintable():
            raise RefusedError(
                403, f"The claim {claim!r} names nobody who can be recorded: at most {LONGEST_NAME} printed letters."
            )
        if claim == "email" and str(claims.get("email_verified", True)).lower() != "true":  # some send it as text
            raise RefusedError(
                403, f"{host} has not verified that {name} is yours. Verify it there, then sign in again."
            )
        if not self.settings.groups_claim:
            return Person(name, None)
        groups = _claim(claims, self.settings.groups_claim)
        if groups is None:
            raise RefusedError(
                403,
                f"{host} sent no claim {self.settings.groups_claim!r} about {name}, by which roles are given. Let it "
                f"send the claim, or name the one that it sends in {GROUPS_CLAIM}.",
            )
        listed = groups.split(",") if isinstance(groups, str) else groups if isinstance(groups, list) else []
        return Person(name, [str(group).strip() for group in listed])


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name, or by the way to it, such as `realm_access.roles`; None without it.

    Examples
    --------
    >>> _claim({"realm_access": {"roles": ["ml"]}, "https://a.b/groups": ["ml"]}, "realm_access.roles")
    ['ml']
    """
    if name in claims:
        return claims[name]
    found: Any = claims
    for word in name.split("."):
        found = found.get(word) if isinstance(found, Mapping) else None
    return found


def _reason(error: Exception) -> str:
    """Why something failed, in one line."""
    return " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
