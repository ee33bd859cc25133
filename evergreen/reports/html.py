"""Small self-contained HTML pages for people, and the same values for programs."""

import math
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from jinja2 import Environment

    from evergreen.ingestion.quarantine import Entry

DESIGN = Path(__file__).parent / "templates" / "design.css"  # of all pages


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader

    return Environment(loader=PackageLoader("evergreen.reports"), autoescape=True, trim_blocks=True)


def render(template: str, **values: object) -> str:
    """Fill a template of this package; every value is escaped.

    Parameters
    ----------
    template : str
        The name of a file in ``evergreen/reports/templates``, without its suffix.
    **values
        What the template names.
    """
    return _environment().get_template(f"{template}.html").render(**values)


def day(time: "pd.Timestamp | None") -> str:
    """A time as its date; empty where there is none."""
    return "" if time is None else f"{time:%Y-%m-%d}"


def chain(steps: Sequence[tuple[str, str, str]]) -> str:
    """Boxes with arrows between them, each a title, a fact and a detail; they wrap on a narrow page."""
    return render("chain", steps=steps)


def figure(value: float | None, form: str = "%.4g", infinite: str = "–") -> str:
    """A number for a person; a dash if there is none.

    Examples
    --------
    >>> figure(1.23456), figure(None), figure(float("inf"), infinite="none yet")
    ('1.235', '–', 'none yet')
    """
    if value is None or math.isnan(value):
        return "–"
    return infinite if math.isinf(value) else form % value


def plain(value: Any) -> Any:
    """Dataclasses as dicts; numbers that JSON lacks as null."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value


def quarantined(entry: "Entry") -> str:
    """The page of a batch that broke its contract."""
    return render("quarantine", entry=entry)
