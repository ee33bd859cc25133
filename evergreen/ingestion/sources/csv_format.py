"""How a CSV file is written, and how DuckDB reads it then."""

import bz2
import codecs
import csv
import gzip
import io
import itertools
import lzma
import re
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePath, PurePosixPath
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from evergreen.errors import SourceError
from evergreen.ingestion.sources.places import listed
from evergreen.sql import literal, quoted

if TYPE_CHECKING:
    from _csv import Reader

_UTF8 = frozenset({"utf-8", "utf_8", "ascii", "utf-8-sig"})
CORRECT_ENCODING = "Correct `encoding` in `csv` of the source."
_LONGEST = 2_000_000  # characters of a value; DuckDB reads no longer line
_PACKING = re.compile(r"\.(gz|bz2|xz|zst|zip)$", re.IGNORECASE)
_PATTERN = re.compile(r"[*?\[\]{}]")


class Csv(BaseModel):
    """How CSV files are written. With it nothing is guessed again: every file is read alike, or quarantined.

    Attributes
    ----------
    delimiter, quote : str
        What stands between two values, and around a value that holds a delimiter.
    escape : str
        What stands before a quote within a quoted value, such as a backslash; empty if the quote stands there twice.
    encoding : str
        A name that Python knows, such as ``cp1252`` or ``utf-16``.
    skip : int
        Lines before the header.
    comment : str
        The character that begins a line to be passed over: above the header, and below it where the line has not as
        many values as the header. Empty if there are none.
    names : list of str
        The names of the columns, by their places, where the header is to be replaced. Every file must then have the
        header of the first. Without them each file's own header counts, in which a blank name becomes ``column`` and
        its place, counted from 0, and a name that comes again gets a number.
    trim : bool
        Whether spaces around values are removed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    delimiter: str = Field(",", min_length=1, max_length=1)
    quote: str = Field('"', max_length=1)
    escape: str = Field("", max_length=1)
    encoding: str = "utf-8"
    skip: int = Field(0, ge=0)
    comment: str = Field("", max_length=1)
    names: list[str] = Field(default_factory=list)
    trim: bool = False

    @field_validator("encoding")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            return codecs.lookup(name).name
        except LookupError as error:
            raise ValueError(f"Python knows no encoding {name!r}") from error

    def rows(self, files: Sequence[str], headers: Sequence[list[str]], type_of: Callable[[str], str]) -> str:
        """The rows of files as a relation for DuckDB, without lines that hold no value.

        Parameters
        ----------
        files : sequence of str
            In UTF-8, without comments.
        headers : sequence of list of str
            The columns of each.
        type_of : callable
            From a column to DuckDB's type.
        """
        alike: dict[tuple[str, ...], list[str]] = {}
        for file, header in zip(files, headers, strict=True):
            alike.setdefault(tuple(header), []).append(file)
        return f"({' UNION ALL BY NAME '.join(self._alike(some, names, type_of) for names, some in alike.items())})"

    def header(self, text: Iterable[str]) -> list[str]:
        """The header as it stands in the lines of a file; empty if there is none and `names` replace it.

        Raises
        ------
        SourceError
            There is no line, or it is no CSV.
        """
        below = itertools.islice(text, self.skip, None)
        lines = (line for line in below if line.strip() and not (self.comment and line.startswith(self.comment)))
        try:
            found = next(lines_of(lines, self.delimiter, self.quote, self.escape), [])
        except csv.Error as error:
            raise SourceError(f"the header cannot be read: {error}") from None
        if not found and not self.names:
            raise SourceError("there is no header; give `names` in `csv` of the source")
        return [name.strip().removeprefix("\ufeff") for name in found]

    def columns(self, header: Sequence[str]) -> list[str]:
        """The names of the columns of a file with that header: `names`, or its own, each once."""
        return self.names or unique_names(header)

    def _alike(self, files: Sequence[str], names: Sequence[str], type_of: Callable[[str], str]) -> str:
        types = {name: type_of(name) for name in names}
        options = [
            listed(files),
            "auto_detect = false",
            f"columns = {{{', '.join(f'{literal(name)}: {literal(type)}' for name, type in types.items())}}}",
            "header = true",
            f"delim = {literal(self.delimiter)}",
            f"quote = {literal(self.quote)}",
            f"escape = {literal(self.escape or self.quote)}",
            f"skip = {self.skip}",
        ]
        text = [quoted(name) for name, type in types.items() if type == "VARCHAR"]
        trimmed = ", ".join(f"nullif(trim({name}), '') AS {name}" for name in text)
        shown = f"* REPLACE ({trimmed})" if self.trim and trimmed else "*"
        empty = " AND ".join(f"{quoted(name)} IS NULL" for name in names)
        return f"(SELECT {shown} FROM read_csv({', '.join(options)}) WHERE NOT ({empty}))"


def unique_names(header: Sequence[str]) -> list[str]:
    """Names of columns, each once: a blank one is called after its place, and one that comes again has a number.

    Examples
    --------
    >>> unique_names(["", "x", "X", "x_2"])
    ['column0', 'x', 'X_3', 'x_2']
    """
    names = [name or f"column{place}" for place, name in enumerate(header)]
    taken, seen = set(map(str.casefold, names)), set()
    for place, name in enumerate(names):
        if name.casefold() in seen:
            numbered = (f"{name}_{number}" for number in itertools.count(2))
            names[place] = next(other for other in numbered if other.casefold() not in taken)
            taken.add(names[place].casefold())
        seen.add(names[place].casefold())
    return names


def lines_of(
    text: Iterable[str], delimiter: str, quote: str = '"', escape: str = "", *, strict: bool = False
) -> "Reader":
    """The rows of CSV text; a value may be as long as a line that DuckDB reads."""
    csv.field_size_limit(_LONGEST)
    quoted_by: dict[str, Any] = {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}
    escaped: dict[str, Any] = {"escapechar": escape, "doublequote": False} if escape else {}
    return csv.reader(text, delimiter=delimiter, skipinitialspace=True, strict=strict, **quoted_by, **escaped)


def readable(paths: Sequence[Path | str], encoding: str, folder: Path) -> list[str]:
    """Files or URIs that DuckDB can read: other encodings and archives are rewritten into a folder, in UTF-8.

    Raises
    ------
    SourceError
        A file is not in that encoding, or is an archive of several.
    """
    return [
        str(path if encoding in _UTF8 and not is_packed(path) else rewritten(path, encoding, folder / str(number)))
        for number, path in enumerate(paths)
    ]


def is_packed(path: Path | str) -> bool:
    """Whether a file is compressed in a way that DuckDB does not read."""
    return _named(path).suffix.lower() in (".zip", ".bz2", ".xz")


def _named(path: Path | str) -> PurePath:
    """A file by its name; of a URI without its query."""
    return path if isinstance(path, Path) else PurePosixPath(urlsplit(path).path)


def unpacked_name(path: Path | str) -> str:
    """The name of a file without the ending of its compression, and without what DuckDB takes for a pattern."""
    return _PATTERN.sub("_", _PACKING.sub("", _named(path).name))


def rewritten(path: Path | str, encoding: str | None, folder: Path) -> Path:
    """A copy that has the name of the file, which stands in errors, unpacked and in UTF-8; of bytes without encoding.

    Raises
    ------
    SourceError
        The file is not in that encoding, or is an archive of several.
    """
    folder.mkdir()
    copy = folder / unpacked_name(path)
    if encoding is not None and _is_of_single_bytes(encoding) and _is_utf8(path):
        raise SourceError(
            f"{path} is written in utf-8, where `csv` of the source declares {encoding}, which reads its letters as "
            f"others. Save it in {encoding}, or all files in utf-8. {CORRECT_ENCODING}"
        )
    try:
        with opened(path) as file:
            _write(file, encoding, copy)
    except UnicodeError as error:
        raise SourceError(f"{path} is not written in {encoding}: {error}. {CORRECT_ENCODING}") from error
    return copy


def _is_of_single_bytes(encoding: str) -> bool:
    """Whether no byte waits for another to be a letter, so that those of another encoding are read as letters, too."""
    decoder = codecs.getincrementaldecoder(encoding)("ignore")
    for byte in range(128, 256):
        decoder.decode(bytes([byte]))
        if decoder.getstate()[0]:
            return False
    return True


def _is_utf8(path: Path | str) -> bool:
    """Whether a file holds more than ASCII, and all of it is UTF-8: letters of one byte each are never so by chance."""
    decoder, beyond = codecs.getincrementaldecoder("utf-8")(), False
    with opened(path) as file:
        try:
            while piece := file.read(1 << 20):
                beyond = beyond or not piece.isascii()
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return beyond


def _write(file: IO[bytes], encoding: str | None, copy: Path) -> None:
    if encoding is None:
        with copy.open("wb") as whole:
            shutil.copyfileobj(file, whole, 1 << 20)
        return
    with copy.open("w", encoding="utf-8", newline="") as written:
        shutil.copyfileobj(io.TextIOWrapper(file, encoding=encoding, newline=""), written, 1 << 20)


@contextmanager
def opened(path: Path | str) -> Iterator[IO[bytes]]:
    """A file or a URI, unpacked if it is compressed.

    Raises
    ------
    SourceError
        It is an archive of several files, is damaged, or may not be read.
    """
    try:
        with _raw(path) as raw, _unpacked(raw, path) as file:
            yield file
    except (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise SourceError(f"{path} cannot be read: {reason}. Is it complete, and what its ending says?") from None


def _raw(path: Path | str) -> AbstractContextManager[IO[bytes]]:
    if isinstance(path, Path):
        return path.open("rb")
    import fsspec

    return fsspec.open(path, "rb")  # type: ignore[no-any-return]


def _unpacked(raw: IO[bytes], path: Path | str) -> IO[bytes]:
    suffix = _named(path).suffix.lower()
    if suffix == ".zip":
        archive = zipfile.ZipFile(raw)
        names = [name for name in archive.namelist() if not name.endswith("/")]
        if len(names) != 1:
            raise SourceError(f"{path} holds {len(names)} files: {', '.join(names[:5])}. Unpack it, and name one.")
        return archive.open(names[0])
    if suffix == ".zst":
        import pyarrow as pa

        return pa.CompressedInputStream(raw, "zstd")  # type: ignore[no-any-return]
    unpack: dict[str, Callable[[IO[bytes]], Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
    return unpack[suffix](raw) if suffix in unpack else raw


def strange_bytes(path: Path | str) -> str:
    """The first line of a file that is not UTF-8, and its bytes."""
    with opened(path) as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return f"line {number:,} has the bytes {line[error.start : error.end].hex(' ')}"
    return "its bytes are another text's"
