"""A line between a client and a server that can be cut, and put together again, by what has gone through it."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Line:
    """Forwards a port of its own to a server's.

    Attributes
    ----------
    port : int
        To connect to.
    heard : int
        Pieces of data that clients have sent, about one a request.
    """

    def __init__(self, to: int) -> None:
        self._to, self.port, self.heard = to, 0, 0
        self._cut_at, self._seconds = -1, 0.0
        self._cut, self._open = False, set[asyncio.StreamWriter]()
        self._loop = asyncio.new_event_loop()

    def cut(self, at: int, seconds: float) -> None:
        """Cut it when so many pieces have been heard from now on, for so many seconds."""
        self.heard, self._cut_at, self._seconds = 0, at, seconds

    def mend(self) -> None:
        """Put it together, and cut it no more."""
        self._cut, self._cut_at = False, -1

    async def _serve(self, listening: socket.socket) -> None:
        async with await asyncio.start_server(self._met, sock=listening) as server:
            await server.serve_forever()

    async def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cut:
            writer.close()
            return
        theirs, ours = await asyncio.open_connection("127.0.0.1", self._to)
        self._open |= {writer, ours}
        with suppress(OSError):
            await asyncio.gather(self._pass(reader, ours, counted=True), self._pass(theirs, writer, counted=False))
        self._open -= {writer, ours}

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, counted: bool) -> None:
        try:
            while data := await source.read(1 << 16):
                self.heard += counted
                if counted and self.heard == self._cut_at:
                    self._cut = True
                    self._loop.call_later(self._seconds, self.mend)
                    for connection in self._open:
                        connection.transport.abort()
                if self._cut:
                    break
                target.write(data)
                await target.drain()
        finally:
            target.close()


@contextmanager
def between(to: int) -> Iterator[Line]:
    """A line to a port for the length of the block."""
    line = Line(to)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        line.port = listening.getsockname()[1]
        task = line._loop.create_task(line._serve(listening))
        thread = threading.Thread(target=lambda: _until_ended(line, task), daemon=True)
        thread.start()
        try:
            yield line
        finally:
            line._loop.call_soon_threadsafe(task.cancel)
            thread.join(timeout=10)


def _until_ended(line: Line, task: "asyncio.Task[None]") -> None:
    with suppress(asyncio.CancelledError):
        line._loop.run_until_complete(task)
