"""What the settings say of a provider of identities by OpenID Connect."""

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from evergreen import ui_address
from evergreen.errors import RunningError
from evergreen.sockets import LOOPBACK

ISSUER, CLIENT = "EVERGREEN_UI_OIDC_ISSUER", "EVERGREEN_UI_OIDC_CLIENT"
SECRET_FILE, SCOPES = "EVERGREEN_UI_OIDC_SECRET_FILE", "EVERGREEN_UI_OIDC_SCOPES"
NAME_CLAIM, GROUPS_CLAIM = "EVERGREEN_UI_OIDC_NAME_CLAIM", "EVERGREEN_UI_OIDC_GROUPS_CLAIM"
CALLBACK = "/sign-in/callback"


@dataclass(frozen=True)
class OpenID:
    """A provider, and what it knows this UI by.

    Attributes
    ----------
    issuer : str
        The address of the provider.
    client : str
        The name that the provider has given to this UI.
    secret_file : str
        The file of the secret that belongs to it; empty for a public client.
    scopes : str
        What is asked for, separated by spaces.
    name_claim, groups_claim : str
        The claims that name a person and their groups; without one for groups the roles are of persons.
    """

    issuer: str
    client: str
    secret_file: str
    scopes: str
    name_claim: str
    groups_claim: str

    @classmethod
    def read(cls) -> "OpenID | None":
        """The provider that the environment states; None if it states none.

        Raises
        ------
        RunningError
            The settings are incomplete, the provider's address is not safe, or a package is missing.
        """
        issuer, client = (os.environ.get(name, "").strip() for name in (ISSUER, CLIENT))
        if not issuer and not client:
            return None
        if not (issuer and client and ui_address.stated()):
            raise RunningError(
                f"{ISSUER}, {CLIENT} and {ui_address.URL} go together: the provider of identities, the name that it "
                "has given to this UI, and the UI's own address, to which it sends people back."
            )
        if not is_safe(issuer):
            raise RunningError(f"{ISSUER} is {issuer!r}. Give an address that begins with https://.")
        if importlib.util.find_spec("authlib") is None:
            raise RunningError(
                f"{ISSUER} is set, and the package that asks such a provider is not installed. Install evergreen[oidc]."
            )
        return cls(
            issuer,
            client,
            os.environ.get(SECRET_FILE, "").strip(),
            os.environ.get(SCOPES, "").strip() or "openid email profile",
            os.environ.get(NAME_CLAIM, "").strip() or "email",
            os.environ.get(GROUPS_CLAIM, "groups").strip(),
        )

    @property
    def host(self) -> str:
        """The host of the provider, by which people know it."""
        return urlsplit(self.issuer).hostname or self.issuer

    def secret(self) -> str:
        """The secret of this UI at the provider; empty for a public client.

        Raises
        ------
        RunningError
            The file cannot be read, or is empty.
        """
        if not self.secret_file:
            return ""
        try:
            secret = Path(self.secret_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise RunningError(f"{SECRET_FILE} names {self.secret_file}, which cannot be read: {error}.") from error
        if not secret:
            raise RunningError(
                f"{SECRET_FILE} names {self.secret_file}, which is empty. Write the client's secret there."
            )
        return secret

    @property
    def callback(self) -> str:
        """The address to which the provider sends people back, as it has to be registered there."""
        return f"{ui_address.stated()}{CALLBACK}"


@dataclass(frozen=True)
class Begun:
    """What a browser keeps while its person is at the provider.

    Attributes
    ----------
    state : str
        Comes back with the answer, so that it is one to this browser.
    nonce : str
        Stands in the token, so that it is one of this sign-in.
    verifier : str
        Shows the provider that who has the answer is who asked.
    to : str
        The page that was asked for.
    """

    state: str
    nonce: str
    verifier: str
    to: str


@dataclass(frozen=True)
class Person:
    """Who somebody is.

    Attributes
    ----------
    name : str
    groups : list of str or None
        None where persons have roles, not groups.
    """

    name: str
    groups: list[str] | None


def is_safe(address: str) -> bool:
    """Whether nobody on the way can read or alter what is sent to an address: https, or this machine itself.

    Examples
    --------
    >>> [is_safe(address) for address in ("https://login.example.org", "http://127.0.0.1:8080", "http://login.example.org")]
    [True, True, False]
    """
    try:
        place = urlsplit(address)
        return bool(place.hostname) and (
            place.scheme == "https" or (place.scheme == "http" and place.hostname in LOOPBACK)
        )
    except ValueError:
        return False
