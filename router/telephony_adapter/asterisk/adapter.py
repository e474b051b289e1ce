"""One connected Asterisk: orders out over HTTP, reports in over the event socket, the fallback's record beside them."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import structlog
from aiohttp import WSMsgType, web

from router.basis.failures import Failure, Permanent, Temporary
from router.basis.machine import Event
from router.chains.effects import RecordingEffect, TelephonyEffect
from router.telephony_adapter.asterisk import wire
from router.telephony_adapter.asterisk.client import Answer, Client
from router.telephony_adapter.asterisk.config import AsteriskSettings
from router.telephony_adapter.asterisk.facts import Ear, age_s
from router.telephony_adapter.asterisk.fallback import Record
from router.telephony_adapter.asterisk.legs import Calls
from router.telephony_adapter.asterisk.metrics import CONNECTS, EVENTS, ORPHANS, UNREADABLE
from router.telephony_adapter.asterisk.orders import Orders
from router.telephony_adapter.asterisk.outbound import Outbound
from router.telephony_adapter.asterisk.recordings import Recordings
from router.telephony_adapter.asterisk.routes import routes
from router.telephony_adapter.asterisk.sight import Read
from router.telephony_adapter.port import Abilities, Deliver, LegSight, NotSent, Report, Sighting

log = structlog.get_logger()

InSight = Callable[[bool, str], Awaitable[None]]

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
"""Before the next try to connect; doubled each time. New calls take the dialplan's fallback meanwhile, so short."""
REPLACED_PAUSE_S = 30.0
"""`on_replaced = "reconnect_after_30s"`."""

ABILITIES = Abilities(
    owns_timer="pbx",  # it decides answer or timeout in one place (asterisk main/dial.c), never both
    whole_second_timer=True,
    can_cancel_leg=True,
    can_connect_late=False,  # a 200 that crosses the CANCEL is acknowledged and ended by BYE
    reports_ringing=True,
    reports_answerer=True,
    idempotent_legs=False,  # an id is refused (409) only while its channel lives
    can_record=True,
)


class Asterisk:
    """`Telephony` over ARI."""

    abilities = ABILITIES

    def __init__(self, name: str, settings: AsteriskSettings, password: str) -> None:
        self.name = name
        self._settings = settings
        self._client = Client(name, settings, password)
        self._calls = Calls()
        self._ear = Ear(name, self._calls, settings)
        self._orders = Orders(self._client, self._calls, self._ear, settings)
        self._record = Record(name, settings, self._calls)
        self._recordings = Recordings(self._client, settings)
        self._replaced = False
        self._blind = True
        """The socket was cut: events were lost, the cache is not to be trusted until the next look."""
        self._pause_s = FIRST_PAUSE_S
        self._tasks: set[asyncio.Task[None]] = set()

    # --- out ------------------------------------------------------------------------------------------------------

    async def perform(self, effect: TelephonyEffect, caller: str | None) -> Sequence[Event]:
        """See the port."""
        if self._replaced:  # somebody else acts now: two servers must not ring the same heads
            raise Temporary("pbx_replaced", "another connection has taken the application over")
        return tuple(await self._orders.perform(effect, caller))

    async def record(self, effect: RecordingEffect) -> Sequence[Event]:
        """See `router.telephony_adapter.port.KeepsRecordings`."""
        return await self._recordings.perform(effect)

    @property
    def recordings(self) -> Path:
        """See `router.telephony_adapter.port.KeepsRecordings`."""
        return self._recordings.folder

    @recordings.setter
    def recordings(self, folder: Path) -> None:
        self._recordings.folder = folder

    async def look(self) -> Sighting:
        """See the port. Clears away what no living call owns, and lifts the time limit of talks."""
        before = frozenset(call.id for call in self._calls)
        read = await self._read_all()
        if self._blind:
            read.prune(self._calls, before)
            self._blind = False
        read.refresh(self._calls)
        await self._clear_away(read)
        recent = tuple(LegSight(leg, "ended", how) for leg, how in self._calls.recent())
        return Sighting(calls=read.calls(), recent=recent, handed=read.handed(self._calls))

    async def _read_all(self) -> Read:
        asked = (wire.CHANNELS, wire.BRIDGES, wire.own_application(self._settings))
        try:
            channels, bridges, own = await asyncio.gather(*(self._client.ask(request) for request in asked))
        except NotSent as error:
            raise Temporary("pbx_unreachable", str(error)) from error
        if not channels.ok or not bridges.ok:
            raise Temporary("pbx_error", f"{channels.status}, {bridges.status}")
        return Read(
            channels={channel.id: channel for channel in channels.read(tuple[wire.Channel, ...])},
            bridges=bridges.read(tuple[wire.Bridge, ...]),
            own=_application(own, self._settings),
            settings=self._settings,
        )

    async def _clear_away(self, read: Read) -> None:
        orphans = read.orphans()
        for orphan in orphans:
            ORPHANS.labels(self.name, orphan.what).inc()
            log.warning("orphan", pbx=self.name, what=orphan.what, id=orphan.id)
        requests = [orphan.request for orphan in orphans]
        requests += [wire.lift_limit(sight.call) for sight in read.calls() if sight.talking_leg]
        with suppress(NotSent, Failure):  # the next look finds them again
            await asyncio.gather(*(self._client.ask(request) for request in requests))

    # --- in -------------------------------------------------------------------------------------------------------

    async def run(self, deliver: Deliver, in_sight: InSight) -> None:
        """See the port. Raises `Permanent` when replaced and told to exit."""
        outbound = Outbound(self.name, deliver)
        work = (outbound.run(), self._record.follow(deliver), self._watch_devices(outbound))
        beside = [asyncio.create_task(task) for task in work]
        try:
            while True:
                why = await self._connected(outbound, deliver, in_sight)
                self._blind = True
                self._replaced = why == "replaced"
                await in_sight(False, why)
                await self._wait_before_next(why)
        finally:
            for task in (*beside, *self._tasks):
                task.cancel()
            await asyncio.gather(*beside, *self._tasks, return_exceptions=True)

    async def _connected(self, outbound: Outbound, deliver: Deliver, in_sight: InSight) -> str:
        """One connection from its beginning to its end; the reason of the end."""
        try:
            async with self._client.events() as socket:
                reader = asyncio.create_task(self._read(socket, outbound))
                try:
                    await self._prepare(outbound, deliver)
                    self._replaced = False
                    self._blind = True  # also where somebody looked in the gap
                    CONNECTS.labels(self.name).inc()
                    log.info("pbx_connected", pbx=self.name, application=self._settings.application)
                    await in_sight(True, "connected")
                    self._pause_s = FIRST_PAUSE_S
                    return await reader
                finally:
                    reader.cancel()
                    await asyncio.gather(reader, return_exceptions=True)
        except aiohttp.WSServerHandshakeError as error:
            return "refuses_us" if error.status in (401, 403) else f"refused_{error.status}"
        except (aiohttp.ClientError, OSError, TimeoutError, Temporary, NotSent) as error:
            log.warning("pbx_connect_failed", pbx=self.name, error=type(error).__name__, detail=str(error))
            return "unreachable"
        except Exception:  # a mistake of ours or of the server's in_sight: loud, and no reason to stay deaf
            log.exception("pbx_connection_failed", pbx=self.name)
            return "failed"

    async def _prepare(self, outbound: Outbound, deliver: Deliver) -> None:
        filtered = await self._client.ask(wire.listen_to(self._settings))
        if not filtered.ok:  # more to read, nothing missing
            log.error("pbx_refuses_filter", pbx=self.name, status=filtered.status, said=filtered.trouble)
        if self._settings.devices_poll_s:
            await self._ask_devices(outbound)
        # Before the differences are looked at: a call that the fallback served is explained, not lost.
        await self._record.catch_up(deliver)

    async def _watch_devices(self, outbound: Outbound) -> None:
        while self._settings.devices_poll_s:
            await asyncio.sleep(self._settings.devices_poll_s)
            await self._ask_devices(outbound)

    async def _ask_devices(self, outbound: Outbound) -> None:
        with suppress(NotSent, Failure):  # calls go on without it; the socket tells whether the PBX is there
            outbound.put(self._devices(await self._client.ask(wire.ENDPOINTS)))

    def _devices(self, answer: Answer) -> list[Report]:
        endpoints = answer.read(tuple[wire.Endpoint, ...]) if answer.ok else ()
        reports: list[Report] = []
        for endpoint in endpoints:
            name = f"{endpoint.technology}/{endpoint.resource}"
            if endpoint.state in ("online", "offline"):  # "unknown" is no news
                reports += self._ear.device(name, reachable=endpoint.state == "online")
            reports += self._ear.line(name, busy=any(not wire.call_of_leg(channel) for channel in endpoint.channel_ids))
        return reports

    async def _read(self, socket: aiohttp.ClientWebSocketResponse, outbound: Outbound) -> str:
        """Only reads: a slow reader is cut off by Asterisk (ari.conf `websocket_write_timeout`)."""
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                continue
            try:
                it = wire.read_happening(message.data)
            except msgspec.DecodeError as error:
                UNREADABLE.labels(self.name).inc()
                log.warning("pbx_unreadable", pbx=self.name, error=str(error))
                continue
            EVENTS.labels(self.name, it.type if it.type in wire.EVENTS else "other").inc()
            if it.type == "ApplicationReplaced":
                log.error("pbx_application_replaced", pbx=self.name, application=self._settings.application)
                return "replaced"
            self._take_in(it, message.data.encode(), outbound)
        return f"socket_closed_{socket.close_code}"

    def _take_in(self, it: wire.Happening, raw: bytes, outbound: Outbound) -> None:
        call = self._calls.find(it.channel.id) if it.channel else None
        heard = self._ear.hear(it, raw)
        outbound.put(heard.reports)
        if call and call.gone and call.bridged:
            # A bridge is this adapter's own affair: a caller who hangs up first leaves nothing to release.
            self._beside(self._drop_bridge(call.id))
        doubtful = set(heard.doubtful)
        if it.type == "StasisStart" and it.channel and age_s(it.timestamp, datetime.now(UTC)) > self._settings.stale_s:
            doubtful |= {report.call for report in heard.reports}
        for doubted in doubtful:
            self._beside(self._resolve(doubted, outbound))

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drop_bridge(self, call: str) -> None:
        with suppress(NotSent, Failure):  # the next look finds what is left
            await self._orders.drop_bridge(call)

    async def _resolve(self, call: str, outbound: Outbound) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                facts = await self._orders.ask_about(call)
            except (Failure, NotSent):
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                continue
            outbound.put([Report(call, fact) for fact in facts])
            return

    async def _wait_before_next(self, why: str) -> None:
        if why == "replaced":
            if self._settings.on_replaced == "exit":
                raise Permanent("application_replaced", f"another server uses application {self._settings.application}")
            await asyncio.sleep(REPLACED_PAUSE_S)
            return
        log.warning("pbx_lost", pbx=self.name, why=why, next_try_s=self._pause_s)
        await asyncio.sleep(self._pause_s)
        self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)

    def routes(self, deliver: Deliver) -> Sequence[web.RouteDef]:
        """See the port: none."""
        return routes(deliver)

    async def close(self) -> None:
        """See the port."""
        await self._client.close()


def _application(answer: Answer, settings: AsteriskSettings) -> wire.Application:
    if answer.ok:
        return answer.read(wire.Application)
    return wire.Application(settings.application)
