"""When to try again: a value that answers with a delay or with "no more". Waiting is done by the outbox alone."""

from dataclasses import dataclass

from router.basis.instants import HOUR, MILLISECOND, MINUTE, SECOND, Duration


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential delays up to a cap, for a limited time."""

    first: Duration
    factor: int
    cap: Duration
    give_up_after: Duration
    """Since the effect was ordered."""

    def delay(self, attempts: int, age: int, asked: int | None = None) -> Duration | None:
        """Microseconds until the next try after `attempts` failures at `age` µs, or None for "no more".

        `asked` is what the neighbour itself demanded (Retry-After); it is obeyed when it is longer.
        """
        if age >= self.give_up_after:
            return None
        grown = min(self.cap, self.first * self.factor ** min(attempts - 1, 30))
        return Duration(max(grown, asked or 0))


RINGS = Backoff(Duration(100 * MILLISECOND), 2, Duration(1 * SECOND), Duration(1 * MINUTE))
"""Now or never: soon again; `best_before` ends it long before the minute does."""

CONFIRMATIONS = Backoff(Duration(200 * MILLISECOND), 1, Duration(200 * MILLISECOND), Duration(12 * HOUR))
"""Until true: every 200 ms (design, law 6). The limit only keeps a row from living for ever when a PBX is taken
away."""

LETTERS = Backoff(Duration(1 * SECOND), 2, Duration(5 * MINUTE), Duration(24 * HOUR))
"""Sooner or later: 1 s, 2 s, 4 s … 5 min for a day, then a person decides."""
