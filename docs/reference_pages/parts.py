"""What the generated pages share."""

WRITTEN = "<!-- Written by `make docs` from the code; change it there. -->\n"


def cell(text: str) -> str:
    """A text as a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def plain(text: str) -> str:
    """A docstring's text with code marked as Markdown marks it."""
    return text.replace("``", "`")
