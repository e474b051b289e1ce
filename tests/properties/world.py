"""A world with moods for random histories: what may happen, a PBX that answers as it likes, and what must always hold.

An action is plain data, so that Hypothesis can shrink a history and a story can quote it. Moods decide, one after the
other, what the PBX makes of each order. Every law is checked after every action.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from router.basis.failures import Permanent, Temporary
from router.basis.instants import MILLISECOND, SECOND, Duration, Instant, after
from router.basis.machine import ChainId, ClaimLost, Event, Nudged, Urgency
from router.chains.call_states import CallState, Connecting, Ended, Filed, Ringing, Talking, Waiting
from router.chains.callback import Open
from router.chains.choice import LEFT_FOR, choose
from router.chains.effects import Connect, LookAtCall, Release, RingLeg, SendToFallback, StopLeg
from router.chains.enquiry import MISSED, Outcome
from router.chains.events import (
    Announced,
    CallArrived,
    CallClosed,
    CallerHungUp,
    CameBack,
    DeviceSeen,
    Disposition,
    FallbackOrdered,
    FallbackServed,
    FallbackTook,
    HeadFreed,
    LegAnswered,
    LegAsked,
    LegEnded,
    LegRinging,
    Party,
    RecordingFailed,
    RecordingFinished,
    RecordingKept,
    RecordingStarted,
    TakePressed,
    TalkConfirmed,
    TalkEnded,
    TalkHeld,
    TalkResumed,
    TalkStarted,
    TalkTransferred,
    Transfer,
    VerdictGiven,
    WentAway,
)
from router.chains.roster import ROSTER
from router.engine.core import Admission
from router.engine.journal import Order
from router.engine.outbox import POLICIES, Outbox
from router.engine.retry import Backoff
from router.office import call_chain
from tests.stories.stage import HEADS, LINE, PBX, T0, Stage, extension_of

Action = tuple[Any, ...]

CALLS = 4
"""Calls of one history: enough to quarrel over two heads."""
LONGEST_STORY = Duration(14 * 3600 * SECOND)
"""After a history the world behaves, and every call must be over within this (a forgotten talk: 12 h)."""

SLOW = Backoff(Duration(2 * SECOND), 1, Duration(2 * SECOND), Duration(12 * 3600 * SECOND))
"""Repeats in plays of hours: every 2 s instead of every 200 ms, only to be faster."""

Told = Literal[
    "arrived", "asked", "ringing", "answered", "ended", "talk", "confirmed", "talk_over", "gone", "took", "record",
    "served", "verdict", "take", "freed", "closed", "sent_away", "lost", "nudged", "transfer", "held", "resumed",
    "announced", "tape",
]  # fmt: skip


class World(Stage):
    """A stage whose PBX has moods."""

    def __init__(self, moods: Sequence[int], **options: Any) -> None:
        super().__init__(**options)
        self.outbox = Outbox({**POLICIES, Urgency.UNTIL_TRUE: SLOW})
        self.perform = self._moody
        self.moods = list(moods) or [0]
        self.behaves = False
        self._mood = 0
        self._legs: dict[str, list[str]] = {}
        self._open: dict[str, set[str]] = {}
        self._talked: set[ChainId] = set()
        self._checked = 0
        self._noted = 0
        terms = options.get("terms") or {}
        alone = terms.get("spread", "one_by_one") == "one_by_one" and not terms.get("all_in_last_s")
        self._at_once = 1 if alone else len(HEADS)  # who took over a client is offered him again, on the list or not

    # --- what happens -------------------------------------------------------------------------------------------

    def act(self, action: Action) -> None:
        """One action, then all laws."""
        match action:
            case ("waits", int(milliseconds)):
                self._pass(milliseconds)
            case ("oversleeps", int(milliseconds)):
                self.oversleep_to(after(self.now, milliseconds * MILLISECOND))
            case ("away", head, None | int() as until_s):
                until = None if until_s is None else after(self.now, until_s * SECOND)
                self.admit(ROSTER, WentAway(head, head, until))
            case ("back", head):
                self.admit(ROSTER, CameBack(head, head))
            case ("device", head, bool(reachable)):
                self.admit(ROSTER, DeviceSeen(extension_of(head), reachable))
            case ("told", int(call), what, int(leg), int(detail)):
                self._tell(call, [self._fact(call, what, leg, detail)])
            case ("together", int(call), facts):
                self._tell(call, [self._fact(call, what, leg, detail) for what, leg, detail in facts])
            case _:
                raise AssertionError(action)
        self.check()

    def _pass(self, milliseconds: int) -> None:
        """Time goes by, and after each thing that happens by itself the laws are looked at."""
        until = after(self.now, milliseconds * MILLISECOND)
        while (due := self.next_due()) is not None and due <= until:
            self.now = max(self.now, due)
            self.work()
            self.check()
        self.now = until

    def _tell(self, call: int, events: list[Event]) -> None:
        chain = call_chain(PBX, f"c{call}")
        self.take(*(Admission(chain, event, "pbx:pbx") for event in events))
        self.work()

    def _fact(self, call: int, what: Told, leg: int, detail: int) -> Event:
        legs = [*self._legs.get(f"c{call}", ()), "foreign", ""]
        name = legs[-1 - leg % len(legs)] if leg else (legs[-3] if len(legs) > 2 else "foreign")  # 0: the latest ring
        extension = ["", extension_of(HEADS[detail % len(HEADS)]), "777"][detail % 3]
        match what:
            case "arrived":
                return CallArrived(LINE, "t_caller" if detail % 2 else None)
            case "asked":
                return LegAsked(name)
            case "ringing":
                return LegRinging(name)
            case "answered":
                return LegAnswered(name, extension if detail % 4 == 3 else "")
            case "ended":
                return LegEnded(name, list(Disposition)[detail % len(Disposition)])
            case "talk":
                return TalkStarted(name, extension)
            case "confirmed":
                return TalkConfirmed(name, extension)
            case "transfer":
                how = list(Transfer)[detail % len(Transfer)]
                new = [f"c{call}.x{detail % 2}", "", name][leg % 3]
                return TalkTransferred(how, new, extension, "t_outside" if detail % 5 == 0 else None)
            case "announced":
                return Announced(detail % 2 == 0)
            case "tape":
                name = f"hopline-c{call}"
                said = (RecordingStarted(name), RecordingFinished(name, 1), RecordingKept(name, 9))
                return [*said, RecordingFailed(name, "x")][detail % 4]
            case "held":
                return TalkHeld(name)
            case "resumed":
                return TalkResumed(name)
            case "talk_over":
                return TalkEnded(list(Party)[detail % len(Party)])
            case "gone":
                return CallerHungUp()
            case "took":
                return FallbackTook()
            case "record" | "served":
                return FallbackServed(LINE, "t_record", T0, "9" if what == "served" else "", 0, "sent")
            case "verdict":
                return VerdictGiven(HEADS[detail % len(HEADS)], "real" if detail % 2 else "spam")
            case "take":
                return TakePressed(HEADS[detail % len(HEADS)])
            case "freed":
                return HeadFreed(HEADS[detail % len(HEADS)], "duty")
            case "closed":
                return CallClosed("duty", "stuck")
            case "sent_away":
                return FallbackOrdered("duty")
            case "lost":
                return ClaimLost(f"person:{HEADS[detail % len(HEADS)]}", "call:pbx:elsewhere")
            case "nudged":
                return Nudged("overdue")

    # --- the PBX --------------------------------------------------------------------------------------------------

    def _moody(self, order: Order) -> None:
        mood = 0 if self.behaves else self.moods[self._mood % len(self.moods)]
        self._mood += 1
        effect = order.effect
        if not isinstance(effect, RingLeg | StopLeg | Connect | Release | SendToFallback | LookAtCall):
            self.outbox.performed(order.id, self.now)
            return
        if mood == 8:
            self.outbox.failed(order.id, Temporary("pbx_busy"), self.now)
            return
        if mood == 9:
            self.outbox.failed(order.id, Permanent("refused"), self.now)
            return
        self.outbox.performed(order.id, self.now)
        delay = [0, 0, 40, 300, 900, 1500][mood] if mood < 6 else None
        if delay is None:
            return  # accepted, and nothing is ever heard of it
        for event in self._answers(effect, mood):
            self.later(after(self.now, delay * MILLISECOND), call_chain(PBX, effect.call), event)

    def _answers(
        self, effect: RingLeg | StopLeg | Connect | Release | SendToFallback | LookAtCall, mood: int
    ) -> list[Event]:
        match effect:
            case RingLeg():
                if effect.timed_by_pbx:
                    end = LegEnded(effect.leg, Disposition.NO_ANSWER)
                    self.later(after(self.now, effect.ring), call_chain(PBX, effect.call), end)
                refusals = [Disposition.BUSY, Disposition.DECLINED, Disposition.UNREACHABLE]
                return [LegEnded(effect.leg, refusals[mood - 3])] if mood >= 3 else [LegRinging(effect.leg)]
            case StopLeg():
                return [LegEnded(effect.leg, Disposition.CANCELLED)]
            case Connect():
                return [TalkStarted(effect.leg)] if mood < 4 else [LegEnded(effect.leg, Disposition.COMPLETED)]
            case Release():
                return [CallerHungUp()]
            case SendToFallback():
                return [FallbackTook()] if mood < 4 else [CallerHungUp()]
            case LookAtCall():
                if self.behaves:
                    return [CallerHungUp()]
                return [TalkConfirmed(effect.leg)] if mood < 3 else [LegEnded(effect.leg, Disposition.COMPLETED)]

    # --- what must always hold --------------------------------------------------------------------------------------

    def calls(self) -> dict[ChainId, CallState]:
        """All calls."""
        return {chain: live.state for chain, live in self.core.live.items() if chain.startswith("call:")}  # type: ignore[misc]

    def ringing(self) -> list[int]:
        """Numbers of the calls for which a phone rings."""
        return [int(state.file.call[1:]) for state in self.calls().values() if isinstance(state, Ringing)]

    def check(self) -> None:
        """Every law that is true between any two events."""
        self._note()
        assert (due := self.core.timer.next()) is None or due > self.now, "a deadline that is past was left behind"
        for chain, live in self.core.live.items():
            standing = live.machine.standing(live.state)
            assert standing.final or live.deadline is not None or standing.reason, f"{chain} waits for nothing"
            claimed = {claim.key for claim in live.machine.claims(live.state)}
            assert not (standing.final and claimed), f"{chain} is over and holds {claimed}"
            assert self.core.claims.held_by(chain) == claimed, f"{chain} holds other heads than its state says"
        holders = {held.chain for held in self.core.claims.all().values()}
        assert all(not self.core.live[chain].final for chain in holders)
        calls = self.calls()
        self._one_offer_per_head(calls)
        for chain, state in calls.items():
            self._window_kept(chain, state)
            self._nobody_idle(chain, state)
            self._conserved(chain, state)
        for call, legs in self._open.items():
            assert len(legs) <= self._at_once, f"{call}: {legs} ring at once"

    def _one_offer_per_head(self, calls: dict[ChainId, CallState]) -> None:
        offers: dict[str, ChainId] = {}
        for chain, state in calls.items():
            if not isinstance(state, Filed) or state.file.terms.offers_per_person == 0:
                continue
            mine = {entry.person for entry in state.file.fading if entry.holds}
            if isinstance(state, Ringing):
                mine |= {hop.person for hop in state.hops}
            if isinstance(state, Connecting) and state.holds:
                mine.add(state.hop.person)
            if isinstance(state, Talking) and state.holds and state.end.person:
                mine.add(state.end.person)
            for person in mine:
                assert person not in offers, f"{person} is in {chain} and in {offers[person]}"
                offers[person] = chain

    def _window_kept(self, chain: ChainId, state: CallState) -> None:
        if isinstance(state, Ringing):
            assert state.hops, f"{chain} rings nobody"
            people = {hop.person for hop in state.hops}
            assert len(people) == len(state.hops), f"{chain} rings a head twice"
            assert self.now < state.file.window_end
            for hop in state.hops:
                assert hop.end <= state.file.window_end, f"{chain} rings beyond its window"
                planned_to_order = hop.ordered - hop.start
                assert 0 <= planned_to_order <= state.file.terms.late_by, f"{chain}: the hop starts in the far past"
        elif isinstance(state, Waiting):
            assert self.now < state.file.window_end, f"{chain} waits beyond its window"

    def _nobody_idle(self, chain: ChainId, state: CallState) -> None:
        """No call waits for a head who is free."""
        if not isinstance(state, Waiting) or state.file.window_end - self.now < state.file.terms.min_offer:
            return
        seen = self.office.look_at_call(chain, Nudged(""), self.core, self.now)
        # Whoever came back counts, told or not; who is claimed by another call, or passed for good, is not offered.
        returned = tuple(person for person in seen.back if person not in state.file.back)
        heard = msgspec.structs.replace(state.file, back=(*state.file.back, *returned))
        choice = choose(heard, seen.sights, self.now)
        # Left to an earlier caller a moment ago: it looks again by itself.
        soon = state.wake <= self.now + LEFT_FOR
        assert choice.seat is None or soon, f"{chain} waits, and {choice.seat} is free"
        for key in state.keys:
            if key.startswith("person:"):
                assert self.core.claims.held(key) is not None, f"{chain} waits for {key}, which nobody holds"

    def _conserved(self, chain: ChainId, state: CallState) -> None:
        if not isinstance(state, Ended):
            return
        entry = self.core.live.get(chain.replace("call:", "callback:", 1))
        if state.end.outcome in MISSED:
            passed = state.file.passed and (state.file.passed[-1].lost or state.end.outcome.startswith("fallback"))
            assert chain not in self._talked or passed, f"{chain} was answered and counts as {state.end.outcome}"
            assert entry is not None, f"{chain} was missed and nobody owes a call-back"
        elif state.end.outcome is not Outcome.CLOSED:  # an entry from before stays with whoever is to close it
            assert entry is None or not isinstance(entry.state, Open), f"{chain} was served and is still owed"

    def _note(self) -> None:
        """What was ordered and told since the last look; the laws about single orders."""
        for record in self.records[self._noted :]:
            if record.kind != "call":
                continue
            machine = self.core.machine("call", 1)
            event = self.core.codec.event(machine, record.event, 1)
            if isinstance(event, TalkStarted | TalkConfirmed | TalkEnded):
                self._talked.add(record.chain)
            call = record.chain.rsplit(":", 1)[-1]
            open_legs = self._open.setdefault(call, set())
            attended = isinstance(event, TalkTransferred) and event.how is not Transfer.BLIND
            if attended:
                self._talked.add(record.chain)
            if isinstance(event, LegEnded):
                open_legs.discard(event.leg)
            for order in record.orders:
                effect = order.effect
                if isinstance(effect, StopLeg):
                    open_legs.discard(effect.leg)
                elif isinstance(effect, RingLeg):
                    open_legs.add(effect.leg)
                    self._legs.setdefault(call, []).append(effect.leg)
                    self._lawful_ring(record.chain, effect, record.at, record.state)
        self._noted = len(self.records)

    def _lawful_ring(self, chain: ChainId, ring: RingLeg, at: Instant, body: bytes) -> None:
        state = self.core.codec.state(self.core.machine("call", 1), body, 1)
        assert isinstance(state, Ringing)
        left = state.file.window_end - at
        assert left >= state.file.terms.min_offer, f"{chain} rang somebody with {left} µs left"
        assert ring.best_before >= at, "a ring that is stale when it is ordered"
        hop = state.with_leg(ring.leg)
        assert hop is not None
        assert ring.best_before <= hop.end
        assert ring.leg not in self._legs.get(ring.call, [])[:-1], "one leg id was used twice"

    # --- the end ----------------------------------------------------------------------------------------------------

    def come_to_rest(self) -> None:
        """The world behaves from here on; every call has to end, every head to be free, every debt to be known."""
        self.behaves = True
        end = after(self.now, LONGEST_STORY)
        while (due := self.next_due()) is not None and due <= end:
            live = [chain for chain, state in self.calls().items() if not self.core.live[chain].final]
            if not live and not any(True for _ in self.outbox.waiting()):
                break
            self.now = max(self.now, due)
            self.work()
        self.check()
        for chain in self.calls():
            assert self.core.live[chain].final, f"{chain} never ends: {self.core.live[chain].state}"
        assert not self.core.claims.all()
        assert not self.core.claims.waiting()

    def log(self) -> list[tuple[str, int, bytes, bytes, bytes, bytes]]:
        """The journal's bytes."""
        return [
            (record.chain, record.at, record.event, record.seen, record.outcome, record.state)
            for record in self.records
        ]

    def replays(self) -> None:
        """Every stored event with what was seen then leads from the stored state to the same bytes."""
        codec = self.core.codec
        before: dict[ChainId, bytes] = {}
        for record in self.records:
            machine = self.core.machine(record.kind, record.machine_version)
            event = codec.event(machine, record.event, record.schema)
            seen = codec.seen(machine, record.seen, record.schema)
            if record.chain in before:
                state = codec.state(machine, before[record.chain], record.schema)
                step = machine.step(state, event, seen, record.at)
            else:
                step = machine.start(event, seen, record.at)
            assert codec.encode(step.state) == record.state
            claims = () if machine.standing(step.state).final else machine.claims(step.state)
            assert codec.outcome(step, claims) == record.outcome
            before[record.chain] = record.state
