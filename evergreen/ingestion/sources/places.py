"""Where files lie: a file, a folder, a pattern or a URI; and which of a folder are read."""

import glob
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TypeVar
from urllib.parse import quote

from evergreen.addresses import expanded
from evergreen.errors import SourceError
from evergreen.lake.live_files import live_files
from evergreen.settings import Settings
from evergreen.sql import literal

# Formats by the endings of names, which may be followed by that of a compression.
FORMATS = {
    "parquet": (".parquet", ".pq"),
    "csv": (".csv", ".tsv", ".txt"),
    "json": (".jsonl", ".ndjson", ".json"),
    "arrow": (".feather", ".arrow"),
    "excel": (".xlsx",),
}
ENDINGS = tuple(ending for endings in FORMATS.values() for ending in endings)
PACKINGS = (".gz", ".bz2", ".xz", ".zst", ".zip")
_HIDDEN = (".", "~$")  # of editors, notebooks, file systems and spreadsheets that are open
_DELTA = "_delta_log"
_TOLD = 3  # files that are passed over, by name
_File = TypeVar("_File", Path, str)


@dataclass(frozen=True)
class Place:
    """Files that are read together, listed once.

    Attributes
    ----------
    pattern : str
        A path, a pattern or a URI.
    files : sequence of Path or str
        Those of this machine, or the URIs of a folder elsewhere; empty where nobody has listed them.
    others : sequence of Path
        What else a local folder holds.
    """

    pattern: str
    files: Sequence[Path | str] = ()
    others: Sequence[Path] = field(default=(), repr=False)

    @property
    def is_remote(self) -> bool:
        """Whether it is a URI."""
        return "://" in self.pattern

    @property
    def format(self) -> str:
        """The format that the names tell."""
        return format_of(self.pattern)

    @property
    def sql(self) -> str:
        """The files as DuckDB takes them, which lists none again on this machine."""
        return literal(self.pattern) if self.is_remote else listed(self.files)


def listed(files: Iterable[Path | str]) -> str:
    """Files as a list in SQL; a name on this machine that looks like a pattern is none.

    Examples
    --------
    >>> listed(["a.csv", "b*.csv"])
    "['a.csv', 'b[*].csv']"
    """
    names = (str(file) for file in files)
    return f"[{', '.join(literal(name if '://' in name else glob.escape(name)) for name in names)}]"


def format_of(path: str) -> str:
    """The format that a name tells: ``"csv"``, ``"json"``, ``"arrow"``, ``"excel"``, else ``"parquet"``."""
    path = expanded(path)
    name = path.partition("?")[0] if path.startswith(("http://", "https://")) else path
    last = name.rsplit("/", 1)[-1].lower()
    found = [format for format, endings in FORMATS.items() if any(ending in last for ending in endings)]
    return found[0] if found else "parquet"


def local(path: str) -> Place:
    """The files of this machine behind a path of a model file.

    Raises
    ------
    SourceError
        There are none, or the path is a variable that is not set.
    """
    path = expanded(path)
    if path.startswith("$"):
        raise SourceError(f"The environment variable {path} is not set. Set it to the address of the files.")
    found = at(Settings.read().models.parent / Path(path).expanduser())
    if not found.files:
        raise SourceError(f"No file matches {found.pattern}. Check `path` of the source in the model file.")
    return found


def at(path: Path) -> Place:
    """The files at a path of this machine, which may be a folder or a pattern."""
    if not path.is_dir():
        return Place(str(path), matching(str(path)))
    files = sorted(file for file in path.rglob("*") if not file.is_dir())
    ending, chosen = of_folder(files, str(path))
    read = {*chosen}
    return Place(f"{path}/**/*{ending}", chosen, [file for file in files if file not in read])


def matching(pattern: str) -> list[Path]:
    """The local files of a pattern, in order; hidden ones only if the pattern names them."""
    root = Path(pattern).anchor
    named = sum(part.startswith(_HIDDEN) for part in Path(pattern).parts)
    files = [file for file in Path(root).glob(pattern.removeprefix(root)) if not file.is_dir()]
    return sorted(file for file in files if sum(part.startswith(_HIDDEN) for part in file.parts) <= named)


def of_folder(files: Sequence[_File], root: str, uri: str = "") -> tuple[str, list[_File]]:
    """Which files of a folder are read: Parquet, or CSV where there is none, or another format; and their names' end.

    Hidden files are not, nor what other programs keep beside tables; of a Delta table its live files are.

    Parameters
    ----------
    files : sequence of Path or str
    root, uri : str
        The folder as it stands at the beginning of each, and its address if that is another.

    Raises
    ------
    SourceError
        A Delta table is not in its files alone.

    Examples
    --------
    >>> of_folder(["a.txt", "b.csv.gz", "c.csv", "c.csv.bak", "_tmp/d.csv", ".old/e.csv", "_x=1/f.csv"], "")
    ('.csv*', ['b.csv.gz', 'c.csv', '_x=1/f.csv'])
    """
    parts = {file: PurePosixPath(str(file).removeprefix(root).lstrip("/")).parts for file in files}
    names = _live(set(parts.values()), uri or root)
    seen = [file for file in files if parts[file] in names]
    if whole := [file for file in seen if parts[file][-1].endswith(ENDINGS[0])]:
        return ENDINGS[0], whole
    for ending in ENDINGS[1:]:
        ends = tuple(f"{ending}{packing}" for packing in ("", *PACKINGS))
        if some := [file for file in seen if parts[file][-1].endswith(ends)]:
            return f"{ending}*", some
    return ENDINGS[0], []


def _live(files: set[tuple[str, ...]], address: str) -> set[tuple[str, ...]]:
    """Those of a folder's files that hold rows, by the parts of their paths; of a Delta table what its log names."""
    seen = {own for own in files if not any(map(_is_passed_over, own))}
    for table in {own[: own.index(_DELTA)] for own in files if _DELTA in own}:
        live = live_files("/".join([address, *table]))
        within = {own: "/".join(own[len(table) :]) for own in seen if own[: len(table)] == table}
        seen -= {own for own, name in within.items() if not {name, quote(name)} & live}
    return seen


def _is_passed_over(part: str) -> bool:
    """Whether a folder or file is hidden, or kept by a program for itself; a partition is not, whatever its column."""
    return part.startswith(_HIDDEN) or (part.startswith("_") and "=" not in part)


def passed_over(path: str) -> str:
    """The tables in a local folder that are not read since they are of another kind; empty if there are none."""
    folder = Settings.read().models.parent / Path(expanded(path)).expanduser()
    if "://" in expanded(path) or not folder.is_dir():
        return ""
    place = at(folder)
    names = [file.relative_to(folder) for file in place.others if file.is_file()]
    names = [name for name in names if not any(map(_is_passed_over, name.parent.parts))]  # of Spark
    kind = place.pattern.rsplit("/", 1)[-1]
    tables = [str(name) for name in names if _is_table(name) and not _is_passed_over(name.name)]
    like = [str(name) for name in names if kind[1:-1] in name.name and not name.name.startswith(_HIDDEN)]
    like = [name for name in like if kind.endswith("*") and name not in tables]
    told = [f"{_some(tables)}; of a folder one kind of files is read, here {kind}"] if tables else []
    told += [f"{_some(like)}; their names do not end so, or begin with _"] if like else []
    return "; ".join(f"not read in {path}: {part}" for part in told)


def _some(names: list[str]) -> str:
    return ", ".join(names[:_TOLD]) + (f" and {len(names) - _TOLD} more" if len(names) > _TOLD else "")


def _is_table(file: Path) -> bool:
    """Whether a name is that of a table; a text beside tables is about them."""
    name = file.name.lower()
    packing = next((ending for ending in PACKINGS if name.endswith(ending)), "")
    is_named = name.removesuffix(packing).endswith(tuple(ending for ending in ENDINGS if ending != ".txt"))
    return is_named or packing == ".zip"
