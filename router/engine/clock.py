"""Clocks. The engine asks one of these; nothing else reads the time.

`now` is the engine's own line of time: anchored to the wall once, monotonic from there on, so that a step of the wall
clock moves no deadline of a call. `offset` tells how far the wall has gone from it; who follows the calendar hears of
it as an event (`router.engine.line`). `VirtualClock` stands still until it is told.
"""

import time
from collections.abc import Callable
from typing import Protocol

from router.basis.instants import Instant


class Clock(Protocol):
    """Where the present comes from."""

    def now(self) -> Instant:
        """The present instant on the line; never goes back."""
        ...

    def offset(self) -> int:
        """How far the wall clock is ahead of the line, microseconds: the sum of its steps and slews."""
        ...

    def resume(self, ahead_us: int) -> None:
        """Go on with the line of an earlier process, of which the wall was this far ahead. Only before the first
        instant was used."""
        ...


class SystemClock:
    """The machine's clock: wall time at the start plus monotonic time since."""

    def __init__(
        self, wall_ns: Callable[[], int] = time.time_ns, monotonic_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns
        self._anchor = wall_ns() - monotonic_ns()

    def now(self) -> Instant:
        """See `Clock`."""
        return Instant((self._anchor + self._monotonic_ns()) // 1_000)

    def offset(self) -> int:
        """See `Clock`."""
        return self._wall_ns() // 1_000 - self.now()

    def resume(self, ahead_us: int) -> None:
        """See `Clock`."""
        self._anchor -= ahead_us * 1_000


class VirtualClock:
    """A clock that is set by hand: simulation and tests. Its line survives the processes that use it."""

    def __init__(self, start: Instant = Instant(0)) -> None:
        self._now = start
        self._ahead = 0

    def now(self) -> Instant:
        """The instant it was last set to."""
        return self._now

    def offset(self) -> int:
        """The sum of what `step_wall` was told."""
        return self._ahead

    def resume(self, ahead_us: int) -> None:
        """It never stopped."""

    def advance_to(self, instant: Instant) -> None:
        """Move on; going back is an error of the simulation."""
        if instant < self._now:
            message = f"a clock does not go back: {instant} < {self._now}"
            raise ValueError(message)
        self._now = instant

    def step_wall(self, by_us: int) -> None:
        """Somebody sets the wall clock by so much, back where it is negative; the line does not notice."""
        self._ahead += by_us
