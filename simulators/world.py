"""The world: a virtual clock, one seeded generator and the loop that lets the next thing happen.

Time moves only when nothing is left to do at the present instant, straight to the next instant at which anything is
due. What shares an instant happens in a fixed order: what was planned here in the order of planning, then each member
of the world in the order of joining, again and again until all are still.
"""

import heapq
from collections.abc import Callable
from typing import Protocol

from router.basis.instants import Instant
from router.engine.clock import VirtualClock
from simulators.chance import Chance


class Member(Protocol):
    """Somebody in the world who wakes by himself."""

    def next_due(self) -> int | None:
        """The instant he wants to be woken, or None."""
        ...

    def move(self, now: Instant) -> bool:
        """Do what is due; True if anything was done."""
        ...


class World:
    """Plans, members, clock and chance."""

    def __init__(self, seed: int, start: Instant) -> None:
        self.clock = VirtualClock(start)
        self.chance = Chance(seed)
        self.wall: list[tuple[Instant, int]] = [(start, 0)]
        """From when on the wall clock was how far ahead of the line, microseconds: every step of it."""
        self.members: list[Member] = []
        self._plans: list[tuple[int, int, Callable[[], None]]] = []
        self._planned = 0

    @property
    def now(self) -> Instant:
        """The present instant."""
        return self.clock.now()

    def set_wall(self, by_us: int) -> None:
        """Somebody sets the server's wall clock."""
        self.clock.step_wall(by_us)
        self.wall.append((self.now, self.clock.offset()))

    def at(self, instant: int, what: Callable[[], None]) -> None:
        """Let something happen at an instant, or as soon as possible if that has passed."""
        self._planned += 1
        heapq.heappush(self._plans, (instant, self._planned, what))

    def after(self, delay: int, what: Callable[[], None]) -> None:
        """Let something happen `delay` microseconds from now."""
        self.at(self.now + delay, what)

    def run(self, until: Instant) -> None:
        """Let everything happen that is due up to an instant."""
        while (due := self._next_due()) is not None and due <= until:
            self.clock.advance_to(Instant(max(due, self.now)))
            self._settle()
        self.clock.advance_to(until)

    def _next_due(self) -> int | None:
        dues = [due for member in self.members if (due := member.next_due()) is not None]
        if self._plans:
            dues.append(self._plans[0][0])
        return min(dues, default=None)

    def _settle(self) -> None:
        """Everything of the present instant."""
        now, busy = self.now, True
        while busy:
            busy = False
            while self._plans and self._plans[0][0] <= now:
                heapq.heappop(self._plans)[2]()
                busy = True
            for member in self.members:
                busy = member.move(now) or busy
