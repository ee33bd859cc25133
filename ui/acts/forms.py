"""The forms of pages: read within limits, and only if they stood on a page for the same visitor."""

import re
import secrets
import unicodedata
from dataclasses import dataclass
from urllib.parse import parse_qsl

from fastapi import Request

from ui.access.visitor import NOBODY, Visitor
from ui.refusal import RefusedError

LONGEST = 4_000  # characters of a reason: the registry keeps up to 5,000
_BYTES = 64_000  # of a form
_TOKEN = re.compile(r"[\w-]{16,64}")


@dataclass(frozen=True)
class Form:
    """What a form has sent.

    Attributes
    ----------
    fields : dict of str to str
    visitor : Visitor
        Who sent it.
    """

    fields: dict[str, str]
    visitor: Visitor

    def __getitem__(self, name: str) -> str:
        return self.fields.get(name, "").strip()

    @property
    def token(self) -> str:
        """What is sent once only, however often the form is.

        Raises
        ------
        RefusedError
            It is missing or of another form.
        """
        if not _TOKEN.fullmatch(self["token"]):
            raise RefusedError(400, "The form is incomplete. Load its page again, and send it from there.")
        return self["token"]

    def reason(self, *, required: bool) -> str:
        """Why, in the words of the person.

        Raises
        ------
        RefusedError
            It is missing or too long.
        """
        reason = _clean(self["reason"]).strip()
        if required and not reason:
            raise RefusedError(400, "A reason is needed, for the record. Go back and write one.")
        if len(reason) > LONGEST:
            raise RefusedError(
                400, f"The reason has {len(reason):,} characters; at most {LONGEST:,} are kept. Shorten it."
            )
        return reason


def _clean(text: str) -> str:
    """A text without control characters, which logs and terminals would act on."""
    lines = text.replace("\r\n", "\n")
    return "".join(letter for letter in lines if letter in "\n\t" or unicodedata.category(letter) != "Cc")


def new_token() -> str:
    """A token for a form that is about to be shown."""
    return secrets.token_urlsafe(18)


async def sent(request: Request) -> Form:
    """The form of a request.

    Raises
    ------
    RefusedError
        It is too large, is none, or did not stand on a page for this visitor.
    """
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _BYTES:
            raise RefusedError(413, f"The form has more than {_BYTES:,} bytes. Shorten what was written.")
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise RefusedError(415, "This address takes the forms of its own pages only.")
    try:
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=30))
    except ValueError as error:
        raise RefusedError(400, "The form cannot be read. Load its page again, and send it from there.") from error
    visitor: Visitor = request.scope.get("visitor", NOBODY)
    if visitor is NOBODY or not visitor.wrote(fields.get("form", "")):
        raise RefusedError(
            403, "The form did not come from a page of this session. Load its page again, and send it from there."
        )
    return Form(fields, visitor)
