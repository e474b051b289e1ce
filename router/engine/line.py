"""The engine's line of time and the wall clock: what happens when the wall is set.

All stamps and deadlines lie on the line (`router.engine.clock`), which no step of the wall moves: the window of a call
lasts its 40 s. The wall is looked at every 10 s. Where it has gone away from the line by more than half a second, the
chain of the line is told (`ClockStepped`), and it tells, in the same transaction, each live chain whose machine lists
that event: those follow the calendar, and add the offset to what they read on the line
(`docs/decisions/0019-a-line-of-time-beside-the-wall.md`).
"""

import asyncio
from functools import cache
from typing import Any, ClassVar, assert_never, get_args

import msgspec
import structlog

from router.basis.instants import MILLISECOND, Duration, Instant
from router.basis.machine import (
    ChainId,
    ClaimLost,
    ClockStepped,
    DeadlineReached,
    Delivery,
    Effect,
    Event,
    Granted,
    Machine,
    Message,
    Nudged,
    Standing,
    State,
    Step,
)
from router.engine.core import Admission, Core
from router.engine.crashes import passing, point
from router.engine.shell import Engine
from router.engine.store.port import StoreUnavailable

log = structlog.get_logger(__name__)

PAUSE = point("clock.pause", "the wall clock is looked at again later")
TELL = point("clock.tell", "before: the wall clock was set and no chain knows; after: all who follow it do")

LINE = "clock:engine:line"
"""The one chain of this kind; there is none before the first step."""

EVERY_S = 10.0
"""Seconds between two looks at the wall (design, law 3)."""

TOLERATED = Duration(500 * MILLISECOND)
"""A smaller difference is no step: NTP slews by 0.5 ms a second at most (adjtime(3)), and people read minutes."""


class Line(State, frozen=True):
    """How far the wall is ahead."""

    ahead_us: int = 0
    steps: int = 0


class Followers(msgspec.Struct, frozen=True):
    """What a step of the line sees: the live chains that follow the calendar."""

    chains: tuple[ChainId, ...] = ()


LineEvent = ClockStepped | DeadlineReached | Granted | ClaimLost | Nudged


class LineMachine(Machine[Line, LineEvent, Followers]):
    """See the module's docstring."""

    kind: ClassVar[str] = "clock"
    version: ClassVar[int] = 1
    states = Line
    events = LineEvent
    effects = Effect
    seen = Followers

    def start(self, event: LineEvent, seen: Followers, at: Instant) -> Step[Line]:
        """The first step of the wall."""
        return self.step(Line(), event, seen, at)

    def step(self, state: Line, event: LineEvent, seen: Followers, at: Instant) -> Step[Line]:
        """The wall was set: whoever follows it is told."""
        match event:
            case ClockStepped(_, ahead_us):
                messages = tuple(Message(chain, event) for chain in seen.chains)
                return Step(Line(ahead_us, state.steps + 1), messages=messages)
            case DeadlineReached() | Granted() | ClaimLost() | Nudged():
                return Step(state)
            case _:
                assert_never(event)

    def deadline(self, state: Line) -> Instant | None:
        """None: it is looked at, not woken."""
        return None

    def standing(self, state: Line) -> Standing:
        """Time does not end."""
        return Standing(final=False, reason="standing data")

    def delivery(self, effect: Effect) -> Delivery:
        """The line asks nothing of anybody."""
        raise AssertionError(effect)


def followers(chain: ChainId, _event: Event, core: Core, _at: Instant) -> Followers:
    """The look of the line."""
    found = [live.id for live in core.live.values() if not live.final and live.id != chain and _follows(live.machine)]
    return Followers(tuple(sorted(found)))


def _follows(machine: Machine[Any, Any, Any]) -> bool:
    return _lists_steps(type(machine))


@cache
def _lists_steps(machine: type[Machine[Any, Any, Any]]) -> bool:
    return ClockStepped in get_args(machine.events)


def ahead_of(core: Core) -> int:
    """How far the wall is ahead of the line for all that the chains have been told, microseconds."""
    live = core.live.get(LINE)
    return live.state.ahead_us if live is not None and isinstance(live.state, Line) else 0


def resume(engine: Engine) -> None:
    """At a start, before anything is stamped: where a chain is live that depends on a neighbour (a call), the line of
    the process before us goes on, so that its distances stay. Else a new line begins at the wall."""
    ahead = ahead_of(engine.core)
    live = [chain for chain in engine.core.live.values() if not chain.final]
    if ahead and any(chain.machine.neighbour(chain.state) is not None for chain in live):
        engine.clock.resume(ahead)


class ClockWatch:
    """Looks at the wall and tells."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except StoreUnavailable as error:
                log.warning("clock_step_not_stored", error=str(error))
            await passing(PAUSE, asyncio.sleep(EVERY_S))

    async def look(self) -> bool:
        """True if the wall had been set since the last look. Raises StoreUnavailable: it is told at the next one."""
        ahead = self._engine.clock.offset()
        by = ahead - ahead_of(self._engine.core)
        if abs(by) <= TOLERATED:
            return False
        log.warning("clock_stepped", by_s=by / 1_000_000, ahead_s=ahead / 1_000_000)
        await passing(TELL, self._engine.admit([Admission(LINE, ClockStepped(by, ahead), "clock")]))
        return True
