"""The switchboard behind a real HTTP address, at real pace.

    async with PbxServer(board, server_url="http://127.0.0.1:8080/webhooks/pbx/office", secret=secret) as pbx:
        pbx.command_url                       # what the server's configuration names
        pbx.call_in("+74950000001", "+79990001122", patience_us=60_000_000)
        await pbx.settled()                   # all calls over and everything told

It serves the commands and the list of calls, tells the facts (`simulators.pbx.post`), and moves the switchboard when
something is due. `vanish` and `appear` take it off the network and bring it back on the same port, while its calls and
its post live on, as a cut line would leave them.
"""

import asyncio
import json
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web

from simulators.pbx.commands import Answer
from simulators.pbx.fetch import Fetcher
from simulators.pbx.phones import Deed, Leg
from simulators.pbx.post import Post
from simulators.pbx.signing import key, proven
from simulators.pbx.switchboard import Switchboard, Told

_TRY_WITHIN_S = 5.0
"""One delivery may take this long: a durable commit takes milliseconds, a busy test machine seconds."""


def wall_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


class PbxServer:
    """One PBX on the network. An asynchronous context manager."""

    def __init__(
        self,
        board: Switchboard,
        *,
        server_url: str,
        secret: str,
        host: str = "127.0.0.1",
        port: int = 0,
        polls: bool = False,
        clock: Callable[[], int] = wall_us,
    ) -> None:
        """`server_url`: where facts are told. `secret`: one or more, separated by spaces; the first signs.
        `port`: 0 takes a free one. `polls`: commands are fetched from the server, none are taken on a port."""
        self.board = board
        self.server_url = server_url
        self._secrets = [key(word) for word in secret.split()]
        self._host, self._port, self._clock = host, port, clock
        self._polls = polls
        self._latest = 0
        self._moved = asyncio.Event()
        self._changed = asyncio.Condition()

    # --- life ---------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TRY_WITHIN_S))
        self.post = Post(self.server_url, self._secrets[0], self._session, self._heard)
        await self.appear()
        self._mover = asyncio.create_task(self._move())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._mover.cancel()
        await asyncio.gather(self._mover, return_exceptions=True)
        await self.post.close()
        await self.vanish()
        await self._session.close()

    async def appear(self) -> None:
        """Take commands on the port, from now on the same one; or poll."""
        if self._polls:
            self.fetcher = Fetcher(self.server_url, self._secrets[0], self._session, self._fetched)
            return
        app = web.Application()
        app.add_routes([web.post("/commands", self._command), web.get("/commands/calls", self._calls)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()
        self._port = self._runner.addresses[0][1]

    async def vanish(self) -> None:
        """Refuse connections; or poll no more."""
        if self._polls:
            await self.fetcher.close()
            return
        await self._runner.cleanup()

    @property
    def command_url(self) -> str:
        """Address of the commands."""
        return f"http://{self._host}:{self._port}/commands"

    # --- what the world does --------------------------------------------------------------------------------------

    def now(self) -> int:
        """The switchboard's time: the clock's, but never backwards."""
        self._latest = max(self._latest, self._clock())
        return self._latest

    def call_in(self, line: str, caller: str = "", call: str = "", patience_us: int | None = None) -> str:
        """A client dials; returns the call's id."""
        call = self.board.call_in(self.now(), line, caller, call, patience_us)
        self.moved()
        return call

    def hang_up(self, call: str) -> None:
        """The client hangs up."""
        self.board.hang_up(self.now(), call)
        self.moved()

    def do(self, leg: Leg, deed: Deed) -> None:
        """A person does something with his phone."""
        self.board.do(self.now(), leg, deed)
        self.moved()

    def set_phone(self, extension: str, *, reachable: bool) -> None:
        """A phone registers or is lost."""
        self.board.set_phone(self.now(), extension, reachable=reachable)
        self.moved()

    async def settled(self) -> None:
        """Returns when no call is live and the server has taken every fact."""
        await self.until(lambda: self.board.quiet() and not self.post.undelivered())

    async def until(self, true: Callable[[], bool]) -> None:
        """Returns when `true()` is: asked after everything that happens on the PBX."""
        async with self._changed:
            await self._changed.wait_for(true)

    def moved(self) -> None:
        """Something was done to the switchboard from outside: facts may wait to be told."""
        self._moved.set()

    # --- inside -------------------------------------------------------------------------------------------------

    async def _move(self) -> None:
        while True:
            for told in self.board.advance(self.now()):
                self.post.send(told)
            async with self._changed:
                self._changed.notify_all()
            due = self.board.next_due()
            delay_s = None if due is None else max(0, due - self.now()) / 1_000_000
            try:
                # not asyncio.wait_for: in Python 3.11 it swallows a cancellation that comes with the event
                async with asyncio.timeout(delay_s):
                    await self._moved.wait()
            except TimeoutError:
                continue
            self._moved.clear()

    def _heard(self, told: Told, status: int, text: str) -> None:
        taken = 200 <= status < 300
        what = "delivered" if taken else "refused" if status else "undelivered"
        more = {"fact": told.id, "type": told.body["type"], "status": status} | ({} if taken else {"text": text[:300]})
        self.board.record.write(self.now(), what, told.call, **more)
        if taken:
            self.board.taken(told)
            self.board.replied(self.now(), told, text)
        self.moved()

    def _fetched(self, order: dict[str, Any]) -> Answer:
        if order.get("command") == "calls":
            return Answer(200, self.board.sight(self.now()))
        answer = self.board.command(order, self.now())
        self.moved()
        return answer

    async def _command(self, request: web.Request) -> web.Response:
        body = await request.read()
        if not proven(self._secrets, request.headers, body, time.time()):
            return _json(Answer(401, {"error": "webhook-signature: sign with the shared secret"}))
        try:
            order = json.loads(body)
        except ValueError:
            order = None
        if not isinstance(order, dict):
            return _json(Answer(400, {"error": "body: give a JSON object"}))
        answer = self.board.command(order, self.now())
        self.moved()
        return _json(answer)

    async def _calls(self, request: web.Request) -> web.Response:
        if not proven(self._secrets, request.headers, b"", time.time()):
            return _json(Answer(401, {"error": "webhook-signature: sign with the shared secret"}))
        return _json(Answer(200, self.board.sight(self.now())))


def _json(answer: Answer) -> web.Response:
    return web.json_response(answer.body, status=answer.status)
