"""The pages of the documentation and the code that they are held against."""

import ast
import re
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
DOCS = CHECKOUT / "docs"
CODE = ("cli", "evergreen", "flows", "serving", "tasks", "ui")


def page(name: str) -> str:
    """The text of a page, by its path from the checkout."""
    return (CHECKOUT / name).read_text()


def section(text: str, title: str) -> str:
    """What stands under a heading, up to the next one of its level or above."""
    match = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^#{{1,6}} |\Z)", text, re.M | re.S)
    assert match, f"no heading {title!r}"
    return match[2]


def rows(text: str) -> list[list[str]]:
    """The rows of all tables in a text, without their heads."""
    table_rows: list[list[str]] = []
    lines = text.splitlines()
    for before, line in zip(["", *lines], lines, strict=False):
        if line.startswith("|") and not set(line) <= set("|-: "):
            table_rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        elif line.startswith("|") and before.startswith("|"):
            table_rows.pop()  # the head
    return table_rows


def coded(text: str) -> set[str]:
    """What is written as code in a text."""
    return set(re.findall(r"`([^`]+)`", text))


@cache
def nodes() -> list[ast.AST]:
    """Every node of the code, of all files."""
    files = [path for root in CODE for path in sorted((CHECKOUT / root).rglob("*.py"))]
    return [node for path in files for node in ast.walk(ast.parse(path.read_text()))]


def calls() -> list[ast.Call]:
    """Every call in the code."""
    return [node for node in nodes() if isinstance(node, ast.Call)]


def texts() -> set[str]:
    """Every constant text in the code, docstrings and parts of f-strings too."""
    return {node.value for node in nodes() if isinstance(node, ast.Constant) and isinstance(node.value, str)}
