"""Records for the stores' suites, with everything that a test does not care about filled in."""

from typing import Any

from router.basis.instants import Instant
from router.basis.machine import Delivery, Effect, Urgency
from router.engine.journal import Batch, Order, Record, Taken

LATER = Instant(10**15)


class Wave(Effect, frozen=True):
    """An effect that is only counted."""


def record(chain: str, sequence: int, **given: Any) -> Record:
    """One event of a chain; `orders` may be a number."""
    orders = given.pop("orders", 0)
    if isinstance(orders, int):
        orders = tuple(order(chain, sequence, number) for number in range(orders))
    values: dict[str, Any] = {
        "kind": chain.partition(":")[0],
        "machine_version": 1,
        "schema": 1,
        "at": Instant(1_000 * sequence),
        "source": "test",
        "origin": None,
        "event": b'{"n":%d}' % sequence,
        "seen": b"null",
        "outcome": b"{}",
        "state": b'{"after":%d}' % sequence,
        "final": False,
        "deadline": None,
        "reply": None,
    }
    return Record(chain=chain, sequence=sequence, orders=orders, **{**values, **given})


def order(chain: str, sequence: int, number: int) -> Order:
    """An effect of that event."""
    return Order((chain, sequence, number), Wave(), Delivery("lane", Urgency.UNTIL_TRUE, "key"), Instant(sequence))


def batch(*records: Record, **given: Any) -> Batch:
    """These records in one transaction."""
    return Batch(records=list(records), **given)


def takes(*keys: str, until: int = LATER, seized_from: str = "") -> dict[str, Any]:
    """The record takes or renews these keys."""
    return {"claims_taken": tuple(Taken(key, Instant(until), seized_from) for key in keys)}
