"""uvicorn's HTTP protocol with a timeout for request heads, and without loss of the body on upgrade offers."""

import asyncio

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.errors import malformed

_MAX_HEAD = 65_536  # bytes of a request's head
_TOO_LONG = f"The request head is longer than {_MAX_HEAD:,} bytes."
_UPGRADE_HEADERS = frozenset({b"upgrade", b"connection", b"http2-settings"})


class _HeadTooLongError(Exception):
    """A head arrived as a whole, and is too long."""


class Connection(HttpToolsProtocol):
    """A connection that reads one request after the other.

    uvicorn waits for a request head without a limit of time or length. Here a head, and the rest of a
    refused body, must arrive within the idle time of a connection (`timeout_keep_alive`).
    """

    _in_head, _progress, _pending = True, False, 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head."""
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def data_received(self, data: bytes) -> None:
        """Parse received bytes."""
        self._progress = False
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._decline(data[offer.args[0] :])
        except httptools.HttpParserError as error:
            long = isinstance(error.__context__, _HeadTooLongError)
            self.send_400_response(_TOO_LONG if long else "The data is not an HTTP/1.1 request.")
        else:
            # Bytes that are part of no body yet: the parser keeps what it has of a head, or of a trailer.
            self._pending = 0 if self._progress else self._pending + len(data)
            if self._pending > _MAX_HEAD:
                self.send_400_response(_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; one that comes after the body, a trailer, is left out."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start the response, unless the parser treats the rest as another protocol."""
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > _MAX_HEAD:
            raise _HeadTooLongError
        if not self.parser.should_upgrade():
            self._unset_keepalive_if_required()
            self._in_head, self._progress = False, True
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Pass on a part of the body."""
        self._progress = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Pass on that the body is complete."""
        if not self.parser.should_upgrade():
            self._in_head, self._progress = True, True
            super().on_message_complete()

    def _decline(self, rest: bytes) -> None:
        """Parse the request again without the upgrade offer; HTTP requires a server to ignore offers it declines.

        Java's client offers HTTP/2 with each request. The parser then stops after the head, and the body is lost
        (https://github.com/Kludex/uvicorn/issues/2722).
        """
        method, version = self.parser.get_method(), self.parser.get_http_version()
        if method == b"CONNECT":
            self.send_400_response("CONNECT is not supported: this is not a proxy.")
            return
        head = [b"%s %s HTTP/%s" % (method, self.url, version.encode())]
        head += [b"%s: %s" % (name, value) for name, value in self.headers if name not in _UPGRADE_HEADERS]
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(b"\r\n".join([*head, b"", rest]))

    def send_400_response(self, msg: str) -> None:
        """Send an error in MLflow's format, and close the connection."""
        body = orjson.dumps(malformed(msg).body())
        head = b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n"
        self.transport.write(b"%scontent-length: %d\r\n\r\n%s" % (head, len(body), body))
        self.transport.close()
