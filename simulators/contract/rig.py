"""What the telephony contract is played with: an adapter and its fake PBX, people who move it, and the least server.

Counterparts: `simulators.contract.laws` and `simulators.contract.leading`, which hold the plays.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol, TypeVar

import msgspec

from router.basis.failures import Failure, Temporary
from router.basis.instants import SECOND, Duration, Instant
from router.basis.machine import Event
from router.chains.effects import AdviseFallback, Connect, RingLeg, TelephonyEffect
from router.chains.events import AdviceAsked, CallArrived, LegAnswered, LegEnded, LegRinging, TalkStarted
from router.telephony_adapter.port import CallSight, Report, Telephony

LINE, CALLER = "+74950000001", "+79990001122"
PATIENCE_S = 60
"""A noisy machine must not make a good adapter fail; nothing here takes longer than a second by itself."""

USEFUL = Instant(2**61)
"""`best_before` of what the plays order: never too late."""

E = TypeVar("E", bound=Event)


class Neighbour(Protocol):
    """The fake PBX, moved by the test as people and lines would move a real one."""

    async def caller_dials(self, caller: str = CALLER) -> str:
        """A client dials LINE; returns the PBX's id of the call."""
        ...

    async def caller_hangs_up(self, call: str) -> None: ...

    async def head_answers(self, extension: str) -> None:
        """The phone that rings is picked up."""
        ...

    async def head_declines(self, extension: str) -> None: ...

    async def head_hangs_up(self, extension: str) -> None: ...

    async def phone_is_busy(self, extension: str) -> None: ...

    async def phone_goes(self, extension: str) -> None:
        """The phone is not registered any more."""
        ...

    async def vanish(self) -> None:
        """The line to the PBX is cut, its calls live on."""
        ...

    async def appear(self) -> None: ...

    def rings(self, extension: str) -> int:
        """How often the phone has rung, by the PBX's own record."""
        ...

    def rings_now(self) -> Sequence[str]:
        """Extensions that ring at this moment."""
        ...

    def talks_now(self) -> Sequence[tuple[str, str]]:
        """(call, extension) connected at this moment."""
        ...


class Rig(Protocol):
    """An adapter and its PBX, connected to the server: `run` is running, `routes` are served."""

    telephony: Telephony
    pbx: Neighbour
    server: "Server"


def _own_plan(event: AdviceAsked) -> str | None:
    return msgspec.json.encode(AdviseFallback()).decode()


class Server:
    """The least that an adapter needs of the engine: it keeps what is reported and lets tests wait for it."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.sights: list[bool] = []
        self.advice: Callable[[AdviceAsked], str | None] = _own_plan
        """What a question is answered, as the machine would: JSON of `router.chains.effects.Advice`."""
        self._answers: dict[tuple[str, str], str | None] = {}
        self.broken = 0
        """So many of the next deliveries cannot be stored."""
        self._moved = asyncio.Condition()

    async def deliver(self, reports: Sequence[Report]) -> Sequence[str | None]:
        """The journal."""
        if self.broken:
            self.broken -= 1
            raise Temporary("journal_down")
        async with self._moved:
            self.reports.extend(reports)
            self._moved.notify_all()
        return [self._reply(report) for report in reports]

    def _reply(self, report: Report) -> str | None:
        """The stored reply: one for each origin, however often it is delivered."""
        if not isinstance(report.event, AdviceAsked):
            return None
        key = (report.call, report.origin or str(len(self.reports)))
        if key not in self._answers:
            self._answers[key] = self.advice(report.event)
        return self._answers[key]

    async def in_sight(self, seen: bool, why: str) -> None:
        """The PBX came or went."""
        assert why
        async with self._moved:
            self.sights.append(seen)
            self._moved.notify_all()

    async def until(self, true: Callable[[], bool]) -> None:
        """Returns when `true()` is."""
        async with self._moved:
            await asyncio.wait_for(self._moved.wait_for(true), PATIENCE_S)

    async def hears(self, kind: type[E], call: str, leg: str | None = None, times: int = 1) -> E:
        """Waits until such a fact of the call (and leg) was reported; returns the newest."""
        await self.until(lambda: len(self.heard(kind, call, leg)) >= times)
        return self.heard(kind, call, leg)[-1]

    def heard(self, kind: type[E], call: str, leg: str | None = None) -> list[E]:
        """Facts of one kind, in the order of their reports."""
        events = [report.event for report in self.reports if report.call == call]
        return [
            event
            for event in events
            if isinstance(event, kind) and (leg is None or getattr(event, "leg", None) == leg)
        ]  # fmt: skip


def ring(pbx: str, call: str, leg: str = "L.1", extension: str = "101", ring_s: float = 30) -> RingLeg:
    """A ring of `extension`, timed by the PBX."""
    duration = Duration(round(ring_s * SECOND))
    return RingLeg(
        pbx, call, leg, extension, "t_caller", LINE, duration, timed_by_pbx=True, best_before=USEFUL, after=None
    )


async def ask(rig: Rig, effect: TelephonyEffect) -> None:
    """As the outbox does: what the answer proves is admitted; what cannot be done ever is let go."""
    with suppress(Failure):
        facts = await rig.telephony.perform(effect, CALLER)
        if facts:
            await rig.server.deliver([Report(effect.call, fact) for fact in facts])


async def ringing(rig: Rig) -> str:
    """A call whose first head's phone rings."""
    call = await rig.pbx.caller_dials()
    await rig.server.hears(CallArrived, call)
    await ask(rig, ring(rig.telephony.name, call))
    if rig.telephony.abilities.reports_ringing:
        await rig.server.hears(LegRinging, call, "L.1")
    return call


async def talking(rig: Rig) -> str:
    """A call in which the first head talks."""
    call = await ringing(rig)
    await answer_and_connect(rig, call)
    return call


async def answer_and_connect(rig: Rig, call: str) -> None:
    """The first head picks up and is joined."""
    await rig.pbx.head_answers("101")
    await rig.server.hears(LegAnswered, call, "L.1")
    await ask(rig, Connect(rig.telephony.name, call, "L.1"))
    await rig.server.hears(TalkStarted, call, "L.1")


async def ended(rig: Rig, effect: RingLeg) -> LegEnded:
    """How a ring ended that never rang."""
    await rig.server.hears(CallArrived, effect.call)
    await ask(rig, effect)
    return await rig.server.hears(LegEnded, effect.call, effect.leg)


async def sight_of(rig: Rig, call: str) -> CallSight:
    """The call as the PBX lists it."""
    sighting = await rig.telephony.look()
    return next(sight for sight in sighting.calls if sight.call == call)
