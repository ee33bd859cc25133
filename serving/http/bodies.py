"""Request bodies: each must arrive in time, and those that are not whole may be so many and so large in all.

A caller that sends slowly holds a place among the incomplete bodies only; a request is in progress once its body is
whole. Where too many are incomplete, the oldest is given up: a body that is sent at once is never the oldest.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from serving.errors import RequestError, overloaded
from serving.options import Limits

_LATE, _CROWDED = "late", "crowded"
_LARGEST = 32  # bodies of the largest size that may be incomplete at one time


class DisconnectedError(Exception):
    """The caller has disconnected, so no response can be sent."""


@dataclass
class Bodies:
    """The bodies that one worker receives.

    Parameters
    ----------
    limits : Limits
        `seconds` and `bytes` of one body; `at_once` bodies may be incomplete.
    """

    limits: Limits
    _sizes: dict["asyncio.Task[Any]", int] = field(default_factory=dict)  # bytes of each incomplete body, oldest first
    _held: int = 0

    async def read(self, headers: dict[bytes, bytes], receive: Any) -> bytes:
        """The whole body of a request.

        Raises
        ------
        RequestError
            408 if it comes too slowly, 413 if it is too large, 503 if it is the oldest of too many.
        DisconnectedError
        """
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self.limits.bytes:
            raise self._too_large()
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task
        self._sizes[task] = 0
        timeout = loop.call_later(self.limits.seconds, task.cancel, _LATE)  # a tenth of what asyncio.timeout costs
        try:
            if len(self._sizes) > self.limits.at_once:
                self._give_up_oldest()
            return await self._received(receive, task)
        except asyncio.CancelledError as error:
            if error.args not in ((_LATE,), (_CROWDED,)):
                raise
            task.uncancel()
            raise self._given_up(error.args[0]) from None
        finally:
            timeout.cancel()
            self._held -= self._sizes.pop(task, 0)

    async def _received(self, receive: Any, task: "asyncio.Task[Any]") -> bytes:
        parts, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise DisconnectedError
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self.limits.bytes:
                raise self._too_large()
            more = message.get("more_body", False)
            if more and task in self._sizes:
                self._held += len(parts[-1])
                self._sizes[task] = size
                self._make_room()
        return b"".join(parts)

    def _make_room(self) -> None:
        while self._held > _LARGEST * self.limits.bytes:
            self._give_up_oldest()

    def _give_up_oldest(self) -> None:
        oldest = next(iter(self._sizes))
        self._held -= self._sizes.pop(oldest)
        if oldest is asyncio.current_task():
            raise self._given_up(_CROWDED)
        oldest.cancel(_CROWDED)

    def _given_up(self, why: str) -> RequestError:
        if why == _CROWDED:
            return overloaded("Too many request bodies have not arrived in full. Send this one again in a second.")
        message = f"The body did not arrive within {self.limits.seconds:g} seconds. Send it faster, or in parts."
        return RequestError(408, "BAD_REQUEST", message)

    def _too_large(self) -> RequestError:
        message = f"The body is larger than {self.limits.bytes:,} bytes. Send the rows in parts."
        return RequestError(413, "REQUEST_LIMIT_EXCEEDED", message)
