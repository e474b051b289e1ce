"""Which records of a refused batch are at fault: one rule for both dialects, over facts that a store has read.

The fast path writes a whole batch in bulk and only learns that something did not fit. The judge then plays the records
in memory, in their order, against what the journal holds, and names those that cannot be written.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from router.basis.machine import ChainId
from router.engine.journal import Record, Secret


@dataclass(frozen=True, slots=True)
class Facts:
    """What the journal holds of the chains, deliveries and keys that a batch names."""

    sequences: Mapping[ChainId, int]
    """Number of the last event of each chain that exists."""
    origins: frozenset[tuple[ChainId, str]]
    """Those of the batch's deliveries that the journal has already."""
    holders: Mapping[str, ChainId]
    """Holder of each key that is held."""


def judge(records: Sequence[Record], facts: Facts) -> dict[int, str]:
    """Index -> reason, of the records that cannot be written; what follows a refused one in its chain cannot either."""
    sequences = dict(facts.sequences)
    origins = set(facts.origins)
    holders = dict(facts.holders)
    reasons: dict[int, str] = {}
    for index, record in enumerate(records):
        chain = record.chain
        if sequences.get(chain, 0) + 1 != record.sequence:
            reasons[index] = "sequence"
        elif record.origin is not None and (chain, record.origin) in origins:
            reasons[index] = "origin"
        elif any(holders.get(taken.key, chain) not in {chain, taken.seized_from} for taken in record.claims_taken):
            reasons[index] = "claim"
        else:
            sequences[chain] = record.sequence
            if record.origin is not None:
                origins.add((chain, record.origin))
            for key in record.claims_released:
                if holders.get(key) == chain:
                    del holders[key]
            holders.update((taken.key, chain) for taken in record.claims_taken)
    return reasons


def named_by(records: Sequence[Record], secrets: Iterable[Secret]) -> dict[int, str]:
    """Index -> `token`, of the records whose event names one of these tokens; all records if none does."""
    tokens = [secret.token.encode() for secret in secrets]
    found = [index for index, record in enumerate(records) if any(token in record.event for token in tokens)]
    return dict.fromkeys(found or range(len(records)), "token")


def keys_of(records: Iterable[Record]) -> list[str]:
    """Every key that the records take or release."""
    keys: set[str] = set()
    for record in records:
        keys.update(record.claims_released)
        keys.update(taken.key for taken in record.claims_taken)
    return sorted(keys)
