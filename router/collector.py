"""The garbage collector of a long-running server.

Nearly everything here is freed by reference counts: structs, tuples, dictionaries without cycles. The cycle collector's
default thresholds (700 allocations; Python docs, `gc.set_threshold`) make it walk all live calls many times a second
and find nothing: measured 20 to 25 % of the processor time and the worst latencies of the webhook bench.
"""

import gc

YOUNG = 5_000
"""Net allocations before the youngest generation is looked through, which takes up to 2 ms: about 0.5 us for each.

What lives long is not tracked at all: states, events, effects and records are structs with `gc=False`, and a tuple or
dictionary that holds only such is let go at its first look. With 10,000 live calls the collector knows some 1,000
objects, and walking all of them takes 0.5 ms. With tracked structs there were 30,000, and up to 50,000 young ones at
once, which took 15 to 25 ms in which no deadline was handled (decision 12).
"""
MIDDLE = 20
OLD = 50
"""The whole heap is walked after five million net allocations; tasks and exceptions do make a few cycles."""


def settle() -> None:
    """Put all that was made at the start out of the collector's sight, and let it work less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
