"""A worker's application without its process, and requests to it over ASGI."""

import asyncio
from contextlib import asynccontextmanager, suppress

import httpx

from serving.http.app import application
from serving.inference.hot_swap import Models
from serving.inference.micro_batching import MicroBatcher
from serving.log.segments import Log, closed
from serving.metrics import Metrics
from serving.options import Limits
from tests.serving.conftest import EXAMPLE

BODY = {"dataframe_split": {"columns": ["x", "z"], "data": EXAMPLE}}
LIMITS = Limits(rows=5, bytes=20_000, seconds=0.3, at_once=2)


class Running:
    """A worker's application, without its process."""

    def __init__(self, copies, limits=LIMITS):
        root = copies.root.parent / "log"
        self.log, metrics = Log(root / "0"), Metrics(root)
        self.log.open()
        self.models = Models(copies, [], limits.rows, metrics)
        self.batches = MicroBatcher(self.log, metrics)
        self.app = application(self.models, self.batches, limits, metrics)

    @asynccontextmanager
    async def client(self):
        """Ask while it follows its copies."""
        following = asyncio.create_task(self.models.follow(0.02))
        try:
            await self.until(lambda: not self.models.unready() or not self.models.copies.models())
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                yield client
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following

    async def until(self, reached):
        async with asyncio.timeout(30):
            while not reached():
                await asyncio.sleep(0.01)

    def logged(self):
        self.log.rotate(at_once=True)
        return [pair for segment in closed(self.log.slot.parent) for pair in segment.lines()]


def ask(running, *requests):
    """The answers to requests, (method, path, what httpx takes), one after the other."""

    async def each():
        async with running.client() as client:
            return [await client.request(method, path, **more) for method, path, more in requests]

    return asyncio.run(each())


JSON = {"content-type": "application/json"}


def post(path="/models/toy/invocations", **more):
    return ("POST", path, {"headers": JSON} | more if "content" in more else more or {"json": BODY})


async def asked(running, *names):
    """The answers to a check of health, and to a request for each model, while one is waited for."""
    transport = httpx.ASGITransport(running.app)
    await running.models.swap_changed()
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        paths = [f"/models/{name}/invocations" for name in names[1:]]
        return [await client.get(names[0]), *[await client.post(path, json=BODY) for path in paths]]
