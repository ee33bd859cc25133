"""Finds values in every file of a home, decoded: Parquet, archives, databases, compressed text, and raw bytes."""

import gzip
import io
import sqlite3
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq


def holders(root: Path, *values: str) -> dict[str, set[str]]:
    """For each value the files below a folder that hold it, by their paths in it; archives with their members."""
    found: dict[str, set[str]] = {value: set() for value in values}
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.is_symlink():
            for place, text in _texts(str(path.relative_to(root)), path.read_bytes(), path):
                for value in values:
                    if value in text:
                        found[value].add(place)
    return found


def _texts(place: str, data: bytes, path: Path | None = None) -> Iterator[tuple[str, str]]:
    yield place, data.decode("utf-8", errors="replace")
    if data[:4] == b"PAR1":
        table = pq.read_table(io.BytesIO(data))
        yield place, f"{table.to_pylist()} {table.schema.metadata}"
    elif data[:15] == b"SQLite format 3" and path is not None:
        yield place, _dumped(path)
    for name, member in _members(data):
        yield from _texts(f"{place}!{name}", member)


def _members(data: bytes) -> Iterator[tuple[str, bytes]]:
    if data[:2] == b"\x1f\x8b":
        yield "", gzip.decompress(data)
    elif data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield from ((name, archive.read(name)) for name in archive.namelist())
    elif data[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(data)) as packed:
            files = ((member.name, packed.extractfile(member)) for member in packed.getmembers())
            yield from ((name, file.read()) for name, file in files if file is not None)


def _dumped(path: Path) -> str:
    """Every cell of a database, with what its write-ahead log holds."""
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        cells = (
            str(cell) if not isinstance(cell, bytes) else cell.decode("utf-8", errors="replace")
            for table in tables
            for row in database.execute(f'SELECT * FROM "{table}"')
            for cell in row
        )
        return "\n".join(cells)
    finally:
        database.close()
