"""Passwords and signatures in addresses: found, left out of what is shown, and read from the environment."""

import os
import re

# A user and a password, also where the address is malformed: the scheme or its slashes may be missing. Up to the last
# @, as a password that is not percent-encoded may contain one. Digits before a slash are a port.
_USER = re.compile(r"((?:\w:/*|//|(?<![^\s'\"(]))[^\s/:@'\"(]*:)(?!/|[0-9]+/)(\S*)@")
_NAMES = r"""
    (?<![\w.-])(?=[\w.-]*?(?:passw(?:or)?d|passphrase|pwd|secret|token|signature|credential|account_?key|access_?key|
    api_?key|odbc_connect))[\w.-]++ | (?<![\w.-])(?:pass|sig|sas)
"""
_PARAMETER = re.compile(
    rf"""((?:{_NAMES})(?:\s*=\s*|%3D))(\{{[^}}]*\}}|'[^']*'|"[^"]*"|[^\s&;'",)]+)""", re.IGNORECASE | re.VERBOSE
)
_HIDDEN = "***"


def without_secrets(text: str) -> str:
    """A text with ``***`` in place of the passwords and signatures of the addresses in it.

    They stand before an ``@``, or after a name such as ``password=``, ``token=`` or ``X-Amz-Signature=``. The name of
    an environment variable is no secret.

    Examples
    --------
    >>> without_secrets("No route to postgresql://me:a@b@there/shop")
    'No route to postgresql://me:***@there/shop'
    >>> without_secrets("https://there/sales.csv?sv=1&sig=a%2Fb and $URL, s3://a:$B@c")
    'https://there/sales.csv?sv=1&sig=*** and $URL, s3://a:$B@c'
    """
    return _PARAMETER.sub(_hidden, _USER.sub(lambda found: _hidden(found) + "@", text))


def _hidden(found: re.Match[str]) -> str:
    return found[1] + (found[2] if _is_variable(found[2]) else _HIDDEN)


def _is_variable(text: str) -> bool:
    return re.fullmatch(r"\$\w+|\$\{\w+\}", text) is not None


def has_secret(address: str) -> bool:
    """Whether an address contains a password or a signature itself, rather than the name of a variable.

    Examples
    --------
    >>> [has_secret(address) for address in ("mysql://me:a@there/b", "mysql://me:$A@there/b", "s3://there/token=1/a")]
    [True, False, False]
    """
    place, _, query = address.partition("?")
    return without_secrets(query) != query or _USER.sub(lambda found: _hidden(found) + "@", place) != place


def expanded(address: str) -> str:
    """An address with the values of the environment variables in it; a variable that is not set stays as it is.

    A local path may contain ``$``: of paths, only one that begins with it is expanded.
    """
    return os.path.expandvars(address) if address.startswith("$") or "://" in address else address
