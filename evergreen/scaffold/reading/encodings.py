"""The encoding of a text file that nobody has told, by its marks and its bytes.

UTF-8 wins wherever it is valid, and is told with its faults where it nearly is.
"""

import codecs
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from evergreen.errors import SourceError
from evergreen.ingestion.sources.csv_format import opened
from evergreen.scaffold.reading.code_pages import of_words

_PIECE, _LONGEST = 1_000_000, 4_000_000  # bytes that are looked at together, and of a line
_CONTROLS = bytes({*range(32), 127} - {*b"\t\n\v\f\r\x1a\x1b"})  # which no text has
COMMENT = b"#"  # which DuckDB passes over at the top without naming it
_MARKED, _COMMENTS = 200, re.compile(rb"(?<![^\r\n])#[^\r\n]*")
_PLAIN = "ascii"
_STRANGE = 0.02  # the share of them that makes a file binary
_MARKS = (  # the longer before what they begin with
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ZEROS = {"utf-32-le": (4, 0), "utf-32-be": (4, 3), "utf-16-le": (2, 0), "utf-16-be": (2, 1)}  # width, place of letters
_MOST = 0.8  # of places, that bytes 0 have in text of such a width


def guess_encoding(paths: Sequence[Path], marked: dict[Path, list[bytes]] | None = None) -> dict[Path, str]:
    """The encoding of each text file; a file of ASCII has that of the others, or UTF-8.

    Parameters
    ----------
    paths : sequence of Path
    marked : dict of Path to list of bytes, optional
        Takes the first lines of each file that begin with the sign of comments; of no file with several bytes for each
        letter.

    Raises
    ------
    SourceError
        One is no text, has bytes 0, or is UTF-8 but for a few bytes.
    """
    found = {path: _of_bytes(path, {} if marked is None else marked) for path in paths}
    strange = b"\n".join(piece for piece in found.values() if isinstance(piece, bytes))
    other = of_words(strange) if strange else ""
    told = {path: other if isinstance(name, bytes) else name for path, name in found.items()}
    common = next((name for name in told.values() if name != _PLAIN), "utf-8")
    inherited = "utf-8" if common.startswith(("utf-16", "utf-32")) else common
    return {path: inherited if name == _PLAIN else name for path, name in told.items()}


def _of_bytes(path: Path, marked: dict[Path, list[bytes]]) -> str | bytes:
    """The encoding of a file by its bytes; where they do not tell, lines of it."""
    with opened(path) as file:
        head = file.read(_PIECE)
        if wide := _wide(head):
            return wide
        if len(head.translate(None, _CONTROLS)) < (1 - _STRANGE) * len(head):
            raise SourceError(f"{path.name} is no text, but binary. Give a table as CSV or Parquet.")
        seen = _Seen.of(head, file, path)
    marked[path] = seen.marked
    if not seen.strange:
        return "utf-8" if seen.letters else _PLAIN
    if seen.letters > seen.faults:
        more = f", and {seen.faults - 1:,} more are wrong" if seen.faults > 1 else ""
        raise SourceError(
            f"{path.name} is written in UTF-8, but line {seen.line:,} has the bytes {seen.wrong.hex(' ')}{more}. "
            "Correct them, or save the file anew."
        )
    return seen.strange


def _wide(head: bytes) -> str:
    """The encoding by a mark at the beginning, or by bytes 0 at every second place or three of four; else empty."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    for name, (width, place) in _ZEROS.items():
        zeros = [head[start::width].count(0) / max(1, len(head[start::width])) for start in range(width)]
        letters = zeros.pop(place)
        if len(head) >= width and min(zeros) > _MOST and letters < 1 - _MOST:
            return name
    return ""


@dataclass
class _Seen:
    """What a file has beyond ASCII.

    Attributes
    ----------
    letters, faults : int
        Characters that are valid UTF-8, and bytes that are not.
    strange : bytes
        The first piece with such bytes.
    line, wrong
        Where the first are, and which.
    marked : list of bytes
        The first lines that begin with the sign of comments.
    """

    letters: int = 0
    faults: int = 0
    strange: bytes = b""
    line: int = 0
    wrong: bytes = b""
    marked: list[bytes] = field(default_factory=list)

    @classmethod
    def of(cls, head: bytes, file: IO[bytes], path: Path) -> "_Seen":
        """Look at all of a file.

        Raises
        ------
        SourceError
            It has bytes 0.
        """
        seen, before = cls(), 0
        for piece in _whole_lines(head, file):
            if b"\0" in piece:
                line = before + piece.partition(b"\0")[0].count(b"\n") + 1
                raise SourceError(f"{path.name} has bytes 0 in line {line:,}. Write the file anew, or remove them.")
            if not piece.isascii():
                seen._add(piece, before)
            if COMMENT in piece and len(seen.marked) < _MARKED:
                seen.marked += itertools.islice(_COMMENTS.findall(piece), _MARKED - len(seen.marked))
            before += piece.count(b"\n")
        return seen

    def _add(self, piece: bytes, before: int) -> None:
        text = piece.decode("utf-8", "replace")
        faults = text.count("\ufffd") - piece.count("\ufffd".encode())
        self.letters += len(text) - len(text.encode("ascii", "ignore")) - faults
        self.faults += faults
        if faults and not self.strange:
            self.strange = piece
            try:
                piece.decode()
            except UnicodeDecodeError as error:
                self.line = before + piece[: error.start].count(b"\n") + 1
                self.wrong = piece[error.start : error.end]


def _whole_lines(head: bytes, file: IO[bytes]) -> Iterator[bytes]:
    """A file in pieces that end with a line, of whichever system; one that is too long is cut."""
    rest = head
    while piece := file.read(_PIECE):
        end = max(rest.rfind(b"\n"), rest.rfind(b"\r")) + 1
        end = end or len(rest) * (len(rest) > _LONGEST)
        yield rest[:end]
        rest = rest[end:] + piece
    yield rest
