"""The whole site as files, which open from a disk or any web server."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from evergreen import files
from evergreen.errors import LakeError, RunningError
from evergreen.json_record import JsonRecord
from ui.access.visitor import NOBODY
from ui.application import application
from ui.known.activity import Activity
from ui.known.fleet import Fleet, Known
from ui.rendering import Exported, file_of
from ui.site import Site

_FIRST = 24 * 3600.0  # seconds to wait for the first reading
_MANIFEST = ".evergreen-export.json"
_MOVED = (301, 302, 303, 307, 308)
_HOPS = 5


@dataclass(frozen=True)
class Manifest(JsonRecord):
    """What an export has written, so that the next one removes what is there no longer.

    Attributes
    ----------
    files : list of str
        Below its folder.
    """

    files: list[str]


@dataclass
class Export:
    """What was exported.

    Attributes
    ----------
    pages : int
    problems : list of str
        The paths of pages that only say why they cannot be shown, with the status.
    removed : int
        Files of an earlier export that are not part of this one.
    """

    pages: int = 0
    problems: list[str] = field(default_factory=list)
    removed: int = 0


class _Fixed(Fleet):
    """What was known at one time: all pages of an export are of the same."""

    def known(self, patience: float = 0.2) -> Known:
        """As it was."""
        return self._known


class _Read(Activity):
    """An index that is read once."""

    def wait(self, patience: float = 0.2) -> None:
        """Wait for nothing."""


def export(site: Site, folder: Path, doing: Callable[[str], None]) -> Export:
    """Write every page that another one links to, without acts and without what needs a server.

    Each file is written whole or not at all; the same call again continues.

    Parameters
    ----------
    site : Site
    folder : Path
        It is made if it is not there.
    doing : callable
        Is told how many pages are written.

    Raises
    ------
    RunningError
        The folder holds something else.
    LakeError
        The stores cannot be read.
    """
    before = _begin(folder)
    fixed = _fixed(site)
    done = asyncio.run(_Pages(fixed, folder, doing).write())
    gone = set(before.files) - set(done.written)
    for name in gone:
        (folder / name).unlink(missing_ok=True)
    files.replace(folder / _MANIFEST, Manifest(sorted(done.written)).dump())
    return replace(done.found, removed=len(gone))


def _begin(folder: Path) -> Manifest:
    """The manifest of an earlier export; a folder with something else is refused."""
    try:
        manifest = Manifest.parse((folder / _MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        manifest = Manifest([])
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise RunningError(
                f"{folder} holds something that is no export of the UI. Name a new folder, or an empty one."
            ) from None
    except OSError as error:
        raise RunningError(f"The pages cannot be written to {folder}: {error.strerror or error}.") from error
    _write(folder / _MANIFEST, manifest.dump().encode())
    return manifest


def _write(path: Path, content: bytes) -> None:
    try:
        files.replace(path, content)
    except OSError as error:
        raise RunningError(f"{path} cannot be written: {error.strerror or error}. Run the command again.") from error


def _fixed(site: Site) -> Site:
    """The same site as it is now, without acts."""
    known = site.fleet.known(_FIRST)
    if known.problem:
        raise LakeError(f"Nothing was exported, since the stores cannot be read: {known.problem}")
    site.activity.wait(_FIRST)
    fleet, activity = _Fixed(site.open), _Read(site.open, site.activity.state)
    fleet._known = known
    return replace(site, fleet=fleet, activity=activity, read_only=True, patience=_FIRST)


class _Pages:
    """The pages of an export: those that are written, and those that they link to."""

    def __init__(self, site: Site, folder: Path, doing: Callable[[str], None]) -> None:
        self._app, self._folder, self._doing = application(site), folder, doing
        badges = [f"badge/{summary.name}.svg" for summary in site.fleet.known().summaries]
        self._waiting = ["", *badges]
        self._known = {file_of(path) for path in self._waiting}
        self.written: list[str] = []
        self.found = Export()

    async def write(self) -> "_Pages":
        """Write all of them."""
        while self._waiting:
            path = self._waiting.pop()
            self._doing(f"{len(self.written) + 1:,} of {len(self._known):,} pages")
            status, content = await self._content(path)
            if status != 200:
                self.found.problems.append(f"/{path} ({status})")
            name = file_of(path)
            _write(self._folder / name, content)
            self.written.append(name)
            self.found.pages += name.endswith(".html")
        return self

    def _follow(self, path: str) -> None:
        if file_of(path) not in self._known:
            self._known.add(file_of(path))
            self._waiting.append(path)

    async def _content(self, path: str) -> tuple[int, bytes]:
        """Status and content of a page; of one that sends on to another, those of that one."""
        asked = path
        for _ in range(_HOPS):
            status, headers, content = await _ask(self._app, asked, Exported(path, self._follow))
            if status not in _MOVED:
                return status, content
            asked = headers.get("location", "").lstrip("/")
        return status, content


async def _ask(app: Any, path: str, link: Exported) -> tuple[int, dict[str, str], bytes]:
    """What the application answers, without a server."""
    parts, sent, body = urlsplit(f"/{path}"), dict[str, Any](), bytearray()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": unquote(parts.path),
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "root_path": "",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 0),
        "server": ("localhost", 80),
        "link": link,
        "visitor": NOBODY,
    }

    asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        if message := next(asked, None):
            return message
        await asyncio.Event().wait()  # nobody goes away; it is cancelled once all was sent
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        sent.update(message)
        body.extend(message.get("body", b""))

    try:
        await app(scope, receive, send)
    except Exception:
        if "status" not in sent:  # else the page says it
            raise
    headers = {name.decode().lower(): value.decode() for name, value in sent["headers"]}
    return int(sent["status"]), headers, bytes(body)
