"""The journal as checkers read it: one pass over the log in the order of commits, every chain folded again on the way.

Nothing of the running server is asked: the reader opens the journal's tables, builds machines of its own and steps them
with the stored events, sights and stamps. What the steps give must be what was written, byte for byte.
"""

import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from router.basis.instants import Instant
from router.basis.machine import Effect, Event, State
from router.engine.core import Core
from router.engine.journal import StoredRecord
from router.engine.store.sqlite_file import RECORDS, stored_record
from router.engine.vault import Vault
from router.office import machines

PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Line:
    """One event in the log, with the states around it."""

    chain: str
    kind: str
    sequence: int
    at: Instant
    source: str
    origin: str | None
    event: Event
    before: State | None
    state: State
    effects: tuple[Effect, ...]
    claims: tuple[str, ...]
    """Keys that the chain holds after this event."""
    final: bool
    difference: str
    """What the fold gave otherwise than was written; empty: nothing."""


class Reading:
    """A journal being read; afterwards its last states and its hash."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.states: dict[str, State] = {}
        """State of each chain after the last line read."""
        self.events = 0
        self.core = Core(machines(), {}, Vault())
        self._hash = hashlib.sha256()
        for digest, body in connection.execute("SELECT digest, body FROM content ORDER BY digest"):
            self.core.contents.loaded(digest, body)

    def lines(self) -> Iterator[Line]:
        """Every line, in the order of commits."""
        position = 0
        while rows := self.connection.execute(RECORDS, (position, PAGE)).fetchall():
            for row in rows:
                record = stored_record(row)
                position = record.position
                self._add_to_hash(record)
                yield self._fold(record)

    @property
    def hash(self) -> str:
        """SHA-256 over the canonical bytes of all lines read."""
        return self._hash.hexdigest()

    def snapshots(self) -> Iterator[tuple[str, bytes, bool, int | None]]:
        """Chain, stored state, final, deadline."""
        yield from self.connection.execute("SELECT id, state, final, deadline FROM chain ORDER BY no")

    def _add_to_hash(self, record: StoredRecord) -> None:
        head = (record.chain, record.sequence, record.machine_version, record.schema, record.at, record.source)
        self._hash.update(f"{head}{record.origin}".encode())
        for part in (record.event, record.seen, record.outcome):
            self._hash.update(len(part).to_bytes(4, "big"))
            self._hash.update(part)

    def _fold(self, record: StoredRecord) -> Line:
        core = self.core
        machine = core.machine(record.kind, record.machine_version)
        event = core.codec.event(machine, record.event, record.schema)
        seen = core.codec.seen(machine, record.seen, record.schema)
        before = self.states.get(record.chain)
        step = machine.start(event, seen, record.at) if before is None else machine.step(before, event, seen, record.at)
        state = self.states[record.chain] = step.state
        standing = machine.standing(state)
        claims = () if standing.final else machine.claims(state)
        difference = ""
        if core.codec.outcome(step, claims) != record.outcome:
            difference = f"outcome {core.codec.outcome(step, claims)!r} instead of {record.outcome!r}"
        self.events += 1
        return Line(
            record.chain, record.kind, record.sequence, record.at, record.source, record.origin, event, before, state,
            step.effects, tuple(claim.key for claim in claims), standing.final, difference,
        )  # fmt: skip
