"""Drives an adapter without the engine: collects what it reports, carries out effects, waits for facts."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from router.basis.instants import Duration, Instant
from router.basis.machine import Event
from router.chains.effects import Connect, LookAtCall, Release, RingBack, RingLeg, SendToFallback, StopLeg
from router.chains.events import CallArrived
from router.telephony_adapter.asterisk.adapter import Asterisk
from router.telephony_adapter.asterisk.config import AsteriskSettings
from router.telephony_adapter.port import Report, Sighting
from simulators.ari.phones import Phone
from simulators.ari.server import Door, running
from simulators.ari.switch import Switch

LIMIT_S = 20.0
"""A fact takes milliseconds; a noisy machine gets much longer."""
PBX = "asterisk"
E = TypeVar("E", bound=Event)


@dataclass
class Ear:
    """What the adapter said."""

    reports: list[Report] = field(default_factory=list)
    sights: list[tuple[bool, str]] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)
    refuse: int = 0
    """So many deliveries fail."""
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def deliver(self, reports: Sequence[Report]) -> Sequence[str | None]:
        """As the engine's door."""
        if self.refuse:
            self.refuse -= 1
            raise RuntimeError("the journal cannot be written")
        async with self.changed:
            self.reports.extend(reports)
            self.changed.notify_all()
        return [None] * len(reports)

    async def until(self, holds: Callable[[], Any]) -> Any:
        """Wait until `holds` is true; its value."""
        async with asyncio.timeout(LIMIT_S), self.changed:
            return await self.changed.wait_for(holds)


class Desk:
    """One adapter at work, and the words to use it."""

    def __init__(self, adapter: Asterisk) -> None:
        self.adapter = adapter
        self.ear = Ear()

    async def in_sight(self, there: bool, why: str) -> None:
        """As the server: reads the PBX whenever it is there again."""
        if there:
            self.ear.sightings.append(await self.adapter.look())
        async with self.ear.changed:
            self.ear.sights.append((there, why))
            self.ear.changed.notify_all()

    # --- facts ----------------------------------------------------------------------------------------------------

    def said(self, call: str = "") -> list[Event]:
        """Facts of a call in order; of all calls where none is named."""
        return [report.event for report in self.ear.reports if not call or report.call == call]

    def of(self, kind: type[E], call: str = "") -> list[E]:
        """Facts of one kind."""
        return [event for event in self.said(call) if isinstance(event, kind)]

    async def hears(self, kind: type[E], call: str = "", number: int = 1) -> E:
        """Wait for the nth fact of a kind."""
        await self.ear.until(lambda: len(self.of(kind, call)) >= number)
        return self.of(kind, call)[number - 1]

    async def connected(self, number: int = 1) -> None:
        """Wait until the PBX is in sight for the nth time."""
        await self.ear.until(lambda: sum(there for there, _ in self.ear.sights) >= number)

    async def lost(self, number: int = 1) -> str:
        """Wait until it is lost for the nth time; the reason."""
        await self.ear.until(lambda: sum(not there for there, _ in self.ear.sights) >= number)
        return [why for there, why in self.ear.sights if not there][number - 1]

    async def arrived(self) -> str:
        """Wait for the next call that was not asked for before; its id."""
        known = getattr(self, "_arrivals", 0)
        self._arrivals = known + 1
        await self.hears(CallArrived, number=known + 1)
        return [report.call for report in self.ear.reports if isinstance(report.event, CallArrived)][known]

    # --- orders -----------------------------------------------------------------------------------------------------

    async def ring(
        self,
        call: str,
        hop: int,
        extension: str,
        *,
        seconds: float = 60,
        by_pbx: bool = True,
        caller: str | None = "+79990000001",
    ) -> Sequence[Event]:
        """Ring a head; by default longer than a test on a noisy machine takes to act on it."""
        effect = RingLeg(
            pbx=PBX, call=call, leg=leg(call, hop), extension=extension, caller=None, line="9001",
            ring=Duration(round(seconds * 1_000_000)), timed_by_pbx=by_pbx, best_before=Instant(2**62), after=None,
        )  # fmt: skip
        return await self.adapter.perform(effect, caller)

    async def ring_back(self, call: str) -> Sequence[Event]:
        """180 to the caller."""
        return await self.adapter.perform(RingBack(pbx=PBX, call=call, best_before=Instant(2**62)), None)

    async def stop(self, call: str, hop: int, why: Any) -> Sequence[Event]:
        """End a leg."""
        return await self.adapter.perform(StopLeg(pbx=PBX, call=call, leg=leg(call, hop), why=why), None)

    async def connect(self, call: str, hop: int) -> Sequence[Event]:
        """Join."""
        return await self.adapter.perform(Connect(pbx=PBX, call=call, leg=leg(call, hop)), None)

    async def release(self, call: str, why: Any = "talk_over") -> Sequence[Event]:
        """Hang up what is left."""
        return await self.adapter.perform(Release(pbx=PBX, call=call, why=why), None)

    async def to_fallback(self, call: str) -> Sequence[Event]:
        """Give it away."""
        return await self.adapter.perform(SendToFallback(pbx=PBX, call=call), None)

    async def look_at(self, call: str, hop: int) -> Sequence[Event]:
        """What is true."""
        effect = LookAtCall(pbx=PBX, call=call, leg=leg(call, hop), best_before=Instant(2**62))
        return await self.adapter.perform(effect, None)


def leg(call: str, hop: int) -> str:
    """The call machine's name of a ring."""
    return f"{call}.h{hop}"


@asynccontextmanager
async def at_work(settings: AsteriskSettings, password: str = "secret") -> AsyncIterator[Desk]:
    """An adapter that is connected; stopped and closed at the end."""
    desk = Desk(Asterisk(PBX, settings, password))
    running_adapter = asyncio.create_task(desk.adapter.run(desk.ear.deliver, desk.in_sight))
    try:
        waiting = asyncio.create_task(desk.connected())
        await asyncio.wait({waiting, running_adapter}, return_when=asyncio.FIRST_COMPLETED)
        if running_adapter.done():
            running_adapter.result()
        await waiting
        yield desk
    finally:
        running_adapter.cancel()
        await asyncio.gather(running_adapter, return_exceptions=True)
        await desk.adapter.close()


@asynccontextmanager
async def office(
    phones: dict[str, Phone] | None = None,
    *,
    second: float = 0.03,
    seed: int = 1,
    keep_alive_s: float = 15.0,
    **given: Any,
) -> AsyncIterator[tuple[Switch, Door, Desk]]:
    """A played Asterisk and an adapter at work on it. `given`: settings that differ."""
    switch = Switch(second=second, seed=seed)
    switch.phones = {f"PJSIP/{extension}": phone for extension, phone in (phones or {}).items()}
    async with running(switch, keep_alive_s=keep_alive_s) as door, _of(door, given) as desk:
        yield switch, door, desk


def _of(door: Door, given: dict[str, Any]) -> AbstractAsyncContextManager[Desk]:
    return at_work(AsteriskSettings(url=door.url, **given))
