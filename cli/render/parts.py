"""Helpers for the other modules of `cli/render/`: tables that fit, and text that is never cut."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Group
from rich.constrain import Constrain
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions

READABLE = 100  # columns of a line of prose, however wide the terminal
_BESIDE = 48  # columns of what has other columns to its right, which would be far away
_LAST = 20  # columns that the last column gets at least, where it holds prose
_WORD = 40  # columns of a word that stays in one piece
_GAP = 2


class Rows:
    """Rows under named columns: a table without lines where its words fit, else a paragraph for each row.

    Cells are text as it is: no markup is looked for.

    Parameters
    ----------
    title : str
    columns : sequence of str
        A column without a name, for a word such as OPEN, has no label in a paragraph either.
    uncut : str, optional
        A column whose text is never cut, so that it can be copied; the last one may reach beyond the terminal.
    """

    def __init__(self, title: str, columns: Sequence[str], uncut: str | None = None) -> None:
        self._title, self._columns, self._uncut = title, list(columns), uncut
        self._rows: list[tuple[list[Text], str]] = []

    def add_row(self, *cells: str | Text, style: str | None = None) -> None:
        """Add a row: a cell for each column."""
        texts = [cell if isinstance(cell, Text) else Text(cell) for cell in cells]
        self._rows.append((texts, style or ""))

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> Iterator[Any]:
        if self._title:
            yield Text(self._title, style="italic")
        every = list(range(len(self._columns)))
        told = [place for place in every if any(cells[place].plain for cells, _ in self._rows)]
        for places in (every, told):
            least, most = zip(*map(self._widths, places), strict=True) if places else ((), ())
            room = options.max_width - _GAP * (len(places) - 1)
            if sum(least) <= room:
                widths = _shared(room, least, most)
                if self._uncut == self._columns[places[-1]]:
                    widths[-1] = most[-1]
                wide = options.update(max_width=max(options.max_width, sum(widths) + _GAP * len(widths)))
                yield from console.render(self._table(places, widths), wide)
                return
        yield from map(self._paragraph, self._rows)

    def _widths(self, place: int) -> tuple[int, int]:
        """The columns that a column of the table needs, and those that it can use."""
        cells = [cells[place].plain for cells, _ in self._rows]
        longest = max((cell_len(line) for cell in cells for line in cell.splitlines()), default=0)
        header = self._columns[place]
        word = max((cell_len(word) for text in (header, *cells) for word in text.split()), default=0)
        last = place == len(self._columns) - 1
        if header == self._uncut:
            whole = max(longest, cell_len(header))
            return cell_len(header) if last else whole, whole
        least = max(min(word, _WORD), min(longest, _LAST) if last else 0, 1)
        return least, max(least, min(max(longest, cell_len(header)), READABLE if last else _BESIDE))

    def _table(self, places: Sequence[int], widths: Sequence[int]) -> Table:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for place, width in zip(places, widths, strict=True):
            table.add_column(Text(self._columns[place]), width=width, overflow="fold")
        for cells, style in self._rows:
            table.add_row(*(cells[place] for place in places), style=style)
        return table

    def _paragraph(self, row: tuple[list[Text], str]) -> Group:
        """A row with its first cell and those without a label as the heading."""
        (first, *others), style = row
        named = [(name, cell) for name, cell in zip(self._columns[1:], others, strict=True) if cell.plain]
        heading = Text("  ").join([first, *(cell for name, cell in named if not name)])
        parts = [Text.assemble(f"{name}: ", cell) for name, cell in named if name]
        indented = Constrain(Padding(Text("; ").join(parts), (0, 0, 0, 4), expand=False), READABLE)
        heading.stylize_before(f"bold {style}")
        return Group(heading, *([indented] if parts else []))


def _shared(room: int, least: Sequence[int], most: Sequence[int]) -> list[int]:
    """What each column gets of the room: what it needs, and an even part of the rest up to what it can use."""
    widths = list(least)
    while (rest := room - sum(widths)) > 0 and (short := [i for i, width in enumerate(widths) if width < most[i]]):
        share = max(rest // len(short), 1)
        for place in short[:rest]:
            widths[place] = min(widths[place] + share, most[place])
    return widths


def table_of(title: str, *columns: str, uncut: str | None = None) -> Rows:
    """A table without lines, titled and with these columns; `uncut` names one that is never cut."""
    return Rows(title, columns, uncut)


def whole(path: str, sentence: str = "") -> Any:
    """A path in one piece, however narrow the terminal, after a sentence."""
    lines = [Text(sentence)] if sentence else []
    return Group(*lines, as_it_is(path))


def as_it_is(text: str, style: str = "") -> Text:
    """Text that is to be copied: its lines stay as they are, however narrow the terminal."""
    return Text(text, style=style, no_wrap=True, overflow="ignore")


def readable(shown: Any) -> Any:
    """What is to be printed, with prose in lines that are not too long to read; tables may be wider."""
    if isinstance(shown, str):
        shown = Text(shown)
    if isinstance(shown, Rows) or (isinstance(shown, Text) and shown.no_wrap):
        return shown
    if isinstance(shown, Group):
        return Group(*map(readable, shown.renderables))
    return Constrain(shown, READABLE)
