"""A flood of requests: so many are begun each second, whether the ones before were answered or not.

    python -m benchmarks.harness.flood URL RATE PATH...

asks until it is terminated, and prints how many were answered, by status.
"""

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from urllib.parse import urlsplit

from evergreen.project import CODE

_OPEN = 800  # connections at once: a process may have 1,024 files
_PATIENCE = 30.0  # seconds for an answer


@contextmanager
def flooded(url: str, rate: int, *paths: str) -> Iterator[Counter[str]]:
    """Ask an address in a process of its own while the block runs; after it, what came of the requests.

    Parameters
    ----------
    url : str
    rate : int
        Requests a second.
    *paths : str
        Asked in turn.
    """
    command = [sys.executable, "-m", "benchmarks.harness.flood", url, str(rate), *paths]
    came: Counter[str] = Counter()
    with subprocess.Popen(command, cwd=CODE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()  # it has begun
        try:
            yield came
        finally:
            process.terminate()
            came.update(json.loads(process.stdout.read()))


async def _flood(url: str, rate: int, paths: list[str]) -> Counter[str]:
    came: Counter[str] = Counter()
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    asked: set[asyncio.Task[None]] = set()
    began = loop.time()
    print("begun", flush=True)
    for number, path in enumerate(cycle(paths), 1):
        if over.is_set():
            break
        if len(asked) < _OPEN:
            task = loop.create_task(_ask(url, path, came))
            asked.add(task)
            task.add_done_callback(asked.discard)
        else:
            came["not sent: too many are unanswered"] += 1
        await asyncio.sleep(max(began + number / rate - loop.time(), 0))
    came["seconds"] = round(loop.time() - began)
    for task in asked:
        task.cancel()
    return came


async def _ask(url: str, path: str, came: Counter[str]) -> None:
    address = urlsplit(url)
    try:
        async with asyncio.timeout(_PATIENCE):
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            writer.write(f"GET {path} HTTP/1.1\r\nhost: {address.netloc}\r\nconnection: close\r\n\r\n".encode())
            status = (await reader.readline()).split()[1].decode()
            while await reader.read(65536):
                pass
            writer.close()
    except (OSError, TimeoutError, IndexError):
        status = "no answer"
    came[status] += 1


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_flood(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))))
