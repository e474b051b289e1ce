"""Clocks. The engine asks one of these; nothing else reads the time.

`SystemClock` is anchored to the wall once and then runs on the monotonic clock, so that a step of the wall clock moves
no deadline of a call; `offset` tells how far the wall has gone from it. `VirtualClock` stands still until it is told.
"""

import time
from typing import Protocol

from router.basis.instants import Instant


class Clock(Protocol):
    """Where the present comes from."""

    def now(self) -> Instant:
        """The present instant; never goes back."""
        ...


class SystemClock:
    """The machine's clock: wall time at the start plus monotonic time since."""

    def __init__(self) -> None:
        self._wall = time.time_ns()
        self._monotonic = time.monotonic_ns()

    def now(self) -> Instant:
        """The present instant."""
        return Instant((self._wall + time.monotonic_ns() - self._monotonic) // 1_000)

    def offset(self) -> int:
        """How far the wall clock is ahead of this one, microseconds: the sum of its steps and slews since the start."""
        return time.time_ns() // 1_000 - self.now()


class VirtualClock:
    """A clock that is set by hand: simulation and tests."""

    def __init__(self, start: Instant = Instant(0)) -> None:
        self._now = start

    def now(self) -> Instant:
        """The instant it was last set to."""
        return self._now

    def advance_to(self, instant: Instant) -> None:
        """Move on; going back is an error of the simulation."""
        if instant < self._now:
            message = f"a clock does not go back: {instant} < {self._now}"
            raise ValueError(message)
        self._now = instant
