"""The UI, with a process of its own and without one, and a browser without scripts that looks at it."""

import asyncio
import html
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx

from tests.running_system import environment, free_port, started, until
from ui.application import application
from ui.site import Site

PATIENCE = 120.0  # seconds: the machine may be busy


@contextmanager
def running(home: Path) -> Iterator[str]:
    """`evergreen ui` as a real process in a home, until the block ends; its address."""
    port, said = free_port(), home.parent / "ui.log"
    process = started(environment(home), said, "ui", "--port", str(port))
    try:
        until(lambda: "answers at" in said.read_text() or process.poll() is not None, "the UI")
        assert process.poll() is None, said.read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


class Pages:
    """What a browser gets, with the cookies that it keeps."""

    def __init__(self, site: Site | None = None, base: str = "http://localhost", client: str = "127.0.0.1") -> None:
        self.site = site or Site()
        self._transport = httpx.ASGITransport(application(self.site), client=(client, 1))
        self._base, self.cookies = base, httpx.Cookies()
        self.site.fleet.known(60)  # the first reading imports what reads
        self.site.activity.wait(60)

    def __call__(self, path: str, method: str = "GET", **more: Any) -> httpx.Response:
        return asyncio.run(self._ask(method, path, more))

    async def _ask(self, method: str, path: str, more: dict[str, Any]) -> httpx.Response:
        async with httpx.AsyncClient(transport=self._transport, base_url=self._base, cookies=self.cookies) as client:
            answer = await client.request(method, path, **more)
            self.cookies = client.cookies
            return answer

    def until(self, path: str, reached: Callable[[str], Any], **more: Any) -> str:
        """The page once it says something."""
        end = time.monotonic() + PATIENCE
        while not reached(text := self(path, **more).text):
            assert time.monotonic() < end, text
            time.sleep(0.3)
        return text

    def form(self, path: str, act: str, **more: Any) -> dict[str, str]:
        """The fields of the form of an act on a page, as they stand there."""
        found = forms(self(path, **more).text)
        assert f"/act/{act}" in found, f"{act} is none of {sorted(found)}"
        return found[f"/act/{act}"]

    def send(self, act: str, fields: dict[str, str], **more: Any) -> httpx.Response:
        """Press the button of a form; the page that follows."""
        answer = self(f"/act/{act}", "POST", data=fields, **more)
        return self(answer.headers["location"], **more) if answer.status_code == 303 else answer


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, dict[str, str]] = {}
        self._now: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._now = self.found.setdefault(given.get("action", ""), {})
        elif tag in ("input", "textarea") and given.get("name"):
            self._now.setdefault(given["name"], given.get("value", ""))


def forms(text: str) -> dict[str, dict[str, str]]:
    """The fields of the forms of a page, the first of each address."""
    parser = _Forms()
    parser.feed(text)
    return parser.found


def words(text: str) -> str:
    """What a page says, without its markup."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())
