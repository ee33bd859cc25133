"""What a caller is told where there is no answer: an HTTP status, MLflow's error code, a sentence."""

_LONGEST = 1_000  # characters


class RequestError(Exception):
    """A request that gets no answer.

    What came may be in the message, which is cut then: an error is no echo of megabytes.

    Attributes
    ----------
    status : int
        Of HTTP.
    code : str
        MLflow's word for it.
    message : str
        What was wrong, what came, and what to do.
    field : str or None
        The column that it is about.
    """

    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, _short(message)
        self.field = field and _short(field)

    def body(self) -> dict[str, str]:
        """As JSON, in MLflow's form."""
        told = {"error_code": self.code, "message": self.message}
        return told | {"field": self.field} if self.field else told


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def malformed(message: str) -> RequestError:
    """The body is none of the forms that are read here."""
    return RequestError(400, "BAD_REQUEST", message)


def unfit(message: str, field: str | None = None) -> RequestError:
    """The body is read, but does not meet the model's signature."""
    return RequestError(422, "INVALID_PARAMETER_VALUE", message, field)


def overloaded(message: str) -> RequestError:
    """Nothing is wrong with the request; it may be sent again."""
    return RequestError(503, "TEMPORARILY_UNAVAILABLE", message)
