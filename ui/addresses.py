"""Parts of addresses: any text as one segment of a path, which no proxy, browser or file system takes for two."""

import re
from urllib.parse import quote, unquote

_ESCAPE = "~"
_DOTS = re.compile(r"\.+")


def segment(text: str) -> str:
    """A text as one segment of a path.

    What is not a letter, a digit, `-`, `_` or a dot between others is written by its bytes, behind `~` instead of `%`:
    servers take `%2F` for a slash, and browsers leave out a segment of dots.

    Examples
    --------
    >>> segment("dep_delay"), segment("a/b?"), segment(".."), segment("~1"), segment("é")
    ('dep_delay', 'a~2Fb~3F', '~2E~2E', '~7E1', '~C3~A9')
    """
    escaped = quote(text, safe="").replace("~", "%7E").replace("%", _ESCAPE)
    return escaped.replace(".", "~2E") if _DOTS.fullmatch(escaped) else escaped


def text_of(segment: str) -> str:
    """The text that `segment` wrote; of any other text itself.

    Examples
    --------
    >>> text_of("a~2Fb~3F"), text_of("a b")
    ('a/b?', 'a b')
    """
    return unquote(segment.replace(_ESCAPE, "%"))
