"""A badge of a model for a README: its health and its metric, as a picture that needs nothing else."""

from markupsafe import Markup

from evergreen.reports.html import figure
from ui.known.health import Level
from ui.known.summary import Summary

_WIDTHS = {"narrow": 3.6, "usual": 6.6, "wide": 9.6}  # of a letter of Verdana at 11 px, in px
_NARROW, _WIDE = set("iljtfrI.,:;'|!() "), set("mwMW%@—…")
_LONGEST = 40  # letters
_COLOURS = {Level.GOOD: "#005a8c", Level.UNKNOWN: "#55626a", Level.ATTENTION: "#8a4b00", Level.BAD: "#a82c00"}
_SVG = Markup(
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" viewBox="0 0 {width} 20" role="img"'
    ' aria-label="{label}"><title>{label}</title>'
    '<clipPath id="r"><rect width="{width}" height="20" rx="3"/></clipPath>'
    '<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#3c4850"/>'
    '<rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>'
    '<g fill="#ffffff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">'
    '<text x="{left_middle}" y="14" textLength="{left_text}">{name}</text>'
    '<text x="{right_middle}" y="14" textLength="{right_text}">{state}</text></g></svg>\n'
)


def badge(summary: Summary) -> str:
    """The badge of a model: its name, its health, and its metric where one is known."""
    metric = f" · {summary.metric.replace('_', ' ')} {figure(summary.now)}" if summary.trend.shown else ""
    return _drawn(summary.name, f"{summary.health.level.word}{metric}", _COLOURS[summary.health.level])


def unknown(name: str) -> str:
    """The badge of a model that is not there."""
    return _drawn(name, "no such model", _COLOURS[Level.UNKNOWN])


def _drawn(name: str, state: str, colour: str) -> str:
    name, state = (text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…" for text in (name, state))
    left_text, right_text = _width(name), _width(state)
    left, right = left_text + 12, right_text + 12
    return str(
        _SVG.format(
            width=left + right,
            label=f"{name}: {state}",
            left=left,
            right=right,
            colour=colour,
            left_middle=left / 2,
            right_middle=left + right / 2,
            left_text=left_text,
            right_text=right_text,
            name=name,
            state=state,
        )
    )


def _width(text: str) -> int:
    kinds = ("narrow" if letter in _NARROW else "wide" if letter in _WIDE else "usual" for letter in text)
    return max(round(sum(_WIDTHS[kind] for kind in kinds)), 1)
