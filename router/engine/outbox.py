"""The outbox: which effect may leave now. No I/O and no clock; the edge performs and reports back.

Order within a key, concurrency between keys. Three kinds (`router.basis.machine.Urgency`):

    now or never     waits for the confirmed end of another key if it names one, is dropped after `best_before`
    until true       repeated every 200 ms until its key is closed
    sooner or later  retried with backoff for a day, then put aside; a newer desired state replaces an unsent older one

An unsent now-or-never effect is also dropped when a later effect of its own key arrives: a ring that was never sent
need not be sent in order to be stopped.
"""

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count

from router.basis.failures import Failure, Temporary
from router.basis.instants import Instant
from router.basis.machine import EffectAside, EffectDropped, Urgency
from router.engine.core import Admission, Draft
from router.engine.journal import EffectId, Order
from router.engine.retry import CONFIRMATIONS, LETTERS, RINGS, Backoff

POLICIES: dict[Urgency, Backoff] = {
    Urgency.NOW_OR_NEVER: RINGS,
    Urgency.UNTIL_TRUE: CONFIRMATIONS,
    Urgency.SOONER_OR_LATER: LETTERS,
}


@dataclass(slots=True)
class _Item:
    order: Order
    not_before: Instant
    attempts: int = 0
    running: bool = False
    awaits: str | None = None
    over: bool = False
    """Its key was closed while it was being performed: if it fails now, it is not tried again."""
    done: bool = False


@dataclass(slots=True)
class Tally:
    """What the outbox wants written and admitted; emptied by `collect`."""

    done: list[tuple[EffectId, str]] = field(default_factory=list)
    aside: list[tuple[EffectId, str]] = field(default_factory=list)
    admissions: list[Admission] = field(default_factory=list)

    def urgent(self) -> bool:
        """Whether something in it is more than a mark that may wait."""
        return bool(self.aside or self.admissions)


class Outbox:
    """All effects that are on their way."""

    def __init__(self, policies: dict[Urgency, Backoff] | None = None) -> None:
        self._policies = policies or POLICIES
        self._queues: dict[str, deque[_Item]] = {}
        self._behind: dict[str, list[_Item]] = {}
        self._items: dict[EffectId, _Item] = {}
        self._heap: list[tuple[Instant, int, _Item]] = []
        self._blocked: set[str] = set()
        self._held: dict[str, list[_Item]] = {}
        self._tick = count()
        self.tally = Tally()

    def __len__(self) -> int:
        return len(self._items)

    def knows(self, order: EffectId) -> bool:
        """Whether it is on its way, or done with and only not yet noted in the journal."""
        return order in self._items or any(order == noted for noted, _ in (*self.tally.done, *self.tally.aside))

    def waiting(self) -> Iterable[Order]:
        """All orders not yet done."""
        return [item.order for item in self._items.values()]

    def lanes(self) -> dict[str, int]:
        """Lane -> orders not yet done."""
        counts: dict[str, int] = {}
        for item in self._items.values():
            counts[item.order.delivery.lane] = counts.get(item.order.delivery.lane, 0) + 1
        return counts

    # --- what the core says ------------------------------------------------------------------------------------

    def add(self, order: Order, now: Instant) -> None:
        """A committed order."""
        delivery = order.delivery
        queue = self._queues.setdefault(delivery.key, deque())
        for earlier in list(queue):
            if earlier.running or earlier.done:
                continue
            if delivery.supersedes and earlier.order.delivery.supersedes:
                self._finish(earlier, "superseded")
            elif earlier.order.delivery.urgency is Urgency.NOW_OR_NEVER:
                self._drop(earlier, "overtaken")
        item = _Item(order, now)
        queue = self._queues.setdefault(delivery.key, deque())
        queue.append(item)
        self._items[order.id] = item
        if delivery.after is not None:
            item.awaits = delivery.after
            item.not_before = Instant(now + delivery.after_limit)
            self._behind.setdefault(delivery.after, []).append(item)
        self._arm(item)

    def ended_by(self, draft: Draft) -> list[tuple[EffectId, str]]:
        """The orders that end with the keys a draft closes: marked done in the draft's own transaction, so that a
        restart right after it does not take them up again with nobody left to confirm them.
        """
        ended: list[tuple[EffectId, str]] = []
        closings = _closings(draft)
        fresh: dict[str, list[Order]] = {}
        for index, record in enumerate(draft.batch.records if closings else ()):
            for order in record.orders:
                fresh.setdefault(order.delivery.key, []).append(order)
            for key in closings.get(index, ()):
                orders = [item.order for item in self._queues.get(key, ()) if not item.running or _repeated(item.order)]
                ended.extend((order.id, how) for order in (*orders, *fresh.pop(key, ())) if (how := _end_of(order)))
        return ended

    def take_in(self, draft: Draft, now: Instant) -> None:
        """A committed draft: its orders and closed keys, record by record, as if each had been committed alone."""
        closings = _closings(draft)
        for index, record in enumerate(draft.batch.records):
            for order in record.orders:
                self.add(order, now)
            for key in closings.get(index, ()):
                self.close(key, now)
        if closings:  # what ended with its key was marked done in the draft's own transaction (`ended_by`)
            written = {order for order, _ in draft.batch.done}
            self.tally.done = [(order, how) for order, how in self.tally.done if order not in written]

    def close(self, key: str, now: Instant) -> None:
        """The key's object is over: its repeated requests end, and what waited behind it goes."""
        for item in list(self._queues.get(key, ())):
            how = _end_of(item.order)
            if how and item.running and not _repeated(item.order):
                item.over = True  # a ring that is being sent: its outcome is awaited
            elif how:
                self._finish(item, how)
        for item in self._behind.pop(key, ()):
            if not item.done and item.awaits == key:
                item.awaits = None
                item.not_before = now
                self._arm(item)

    def block(self, lane: str) -> None:
        """The lane's neighbour is out of sight: nothing of it starts."""
        self._blocked.add(lane)

    def unblock(self, lane: str) -> None:
        """The neighbour is in sight."""
        self._blocked.discard(lane)
        for item in self._held.pop(lane, []):
            self._arm(item)

    # --- what the edge asks ------------------------------------------------------------------------------------

    def start_ready(self, now: Instant) -> list[Order]:
        """The orders to be performed now; each must be reported by `performed` or `failed`."""
        ready: list[Order] = []
        while self._heap and self._heap[0][0] <= now:
            _, _, item = heapq.heappop(self._heap)
            if item.done or item.running:
                continue
            if item.order.delivery.lane in self._blocked:
                # Not even dropped: it may have been sent before a restart, which only its neighbour can tell.
                self._held.setdefault(item.order.delivery.lane, []).append(item)
            elif self._stale(item, now):
                self._drop(item, "stale")
            elif item.not_before > now:
                continue  # it has a later entry
            elif self._queues[item.order.delivery.key][0] is not item:
                self._look_again_when_stale(item)  # else it gets an entry when the order before it is finished
            else:
                item.running = True
                item.awaits = None
                ready.append(item.order)
        return ready

    def next_wake(self) -> Instant | None:
        """When something may become ready."""
        while self._heap and self._heap[0][2].done:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def performed(self, order: EffectId, now: Instant) -> None:
        """The neighbour accepted it."""
        item = self._items.get(order)
        if item is None or item.done:
            return
        item.running = False
        item.attempts += 1
        if item.order.delivery.urgency is Urgency.UNTIL_TRUE:
            self._again(item, now, None)
        else:
            self._finish(item, "sent")

    def failed(self, order: EffectId, failure: Failure, now: Instant) -> None:
        """The neighbour did not take it."""
        item = self._items.get(order)
        if item is None or item.done:
            return
        item.running = False
        item.attempts += 1
        if isinstance(failure, Temporary):
            self._again(item, now, failure)
        else:
            self._give_up(item, failure.code)

    def resolve(self, order: EffectId, how: str) -> None:
        """It is known by other means that the neighbour has had it: it is not sent (again)."""
        item = self._items.get(order)
        if item is not None and not item.running:
            self._finish(item, how)

    def collect(self, most: int | None = None) -> Tally:
        """What is to be written and admitted since the last call: all marks, and `most` admissions; the others stay."""
        tally, self.tally = self.tally, Tally()
        if most is not None:
            tally.admissions, self.tally.admissions = tally.admissions[:most], tally.admissions[most:]
        return tally

    def give_back(self, tally: Tally) -> None:
        """The write failed: keep it for the next."""
        self.tally.done[:0] = tally.done
        self.tally.aside[:0] = tally.aside
        self.tally.admissions[:0] = tally.admissions

    # --- inside ------------------------------------------------------------------------------------------------

    def _again(self, item: _Item, now: Instant, failure: Temporary | None) -> None:
        policy = self._policies[item.order.delivery.urgency]
        asked = failure.retry_after_us if failure else None
        delay = policy.delay(item.attempts, now - item.order.ordered, asked)
        later = [other.order.delivery for other in self._queues[item.order.delivery.key] if other is not item]
        if item.over:
            self._finish(item, "over")
        elif later and item.order.delivery.urgency is Urgency.NOW_OR_NEVER:
            self._drop(item, "overtaken")
        elif item.order.delivery.supersedes and any(delivery.supersedes for delivery in later):
            self._finish(item, "superseded")  # it arrived while this one was being performed, which failed
        elif delay is None:
            self._give_up(item, failure.code if failure else "unconfirmed")
        else:
            item.not_before = Instant(now + delay)
            self._arm(item)

    def _give_up(self, item: _Item, reason: str) -> None:
        if item.order.delivery.urgency is Urgency.NOW_OR_NEVER:
            self._drop(item, reason)
            return
        self.tally.aside.append((item.order.id, reason))
        self.tally.admissions.append(
            Admission(
                item.order.id[0], EffectAside(item.order.delivery.key, reason), "outbox", f"{item.order.key}/aside"
            )
        )
        self._remove(item)

    def _drop(self, item: _Item, reason: str) -> None:
        self.tally.admissions.append(
            Admission(
                item.order.id[0], EffectDropped(item.order.delivery.key, reason), "outbox", f"{item.order.key}/dropped"
            )
        )
        self._finish(item, "dropped")

    def _finish(self, item: _Item, how: str) -> None:
        self.tally.done.append((item.order.id, how))
        self._remove(item)

    def _remove(self, item: _Item) -> None:
        item.done = True
        self._items.pop(item.order.id, None)
        key = item.order.delivery.key
        queue = self._queues.get(key)
        if queue is None:
            return
        if item in queue:
            queue.remove(item)
        if not queue:
            del self._queues[key]
        else:
            self._arm(queue[0])

    def _arm(self, item: _Item) -> None:
        best_before = item.order.delivery.best_before
        # A ring that waits is looked at when it goes stale, so that the machine hears of it at once.
        wake = item.not_before if best_before is None else Instant(min(item.not_before, best_before + 1))
        heapq.heappush(self._heap, (wake, next(self._tick), item))

    def _look_again_when_stale(self, item: _Item) -> None:
        best_before = item.order.delivery.best_before
        if best_before is not None:
            heapq.heappush(self._heap, (Instant(best_before + 1), next(self._tick), item))

    def _stale(self, item: _Item, now: Instant) -> bool:
        best_before = item.order.delivery.best_before
        return best_before is not None and now > best_before


def _repeated(order: Order) -> bool:
    return order.delivery.urgency is Urgency.UNTIL_TRUE


def _end_of(order: Order) -> str | None:
    """How the order ends when its key is closed; None: it does not."""
    match order.delivery.urgency:
        case Urgency.UNTIL_TRUE:
            return "confirmed"
        case Urgency.NOW_OR_NEVER:
            return "over"
        case Urgency.SOONER_OR_LATER:
            return None


def _closings(draft: Draft) -> dict[int, list[str]]:
    """Index of a record -> the keys it closed."""
    found: dict[int, list[str]] = {}
    for index, key in zip(draft.closers, draft.closed, strict=True):
        found.setdefault(index, []).append(key)
    return found
