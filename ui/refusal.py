"""What a request is refused for."""


class RefusedError(Exception):
    """A request that is not done.

    Attributes
    ----------
    status : int
        The HTTP status.
    title : str
        In a few words.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    @property
    def title(self) -> str:
        """In a few words, by the status."""
        return {401: "Sign in", 403: "Not allowed", 404: "Not found", 429: "Too many attempts"}.get(
            self.status, "This was not done"
        )
