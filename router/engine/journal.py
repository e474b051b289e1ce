"""What is written: one `Record` per event, many records per `Batch`, one transaction per batch.

This is the vocabulary between the core, which makes records, and a store, which keeps them.
"""

from dataclasses import dataclass, field

import msgspec

from router.basis.instants import Instant
from router.basis.machine import ChainId, Delivery, Effect, Token

EffectId = tuple[ChainId, int, int]
"""Chain, sequence of the event that asked for it, index within that step: the effect's idempotency key."""


class Order(msgspec.Struct, frozen=True, gc=False):
    """An effect on its way."""

    id: EffectId
    effect: Effect
    delivery: Delivery
    ordered: Instant
    """When its event was admitted."""

    @property
    def key(self) -> str:
        """The idempotency key in the form sent to neighbours."""
        chain, sequence, index = self.id
        return f"{chain}/{sequence}/{index}"


class Secret(msgspec.Struct, frozen=True, gc=False):
    """Personal data that has just become a token."""

    token: Token
    kind: str
    value: str


class Taken(msgspec.Struct, frozen=True, gc=False):
    """A claim taken or renewed."""

    key: str
    expires: Instant
    seized_from: ChainId = ""
    """The chain that held it until now and lost it to a fact; empty: it must be free or this chain's own."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """Event, what was seen, state after, and all that followed, ready for the journal."""

    chain: ChainId
    kind: str
    machine_version: int
    schema: int
    sequence: int
    """1 for the first event of a chain; the store refuses a number it already has (version conflict)."""
    at: Instant
    source: str
    origin: str | None
    event: bytes
    seen: bytes
    outcome: bytes
    state: bytes
    final: bool
    deadline: Instant | None
    reply: str | None
    orders: tuple[Order, ...] = ()
    claims_taken: tuple[Taken, ...] = ()
    """A key held by another chain is a conflict, unless it is released by an earlier record of the batch."""
    claims_released: tuple[str, ...] = ()
    raw: bytes | None = None


@dataclass(slots=True)
class Batch:
    """What goes into one transaction."""

    records: list[Record] = field(default_factory=list)
    contents: list[tuple[str, bytes]] = field(default_factory=list)
    secrets: list[Secret] = field(default_factory=list)
    done: list[tuple[EffectId, str]] = field(default_factory=list)
    """Effects that need no further performing, and how that came (`sent`, `confirmed`, `dropped`, `superseded`)."""
    aside: list[tuple[EffectId, str]] = field(default_factory=list)
    """Effects given up for a person to see, with the reason."""

    def empty(self) -> bool:
        """Nothing to write."""
        return not (self.records or self.contents or self.secrets or self.done or self.aside)


@dataclass(frozen=True, slots=True)
class StoredChain:
    """A chain as the store holds it."""

    chain: ChainId
    kind: str
    machine_version: int
    schema: int
    sequence: int
    at: Instant
    state: bytes
    final: bool
    deadline: Instant | None
    origins: dict[str, str | None]
    """Origin -> stored reply, of all its events that had one."""


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One line of a chain's log."""

    position: int
    """Order of commits over all chains; gaps are possible, going back is not."""
    chain: ChainId
    kind: str
    machine_version: int
    schema: int
    sequence: int
    at: Instant
    source: str
    origin: str | None
    event: bytes
    seen: bytes
    outcome: bytes


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """An effect that was committed and not yet marked done."""

    id: EffectId
    kind: str
    machine_version: int
    schema: int
    """Of its record: an older form of the effect is brought up by the machine's upcaster."""
    ordered: Instant
    outcome: bytes
    """Outcome bytes of its event, in which it stands at its index."""
    aside: str | None
    """Why it was put aside; None: still to be performed."""


class Refused(Exception):
    """The store took nothing of a batch because of these records."""

    def __init__(self, reasons: dict[int, str]) -> None:
        super().__init__("; ".join(f"record {index}: {reason}" for index, reason in sorted(reasons.items())))
        self.reasons = reasons
        """Index in `Batch.records` -> `sequence` (version conflict), `claim` (held elsewhere) or `origin` (twin)."""


UNSTORABLE = "text with NUL or a lone surrogate cannot be stored"


def storable(*texts: str) -> bool:
    """Whether these can be written into text columns; one that cannot would take its whole batch with it.

    PostgreSQL refuses NUL in text (postgresql.org, "Character Types"); a lone surrogate, as a header with bytes above
    127 can bring, has no UTF-8 form.
    """
    for text in texts:
        if "\0" in text:
            return False
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                return False
    return True
