"""A worker while a model loads: what has nothing to do with it goes on."""

import asyncio
import os
import socket
import threading
from contextlib import suppress

import httpx

from serving.http import keys, origins
from serving.inference import hot_swap
from serving.log import segments
from serving.options import Options
from serving.process.worker import work
from tests.serving.http.running_app import BODY


def test_a_key_that_is_revoked_opens_nothing_and_the_log_goes_on_while_a_model_loads(
    copies, add, tmp_path, monkeypatch
):
    key, line = keys.new_key([])
    (tmp_path / "keys").write_text(line)
    monkeypatch.setenv(keys.KEYS_FILE, str(tmp_path / "keys"))
    monkeypatch.delenv(origins.HOSTS, raising=False)
    monkeypatch.setattr(segments.Log, "longest", 0.0)
    add()
    loads, begun, end = hot_swap.load, threading.Event(), threading.Event()

    def slow(copies, model, number, *more):
        if number == "2":
            begun.set()
            end.wait(60)
        return loads(copies, model, number, *more)

    monkeypatch.setattr(hot_swap, "load", slow)
    listener, (ready, told) = socket.create_server(("127.0.0.1", 0)), os.pipe()
    url, root = f"http://127.0.0.1:{listener.getsockname()[1]}", copies.root.parent

    async def asked():
        working = asyncio.create_task(work(root, Options(), "0", listener.detach(), told))
        try:
            await asyncio.to_thread(os.read, ready, 1)
            add("2")
            await asyncio.to_thread(begun.wait, 60)
            headers = {"authorization": f"Bearer {key}"}
            async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False) as client:
                statuses = [(await client.post("/invocations", json=BODY)).status_code]
                async with asyncio.timeout(60):
                    while not segments.closed(root / "log"):
                        await asyncio.sleep(0.05)
                    (tmp_path / "keys").write_text("")
                    while (status := (await client.get("/models")).status_code) != 401:
                        await asyncio.sleep(0.05)
                return [*statuses, status]
        finally:
            end.set()
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working

    try:
        assert asyncio.run(asked()) == [200, 401]
    finally:
        os.close(ready)
        os.close(told)
