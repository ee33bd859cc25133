"""Errors of a request: an HTTP status, MLflow's error code, and a message."""

_MAX_LENGTH = 1_000  # characters


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


def invalid(message: str, field: str | None = None) -> RequestError:
    """The body can be read, but does not match the model's signature."""
    return RequestError(422, "INVALID_PARAMETER_VALUE", message, field)


def overloaded(message: str) -> RequestError:
    """The request is valid, but cannot be served now; the caller may send it again."""
    return RequestError(503, "TEMPORARILY_UNAVAILABLE", message)
