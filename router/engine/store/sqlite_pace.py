"""Where a COMMIT waits for the disk: in the loop's thread, or in a thread of its own.

A change of threads and back costs a ring 0.25 ms on an idle machine, of 0.5 ms that a quick disk needs, and
milliseconds where others want the interpreter lock or the processor. So the loop waits itself where that is soon over,
and only for a small part of its time: a disk that stalls or a flood of events goes to the thread, and timers, pages and
pings go on.
"""

import time
from collections.abc import Callable

QUICK_S = 0.005
"""A COMMIT that usually takes longer is left to the thread: so long a thread may wait for the interpreter lock alone
(docs.python.org, `sys.getswitchinterval`), and so late a timer may be."""
LEARNS = 0.2
"""How much of the usual time the newest COMMIT is: one of 40 ms among those of 0.5 ms sends the next three to the
thread."""
SHARE = 0.1
"""Of its time the loop waits for the disk at most: 150 commits a second of 0.6 ms. Beyond that commits are many, and
what gathers meanwhile shares the next one."""
BURST_S = 0.1
"""What may be waited at once after a rest: ten calls that hop in the same moment, two commits each, on a disk that
needs 5 ms."""


class Pace:
    """Learns from every COMMIT."""

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self._now = now
        self._usual_s = QUICK_S  # nothing is known yet: the first go to the thread
        self._credit_s = BURST_S
        self._since = now()

    def waits_here(self) -> bool:
        """Whether the next COMMIT may be waited for in the loop's thread."""
        now = self._now()
        self._credit_s = min(BURST_S, self._credit_s + (now - self._since) * SHARE)
        self._since = now
        return self._usual_s < QUICK_S and self._credit_s > self._usual_s

    def timed(self, work: Callable[[], None], *, here: bool) -> Callable[[], None]:
        """`work`, from whose time the pace learns; its failure too: a disk in trouble is slow before it says so."""

        def measured() -> None:
            begun = self._now()
            try:
                work()
            finally:
                took = self._now() - begun
                self._usual_s += (took - self._usual_s) * LEARNS
                if here:
                    self._credit_s -= took

        return measured
