"""Planted defects: mistakes that somebody could make, each with the judge that must catch it.

A defect is in force while its `planted` block lasts, judging included. They prove that the judges see; the tests play
each in a short run, and the same run without it must be clean.
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import msgspec

from router.basis.instants import MILLISECOND, MINUTE, SECOND, Instant
from router.basis.machine import ClockStepped, Step, Urgency
from router.chains.call import CallMachine
from router.chains.call_states import Ended, Ringing, Talking
from router.chains.effects import RingLeg, ShowCard
from router.chains.enquiry import File, Outcome
from router.chains.events import LegEnded
from router.chains.roster import RosterMachine
from router.engine.claims import Claims
from router.engine.core import Core
from router.engine.outbox import Outbox
from router.engine.store.sqlite_file import SqliteFile
from router.engine.timer import Timer
from router.telephony_adapter.webhook import commands
from simulators.faults import NONE, Faults, Tolerance
from simulators.scripted import Later
from simulators.scripted_store import ScriptedStore
from simulators.server import MachineClock
from simulators.simulation import Setup

Planted = Callable[[], AbstractContextManager[Any]]

BUSY_MORNING = Setup(seed=7, from_hour=11, to_hour=11.5, calls_a_day=600)
"""Half an hour with so many calls that heads are waited for."""

DOUBLED = replace(NONE, name="doubled", doubled=300_000, held_up=(10 * MILLISECOND, 2 * SECOND))

OVERTAKEN = Faults(
    "overtaken",
    travel=(1 * MILLISECOND, 5 * MILLISECOND),
    overtaken=200_000,
    held_up=(5 * SECOND, 20 * SECOND),
    tolerance=Tolerance(
        ring=3 * SECOND, window=25 * SECOND, overlap=SECOND, silence=25 * SECOND, talk=60 * SECOND, deadline=SECOND
    ),
)

KILLED = Faults(
    "killed",
    kill_every=1 * MINUTE,
    dead_for=(100 * MILLISECOND, 2 * SECOND),
    tolerance=Tolerance(
        ring=SECOND, window=3 * SECOND, overlap=SECOND, silence=4 * SECOND, talk=4 * SECOND, deadline=4 * SECOND
    ),
)

REFUSED = Faults(
    "refused",
    travel=(1 * MILLISECOND, 5 * MILLISECOND),
    command_refused=100_000,
    tolerance=Tolerance(
        ring=SECOND, window=2 * SECOND, overlap=SECOND, silence=2 * SECOND, talk=SECOND, deadline=20 * MILLISECOND
    ),
)

CLOCK_SET = replace(NONE, name="clock set", steps_every=5 * MINUTE)

CLOCK_SET_FORWARD = replace(NONE, name="clock set forward", steps_every=5 * MINUTE, step=(MINUTE, 3 * MINUTE))

SLOW_STOP = replace(NONE, name="slow stop", tolerance=Tolerance(ring=400 * MILLISECOND, silence=400 * MILLISECOND))


@dataclass(frozen=True, slots=True)
class Defect:
    """One mistake."""

    name: str
    tale: str
    caught_by: str
    """Name of a judge that must object."""
    planted: Planted
    setup: Setup = BUSY_MORNING
    unaccounted: bool = False
    """Whether calls must be lost to the books."""


# --- in the engine ------------------------------------------------------------------------------------------------


@contextmanager
def _claim_not_released() -> Iterator[None]:
    original = Core._settle_claims

    def settle(self: Core, chain: str, wanted: Any, *rest: Any) -> Any:
        if not wanted and self.claims.held_by(chain):
            return (), ()
        return original(self, chain, wanted, *rest)

    with patch.object(Core, "_settle_claims", settle):
        yield


@contextmanager
def _twin_not_recognised() -> Iterator[None]:
    original = Core._admit

    def admit(self: Core, admission: Any, *rest: Any) -> Any:
        return original(self, msgspec.structs.replace(admission, origin=None), *rest)

    with patch.object(Core, "_admit", admit):
        yield


@contextmanager
def _newest_first() -> Iterator[None]:
    def next_waiter(self: Claims, key: str, passed_over: set[str]) -> str | None:
        waiting = [(wait.since, chain) for chain, wait in self.waiting().items() if key in wait.keys]
        return max(((since, chain) for since, chain in waiting if chain not in passed_over), default=(0, None))[1]

    with patch.object(Claims, "next_waiter", next_waiter):
        yield


@contextmanager
def _timer_forgotten() -> Iterator[None]:
    original, count = Timer.set, itertools.count(1)

    def set_deadline(self: Timer, chain: str, deadline: Instant | None) -> None:
        if deadline is None or next(count) % 60:
            original(self, chain, deadline)

    with patch.object(Timer, "set", set_deadline):
        yield


@contextmanager
def _effect_lost_after_commit() -> Iterator[None]:
    original, count = Outbox.add, itertools.count(1)

    def add(self: Outbox, order: Any, now: Instant) -> None:
        if not isinstance(order.effect, ShowCard) or next(count) % 20:
            original(self, order, now)

    with patch.object(Outbox, "add", add):
        yield


@contextmanager
def _once_is_enough() -> Iterator[None]:
    original = Outbox.failed

    def failed(self: Outbox, order: Any, failure: Any, now: Instant) -> None:
        item = self._items.get(order)
        if item is not None and item.order.delivery.urgency is Urgency.UNTIL_TRUE:
            self._finish(item, "sent")
        else:
            original(self, order, failure, now)

    with patch.object(Outbox, "failed", failed):
        yield


@contextmanager
def _recovery_forgets_orders() -> Iterator[None]:
    with patch.object(ScriptedStore, "orders", lambda _: Later(list)):
        yield


@contextmanager
def _lying_disk() -> Iterator[None]:
    original, count = SqliteFile.commit, itertools.count(1)

    def commit(self: SqliteFile) -> None:
        if next(count) % 50:
            original(self)
        else:
            self.rollback()

    with patch.object(SqliteFile, "commit", commit):
        yield


@contextmanager
def _stamps_follow_the_wall() -> Iterator[None]:
    def now(self: MachineClock) -> Instant:
        return Instant(self._world.now + self._world.clock.offset())

    with patch.object(MachineClock, "now", now):
        yield


@contextmanager
def _calendar_ignores_the_wall() -> Iterator[None]:
    original = RosterMachine.step

    def step(self: RosterMachine, state: Any, event: Any, seen: Any, at: Instant) -> Step[Any]:
        return Step(state) if isinstance(event, ClockStepped) else original(self, state, event, seen, at)

    with patch.object(RosterMachine, "step", step):
        yield


# --- in the machine -----------------------------------------------------------------------------------------------


@contextmanager
def _machine(change: Callable[[Any, Any, Any, Step[Any]], Step[Any]]) -> Iterator[None]:
    """Every step of a call is changed on its way out: (state before, event, seen, step) -> step."""
    start, step = CallMachine.start, CallMachine.step

    def starts(self: CallMachine, event: Any, seen: Any, at: Instant) -> Step[Any]:
        return change(None, event, seen, start(self, event, seen, at))

    def steps(self: CallMachine, state: Any, event: Any, seen: Any, at: Instant) -> Step[Any]:
        return change(state, event, seen, step(self, state, event, seen, at))

    with patch.object(CallMachine, "start", starts), patch.object(CallMachine, "step", steps):
        yield


def _message_dropped() -> AbstractContextManager[None]:
    return _machine(lambda _state, _event, _seen, step: msgspec.structs.replace(step, messages=()))


def _wrong_answerer() -> AbstractContextManager[None]:
    def change(before: Any, _event: Any, _seen: Any, step: Step[Any]) -> Step[Any]:
        state = step.state
        if isinstance(state, Talking) and not isinstance(before, Talking) and state.end.person:
            first = state.file.plan.value.seats[0].person
            end = msgspec.structs.replace(state.end, person=first)
            return msgspec.structs.replace(step, state=msgspec.structs.replace(state, end=end))
        return step

    return _machine(change)


@contextmanager
def _stale_end_believed() -> Iterator[None]:
    original = CallMachine.step

    def step(self: CallMachine, state: Any, event: Any, seen: Any, at: Instant) -> Step[Any]:
        if isinstance(event, LegEnded) and isinstance(state, Ringing):
            event = msgspec.structs.replace(event, leg=state.hop.leg)
        return original(self, state, event, seen, at)

    with patch.object(CallMachine, "step", step):
        yield


def _short_talk_not_counted() -> AbstractContextManager[None]:
    def change(_before: Any, _event: Any, _seen: Any, step: Step[Any]) -> Step[Any]:
        state = step.state
        if not isinstance(state, Ended) or state.end.talk_from is None or state.end.at - state.end.talk_from > MINUTE:
            return step
        end = msgspec.structs.replace(state.end, outcome=Outcome.FALLBACK_SERVED)
        return msgspec.structs.replace(step, state=msgspec.structs.replace(state, end=end))

    return _machine(change)


def _ring_without_waiting() -> AbstractContextManager[None]:
    def change(_before: Any, _event: Any, _seen: Any, step: Step[Any]) -> Step[Any]:
        hasty = tuple(
            msgspec.structs.replace(effect, after=None) if isinstance(effect, RingLeg) else effect
            for effect in step.effects
        )
        return msgspec.structs.replace(step, effects=hasty)

    return _machine(change)


def _impure() -> AbstractContextManager[None]:
    count = itertools.count(1)

    def change(_before: Any, _event: Any, _seen: Any, step: Step[Any]) -> Step[Any]:
        return msgspec.structs.replace(step, reply=f"step {next(count)}") if step.messages else step

    return _machine(change)


@contextmanager
def _deadline_off_by_a_hop() -> Iterator[None]:
    original = CallMachine.deadline

    def deadline(self: CallMachine, state: Any) -> Instant | None:
        due = original(self, state)
        return Instant(due + 8 * SECOND) if isinstance(state, Ringing) and due is not None else due

    with patch.object(CallMachine, "deadline", deadline):
        yield


@contextmanager
def _window_moves() -> Iterator[None]:
    def window_end(self: File) -> Instant:
        return Instant((self.hops[-1].start if self.hops else self.arrived) + self.terms.window)

    with patch.object(File, "window_end", property(window_end)):
        yield


# --- in the adapter -----------------------------------------------------------------------------------------------


@contextmanager
def _rings_too_long() -> Iterator[None]:
    original = commands.order

    def order(effect: Any, caller: str | None, net_us: int) -> dict[str, Any] | None:
        body = original(effect, caller, net_us)
        if body is not None and "ring_ms" in body:
            body["ring_ms"] += net_us // 1_000
        return body

    with patch.object(commands, "order", order):
        yield


DEFECTS = (
    Defect(
        "claim_not_released", "a head stays claimed by a call that is over", "claims", _claim_not_released
    ),
    Defect(
        "twin_not_recognised", "a delivery that comes twice is admitted twice", "twins", _twin_not_recognised,
        replace(BUSY_MORNING, faults=DOUBLED),
    ),
    Defect("newest_first", "a freed head goes to whoever came last", "queue", _newest_first),
    Defect("timer_forgotten", "now and then a deadline is not armed", "deadlines", _timer_forgotten),
    Defect("effect_lost_after_commit", "some committed cards are not sent", "effects", _effect_lost_after_commit),
    Defect(
        "once_is_enough", "stop, connect and release are not repeated when they fail", "dead_air", _once_is_enough,
        replace(BUSY_MORNING, faults=REFUSED),
    ),
    Defect(
        "recovery_forgets_orders", "a restart does not take up what was under way", "effects", _recovery_forgets_orders,
        replace(BUSY_MORNING, faults=KILLED),
    ),
    Defect("lying_disk", "now and then a commit is reported that did not happen", "effects", _lying_disk),
    Defect(
        "message_dropped", "a missed call does not tell its call-back", "call_backs", _message_dropped, unaccounted=True
    ),
    Defect(
        "short_talk_not_counted", "a talk below a minute is booked as served elsewhere", "conservation",
        _short_talk_not_counted,
    ),
    Defect("wrong_answerer", "the first of the list is taken for the one who answered", "answerer", _wrong_answerer),
    Defect(
        "stale_end_believed", "the late end of an earlier ring is taken for the end of this one", "one_phone",
        _stale_end_believed, replace(BUSY_MORNING, faults=OVERTAKEN),
    ),
    Defect(
        "ring_without_waiting", "the next phone rings before the last one is silent", "one_phone",
        _ring_without_waiting, replace(BUSY_MORNING, faults=SLOW_STOP, timer="server", stop_takes=400 * MILLISECOND),
    ),
    Defect("impure", "a step depends on more than its arguments", "replay", _impure),
    Defect(
        "deadline_off_by_a_hop", "a ring is looked at one hop too late", "window", _deadline_off_by_a_hop,
        replace(BUSY_MORNING, timer="server"),
    ),
    Defect("window_moves", "the window counts from the last offer instead of the arrival", "window", _window_moves),
    Defect(
        "stamps_follow_the_wall", "a step of the wall clock moves the deadlines of calls", "window",
        _stamps_follow_the_wall, replace(BUSY_MORNING, faults=CLOCK_SET_FORWARD, timer="server"),
    ),
    Defect(
        "calendar_ignores_the_wall", "absences end by the line of stamps, whatever the wall clock says", "calendar",
        _calendar_ignores_the_wall, replace(BUSY_MORNING, faults=CLOCK_SET, from_hour=12, to_hour=14),
    ),
    Defect("rings_too_long", "the adapter adds its net to rings that the PBX ends", "window", _rings_too_long),
)  # fmt: skip
"""All of them."""
