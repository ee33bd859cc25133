"""Output: a table for a person, or JSON for a program."""

import csv
import io
import json
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from evergreen.csv_text import defused
from evergreen.reports.html import plain


def say(as_json: bool, value: Any, shown: Any, then: str = "") -> None:
    """Print a value as JSON, or its table for a person, and on stderr the command that one runs next."""
    progress = sys.modules.get("flows.runtime.progress")
    if progress:  # else nothing is shown that would have to end
        progress.pause()
    if as_json:
        print(json.dumps(plain(value), indent=1, default=_written))
    else:
        from rich.console import Console

        from cli.render.parts import readable

        Console(highlight=False).print(readable(shown), crop=False)  # a truncated path is of no use
        if then:
            Console(stderr=True, highlight=False).print(f"Next: {then}", style="dim", markup=False, soft_wrap=True)


def tell(line: str) -> None:
    """Print a line of a command that runs on; on a terminal words stay whole, but for lines to copy."""
    wide = shutil.get_terminal_size().columns
    if sys.stdout.isatty() and "\n" not in line and not line.lstrip().startswith("export "):
        label = re.match(r"\s*(\S+\s{2,})?", line)
        indent = " " * (label.end() if label else 0)
        line = textwrap.fill(line, wide, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    print(line, flush=True)


def _written(value: Any) -> Any:
    """A part of a model's definition as an object; anything else as text."""
    dump = getattr(value, "model_dump", None)
    return dump(mode="json") if dump else str(value)


def browse(page: str | Path, wanted: bool | None, as_json: bool = False) -> None:
    """Open a page in a browser if wanted; by default if a person uses a terminal with a screen."""
    screen = sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if wanted or (wanted is None and screen and sys.stdout.isatty() and not as_json):
        import webbrowser

        webbrowser.open(Path(page).resolve().as_uri())


def comma_separated(objects: Sequence[Any]) -> str:
    """Objects of one dataclass as CSV with a header, safe to open in a spreadsheet; empty for no objects."""
    text = io.StringIO()
    if objects:
        writer = csv.DictWriter(text, [field.name for field in fields(objects[0])], lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: defused(cell) for name, cell in asdict(row).items()} for row in objects)
    return text.getvalue()
