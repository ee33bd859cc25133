"""Colours and the export of plots."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette, which colour-blind people can distinguish.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#8A8A8A"
PALETTE = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9", GREY)


def colour_of(place: int) -> str:
    """The colour of the series at a place."""
    return PALETTE[place % len(PALETTE)]


def as_svg(figure: "Figure") -> str:
    """A figure as SVG text."""
    from io import StringIO

    from matplotlib import rc_context

    drawn = StringIO()
    with rc_context({"svg.hashsalt": "evergreen"}):
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    return "".join(drawn.getvalue().partition("<svg")[1:])
