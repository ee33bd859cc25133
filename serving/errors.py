"""Errors of a request: an HTTP status, MLflow's error code, and a message."""

from typing import Any

_MAX_LENGTH = 1_000  # characters
_MAX_SHOWN = 60  # characters of a value in an error


class RequestError(Exception):
    """A request that is refused.

    The message may quote the request. It is cut to 1,000 characters, so that an error never returns megabytes.

    Attributes
    ----------
    status : int
        The HTTP status.
    code : str
        MLflow's error code.
    message : str
        What is wrong, what was received, and what to do.
    field : str or None
        The column that the error concerns.
    """

    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, _short(message)
        self.field = field and _short(field)

    def body(self) -> dict[str, str]:
        """The JSON body, in MLflow's format."""
        body = {"error_code": self.code, "message": self.message}
        return body | {"field": self.field} if self.field else body


def _short(text: str) -> str:
    return text if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]}..."


def malformed(message: str) -> RequestError:
    """The body has none of the supported formats."""
    return RequestError(400, "BAD_REQUEST", message)


def denied(message: str) -> RequestError:
    """The caller may not do this."""
    return RequestError(403, "PERMISSION_DENIED", message)


def unsupported(message: str) -> RequestError:
    """The body has a content type, a character set or an encoding that is not read."""
    return RequestError(415, "BAD_REQUEST", message)


def invalid(message: str, field: str | None = None) -> RequestError:
    """The body can be read, but does not match the model's signature."""
    return RequestError(422, "INVALID_PARAMETER_VALUE", message, field)


def overloaded(message: str) -> RequestError:
    """The request is valid, but cannot be served now; the caller may send it again."""
    return RequestError(503, "TEMPORARILY_UNAVAILABLE", message)


def shown(value: Any) -> str:
    """A value for an error message: only the type of a list or an object, as JSON can nest deeper than repr allows."""
    if type(value) in (list, dict):
        return json_type(value)
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 3]}..."


def json_type(value: Any) -> str:
    """The type of a value, in JSON's words."""
    names = {list: "a list", dict: "an object", str: "a text", type(None): "null", bool: "a truth value"}
    return names.get(type(value), "a number")
