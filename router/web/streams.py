"""Server-sent events (WHATWG HTML, "Server-sent events"): the server's side of a page that lives."""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from aiohttp import web

from router.basis.instants import MILLISECOND
from router.web.frame import DESK, HEADERS

BEAT_S = 15.0
"""A stream says at least this often that it lives: proxies cut silent connections after 30 to 60 s (nginx: 60 s,
`proxy_read_timeout`); the page takes its clock from it."""

RETRY_MS = 1_000
"""How long a browser waits before it connects again."""


class Streams(set[asyncio.Task[Any]]):
    """The handlers that stream now."""


STREAMS = web.AppKey("streams", Streams)


class Stream:
    """One open page."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream; charset=utf-8"})
        # nginx holds answers back unless it is told otherwise (proxy_buffering).
        self._response.headers["X-Accel-Buffering"] = "no"

    async def open(self) -> web.StreamResponse:
        """Begin to answer."""
        await self._response.prepare(self._request)
        await self._response.write(f"retry: {RETRY_MS}\n\n".encode())
        return self._response

    async def send(self, kind: str, said: dict[str, Any]) -> None:
        """One event; the server's time goes with each. Raises ConnectionError when the page is gone."""
        now = self._request.app[DESK].engine.clock.now() // MILLISECOND
        body = msgspec.json.encode({"now": now, **said})
        await self._response.write(b"event: " + kind.encode() + b"\ndata: " + body + b"\n\n")

    async def until(self, changed: Awaitable[object]) -> None:
        """Wait for a change; keeps the connection alive meanwhile. Raises ConnectionError when the page is gone."""
        waiting = asyncio.ensure_future(changed)
        try:
            while not (await asyncio.wait({waiting}, timeout=BEAT_S))[0]:
                await self.send("beat", {})
        finally:
            waiting.cancel()


@contextmanager
def counted(request: web.Request) -> Iterator[None]:
    """While the handler of this request streams: an orderly stop of the server ends it."""
    task = asyncio.current_task()
    assert task is not None
    streams = request.app[STREAMS]
    streams.add(task)
    try:
        yield
    finally:
        streams.discard(task)


async def end_streams(app: web.Application) -> None:
    """`on_shutdown`: open pages connect again by themselves, to the next server."""
    streams = app[STREAMS]
    for task in tuple(streams):
        task.cancel()
