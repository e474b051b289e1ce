"""The timer: every chain's soonest deadline in one heap. Tells what is due; waiting is the edge's business.

Deadlines are never cancelled: an entry that is no longer a chain's own is skipped when it comes up.
"""

import heapq

from router.basis.instants import Instant
from router.basis.machine import ChainId

COMPACT_ABOVE = 4
"""The heap is rebuilt when it holds this many times more entries than live deadlines (amortised constant cost)."""


class Timer:
    """Deadlines by chain."""

    def __init__(self) -> None:
        self._heap: list[tuple[Instant, ChainId]] = []
        self._own: dict[ChainId, Instant] = {}

    def __len__(self) -> int:
        return len(self._own)

    def set(self, chain: ChainId, deadline: Instant | None) -> None:
        """The chain's present deadline; None: it has none."""
        if deadline is None:
            self._own.pop(chain, None)
            return
        if self._own.get(chain) == deadline:
            return
        self._own[chain] = deadline
        heapq.heappush(self._heap, (deadline, chain))
        if len(self._heap) > COMPACT_ABOVE * len(self._own) + 64:
            self._heap = [(instant, name) for name, instant in self._own.items()]
            heapq.heapify(self._heap)

    def next(self) -> Instant | None:
        """The soonest deadline."""
        while self._heap:
            deadline, chain = self._heap[0]
            if self._own.get(chain) == deadline:
                return deadline
            heapq.heappop(self._heap)
        return None

    def due(self, now: Instant, most: int = 1_000) -> list[tuple[ChainId, Instant]]:
        """Take the deadlines that have come, soonest first, `most` at once (after a restart thousands may be overdue,
        and the first must not wait for the last). A chain appears once and is armed again by `set`."""
        found: list[tuple[ChainId, Instant]] = []
        while len(found) < most and (soonest := self.next()) is not None and soonest <= now:
            _, chain = heapq.heappop(self._heap)
            del self._own[chain]
            found.append((chain, soonest))
        return found
