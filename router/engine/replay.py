"""Replay: folds a chain's log again and compares with what was written when it happened.

A step is a pure function of state, event, seen and stamp, all of which the log holds; so states and outcomes must come
out byte for byte. A difference means that a machine's behaviour changed without a new version.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from router.basis.machine import Machine, State
from router.engine.core import Core, Foreign
from router.engine.journal import StoredChain, StoredRecord


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where replay and journal disagree."""

    chain: str
    sequence: int
    what: str
    """`outcome`, `state`, `sequence` (a line is missing) or `error`."""
    written: str
    replayed: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """A folded log."""

    state: State | None
    differences: tuple[Difference, ...]


def replay(core: Core, records: Sequence[StoredRecord], snapshot: StoredChain | None = None) -> Replayed:
    """Fold one chain's log; with a snapshot, its state is compared too."""
    state: State | None = None
    differences: list[Difference] = []
    for number, record in enumerate(records, 1):
        if record.sequence != number:
            differences.append(Difference(record.chain, number, "sequence", str(record.sequence), str(number)))
            break
        try:
            machine = core.machine(record.kind, record.machine_version)
            event = core.codec.event(machine, record.event, record.schema)
            seen = core.codec.seen(machine, record.seen, record.schema)
            step = (
                machine.start(event, seen, record.at) if state is None else machine.step(state, event, seen, record.at)
            )
        except Exception as error:  # noqa: BLE001 - told as a difference
            differences.append(Difference(record.chain, number, "error", "", f"{type(error).__name__}: {error}"))
            break
        state = step.state
        claims = () if machine.standing(state).final else machine.claims(state)
        outcome = core.codec.outcome(step, claims)
        if outcome != record.outcome and not _alike(core, machine, outcome, record):
            differences.append(Difference(record.chain, number, "outcome", record.outcome.decode(), outcome.decode()))
    if snapshot is not None and state is not None and not differences:
        body = core.codec.encode(state)
        if body != snapshot.state and not _same_state(core, snapshot, state):
            differences.append(
                Difference(snapshot.chain, snapshot.sequence, "state", snapshot.state.decode(), body.decode())
            )
    return Replayed(state, tuple(differences))


def _alike(core: Core, machine: Machine[Any, Any, Any], outcome: bytes, record: StoredRecord) -> bool:
    """Whether an outcome written in an older form says the same. In the present form only equal bytes do."""
    if record.schema == machine.schema:
        return False
    before = core.codec.brought_up(machine, record.outcome, record.schema)
    return before == msgspec.json.decode(outcome, type=dict[str, Any])


def _same_state(core: Core, snapshot: StoredChain, state: State) -> bool:
    try:
        machine, stored = core.read(snapshot)
    except Foreign:
        return False
    return snapshot.schema != machine.schema and stored == state
