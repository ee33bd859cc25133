"""Files of one source that differ in their columns: told by name."""

import io
from collections.abc import Mapping
from pathlib import Path

from evergreen.errors import SourceError
from evergreen.ingestion.sources.csv_format import is_packed, opened
from evergreen.ingestion.sources.file_access import reading
from evergreen.ingestion.sources.files import Files
from evergreen.ingestion.sources.places import Place, at

_NAMED = 3  # files that are named
_SORTS = {"BYTE_ARRAY": "text", "BOOLEAN": "a truth value"}  # of Parquet; all else are numbers or times


def told(source: Files) -> dict[str, str]:
    """What a person should know of the columns that some local files lack, or hold in another sort.

    Raises
    ------
    SourceError
        A file has no column of the others.
    """
    columns = _columns(source)
    if len(columns) < 2:
        return {}
    first = next(iter(columns))
    strange = [path for path, sorts in columns.items() if not set(sorts) & set(columns[first])]
    if strange:
        raise SourceError(
            f"{strange[0].name} has the columns {', '.join(columns[strange[0]])}, and {first.name} has "
            f"{', '.join(columns[first])}: none is in both. Name one of them, or write them alike."
        )
    every = dict.fromkeys(name for sorts in columns.values() for name in sorts)
    return {name: note for name in every if (note := _note(name, columns))}


def _note(name: str, columns: Mapping[Path, Mapping[str, str]]) -> str:
    without = [path.name for path, sorts in columns.items() if name not in sorts]
    sorts = {sorts[name]: path.name for path, sorts in columns.items() if sorts.get(name)}
    parts = [f"not in {_some(without)} ({len(without)} of {len(columns)} files)"] if without else []
    parts += [" and ".join(f"{sort} in {file}" for sort, file in sorts.items())] if len(sorts) > 1 else []
    return "; ".join(parts)


def _some(names: list[str]) -> str:
    more = [f"{len(names) - _NAMED} more"] if len(names) > _NAMED else []
    return ", ".join([*names[:_NAMED], *more])


def _columns(source: Files) -> dict[Path, dict[str, str]]:
    """The columns of each local file, with the sort of values of Parquet."""
    if "://" in source.path:
        return {}
    place = at(Path(source.path))
    if source.csv is not None:
        files = [] if source.csv.names else map(Path, place.files)
        return {path: dict.fromkeys(_header(path, source), "") for path in files}
    return _of_parquet(place) if place.format == "parquet" and not is_packed(place.pattern) else {}


def _header(path: Path, source: Files) -> list[str]:
    assert source.csv is not None
    with opened(path) as file:
        header = source.csv.header(io.TextIOWrapper(file, encoding=source.csv.encoding, errors="replace"))
    return source.csv.columns(header)


def _of_parquet(place: Place) -> dict[Path, dict[str, str]]:
    sql = f"SELECT file_name, name, type FROM parquet_schema({place.sql}) WHERE type IS NOT NULL"
    columns: dict[Path, dict[str, str]] = {}
    for file, name, type in reading("UTC").sql(sql).fetchall():
        columns.setdefault(Path(file), {})[name] = _SORTS.get(type, "a number or time")
    return columns
