"""Output: a table for a person, or JSON for a program."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Annotated, Any

import typer

from evergreen.page import plain

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]


def say(as_json: bool, value: Any, shown: Any) -> None:
    """Print a value as JSON, or what shows it to a person."""
    if as_json:
        print(json.dumps(plain(value), indent=1, default=str))
    else:
        from rich.console import Console

        Console(highlight=False).print(shown, crop=False)  # a path that is cut off is none


def comma_separated(found: Sequence[Any]) -> str:
    """Objects of one dataclass as CSV, the names of its fields first; nothing for none."""
    text = io.StringIO()
    if found:
        writer = csv.DictWriter(text, [field.name for field in fields(found[0])], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(one) for one in found)
    return text.getvalue()
