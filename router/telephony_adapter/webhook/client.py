"""What we ask of a webhook PBX. Delivered (`callback`), or fetched by it (`mailbox`); the words are the same.

The manual is `docs/webhook-pbx.md`. No state is kept here that the PBX or the outbox does not have.
"""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus

import msgspec
import structlog
from aiohttp import web

from router.basis.failures import Failure, Permanent, Temporary
from router.basis.machine import Event
from router.chains.effects import LookAtCall, TelephonyEffect
from router.telephony_adapter.port import Deliver, Sighting, UnknownPayload
from router.telephony_adapter.webhook import answers, commands, wire
from router.telephony_adapter.webhook.callback import Callback
from router.telephony_adapter.webhook.config import WebhookSettings
from router.telephony_adapter.webhook.mailbox import Answer, Mailbox
from router.telephony_adapter.webhook.metrics import COMMAND_SECONDS, COMMANDS
from router.telephony_adapter.webhook.routes import Counter, Intake, Keep, paper
from router.telephony_adapter.webhook.signature import Keys

log = structlog.get_logger()

_KEPT = 100
"""Unread payloads held in memory until the application puts its own keeper in: enough to see what a PBX sends."""

_LIST_CALLS = msgspec.json.encode(commands.ListCalls())


class WebhookPbx:
    """One connected PBX that speaks this contract (`port.Telephony`)."""

    def __init__(
        self, name: str, settings: WebhookSettings, keys: Keys, now_s: Callable[[], float] = time.time
    ) -> None:
        """`now_s`: Unix seconds, for the window of signatures and the age of commands."""
        self.name = name
        self.abilities = settings.abilities()
        self.unread: deque[UnknownPayload] = deque(maxlen=_KEPT)
        self.unknown: Keep = self._remember
        """Keeper of payloads that could not be read; awaited before the PBX is answered."""
        self._settings = settings
        self._keys = keys
        self._now_s = now_s
        self._callback = Callback(settings, keys, now_s)
        self._mailbox = Mailbox(now_s)

    async def perform(self, effect: TelephonyEffect, caller: str | None) -> Sequence[Event]:
        """See the port. A repeat is harmless because the PBX knows the leg or call already."""
        body = commands.order(effect, caller, self._settings.net_s * 1_000_000)
        if body is None:
            return ()
        if self._settings.commands == "none":
            raise Permanent("no_commands", "this PBX takes no commands (commands = none)")
        # A look asks anew each time; everything else is the same wish, however often it is said.
        delivery = f"look-{secrets.token_hex(16)}" if isinstance(effect, LookAtCall) else commands.command_id(body)
        until = commands.useful_until(effect)
        until_s = None if until is None else until / 1_000_000
        status, answer, retry_after = await self._ask(
            str(body["command"]), delivery, msgspec.json.encode(body), until_s
        )  # fmt: skip
        return answers.facts(effect, status, answer, retry_after, self._now_s())

    async def look(self) -> Sighting:
        """See the port."""
        if self._settings.commands == "none":
            raise Permanent("no_commands", "this PBX cannot be asked (commands = none)")
        delivery = f"calls-{secrets.token_hex(16)}"
        status, answer, retry_after = await self._ask("calls", delivery, b"")
        if status != HTTPStatus.OK:
            raise Temporary(f"http_{status}", "the list of calls", answers.wait_us(retry_after, self._now_s()))
        try:
            return wire.sighting(answer, remembers_legs=self._settings.remembers_legs)
        except msgspec.DecodeError as error:
            raise Temporary("unreadable_calls", str(error)) from error

    async def run(self, deliver: Deliver, in_sight: Callable[[bool, str], Awaitable[None]]) -> None:
        """Watch whether the PBX is there. Its reports come by `routes`, so `deliver` is not needed here."""
        self._mailbox.open()
        try:
            if self._settings.commands == "none":
                await in_sight(True, "it cannot be asked: what it reports is all there is")
                await asyncio.Event().wait()
            await self._watch(in_sight)
        finally:
            self._mailbox.close()

    async def _watch(self, in_sight: Callable[[bool, str], Awaitable[None]]) -> None:
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
        below = f"/webhooks/pbx/{self.name}"
        intake = Intake(self.name, self._keys, deliver, self._put_away, self._now_s)
        polled = self._settings.commands == "poll"
        routes = [web.post(below, intake.receive), web.get(f"{below}/openapi.json", paper(self.name, polled=polled))]
        if polled:
            counter = Counter(self.name, self._keys, self._mailbox, self._now_s)
            routes += [web.get(f"{below}/commands", counter.fetch), web.post(f"{below}/commands", counter.answer)]
        return routes

    async def close(self) -> None:
        """See the port."""
        self._mailbox.close()
        await self._callback.close()

    async def _ask(self, command: str, delivery: str, body: bytes, until_s: float | None = None) -> Answer:
        """Status, body and Retry-After of the answer. `command` is `calls` for the list, else the body's own."""
        began, status = time.perf_counter(), "none"
        try:
            if self._settings.commands == "poll":
                within_s = self._settings.answer_within_s
                answer = await self._mailbox.ask(delivery, body or _LIST_CALLS, within_s, until_s)
            else:
                answer = await self._callback.ask(delivery, body)
            status = str(answer[0])
            return answer
        finally:
            COMMANDS.labels(self.name, command, status).inc()
            COMMAND_SECONDS.labels(self.name).observe(time.perf_counter() - began)

    async def _put_away(self, payload: UnknownPayload) -> None:
        await self.unknown(payload)

    async def _remember(self, payload: UnknownPayload) -> None:
        self.unread.append(payload)
