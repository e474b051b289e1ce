"""One PBX as the running server sees it: reports in, effects out, comparing after each (re)connect. Knows the
engine."""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from router.basis.failures import Failure, Permanent, Temporary
from router.basis.instants import SECOND, Instant
from router.basis.machine import Event
from router.basis.phone import masked, normal
from router.chains.call import CallMachine
from router.chains.delivery import pbx_lane
from router.chains.effects import RecordingEffect, RingLeg, SendToFallback, TelephonyEffect
from router.chains.events import CallArrived, DeviceSeen, FallbackTook, LineSeen
from router.chains.roster import ROSTER
from router.engine.core import Admission, Answer
from router.engine.journal import EffectId, Order
from router.engine.quarantine import Quarantine
from router.engine.shell import Engine
from router.engine.store.port import StoreUnavailable
from router.office import call_chain
from router.reconcile import LiveCall, reconcile
from router.telephony_adapter.port import KeepsRecordings, KeepsUnread, Report, Telephony, UnknownPayload

log = structlog.get_logger(__name__)


REMEMBERED = 10_000
"""Calls turned away that are remembered: a day of a full disk in the busiest office."""


class Switch:
    """Between one `Telephony` and the engine."""

    def __init__(  # noqa: PLR0913 - what connects the two, and the settings of it
        self,
        telephony: Telephony,
        engine: Engine,
        *,
        region: str,
        keep_raw: bool,
        look_every: float,
        resync_limit: float,
        lost_limit: float = 300.0,
        rung_twice: Callable[[int], None],
        quarantine: Quarantine | None = None,
    ) -> None:
        self.telephony = telephony
        self.lane = pbx_lane(telephony.name)
        self.visible = False
        self.seen = False
        """Whether it has been read since the start."""
        self.lost: Instant | None = None
        """Since when it has been out of sight, while its calls wait for it; None: they do not wait."""
        self.blind = False
        """It was waited for long enough: its calls run on without it."""
        self._engine = engine
        self._region = region
        self._keep_raw = keep_raw
        self._look_every = look_every
        self._resync_limit = resync_limit
        self._lost_limit = lost_limit
        self._rung_twice = rung_twice
        self._turned_away: dict[str, None] = {}
        """Calls given to the PBX's own plan without a commit, whose arrival will be told again."""
        self._quarantine = quarantine or Quarantine(engine)
        self._recovered: frozenset[EffectId] = frozenset()
        self._looking = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    # --- life --------------------------------------------------------------------------------------------------

    def start(self, recovered: Sequence[Order]) -> None:
        """Begin to receive; calls of this PBX wait until it has been read, at most the resync limit."""
        self._recovered = frozenset(order.id for order in recovered if order.delivery.lane == self.lane)
        self.lost = self._engine.clock.now()
        self._engine.performers[self.lane] = self.perform
        if isinstance(self.telephony, KeepsUnread):
            self.telephony.unknown = self._keep
        for work in (self._receive(), self._limit(), self._look_now_and_then()):
            self._tasks.append(asyncio.create_task(work))

    async def rest(self) -> None:
        """Receive no more; effects may still be carried out."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def stop(self) -> None:
        """Receive no more and free the connections, which cuts effects that are still under way."""
        await self.rest()
        await self.telephony.close()

    async def ended(self) -> None:
        """Raises when receiving has ended for good."""
        await asyncio.gather(*self._tasks[:1])

    async def _receive(self) -> None:
        while True:
            try:
                await self.telephony.run(self.deliver, self.in_sight)
            except Permanent as failure:
                self.visible = False
                log.critical("pbx_lost_for_good", pbx=self.telephony.name, code=failure.code, detail=failure.detail)
                raise
            except Failure as failure:
                log.error("pbx_run_ended", pbx=self.telephony.name, code=failure.code)
            await asyncio.sleep(1)

    async def _limit(self) -> None:
        while True:
            await asyncio.sleep(self._resync_limit / 10)
            self.run_on(self._engine.clock.now())

    def run_on(self, now: Instant) -> None:
        """Calls wait for their PBX for a limited time; then they run on, shown and audited as unseen.

        Short after a start (law 11: the resync limit). Longer for a PBX that is lost on the way: nothing could be asked
        of it meanwhile, and what its people did in the gap is known when it comes back.
        """
        limit = self._lost_limit if self.seen else self._resync_limit
        if self.lost is not None and now - self.lost >= limit * SECOND:
            log.error("pbx_out_of_sight", pbx=self.telephony.name, waited_s=limit)
            self.lost, self.blind = None, True
            self._engine.in_sight(self.lane)

    async def _look_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(self._look_every)
            if self.visible and self.telephony.abilities.can_look:
                await self._look("periodic")

    # --- in ----------------------------------------------------------------------------------------------------

    async def deliver(self, reports: Sequence[Report]) -> Sequence[str | None]:
        """See `router.telephony_adapter.port.Deliver`."""
        new = self._new_calls(reports) if self._engine.scarce else []
        taken = [report for report in reports if report not in new] if new else reports
        groups = [self._admissions(report) for report in taken]
        try:
            answers = await self._engine.admit([admission for group in groups for admission in group])
        except StoreUnavailable as error:
            await self._turn_away(reports, "journal_unavailable")
            raise Temporary("journal_unavailable", str(error)) from error
        for report, group, part in _grouped(taken, groups, answers):
            for admission, answer in zip(group, part, strict=True):
                if answer.error is not None:
                    event_type = type(admission.event).__name__
                    log.error("report_not_taken", pbx=self.telephony.name, event_type=event_type)
                    # It is answered as taken, because telling it again would not help: so a person finds it.
                    await self._put_away(report.raw or b"", f"not taken: {answer.error}", admission.chain)
        if new:
            # What is under way has been written; the rest is told again, and by then there may be room.
            await self._turn_away(new, "disk_full")
            raise Temporary("disk_full")
        return [part[-1].reply for _, _, part in _grouped(taken, groups, answers)]

    def _new_calls(self, reports: Sequence[Report]) -> list[Report]:
        live = self._engine.core.live
        return [
            report
            for report in reports
            if isinstance(report.event, CallArrived) and call_chain(self.telephony.name, report.call) not in live
        ]

    def _admissions(self, report: Report) -> list[Admission]:
        """The report; before the arrival of a call that was turned away, that the PBX's own plan has it: told late, it
        must not ring anybody."""
        admission = self._admission(report)
        if isinstance(report.event, CallArrived) and report.call in self._turned_away:
            del self._turned_away[report.call]
            return [Admission(admission.chain, FallbackTook(), self.lane), admission]
        return [admission]

    def _admission(self, report: Report) -> Admission:
        chain = (
            ROSTER if isinstance(report.event, DeviceSeen | LineSeen) else call_chain(self.telephony.name, report.call)
        )
        personal: dict[str, tuple[str, str]] = {}
        for name, raw in report.personal.items():
            number = normal(raw, self._region)
            if number is not None:
                personal[name] = ("phone", number)
        return Admission(
            chain, report.event, self.lane, report.origin, personal, report.raw if self._keep_raw else None
        )  # fmt: skip

    async def _keep(self, payload: UnknownPayload) -> None:
        """A payload that nobody could read is put away for a person to look at. Raises Temporary."""
        await self._put_away(payload.body, payload.reason)

    async def _put_away(self, body: bytes, why: str, chain: str = "") -> None:
        try:
            await self._quarantine.keep(self.lane, body, why, chain)
        except StoreUnavailable as error:
            raise Temporary("journal_unavailable", str(error)) from error

    async def _turn_away(self, reports: Sequence[Report], why: str) -> None:
        """The journal cannot be written: new callers go to the PBX's own plan, whose record is read back later."""
        for report in reports:
            new = isinstance(report.event, CallArrived) and report.call not in self._turned_away
            if new and self.telephony.abilities.style == "conductor":
                log.error("call_sent_to_fallback", pbx=self.telephony.name, call=report.call, why=why)
                try:
                    await self.telephony.perform(SendToFallback(self.telephony.name, report.call), None)
                except Failure as failure:
                    log.error("fallback_not_reached", pbx=self.telephony.name, code=failure.code)
                    continue
                self._turned_away[report.call] = None
                while len(self._turned_away) > REMEMBERED:
                    del self._turned_away[next(iter(self._turned_away))]

    async def in_sight(self, visible: bool, why: str) -> None:
        """The adapter says whether the PBX can be seen."""
        log.info("pbx_sight", pbx=self.telephony.name, visible=visible, why=why)
        if not visible:
            self.visible = False
            if self.lost is None and not self.blind:
                self.lost = self._engine.clock.now()
                self._engine.out_of_sight(self.lane)
            return
        if not self.telephony.abilities.can_look:
            self.visible, self.seen, self.lost, self.blind = True, True, None, False
            self._engine.in_sight(self.lane)
            return
        if self.blind:
            # Effects wait while we compare, as after a start: what was sent blindly may be there already.
            self._engine.out_of_sight(self.lane)
        if await self._look(why):
            self.visible, self.seen, self.lost, self.blind = True, True, None, False
            self._engine.in_sight(self.lane)
        elif self.blind:
            self._engine.in_sight(self.lane)

    async def _look(self, why: str) -> bool:
        """Read the PBX, admit what we did not know. False if it could not be read."""
        async with self._looking:
            core, outbox = self._engine.core, self._engine.outbox
            looked = self._engine.clock.now()
            # Taken before the look, in one go: a ring that is sent meanwhile may be missing in what the PBX shows, and
            # a chain that is just being written has rings that are in no list yet.
            writing = self._engine.in_flight
            rings = [order for order in outbox.waiting() if isinstance(order.effect, RingLeg)]
            rings = [order for order in rings if order.delivery.lane == self.lane]
            try:
                sighting = await self.telephony.look()
            except Failure as failure:
                log.warning("pbx_not_read", pbx=self.telephony.name, code=failure.code, why=why)
                return False
            prefix = call_chain(self.telephony.name, "")
            shown = {prefix + sight.call for sight in sighting.calls}
            known = [
                LiveCall(  # one that was being written when the look began has gone on since
                    live.id,
                    live.id.removeprefix(prefix),
                    live.state,  # type: ignore[arg-type]
                    looked if live.id in writing else live.at,
                )
                for live in core.live.values()
                # What is over on both sides needs no comparing, and there are thousands of these.
                if (not live.final or live.id in shown)
                and live.id.startswith(prefix)
                and isinstance(live.machine, CallMachine)
            ]
            now = self._engine.clock.now()
            findings = reconcile(
                self.telephony.name, known, rings, self._recovered, sighting, looked, now, self._region
            )
            for order in findings.adopted:
                outbox.resolve(order, "adopted")
            if findings.maybe_rung_twice:
                self._rung_twice(findings.maybe_rung_twice)
            self._recovered = frozenset()
            if findings.admissions:
                log.info("pbx_differences", pbx=self.telephony.name, why=why, facts=len(findings.admissions))
                await self._engine.admit_surely(findings.admissions)
            return True

    # --- out ---------------------------------------------------------------------------------------------------

    async def perform(self, order: Order) -> Sequence[Event]:
        """Carry out one telephony effect."""
        effect = order.effect
        if isinstance(effect, RecordingEffect):
            assert isinstance(self.telephony, KeepsRecordings), "nothing is recorded where nothing can be"
            return await self.telephony.record(effect)
        assert isinstance(effect, TelephonyEffect), "only telephony effects travel in this lane"
        caller = None
        if isinstance(effect, RingLeg) and effect.caller is not None:
            caller = await self._engine.reveal(effect.caller)
        facts = await self.telephony.perform(effect, caller)
        if isinstance(effect, RingLeg):
            # Said afterwards: until the phone rings, every moment is a gap for the client. The shell tells a failure.
            shown = masked(caller or "")
            log.info("ring", call=effect.call, leg=effect.leg, extension=effect.extension, caller=shown)
        return facts


def _grouped(
    reports: Sequence[Report], groups: Sequence[list[Admission]], answers: Sequence[Answer]
) -> list[tuple[Report, list[Admission], list[Answer]]]:
    """Each report with its admissions and what became of them."""
    left = iter(answers)
    return [(report, group, [next(left) for _ in group]) for report, group in zip(reports, groups, strict=True)]
