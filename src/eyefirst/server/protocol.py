"""How one connection is read: uvicorn's protocol on httptools, with limits on heads, chunks and slow clients."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

HEAD_SECONDS = 10.0
"""Time for a request's head to arrive, and for a client to take up its answer."""
LEAST_TAKEN = 40 << 10
"""Bytes of an answer that its client has to take in that time: a slower one would hold it in memory for hours."""
HEAD_BYTES = 64 << 10
"""Largest head of a request, address and headers together; and most bytes of a body without content in between."""
LINGER_SECONDS = 2.0
"""Time to read and drop what a client still sends after its answer, so that it can read that answer."""
LINGER_BYTES = 4 << 20
LINGER_PAUSE = 0.02
"""Seconds between two looks at what such a client sends: many small parts then cost as little as a few large ones."""
FREE_CHUNKS = 64
"""Chunks of a body that may be of any size."""
CHUNK_BYTES = 256
"""Least mean size of the chunks beyond these, in bytes. Smaller ones cost more to read than they carry."""
DRAIN_SECONDS = 1.0
"""Time for a client without a request to ask once more, before a service that ends closes its connection."""


def drain(state: ServerState) -> None:
    """Say that the service ends: every answer from now on closes its connection."""
    state.drains = True  # type: ignore[attr-defined]


class ChunksTooSmallError(Exception):
    """The body comes in chunks that are too small."""


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with limits.

    A head has HEAD_SECONDS and HEAD_BYTES. What stands in a body and is not its content, such as trailers, has
    HEAD_BYTES too, and is dropped. An answer before the end of a body closes the connection: nothing
    more is parsed, and what the client still sends is dropped for LINGER_SECONDS. Tiny chunks are refused.
    """

    _timer: asyncio.TimerHandle | None = None
    _left = 1 << 62
    _head_bytes = 0
    _in_head = True
    _chunks = 0
    _body_bytes = 0
    _lingers = False
    _dropped = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give a new client HEAD_SECONDS to say what it wants."""
        super().connection_made(_Lingering(transport, self))  # type: ignore[arg-type]
        self._arm()

    def data_received(self, data: bytes) -> None:
        """Parse some bytes more; they alone do not buy time."""
        if self._lingers:
            self._dropped += len(data)
            if self._dropped > LINGER_BYTES:
                self.transport.abort()
            else:
                self.transport.pause_reading()
                self.loop.call_later(LINGER_PAUSE, self.transport.resume_reading)
            return
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head or the trailers of the request are too large.")
        if self._timer is None:
            self._arm()

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._in_head, self._chunks, self._body_bytes = True, 0, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; none after the head."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin the body."""
        self._in_head = False
        super().on_headers_complete()
        if getattr(self.server_state, "drains", False):
            self.cycle.keep_alive = False

    def on_chunk_header(self) -> None:
        """Count a chunk. Raises ChunksTooSmallError, which ends the connection."""
        self._chunks += 1
        if self._chunks > FREE_CHUNKS and self._body_bytes < CHUNK_BYTES * (self._chunks - FREE_CHUNKS):
            raise ChunksTooSmallError

    def on_body(self, body: bytes) -> None:
        """Take a part of the body; none once the answer was given."""
        self._body_bytes += len(body)
        self._head_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request; the next head begins."""
        super().on_message_complete()
        self._in_head, self._head_bytes = True, 0

    def on_response_complete(self) -> None:
        """Give the client HEAD_SECONDS to take the answer, or to ask for more."""
        super().on_response_complete()
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client."""
        self._disarm()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Begin the end of the service; a connection without a request is closed a little later."""
        if not getattr(self.server_state, "drains", False) or self._is_busy:
            super().shutdown()
        else:
            self.loop.call_later(DRAIN_SECONDS, self._close_idle)

    def _close_idle(self) -> None:
        if not self._is_busy:
            self.transport.close()

    @property
    def _is_busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def is_in_body(self) -> bool:
        """Whether the end of a request's body has not come yet."""
        return self.cycle is not None and self.cycle.more_body

    def linger(self, transport: asyncio.Transport) -> None:
        """Say that nothing more will be sent, and drop what comes, for a while."""
        if self._lingers:
            return
        self._lingers = True
        self._disarm()
        if transport.can_write_eof():
            transport.write_eof()
        transport.resume_reading()
        self._timer = self.loop.call_later(LINGER_SECONDS, transport.abort)

    @property
    def lingers(self) -> bool:
        """Whether the connection only waits for its client to end it."""
        return self._lingers

    def _arm(self) -> None:
        if self._lingers:
            return
        self._disarm()
        self._left = self.transport.get_write_buffer_size() or 1 << 62
        self._timer = self.loop.call_later(HEAD_SECONDS, self._late)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if self.cycle is not None and not self.cycle.response_complete:
            return  # the limits on bodies and on work are in force
        left = self.transport.get_write_buffer_size()
        if 0 < left <= self._left - LEAST_TAKEN and self._left < 1 << 62:
            self._arm()  # it takes its answer up, if slowly
        else:
            self.transport.abort()


class _Lingering:
    """A transport whose `close` lingers where a body is still arriving; otherwise the client may lose its answer."""

    def __init__(self, transport: asyncio.Transport, protocol: GuardedProtocol) -> None:
        self._transport, self._protocol = transport, protocol

    def close(self) -> None:
        if self._protocol.is_in_body and not self._transport.is_closing():
            self._protocol.linger(self._transport)
        else:
            self._transport.close()

    def is_closing(self) -> bool:
        return self._protocol.lingers or self._transport.is_closing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
