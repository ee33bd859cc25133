"""The shapes of marks on a time axis: of each kind one, as in the plots of reports."""

from markupsafe import Markup

from evergreen.reports.monitoring_plots import MARKS

SIZE = 12  # of a shape, in its own units
_PATHS = {
    "^": "M6 1 11 11H1z",
    "v": "M6 11 1 1h10z",
    "<": "M1 6 11 1v10z",
    "x": "M2 2l8 8M10 2l-8 8",
    "o": "M10.5 6a4.5 4.5 0 1 1-9 0 4.5 4.5 0 1 1 9 0",
    "D": "M6 0l6 6-6 6-6-6z",
    "_": "M0 4h12v4H0z",
    "s": "M1.5 1.5h9v9h-9z",
}
_LINES = ("x", "o")  # shapes that are lines
_KEY = Markup('<svg class="key {}" viewBox="0 0 12 12" aria-hidden="true"><path d="{}"/></svg>')


def path(kind: str) -> str:
    """The path of a kind's shape, within `SIZE` by `SIZE`."""
    return _PATHS[MARKS[kind][0]]


def name(kind: str) -> str:
    """The classes of a kind's shape in the style sheet.

    Examples
    --------
    >>> name("rolled back"), name("rejected")
    ('mark rolled-back', 'mark rejected line')
    """
    return f"mark {kind.replace(' ', '-')}{' line' if MARKS[kind][0] in _LINES else ''}"


def key(kind: str) -> Markup:
    """A kind's shape, for a legend."""
    return _KEY.format(name(kind), path(kind))
