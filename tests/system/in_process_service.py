"""The prediction service in this process: real HTTP over ASGI, the real log, the registry of the home."""

import asyncio
from pathlib import Path
from typing import Any

import httpx


class InProcessService:
    """The application of a worker, with the models of the registry, but without its process."""

    def __init__(self, folder: Path, model: str) -> None:
        from serving.inference.hot_swap import Models
        from serving.log.segments import Log
        from serving.metrics import Metrics
        from serving.model_cache import ModelCache

        root, self.model = folder / "home" / "serving", model
        self.copies, self.root = ModelCache(root / "models"), root / "log"
        self.log, self.metrics = Log(self.root / "0"), Metrics(self.root)
        self.log.open()
        self.models = Models(self.copies, [], 10_000, self.metrics)

    def ask(self, sent: list[dict[str, Any]], problems: list[str]) -> tuple[int, Any]:
        """The status and the JSON that rows get; `problems` gets why the version cannot be served."""
        from evergreen.stores import Stores
        from serving.process.registry_sync import RegistrySync

        stores = Stores.open()
        RegistrySync(
            self.copies, stores.registry, stores.lake, [self.model], lambda *said: problems.append(str(said))
        ).run_once()
        return asyncio.run(self._asked(sent))

    async def _asked(self, sent: list[dict[str, Any]]) -> tuple[int, Any]:
        from serving.http.app import application
        from serving.inference.micro_batching import MicroBatcher
        from serving.options import Limits

        await self.models.swap_changed()
        app = application(self.models, MicroBatcher(self.log, self.metrics), Limits(), self.metrics)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            document = await client.get("/openapi.json")
            assert document.status_code == 200, document.text
            answer = await client.post(f"/models/{self.model}/invocations", json={"dataframe_records": sent})
        return answer.status_code, answer.json()

    def ship(self, stores: Any) -> None:
        """Land what was logged."""
        from serving.process.shipper import Shipper

        self.log.rotate(at_once=True)
        problem = Shipper(self.root, stores.lake, self.copies).ship()
        if problem:
            raise AssertionError(f"the log cannot be shipped: {problem}")
