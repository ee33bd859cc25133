"""The UI's application without its process, and a browser without scripts that looks at it."""

import asyncio
from typing import Any

import httpx

from ui.application import application
from ui.site import Site


class Pages:
    """What a browser gets, with the cookies that it keeps."""

    def __init__(self, site: Site | None = None, base: str = "http://localhost") -> None:
        self.site = site or Site()
        self._transport, self._base = httpx.ASGITransport(application(self.site)), base
        self.cookies = httpx.Cookies()
        self.site.fleet.known(60)  # the first reading imports what reads
        self.site.activity.wait(60)

    def __call__(self, path: str, method: str = "GET", **more: Any) -> httpx.Response:
        return asyncio.run(self._ask(method, path, more))

    async def _ask(self, method: str, path: str, more: dict[str, Any]) -> httpx.Response:
        async with httpx.AsyncClient(transport=self._transport, base_url=self._base, cookies=self.cookies) as client:
            answer = await client.request(method, path, **more)
            self.cookies = client.cookies
            return answer
