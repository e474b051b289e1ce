"""HTTP to ARI and its event socket. Knows requests and answers, not what they mean."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import quote, urlencode

import aiohttp
import msgspec
from aiohttp import ClientSession, ClientTimeout, ClientWebSocketResponse
from yarl import URL

from router.basis.failures import Permanent, Temporary
from router.telephony_adapter.asterisk.config import AsteriskSettings
from router.telephony_adapter.asterisk.connections import Connections, Cut, Unreachable
from router.telephony_adapter.asterisk.metrics import REQUEST_SECONDS, REQUESTS
from router.telephony_adapter.asterisk.wire import Request, Trouble
from router.telephony_adapter.port import NotSent

T = TypeVar("T")

DOWNLOAD_LIMIT_S = 300.0
"""An hour's recording at 2 Mbit/s."""
EVENT_LIMIT = 1 << 20
"""Bytes of one event; a channel with many variables is a few kilobytes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What ARI said."""

    status: int
    body: bytes

    @property
    def ok(self) -> bool:
        """2xx."""
        return self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def absent(self) -> bool:
        """404: no such channel or bridge."""
        return self.status == HTTPStatus.NOT_FOUND

    @property
    def conflict(self) -> bool:
        """409: the channel is not in Stasis, or the id is taken."""
        return self.status == HTTPStatus.CONFLICT

    def read(self, kind: type[T]) -> T:
        """The body as `kind`. Raises `Temporary` where it is something else (a proxy's page, half an answer)."""
        try:
            return msgspec.json.decode(self.body, type=kind)
        except msgspec.DecodeError as error:
            raise Temporary("pbx_unreadable", str(error)) from error

    @property
    def trouble(self) -> str:
        """ARI's own words of a refusal."""
        try:
            said = msgspec.json.decode(self.body, type=Trouble)
        except msgspec.DecodeError:
            return ""
        return said.message or said.error


class Client:
    """Requests over `connections`, the event socket over aiohttp."""

    def __init__(self, name: str, settings: AsteriskSettings, password: str) -> None:
        self._name = name
        self._settings = settings
        # In a header, never as `api_key` in the query: URLs end up in logs.
        self._login = f"Basic {base64.b64encode(f'{settings.user}:{password}'.encode()).decode()}"
        self._session: ClientSession | None = None
        self._connections = Connections(
            settings.url,
            most=settings.connections,
            keep_s=settings.keep_alive_s,
            limit_s=settings.request_timeout_s,
            headers=f"Authorization: {self._login}\r\n",
        )

    async def ask(self, request: Request) -> Answer:
        """The answer, whatever its status below 500 (500 too: originate answers it for a phone that is not there).

        Raises `NotSent` where Asterisk cannot have acted, `Temporary` where it may have, `Permanent` for 401 and 403.
        """
        started = time.perf_counter()
        answer = await self._twice(request)
        REQUEST_SECONDS.labels(self._name).observe(time.perf_counter() - started)
        REQUESTS.labels(self._name, request.method, str(answer.status)).inc()
        if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise Permanent("pbx_refuses_us", f"{answer.status}: check user and password in ari.conf, read_only = no")
        if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:  # asterisk res/res_ari.c: "Asterisk not booted"
            raise NotSent("Asterisk is not booted yet")
        if answer.status > HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Temporary("pbx_error", str(answer.status))
        return answer

    async def _twice(self, request: Request) -> Answer:
        """Asterisk closes a connection that was idle for http.conf `session_keep_alive`; a request that meets this gets
        no answer. Every request of ours may be repeated (ids are ours), so it goes once more on a new connection."""
        try:
            return await self._once(request, fresh=False)
        except Unreachable as error:
            raise NotSent(f"Asterisk cannot be reached: {error}") from error
        except Cut:
            pass
        try:
            return await self._once(request, fresh=True)
        except Unreachable as error:
            # The first try may have been carried out before the connection broke.
            raise Temporary("pbx_unreachable", str(error)) from error
        except Cut as error:
            raise Temporary("pbx_disconnected", str(error)) from error

    async def _once(self, request: Request, *, fresh: bool) -> Answer:
        target = request.path + (f"?{urlencode(request.query, quote_via=quote)}" if request.query else "")
        body = None if request.body is None else msgspec.json.encode(request.body)
        try:
            reply = await self._connections.ask(request.method, target, body, fresh=fresh)
        except TimeoutError as error:
            raise Temporary("pbx_timeout", f"no answer within {self._settings.request_timeout_s:g} s") from error
        return Answer(reply.status, reply.body)

    @asynccontextmanager
    async def events(self) -> AsyncIterator[ClientWebSocketResponse]:
        """The event socket. Pings find a dead peer: no pong within half of `ping_s` closes it."""
        url = self._settings.url.rstrip("/") + "/events"
        socket = await self._open().ws_connect(
            _url(url),
            params={"app": self._settings.application},
            protocols=("ari",),
            heartbeat=self._settings.ping_s,
            autoping=True,
            max_msg_size=EVENT_LIMIT,
            timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
        )
        try:
            yield socket
        finally:
            await socket.close()

    def _open(self) -> ClientSession:
        if self._session is None or self._session.closed:
            limit_s = self._settings.request_timeout_s
            timeout = ClientTimeout(total=limit_s, sock_connect=limit_s / 2)
            self._session = ClientSession(headers={"Authorization": self._login}, timeout=timeout)
        return self._session

    async def download(self, request: Request) -> tuple[int, bytes, int]:
        """A file: status, body, and the length that Asterisk announced. Raises `Temporary`.

        In memory: an hour of talk is 58 MB, and few end at the same moment.
        """
        url = self._settings.url.rstrip("/") + request.path
        try:
            async with self._open().get(_url(url), timeout=ClientTimeout(total=DOWNLOAD_LIMIT_S)) as response:
                return response.status, await response.read(), response.content_length or 0
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Temporary("pbx_disconnected", type(error).__name__) from error

    async def close(self) -> None:
        """Close all connections."""
        self._connections.close()
        if self._session is not None:
            await self._session.close()
        await asyncio.sleep(0)  # transports close in the loop's next steps


def _url(text: str) -> URL:
    # Ids are quoted already (`wire`); quoting again would double the percent signs.
    return URL(text, encoded=True)
