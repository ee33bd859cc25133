"""Write the reference pages that follow from the code: the command line, the model file, the public API.

`python -m docs.generate` writes them, `python -m docs.generate --check` says which are out of date (exit code 1).
"""

import sys
from pathlib import Path

from docs.reference_pages.command_line import command_line
from docs.reference_pages.model_file import model_file
from docs.reference_pages.parts import WRITTEN, cell
from docs.reference_pages.public_api import public_api

REFERENCE = Path(__file__).resolve().parent / "reference"
_BEGIN, _END = "<!-- begin: written by `make docs` from the code -->", "<!-- end -->"


def pages() -> dict[str, str]:
    """The text of every generated page, by its name."""
    return {
        "cli.md": command_line(),
        "exit-codes.md": exit_codes(),
        "model-file.md": model_file(),
        "api.md": public_api(),
        "mlflow.md": _filled((REFERENCE / "mlflow.md").read_text(), tags()),
    }


def _filled(page: str, text: str) -> str:
    """A page with a text between its marks."""
    head, rest = page.split(_BEGIN)
    return f"{head}{_BEGIN}\n{text}{_END}{rest.split(_END)[1]}"


def tags() -> str:
    """The tags of a version, from its properties."""
    from evergreen.registry.tags import Tag
    from evergreen.registry.version import Version

    members = [tag for tag in vars(Version).values() if isinstance(tag, Tag)]
    rows = [f"| `evergreen.{tag.stored}` | {tag.kind} | {cell(tag.meaning)} |" for tag in members]
    return "\n".join(["| tag | type | holds |", "| --- | --- | --- |", *rows]) + "\n"


def exit_codes() -> str:
    """The exit codes with their meaning."""
    from evergreen.exit_codes import Exit

    rows = [f"| {code.value} | {code.name.lower()} | {code.meaning} |" for code in Exit]
    lines = [
        "# Exit codes",
        "",
        WRITTEN,
        "A program can tell from the exit code what a command came to. [The command line](cli.md) says which codes "
        "a command can end with.",
        "",
        "| code | name | meaning |",
        "| --: | --- | --- |",
        *rows,
        "",
        "[Troubleshooting](../troubleshooting.md) says what to do about each.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the pages, or check them."""
    texts = pages()
    stale = [
        name
        for name, text in texts.items()
        if not (REFERENCE / name).is_file() or (REFERENCE / name).read_text() != text
    ]
    if "--check" in sys.argv:
        if stale:
            sys.exit(f"Out of date in docs/reference: {', '.join(stale)}. Run `make docs`, and commit them.")
        return
    for name in stale:
        (REFERENCE / name).write_text(texts[name])


if __name__ == "__main__":
    main()
