"""One worker: a process with a socket, a slot of the log, and the models (a child by `evergreen.lifeline`)."""

import asyncio
import os
import resource
import socket
import sys
from contextlib import suppress
from functools import cache, partial
from pathlib import Path

import uvicorn
import uvloop
from filelock import FileLock

from serving.http.app import application
from serving.http.protocol import Connection
from serving.inference.hot_swap import Models
from serving.inference.micro_batching import MicroBatcher
from serving.log.segments import LOCK, Log
from serving.metrics import Metrics
from serving.model_cache import ModelCache
from serving.options import Options

_OPEN_FILES = 65_536
_WATCH_EVERY = 0.2  # seconds


async def work(root: Path, options: Options, slot: str, descriptor: int, ready: int) -> None:
    """Serve until a signal arrives.

    Parameters
    ----------
    root : Path
        The folder of the model copies and the log.
    options : Options
    slot : str
        The name of this worker's slot in the log.
    descriptor : int
        The file descriptor of the socket to listen on.
    ready : int
        The file descriptor to write to once requests are answered.
    """
    log, metrics = Log(root / "log" / slot, limit=options.log_bytes), Metrics(root / "log", first=slot == "0")
    models = Models(ModelCache(root / "models"), options.names, options.limits.rows, metrics)
    app = application(models, MicroBatcher(log, metrics, options.full), options.limits, metrics)
    log.slot.mkdir(parents=True, exist_ok=True)
    # Only one process writes a slot; the lock of a killed process is released.
    with FileLock(log.slot / LOCK, timeout=30):
        with suppress(OSError):  # disk full: every request gets an error until there is space
            log.open()
        config = uvicorn.Config(
            app,
            loop="uvloop",
            http=Connection,
            lifespan="off",
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=10,
            server_header=False,
            proxy_headers=False,
            ws="none",
        )
        server = uvicorn.Server(config)

        tell_ready = cache(partial(os.write, ready, b"1"))

        async def watch() -> None:
            while True:
                with suppress(OSError):
                    log.rotate()
                app.reload()
                if server.started:
                    with suppress(OSError):
                        tell_ready()
                await asyncio.sleep(_WATCH_EVERY)

        # Load the models before the first request is read, so that it waits instead of getting 404.
        await models.swap_changed()
        # Each by itself: while a model loads, a key that was revoked is refused and the log goes on to the lake.
        tasks = [asyncio.create_task(work) for work in (models.follow(), watch())]
        try:
            await server.serve(sockets=[socket.socket(fileno=descriptor)])
        finally:
            for task in tasks:
                task.cancel()
            with suppress(OSError):
                log.close()


def _allow_connections() -> None:
    """Raise the soft limit of open files, often 1,024, so that idle connections cannot use all of them up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    _allow_connections()
    uvloop.run(work(Path(sys.argv[1]), Options.parse(sys.argv[2]), sys.argv[3], *map(int, sys.argv[4:])))
