"""The first lines of text files elsewhere, that their form is found from."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from evergreen.ingestion.sources.csv_format import opened, unpacked_name
from evergreen.ingestion.sources.file_access import matching_uris, reachable
from evergreen.ingestion.sources.places import Place

_FIRST, _HEAD = 10, 4_000_000  # files, and bytes of each


@contextmanager
def heads(place: Place) -> Iterator[list[Path]]:
    """Copies of the first lines of the text files at a URI, of the first files if there are many."""
    with reachable(place.pattern), TemporaryDirectory(prefix="evergreen-csv-") as folder:
        names = list(map(str, place.files or matching_uris(place.pattern)))[:_FIRST]
        yield [_head(name, Path(folder, str(number))) for number, name in enumerate(names)]


def _head(uri: str, folder: Path) -> Path:
    """The first lines of a text file, in a folder."""
    folder.mkdir()
    copy = folder / unpacked_name(uri)
    with opened(uri) as file:
        head = file.read(_HEAD)
    copy.write_bytes(head if len(head) < _HEAD else head[: head.rfind(b"\n") + 1])
    return copy
