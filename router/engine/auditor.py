"""The auditor: every live chain has a live deadline or a named reason, every claim a live holder that still confirms
it.

Reads the store, not the engine's memory, every few seconds; what it finds it counts and repairs by admitting an event,
like everybody else. A finding means a mistake of ours or a lost timer: the metric should always be 0.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from router.basis.instants import SECOND, Duration, Instant
from router.basis.machine import ChainId, ClaimLost, DeadlineReached, Nudged
from router.engine.core import Admission, Foreign
from router.engine.crashes import passing, point
from router.engine.journal import StoredChain
from router.engine.shell import Engine
from router.engine.store.port import StoreUnavailable

log = structlog.get_logger(__name__)

OVERDUE = point("auditor.overdue", "the auditor reads which chains are overdue")
CLAIMS = point("auditor.claims", "the auditor reads which claims have expired")
LOAD = point("auditor.load", "the auditor reads chains that it found")
REPAIR = point("auditor.repair", "the auditor admits what repairs a finding")
PAUSE = point("auditor.pause", "the auditor waits for its next round")

EVERY = 5.0
"""Seconds between rounds."""

GRACE = Duration(3 * SECOND)
"""A deadline this much past is not merely being handled: turns take milliseconds."""

AT_ONCE = 500
"""Findings of one round; more are found in the next."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that should not be."""

    chain: ChainId
    what: str
    """`overdue`, `no_deadline`, `claim_expired`, `claim_without_chain`."""
    repair: Admission


class Auditor:
    """Looks and repairs."""

    def __init__(self, engine: Engine, found: Callable[[Finding], None] = lambda _: None) -> None:
        self._engine = engine
        self._found = found

    async def run(self) -> None:
        """Rounds until cancelled."""
        while True:
            await passing(PAUSE, asyncio.sleep(EVERY))
            try:
                await self.round()
            except StoreUnavailable as error:
                log.warning("audit_not_possible", error=str(error))

    async def round(self) -> list[Finding]:
        """One round: find, count, repair."""
        now = self._engine.clock.now()
        findings = [*await self._overdue(now), *await self._expired(now)]
        for finding in findings:
            log.error("audit_finding", chain=finding.chain, finding=finding.what)
            self._found(finding)
        await passing(REPAIR, self._engine.admit([finding.repair for finding in findings]))
        return findings

    async def _overdue(self, now: Instant) -> list[Finding]:
        rows = await passing(OVERDUE, self._engine.store.overdue(Instant(now - GRACE), AT_ONCE))
        findings: list[Finding] = []
        stored = {row.chain: row for row in await passing(LOAD, self._engine.store.load([row[0] for row in rows]))}
        out_of_sight = self._engine.lanes_out_of_sight()
        for chain, deadline in rows:
            row = stored.get(chain)
            if row is None or row.final or row.deadline != deadline:
                continue  # it has gone on while we were reading
            try:
                machine, state = self._engine.core.read(row)
            except Foreign:
                continue  # counted by a level of its own; there is nothing that we could tell it
            if machine.neighbour(state) in out_of_sight:
                continue  # it waits for its PBX, which is a named reason
            if deadline is not None:
                findings.append(
                    Finding(chain, "overdue", Admission(chain, DeadlineReached(Instant(deadline)), "auditor"))
                )
            elif not machine.standing(state).reason:
                findings.append(Finding(chain, "no_deadline", Admission(chain, Nudged("no_deadline"), "auditor")))
        return findings

    async def _expired(self, now: Instant) -> list[Finding]:
        claims = await passing(CLAIMS, self._engine.store.claims())
        expired = {key: chain for key, (chain, expires) in claims.items() if expires < now - GRACE}
        if not expired:
            return []
        rows = {row.chain: row for row in await passing(LOAD, self._engine.store.load(set(expired.values())))}
        for key, chain in list(expired.items()):
            if chain in self._engine.core.foreign:
                self._engine.core.orphan(key, chain)  # nobody can tell its chain; the key must not be lost with it
                del expired[key]
        # Nobody can confirm a claim whose neighbour cannot be seen; its chain waits for that, which is a named reason.
        return [
            Finding(chain, "claim_expired", Admission(chain, ClaimLost(key, ""), "auditor"))
            for key, chain in expired.items()
            if chain not in rows or not self._out_of_sight(rows[chain])
        ]

    def _out_of_sight(self, row: StoredChain) -> bool:
        machine, state = self._engine.core.read(row)
        return machine.neighbour(state) in self._engine.lanes_out_of_sight()
