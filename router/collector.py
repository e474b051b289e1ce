"""The garbage collector of a long-running server.

Nearly everything here is freed by reference counts: structs, tuples, dictionaries without cycles. The cycle collector's
default thresholds (700 allocations; Python docs, `gc.set_threshold`) make it walk all live calls many times a second
and find nothing: measured 20 to 25 % of the processor time and the worst latencies of the webhook bench.
"""

import gc

YOUNG = 50_000
"""Allocations before the youngest generation is looked through: some hundred events."""
MIDDLE = 20
OLD = 50
"""The whole heap is walked after 50 million net allocations, if ever; tasks and exceptions do make a few cycles."""


def settle() -> None:
    """Put all that was made at the start out of the collector's sight, and let it work less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
