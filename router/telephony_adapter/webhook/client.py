"""What we ask of a webhook PBX: one signed `POST <command_url>` per command, and `GET <command_url>/calls`.

The manual is `docs/webhook-pbx.md`. No state is kept here that the PBX does not have.
"""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus

import aiohttp
import msgspec
import structlog
from aiohttp import web

from router.basis.failures import Failure, Permanent, Temporary
from router.basis.machine import Event
from router.chains.effects import LookAtCall, TelephonyEffect
from router.telephony_adapter.port import Deliver, NotSent, Sighting, UnknownPayload
from router.telephony_adapter.webhook import answers, wire
from router.telephony_adapter.webhook.config import WebhookSettings
from router.telephony_adapter.webhook.metrics import COMMAND_SECONDS, COMMANDS
from router.telephony_adapter.webhook.routes import Intake, Keep
from router.telephony_adapter.webhook.signature import Keys

log = structlog.get_logger()

_KEPT = 100
"""Unread payloads held in memory until the application puts its own keeper in: enough to see what a PBX sends."""


class WebhookPbx:
    """One connected PBX that speaks this contract (`port.Telephony`)."""

    def __init__(
        self, name: str, settings: WebhookSettings, keys: Keys, now_s: Callable[[], float] = time.time
    ) -> None:
        """`now_s`: Unix seconds, for the window of signatures."""
        self.name = name
        self.abilities = settings.abilities()
        self.unread: deque[UnknownPayload] = deque(maxlen=_KEPT)
        self.unknown: Keep = self._remember
        """Keeper of payloads that could not be read; awaited before the PBX is answered."""
        self._settings = settings
        self._keys = keys
        self._now_s = now_s
        self._url = settings.command_url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def perform(self, effect: TelephonyEffect, caller: str | None) -> Sequence[Event]:
        """See the port. A repeat is harmless because the PBX knows the leg or call already."""
        body = wire.order(effect, caller, self._settings.net_s * 1_000_000)
        if body is None:
            return ()
        # A look asks anew each time; everything else is the same wish, however often it is said.
        delivery = f"look-{secrets.token_hex(16)}" if isinstance(effect, LookAtCall) else wire.command_id(body)
        status, answer, retry_after = await self._ask(str(body["command"]), delivery, msgspec.json.encode(body))
        return answers.facts(effect, status, answer, retry_after, self._now_s())

    async def look(self) -> Sighting:
        """See the port."""
        delivery = f"calls-{secrets.token_hex(16)}"
        status, answer, retry_after = await self._ask("calls", delivery, b"")
        if status != HTTPStatus.OK:
            raise Temporary(f"http_{status}", "GET /calls", answers.wait_us(retry_after, self._now_s()))
        try:
            return wire.sighting(answer, remembers_legs=self._settings.remembers_legs)
        except msgspec.DecodeError as error:
            raise Temporary("unreadable_calls", str(error)) from error

    async def run(self, deliver: Deliver, in_sight: Callable[[bool, str], Awaitable[None]]) -> None:
        """Watch whether the PBX is there. Its reports come by `routes`, so `deliver` is not needed here."""
        visible: bool | None = None
        missed = 0
        while True:
            try:
                await self.look()
            except Failure as why:
                missed += 1
                if visible is None or (visible and missed >= self._settings.lost_after):
                    visible = False
                    log.warning("pbx_lost", pbx=self.name, code=why.code, detail=why.detail)
                    await in_sight(False, str(why))
            else:
                missed = 0
                if not visible:
                    visible = True
                    log.info("pbx_in_sight", pbx=self.name)
                    await in_sight(True, "the list of calls was read")
            await asyncio.sleep(self._settings.look_every_s)

    def routes(self, deliver: Deliver) -> Sequence[web.RouteDef]:
        """See the port."""
        intake = Intake(self.name, self._keys, deliver, self._put_away, self._now_s)
        return [web.post(f"/webhooks/pbx/{self.name}", intake.receive)]

    async def close(self) -> None:
        """See the port."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _ask(self, command: str, delivery: str, body: bytes) -> tuple[int, bytes, str]:
        """Status, body and Retry-After of the answer. `command` is `calls` for the list, else the body's own."""
        began, status = time.perf_counter(), "none"
        method, url = ("GET", f"{self._url}/calls") if command == "calls" else ("POST", self._url)
        headers = self._keys.sign(delivery, body, self._now_s()) | {"Content-Type": "application/json"}
        session = self._open()
        try:
            async with session.request(
                method, url, data=body or None, headers=headers, allow_redirects=False
            ) as answer:
                said = await answer.read()
                status = str(answer.status)
                return answer.status, said, answer.headers.get("Retry-After", "")
        except aiohttp.ClientConnectorError as error:
            raise NotSent("not_reached", str(error.os_error)) from error
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise Permanent("bad_address", str(error)) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Temporary("no_answer", type(error).__name__) from error
        finally:
            COMMANDS.labels(self.name, command, status).inc()
            COMMAND_SECONDS.labels(self.name).observe(time.perf_counter() - began)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._settings.connections),
                timeout=aiohttp.ClientTimeout(total=self._settings.answer_within_s),
            )
        return self._session

    async def _put_away(self, payload: UnknownPayload) -> None:
        await self.unknown(payload)

    async def _remember(self, payload: UnknownPayload) -> None:
        self.unread.append(payload)
