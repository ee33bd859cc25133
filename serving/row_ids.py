"""The ids of rows that callers send."""

import re

from serving.errors import invalid, shown

_MAX_ID = 512  # characters of a row's id
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def checked_ids(ids: list[str], field: str) -> list[str]:
    """Ids of rows as they are logged, shown and asked for again.

    Raises
    ------
    RequestError
        422 if one is longer than 512 characters, or holds a control character or a line break.
    """
    if max(map(len, ids), default=0) > _MAX_ID or _CONTROL.search("".join(ids)):
        bad = next(id_ for id_ in ids if len(id_) > _MAX_ID or _CONTROL.search(id_))
        fault = "holds a control character" if len(bad) <= _MAX_ID else f"has more than {_MAX_ID} characters"
        raise invalid(f"The id {shown(bad)} {fault}. Send an id that one line of text can hold.", field)
    return ids
