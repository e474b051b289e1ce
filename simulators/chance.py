"""The one seeded generator of a simulated world.

Only `Random.random()` is asked (the library promises the same sequence for a seed in every version) and only whole
numbers are made of it, without a function of the C library: the same seed is the same history on every machine.
"""

from collections.abc import Sequence
from itertools import pairwise
from random import Random
from typing import TypeVar

T = TypeVar("T")

Quantiles = Sequence[tuple[int, int]]
"""A distribution as a curve: (per cent, value) in ascending order from 0 to 100; straight lines in between."""


class Chance:
    """Everything random that happens."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def below(self, limit: int) -> int:
        """A whole number from 0 to `limit` - 1."""
        return int(self._random.random() * limit)

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + self.below(high - low + 1)

    def hits(self, per_million: int) -> bool:
        """Whether something happens that happens so often; a chance of 0 draws nothing."""
        return per_million > 0 and self.below(1_000_000) < per_million

    def pick(self, things: Sequence[T]) -> T:
        """One of these."""
        return things[self.below(len(things))]

    def weighted(self, weights: Sequence[int]) -> int:
        """An index, as often as its weight says."""
        mark = self.below(sum(weights))
        for index, weight in enumerate(weights):
            mark -= weight
            if mark < 0:
                return index
        message = "no weight is above zero"
        raise ValueError(message)

    def drawn(self, curve: Quantiles) -> int:
        """A value from a distribution."""
        mark = self.below(100_000)
        for (low_share, low), (high_share, high) in pairwise(curve):
            if mark < high_share * 1_000:
                width = (high_share - low_share) * 1_000
                return low + (high - low) * (mark - low_share * 1_000) // width
        return curve[-1][1]

    def token(self) -> str:
        """A name for personal data, as the server's own source makes them."""
        return f"t_{self.below(1 << 48):012x}{self.below(1 << 48):012x}"
