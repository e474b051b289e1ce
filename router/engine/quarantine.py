"""What nobody could take in is kept for a person: payloads outside of a contract, facts that no machine could take.

Rows of the table `quarantine`; they lie there until a person drops them (`hopline quarantine`).
"""

import asyncio
import hashlib
from dataclasses import dataclass

import structlog

from router.basis.instants import Instant
from router.engine.core import Admission
from router.engine.crashes import passing, point
from router.engine.shell import Engine
from router.engine.store.port import StoreUnavailable

log = structlog.get_logger(__name__)

KEEP = point("quarantine.keep", "what could not be taken in is put away for a person")
READ = point("quarantine.read", "a person looks at what was put away")
DROP = point("quarantine.drop", "before: it is still there; after: a person has dropped it")

SHOWN = 500
"""Rows shown at once, newest first."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One thing that was put away."""

    id: str
    at: Instant
    chain: str
    """Empty: not even that is known."""
    source: str
    error: str
    body: bytes
    """As it came: a payload may hold numbers of people."""


class Quarantine:
    """The table, and the ear that fills it with facts that could not be taken."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.size = 0
        """Rows there, as last counted: at the start and after each change."""
        self._keeping: set[asyncio.Task[None]] = set()

    def listen(self) -> None:
        """From now on facts that the engine cannot take are kept too. Needs a running event loop."""
        self._engine.troubles.append(self._trouble)

    async def keep(self, source: str, body: bytes, error: str, chain: str = "") -> None:
        """Put something away; the same thing again changes only its time. Raises StoreUnavailable."""
        digest = hashlib.sha256(b"\0".join((source.encode(), chain.encode(), body))).hexdigest()
        values = {
            "at": self._engine.clock.now(), "chain": chain, "source": source, "event": body, "error": error,
        }  # fmt: skip
        await passing(KEEP, self._engine.store.upsert("quarantine", {"id": digest}, values))
        await self.count()

    async def rows(self) -> list[Kept]:
        """What is there, newest first."""
        sql = f"SELECT id, at, chain, source, error, event FROM quarantine ORDER BY at DESC, id LIMIT {SHOWN}"  # noqa: S608
        return [Kept(*row) for row in await passing(READ, self._engine.store.select(sql))]

    async def count(self) -> int:
        """How much is there."""
        rows = await passing(READ, self._engine.store.select("SELECT count(*) FROM quarantine"))
        self.size = int(rows[0][0])
        return self.size

    async def drop(self, row: str) -> bool:
        """A person has seen to it."""
        dropped = await passing(DROP, self._engine.store.remove("quarantine", {"id": row}))
        await self.count()
        return dropped

    def _trouble(self, admission: Admission, error: Exception) -> None:
        if admission.origin is not None and admission.source.startswith("pbx:"):
            return  # a delivery: who took it puts it away before he answers (`router.switch`)
        task = asyncio.get_running_loop().create_task(self._keep_admission(admission, error))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def _keep_admission(self, admission: Admission, error: Exception) -> None:
        body = admission.raw or self._engine.core.codec.encode(admission.event)
        try:
            await self.keep(admission.source, body, f"{type(error).__name__}: {error}", admission.chain)
        except StoreUnavailable as failure:
            log.error("quarantine_not_written", chain=admission.chain, error=str(failure))
