"""The stage of the adapter's tests: one line of the rig with an application of its own, and a wire that can be cut."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import Any

from router.telephony_adapter.asterisk.config import AsteriskSettings
from tests.e2e.asterisk.rig import (
    CallerScript,
    Dialled,
    HeadScript,
    Rig,
    waits,
)
from tests.telephony_adapter.asterisk.harness import Desk, at_work

_LINES = count(9301)


class Scene:
    """One line of the rig with an application of its own, and the words of a test."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.line = str(next(_LINES))
        self.application = f"adapter-{self.line}"
        self.rig.line(self.line, HOPLINE_APP=self.application)

    def settings(self, **given: Any) -> AsteriskSettings:
        """How the adapter reaches this Asterisk."""
        ari = self.rig.asterisk.ari
        return AsteriskSettings(**{"url": ari.url, "user": ari.user, "application": self.application, **given})

    @asynccontextmanager
    async def server(self, **given: Any) -> AsyncIterator[Desk]:
        """An adapter at work."""
        async with at_work(self.settings(**given), self.rig.asterisk.ari.password) as desk:
            yield desk

    async def heads(self, **scripts: HeadScript) -> None:
        """`_141=busy()`: from now on this head behaves so."""
        for name, script in scripts.items():
            await asyncio.to_thread(self.rig.head, name.removeprefix("_"), script)

    def call(self, script: CallerScript | None = None) -> Dialled:
        """A client calls the line."""
        return self.rig.call(self.line, script=script or waits())

    async def over(self, dialled: Dialled) -> Any:
        """Wait until the caller is done and nothing is left; what the capture says of his call."""
        await asyncio.to_thread(dialled.wait)
        await asyncio.to_thread(self.rig.wait_until_idle)
        return self.rig.verdict(callers=dialled.numbers, heads=range(141, 151)).call(dialled.numbers[0])


async def eventually(holds: Callable[[], Any], limit_s: float = 30.0) -> Any:
    """Poll another process: it offers no event."""
    async with asyncio.timeout(limit_s):
        while not (value := await asyncio.to_thread(holds)):  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.02)
    return value


class Wire:
    """A wire to Asterisk that can be cut: a relay of bytes on loopback."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._ends: list[asyncio.StreamWriter] = []

    @asynccontextmanager
    async def laid(self) -> AsyncIterator[str]:
        """The address of its near end."""
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/ari"
        finally:
            self.cut()
            server.close()
            await server.wait_closed()

    def cut(self) -> None:
        """All connections break without a word; new ones are taken."""
        for end in self._ends:
            end.transport.abort()
        self._ends.clear()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._ends += [writer, far_writer]
        await asyncio.gather(_pour(reader, far_writer), _pour(far_reader, writer))


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
