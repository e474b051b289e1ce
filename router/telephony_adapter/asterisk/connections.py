"""Kept-alive HTTP/1.1 connections to one Asterisk.

Where a connection is idle, the bytes of a request leave in the very step of the loop that asks: aiohttp's client needs
three steps and 0.3 ms for that, and in a burst of calls those of the next turn come in between. Measured on the wire,
docs/decisions/0013-the-silence-between-two-phones.md. Answers are read by llhttp (httptools).
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

import httptools
from yarl import URL

ANSWER_LIMIT = 64 << 20
"""Bytes of one answer: a list of ten thousand channels is a tenth of it."""


class Unreachable(Exception):
    """No connection could be made: nothing was sent."""


class Cut(Exception):
    """The connection ended before the answer was whole: the request may have been carried out."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer."""

    status: int
    body: bytes


class _Connection(asyncio.Protocol):
    """One connection; one request at a time."""

    def __init__(self, lost: "Callable[[_Connection], None]") -> None:
        self._lost = lost
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._awaited: asyncio.Future[Reply] | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self.usable = False
        """Open, and not told to close after the answer that was read last."""
        self.idle_since = 0.0

    def ask(self, request: bytes) -> "asyncio.Future[Reply]":
        """Send now."""
        assert self._transport
        assert self._awaited is None
        awaited = self._awaited = asyncio.get_running_loop().create_future()
        if self.usable:
            self._transport.write(request)
        else:  # it was lost in the step in which it was made
            self._fail(Cut("closed"))
        return awaited

    def close(self) -> None:
        """End it; an answer that is awaited is given up."""
        self.usable = False
        if self._transport:
            self._transport.abort()

    # --- asyncio.Protocol -----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport  # asyncio sets TCP_NODELAY
        self.usable = True

    def data_received(self, data: bytes) -> None:
        try:
            if self._awaited is None:
                raise Cut("an answer to nothing")
            self._parser.feed_data(data)
        except (httptools.HttpParserError, Cut) as error:
            self._fail(Cut(str(error) or type(error).__name__))
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable = False
        self._fail(Cut(type(exc).__name__ if exc else "closed"))
        self._lost(self)

    def _fail(self, error: Cut) -> None:
        awaited, self._awaited = self._awaited, None
        if awaited and not awaited.done():
            awaited.set_exception(error)

    # --- httptools ------------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A status line comes."""
        self._parts, self._size = [], 0

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._size += len(body)
        if self._size > ANSWER_LIMIT:
            raise Cut("too long")
        self._parts.append(body)

    def on_message_complete(self) -> None:
        """The answer is whole."""
        status = self._parser.get_status_code()
        if status < HTTPStatus.OK:
            return  # 100 Continue: the answer itself follows
        self.usable = self.usable and self._parser.should_keep_alive()
        awaited, self._awaited = self._awaited, None
        if awaited and not awaited.done():
            awaited.set_result(Reply(status, b"".join(self._parts)))


class Connections:
    """At most `most` of them; an idle one is used again for `keep_s`, and opened anew after that."""

    def __init__(self, url: str, *, most: int, keep_s: float, limit_s: float, headers: str) -> None:
        parts = URL(url, encoded=True)
        self._host, self._port, self._path = parts.raw_host or "", parts.port or 0, parts.raw_path.rstrip("/")
        self._most, self._keep_s, self._limit_s = most, keep_s, limit_s
        self._fixed = f" HTTP/1.1\r\nHost: {parts.raw_authority}\r\n{headers}"
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._all: set[_Connection] = set()
        self._opening = 0
        self._idle: list[_Connection] = []
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def ask(self, method: str, target: str, body: bytes | None = None, *, fresh: bool = False) -> Reply:
        """The answer to one request; `target` is the path with its query, `fresh` refuses a connection that was used.

        Raises Unreachable, Cut, and TimeoutError where no answer came within the limit.
        """
        request = self._request(method, target, body)
        async with asyncio.timeout(self._limit_s):
            connection = (None if fresh else self._take_idle()) or await self._take(fresh=fresh)
            try:
                return await connection.ask(request)
            except asyncio.CancelledError:
                connection.close()  # its answer would be taken for the next request's
                raise
            finally:
                self._give_back(connection)

    def close(self) -> None:
        """End all connections."""
        for connection in list(self._all):
            connection.close()

    def _request(self, method: str, target: str, body: bytes | None) -> bytes:
        head = f"{method} {self._path}{target}{self._fixed}"
        if body is None:
            return f"{head}Content-Length: 0\r\n\r\n".encode()
        return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    # --- which connection -----------------------------------------------------------------------------------------

    def _take_idle(self) -> _Connection | None:
        """The one used last: the others grow old and are let go."""
        now = asyncio.get_running_loop().time()
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and now - connection.idle_since < self._keep_s:
                return connection
            connection.close()
        return None

    async def _take(self, *, fresh: bool) -> _Connection:
        while len(self._all) + self._opening >= self._most:
            if fresh and self._idle:
                self._idle.pop(0).close()  # makes room in a step of the loop
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.cancelled():
                    self._waiting.remove(turn)
                else:
                    self._next()
                raise
            if not fresh and (idle := self._take_idle()):
                return idle
        return await self._open()

    async def _open(self) -> _Connection:
        connection: _Connection | None = None
        self._opening += 1
        try:
            async with asyncio.timeout(self._limit_s / 2):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: _Connection(self._lost), self._host, self._port, ssl=self._tls
                )
        except TimeoutError as error:
            raise Unreachable("no connection in time") from error
        except OSError as error:
            raise Unreachable(str(error)) from error
        finally:
            self._opening -= 1
            if connection is None:
                self._next()
        self._all.add(connection)
        return connection

    def _give_back(self, connection: _Connection) -> None:
        if connection.usable:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
            self._next()
        else:
            connection.close()

    def _lost(self, connection: _Connection) -> None:
        self._all.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._next()

    def _next(self) -> None:
        """A connection or the room for one is free: whoever has waited longest looks."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
