"""Output: a table for a person, or JSON for a program."""

import json
from dataclasses import asdict, is_dataclass
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]


def say(as_json: bool, value: Any, shown: Any) -> None:
    """Print a value as JSON, or what shows it to a person."""
    if as_json:
        print(json.dumps(plain(value), indent=1, default=str))
    else:
        from rich.console import Console

        Console(highlight=False).print(shown)


def plain(value: Any) -> Any:
    """Dataclasses as dicts; numbers that JSON lacks as null."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value
