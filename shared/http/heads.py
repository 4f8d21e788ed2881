"""Bounds what comes between the pieces of HTTP that are given away: heads, above all."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024


class BoundedHeads(HttpToolsProtocol):
    """Ends a connection on which more than that has come since its last head or piece of a body.

    llhttp bounds nothing of it: not a head, nor what stands beside or behind the parts of a body.
    What one reading of the socket brings, at most 256 KiB, may be above it.
    """

    _unread = 0
    _has_head = False

    def data_received(self, data: bytes) -> None:
        self._unread += len(data)
        super().data_received(data)
        if self._unread > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response(f"A head has at most {MAX_HEAD_BYTES} bytes.")

    def on_message_begin(self) -> None:
        self._has_head = False
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        # What stands behind the body is no header: whoever is in front has not looked at it.
        if not self._has_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._has_head = True
        self._unread = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unread = 0
        super().on_body(body)
