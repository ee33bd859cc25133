"""A connection: what uvicorn makes of a socket, but no caller can hold it, and no offer to upgrade loses a body."""

import asyncio

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.errors import malformed

_HEAD = 65_536  # bytes of a request's head
_OFFER = frozenset({b"upgrade", b"connection", b"http2-settings"})


class Connection(HttpToolsProtocol):
    """Reads requests, one after the other, until nobody sends any.

    uvicorn waits for a head for ever, however long it is. Here one has to come within the time that a
    connection may be idle (`timeout_keep_alive`), and what is left of a refused body likewise.
    """

    _in_head, _past, _size = True, False, 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head."""
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def data_received(self, data: bytes) -> None:
        """Read what came."""
        self._past = False
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._decline(data[offer.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("What came is no request of HTTP/1.1.")
        else:
            if self._in_head and not self._past:
                self._size += len(data)
                if self._size > _HEAD:
                    self.send_400_response(f"The head of a request is longer than {_HEAD:,} bytes.")

    def on_headers_complete(self) -> None:
        """Begin to answer, unless the parser takes what follows for another protocol."""
        if not self.parser.should_upgrade():
            self._unset_keepalive_if_required()
            self._in_head, self._past, self._size = False, True, 0
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Tell that the body is whole."""
        if not self.parser.should_upgrade():
            self._in_head, self._past = True, True
            super().on_message_complete()

    def _decline(self, rest: bytes) -> None:
        """Read the request again as if nothing had been offered, as HTTP asks of whoever takes no offer.

        Java's client offers HTTP/2 with each request. The parser stops behind the head then, and the body is lost
        (https://github.com/Kludex/uvicorn/issues/2722).
        """
        method, version = self.parser.get_method(), self.parser.get_http_version()
        if method == b"CONNECT":
            self.send_400_response("This is no proxy.")
            return
        head = [b"%s %s HTTP/%s" % (method, self.url, version.encode())]
        head += [b"%s: %s" % (name, value) for name, value in self.headers if name not in _OFFER]
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(b"\r\n".join([*head, b"", rest]))

    def send_400_response(self, msg: str) -> None:
        """Answer in MLflow's form, and hang up."""
        body = orjson.dumps(malformed(msg).body())
        head = b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n"
        self.transport.write(b"%scontent-length: %d\r\n\r\n%s" % (head, len(body), body))
        self.transport.close()
