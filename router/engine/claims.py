"""Claims and waits: who holds a key, who waits for it. Generic; a key is any string.

A claim is one row per key. A wait names several keys and is served by rank, then since. All changes go through an undo
list, because a batch that the store refuses must leave no trace here.
"""

import heapq
from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from router.basis.instants import Instant
from router.basis.machine import ChainId, Wait

Undo = list[Callable[[], None]]


class Held(msgspec.Struct, frozen=True, gc=False):
    """One claim."""

    chain: ChainId
    expires: Instant


class Claims:
    """All claims and waits of this engine."""

    def __init__(self) -> None:
        self._held: dict[str, Held] = {}
        self._by_chain: dict[ChainId, frozenset[str]] = {}
        self._waits: dict[ChainId, Wait] = {}
        self._queues: dict[str, list[tuple[int, Instant, ChainId]]] = {}

    def holder(self, key: str) -> ChainId | None:
        """The chain that holds the key."""
        held = self._held.get(key)
        return held.chain if held else None

    def held(self, key: str) -> Held | None:
        """The claim on the key."""
        return self._held.get(key)

    def held_by(self, chain: ChainId) -> frozenset[str]:
        """The keys a chain holds."""
        return self._by_chain.get(chain, frozenset())

    def all(self) -> dict[str, Held]:
        """Every claim."""
        return dict(self._held)

    def waiting(self) -> dict[ChainId, Wait]:
        """Every wait."""
        return dict(self._waits)

    def reset(self, held: Mapping[str, tuple[ChainId, Instant]]) -> None:
        """Forget all claims and take these; waits stay."""
        self._held.clear()
        self._by_chain.clear()
        for key, (chain, expires) in held.items():
            self.take(key, chain, expires, [])

    def take(self, key: str, chain: ChainId, expires: Instant, undo: Undo) -> None:
        """Give the key to a chain, whoever had it."""
        before = self._held.get(key)
        if before and before.chain != chain:
            self._forget(before.chain, key, undo)
        self._held[key] = Held(chain, expires)
        undo.append(partial(self._restore, key, before))
        if not before or before.chain != chain:
            self._remember(chain, key, undo)

    def release(self, key: str, undo: Undo) -> None:
        """The key belongs to nobody."""
        before = self._held.pop(key, None)
        if before:
            undo.append(partial(self._restore, key, before))
            self._forget(before.chain, key, undo)

    def set_wait(self, chain: ChainId, wait: Wait | None, undo: Undo) -> None:
        """Replace what a chain waits for."""
        before = self._waits.get(chain)
        if before == wait:
            return
        self._put_wait(chain, wait)
        undo.append(partial(self._put_wait, chain, before))

    def next_waiter(self, key: str, passed_over: set[ChainId]) -> ChainId | None:
        """The first chain in the queue for a key, leaving out those that just declined it.

        Entries of waits that have changed since are dropped on the way; valid ones stay in the queue until their wait
        ends, so a grant that is undone needs no repair here.
        """
        queue = self._queues.get(key)
        kept: list[tuple[int, Instant, ChainId]] = []
        found: ChainId | None = None
        while queue:
            entry = queue[0]
            wait = self._waits.get(entry[2])
            if wait is None or key not in wait.keys or (wait.rank, wait.since) != entry[:2]:
                heapq.heappop(queue)
                continue
            if entry[2] not in passed_over:
                found = entry[2]
                break
            kept.append(heapq.heappop(queue))
        for entry in kept:
            heapq.heappush(self._queues[key], entry)
        return found

    def _put_wait(self, chain: ChainId, wait: Wait | None) -> None:
        before = self._waits.get(chain)
        if wait is None:
            self._waits.pop(chain, None)
            return
        self._waits[chain] = wait
        same_place = before is not None and (before.rank, before.since) == (wait.rank, wait.since)
        for key in wait.keys:
            # A second entry for the same place would be harmless, merely more to skip.
            if not (same_place and before is not None and key in before.keys):
                heapq.heappush(self._queues.setdefault(key, []), (wait.rank, wait.since, chain))

    def _restore(self, key: str, held: Held | None) -> None:
        if held is None:
            self._held.pop(key, None)
        else:
            self._held[key] = held

    def _remember(self, chain: ChainId, key: str, undo: Undo) -> None:
        self._set_keys(chain, self.held_by(chain) | {key}, undo)

    def _forget(self, chain: ChainId, key: str, undo: Undo) -> None:
        self._set_keys(chain, self.held_by(chain) - {key}, undo)

    def _set_keys(self, chain: ChainId, keys: frozenset[str], undo: Undo) -> None:
        undo.append(partial(self._put_keys, chain, self._by_chain.get(chain)))
        self._put_keys(chain, keys)

    def _put_keys(self, chain: ChainId, keys: frozenset[str] | None) -> None:
        if keys:
            self._by_chain[chain] = keys
        else:
            self._by_chain.pop(chain, None)
