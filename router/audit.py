"""Conservation: every call ended in exactly one lawful way or is live, and every missed one has its call-back.

Reads the journal only. Run nightly and on demand (`hopline audit`).
"""

from collections import Counter
from dataclasses import dataclass, field

from router.basis.instants import SECOND, Instant
from router.chains.call_states import CallState, Ended
from router.chains.callback import CallbackState, Open
from router.chains.enquiry import MISSED, UNSERVED
from router.engine.core import Core, Foreign
from router.engine.store.reading import Reading

GRACE = 60 * SECOND
"""A deadline that lies further back than this was not merely being handled when the journal was read."""


@dataclass(slots=True)
class Audit:
    """What was counted and what is wrong."""

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Nothing is wrong."""
        return not self.problems


async def audit(core: Core, reading: Reading, now: Instant) -> Audit:
    """Go through all calls and call-backs."""
    found = Audit()
    callbacks: dict[str, CallbackState] = {}
    async for row in reading.chains():
        if row.kind == "call":
            continue
        try:
            state = core.read(row)[1]
        except Foreign as foreign:
            found.problems.append(str(foreign))
            continue
        if row.kind == "callback":
            callbacks[row.chain] = state  # type: ignore[assignment]
            found.counts["callback_open" if isinstance(state, Open) else "callback_closed"] += 1
    async for row in reading.chains("call"):
        try:
            state = core.read(row)[1]
        except Foreign as foreign:
            found.problems.append(str(foreign))
            continue
        _judge_call(found, row.chain, state, callbacks)  # type: ignore[arg-type]
        if not row.final and row.deadline is not None and row.deadline < now - GRACE:
            found.problems.append(f"{row.chain}: its deadline passed {(now - row.deadline) // SECOND} s ago")
    for key, holder, final in await reading.claims():
        if final:
            found.problems.append(f"{key}: held by {holder}, which is over")
    return found


def _judge_call(found: Audit, chain: str, state: CallState, callbacks: dict[str, CallbackState]) -> None:
    found.counts["calls"] += 1
    if not isinstance(state, Ended):
        found.counts["live"] += 1
        return
    outcome = state.end.outcome
    found.counts[outcome.value] += 1
    owed = chain.replace("call:", "callback:", 1)
    if outcome in MISSED and owed not in callbacks:
        found.problems.append(f"{chain}: missed ({outcome.value}) and nobody owes a call-back")
    if outcome not in UNSERVED and isinstance(callbacks.get(owed), Open):
        found.problems.append(f"{chain}: {outcome.value}, and yet a call-back is open")
