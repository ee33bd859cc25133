"""Text in CSV that a spreadsheet opens: a cell that begins like a formula would be run (OWASP, CSV Injection)."""

from typing import Any

_BEGINS = tuple("=+-@\t\r\n＝＋－＠")


def defused(value: Any) -> Any:
    """A cell as it is safe to open: text that begins like a formula gets an apostrophe before it.

    Numbers, and text that is one, stay as they are.

    Examples
    --------
    >>> [defused(cell) for cell in ("=1+1", "+49 30 1", "-5", "a=b", -5.0)]
    ["'=1+1", "'+49 30 1", '-5', 'a=b', -5.0]
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(_BEGINS) and not _is_number(value) else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text == text.strip()
