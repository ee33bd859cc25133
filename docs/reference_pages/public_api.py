"""The page of the public API."""

import inspect
from typing import Any

import evergreen
from docs.reference_pages.model_file import require_described
from docs.reference_pages.parts import WRITTEN, cell, plain


def public_api() -> str:
    """Every public name with what it is; the site shows its docstring."""
    for name in evergreen.__all__:
        if isinstance(getattr(evergreen, name), type):
            require_described(name, getattr(evergreen, name))
    lines = ["# The public API", "", WRITTEN]
    lines += [
        "What `evergreen` exports, and all that model files, policies and gates of your own need. "
        "Whatever else the packages hold may change.",
        "",
        "| name | what it is |",
        "| --- | --- |",
        *(f"| [`{name}`](#evergreen.{name}) | {cell(_line(getattr(evergreen, name)))} |" for name in evergreen.__all__),
        "",
        "The site shows the docstring of each below; `help(evergreen.NAME)` in Python does too.",
        "",
        *(_shown_by_the_site(name) for name in evergreen.__all__),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _shown_by_the_site(name: str) -> str:
    """What mkdocstrings reads; of a part of a model file only the fields, which the docstring describes."""
    fields_only = "    options: {members: false}\n" if hasattr(getattr(evergreen, name), "model_fields") else ""
    return f"::: evergreen.{name}\n{fields_only}"


def _line(of: Any) -> str:
    return plain(inspect.cleandoc(of.__doc__ or "").split("\n\n")[0])
