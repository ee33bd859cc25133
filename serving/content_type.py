"""The content types of request bodies."""

from collections.abc import Sequence

from serving.errors import unsupported

JSON, CSV = "application/json", "text/csv"


def check_type(content: str, accepted: Sequence[str]) -> str:
    """The media type that a content type names.

    It is required, and none is accepted that a browser's form can send: so no web page can send a request unasked.

    Raises
    ------
    RequestError
        415 if it is none of those accepted, or its character set is not UTF-8.
    """
    if content in accepted:
        return content
    kind, *parameters = content.lower().replace(" ", "").split(";")
    if kind not in accepted:
        received = f"The content type {kind} is not supported" if kind else "The request has no content type"
        other = f", or `content-type: {CSV}` for CSV" if CSV in accepted else ""
        raise unsupported(f"{received}. Send the header `content-type: {JSON}`{other}.")
    if any(
        parameter.startswith("charset=") and parameter[8:].strip('"') not in ("utf-8", "utf8")
        for parameter in parameters
    ):
        raise unsupported(f"The body is sent as {content}; send UTF-8.")
    return kind
