"""Passwords and signatures in the parameters of a run, which Prefect stores: refused by its schema and by commands."""

from collections.abc import Mapping

from evergreen.addresses import has_secret
from evergreen.errors import SourceError

# Names of parameters whose value gives access, as in `?password=`, `;PWD=`, `&X-Amz-Signature=`, `?sig=`.
_NAMES = "pass", "pwd", "token", "sig", "secret", "credential", "accesskey", "access_key", "apikey", "api_key"


def _any_case(word: str) -> str:
    return "".join(f"[{letter}{letter.upper()}]" if letter.isalpha() else letter for letter in word)


# As `has_secret`, in what Python and JavaScript both understand, since JSON Schema uses it. A value that begins with $
# is the name of an environment variable; digits before a slash are a port.
SECRET = (
    r"://[^/@\s:]*:(?!\$|[0-9]+/)[^\s]+@"
    rf"|([?&;]|%3[bB])[^=&;/\s]*({'|'.join(map(_any_case, _NAMES))})[^=&;/%\s]*(=|%3[dD])(?!\$|%24)[^&;\s]"
)


def refuse_secrets(parameters: Mapping[str, object]) -> None:
    """Refuse parameters of a run that hold a secret, since Prefect stores them.

    Raises
    ------
    SourceError
        One does.
    """
    for name, value in parameters.items():
        if isinstance(value, str) and any(map(has_secret, _addresses(value))):
            raise SourceError(
                f"The {name} holds a password or a signature, which Prefect would store with the run. Put the address "
                "into an environment variable of the worker, say SALES_DB, and give its name: '$SALES_DB'."
            )


def _addresses(text: str) -> list[str]:
    """What of a text can be an address: all of it, or the words of a query that look like one."""
    words = text.split()
    return words if len(words) == 1 else [word for word in words if "://" in word]
