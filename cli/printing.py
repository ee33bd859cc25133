"""Output: a table for a person, or JSON for a program."""

import json
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

        Console(highlight=False).print(shown)
