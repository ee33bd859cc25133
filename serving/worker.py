"""One worker: a process with a socket, a slot of the log, and the models; `python -m serving.worker`."""

import argparse
import asyncio
import contextlib
import os
import socket
from pathlib import Path

import uvicorn
from filelock import FileLock

from serving.app import application
from serving.batching import Batches
from serving.copies import Copies
from serving.models import Models
from serving.segments import Log


async def work(descriptor: int, slot: str, root: Path, names: list[str], most: int, full: str) -> None:
    """Answer until a signal comes, or until whoever started this is gone."""
    log = Log(root / "log" / slot)
    models = Models(Copies(root / "models"), names, most)
    batches = Batches(log, "drop" if full == "drop" else "refuse")
    log.slot.mkdir(parents=True, exist_ok=True)
    # One process writes a slot; one that was killed has let go of it.
    with FileLock(log.slot / "lock", timeout=30):
        with contextlib.suppress(OSError):  # a full disk is told to every caller, until it is no more
            log.open()
        config = uvicorn.Config(
            application(models, batches),
            loop="uvloop",
            http="httptools",
            lifespan="off",
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=10,
            server_header=False,
        )
        server, parent = uvicorn.Server(config), os.getppid()

        def look() -> None:
            with contextlib.suppress(OSError):
                log.turn()
            if os.getppid() != parent:
                server.should_exit = True

        following = asyncio.create_task(models.follow(look))
        try:
            await server.serve(sockets=[socket.socket(fileno=descriptor)])
        finally:
            following.cancel()
            with contextlib.suppress(OSError):
                log.end()


def main() -> None:
    """Read the command line that the supervisor wrote."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--descriptor", type=int, required=True)
    parser.add_argument("--slot", required=True)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--most", type=int, required=True)
    parser.add_argument("--full", required=True)
    parser.add_argument("names", nargs="*")
    given = parser.parse_args()
    import uvloop

    uvloop.run(work(given.descriptor, given.slot, given.root, given.names, given.most, given.full))


if __name__ == "__main__":
    main()
