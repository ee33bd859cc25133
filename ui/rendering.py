"""Templates, and how values are written in them for a person."""

import hashlib
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote, urlencode

from markupsafe import Markup, escape

from evergreen import iso_time
from evergreen.reports.html import figure
from ui.story import late

if TYPE_CHECKING:
    from jinja2 import Environment

_STEPS = ((60, "second"), (60, "minute"), (24, "hour"), (30, "day"), (12, "month"), (math.inf, "year"))
_WIDE, _HIGH = 120.0, 28.0  # of a sparkline, in its own units
_FILES = {"css", "csv", "html", "js", "json", "md", "png", "svg"}  # how addresses of files end, not of pages
_PLAIN = re.compile(r"[A-Za-z0-9_~][A-Za-z0-9_.@+=~, -]{0,99}(?<![ .])")
_FRACTION = re.compile(r"-?\d+\.\d+")
_LEVEL = Markup('<line class="level" x1="0" x2="{0}" y1="{1}" y2="{1}"/>')
_SPARK = Markup('<svg class="spark" viewBox="0 0 {} {}" role="img" aria-label="{}">{}<polyline points="{}"/></svg>')

Link = Callable[[str], str]
"""From the path of a page below the root, without a slash in front, to the address that a page links to."""


@dataclass(frozen=True)
class Live:
    """Links between the pages of a running UI.

    Attributes
    ----------
    prefix : str
        Of all its addresses, as a proxy in front sets it; without a slash at the end.
    """

    prefix: str = ""

    def __call__(self, path: str) -> str:
        """The address of a page or file."""
        return f"{self.prefix}/{path}"


@dataclass(frozen=True)
class Exported:
    """Links between pages that lie in a folder, each a file `index.html` in one of its own.

    Attributes
    ----------
    page : str
        The path of the page that links, as another page links to it.
    follow : callable
        Is told the path of each page that is linked.
    """

    page: str
    follow: Callable[[str], None] = lambda path: None

    def __call__(self, path: str) -> str:
        """The address of a page or file, from the page that links."""
        target, _, fragment = path.partition("#")
        self.follow(target)
        up = "../" * file_of(self.page).count("/")
        return f"{up}{quote(file_of(target))}" + (f"#{fragment}" if fragment else "")


def file_of(path: str) -> str:
    """The file of a page in a folder of exported pages; of its query only the number of the page counts.

    Examples
    --------
    >>> [file_of(path) for path in ("", "models", "activity?act=code&page=2", "static/ui.css")]
    ['index.html', 'models/index.html', 'activity/page-2/index.html', 'static/ui.css']
    >>> file_of("models/toy/quarantine/..%2F..%2Fsecret").count("/")
    4
    """
    path, _, query = path.partition("?")
    segments = [_folder(unquote(segment)) for segment in path.split("/") if segment]
    number = dict(parse_qsl(query)).get("page", "1")
    if number != "1":
        segments.append(_folder(f"page-{number}"))
    is_file = bool(segments) and segments[-1].rpartition(".")[2] in _FILES and "." in segments[-1]
    return "/".join(segments if is_file else [*segments, "index.html"])


def _folder(name: str) -> str:
    """A name as any file system takes it, and none that leads out of the folder."""
    return name if _PLAIN.fullmatch(name) else f"_{hashlib.sha256(name.encode()).hexdigest()[:16]}"


@cache
def environment() -> "Environment":
    """The templates of this package; every value is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("ui"), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    made.filters |= {"time": time, "ago": ago, "figure": figure, "sparkline": sparkline}
    made.filters |= {"digest": digest, "digits": digits}
    made.globals |= {"address": address, "late": late}
    return made


def address(path: str, **query: object) -> str:
    """A path with the fields of a query that are not empty.

    Examples
    --------
    >>> address("activity", model="a b", act="", page=2)
    'activity?model=a+b&page=2'
    """
    given = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(given)}" if given else path


def digest(text: str) -> str:
    """What tells a text from others, as an attribute can hold it."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def compile_all() -> None:
    """Compile every template, so that the first page that needs it does not wait for that."""
    made = environment()
    for name in made.list_templates():
        made.get_template(name)


def time(moment: str) -> Markup:
    """A time, ISO 8601, as its minute in UTC; a script writes it in the reader's zone.

    Examples
    --------
    >>> time("2026-03-01T06:15:20+00:00")
    Markup('<time datetime="2026-03-01T06:15:20+00:00">2026-03-01 06:15 UTC</time>')
    """
    if not moment:
        return Markup("–")
    try:
        parsed = _utc(moment)
    except (ValueError, OverflowError):  # somebody wrote it into a table
        return escape(moment)
    return Markup('<time datetime="{}">{}</time>').format(parsed.isoformat(), f"{parsed:%Y-%m-%d %H:%M} UTC")


def ago(moment: str, now: datetime | None = None) -> Markup:
    """How long ago a time was, in its largest unit.

    Examples
    --------
    >>> ago("2026-03-01T06:15:00+00:00", datetime(2026, 3, 4, 7, tzinfo=UTC))
    Markup('<time data-ago datetime="2026-03-01T06:15:00+00:00" title="2026-03-01 06:15 UTC">3 days ago</time>')
    """
    if not moment:
        return Markup("–")
    parsed = _utc(moment)
    return Markup('<time data-ago datetime="{}" title="{}">{}</time>').format(
        parsed.isoformat(), f"{parsed:%Y-%m-%d %H:%M} UTC", _span((now or datetime.now(UTC)) - parsed)
    )


def _span(passed: timedelta) -> str:
    value, ahead = abs(passed.total_seconds()), passed.total_seconds() < 0
    for size, unit in _STEPS:
        if value < size:
            words = f"{value:.0f} {unit}{'' if round(value) == 1 else 's'}"
            return f"in {words}" if ahead else f"{words} ago"
        value /= size
    raise AssertionError


def _utc(moment: str) -> datetime:
    return iso_time.parsed(moment).astimezone(UTC)


def digits(text: str) -> str:
    """A text that is a number, with at most six digits; any other one as it is.

    Examples
    --------
    >>> digits("1171.2409469640033"), digits("3 of 9 rows"), digits("12345678")
    ('1171.24', '3 of 9 rows', '12345678')
    """
    return f"{float(text):.6g}" if _FRACTION.fullmatch(text) else text


def sparkline(points: Sequence[tuple[str, float]], baseline: float = math.nan) -> Markup:
    """A line of values without axes, and a dashed one at the baseline; empty for fewer than two values."""
    values = [value for _, value in points]
    if len(values) < 2:
        return Markup("")
    shown = [*values, baseline] if math.isfinite(baseline) else values
    low, high = min(shown), max(shown)

    def height(value: float) -> float:
        return _HIGH / 2 if high == low else 2 + (_HIGH - 4) * (high - value) / (high - low)

    step = _WIDE / (len(values) - 1)
    path = " ".join(f"{place * step:.1f},{height(value):.1f}" for place, value in enumerate(values))
    told = f"from {figure(values[0])} to {figure(values[-1])}"
    level = _LEVEL.format(f"{_WIDE:.0f}", f"{height(baseline):.1f}") if math.isfinite(baseline) else ""
    return _SPARK.format(f"{_WIDE:.0f}", f"{_HIGH:.0f}", told, level, path)
