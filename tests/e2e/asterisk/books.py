"""A journal as a test reads it, beside the server that writes it or after its death."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from router.audit import Audit, audit
from router.basis.instants import Instant
from router.basis.machine import Event, State
from router.chains.call_states import Ended, Stranger
from router.chains.enquiry import End, File
from router.engine.core import Core
from router.engine.replay import Difference, replay
from router.engine.store.reading import Reading
from router.engine.store.sqlite import SqliteStore
from router.engine.vault import Vault
from router.office import Office, machines

T = TypeVar("T")
E = TypeVar("E", bound=Event)

JOURNAL = "hopline.db"


@dataclass(frozen=True)
class Entry:
    """One call in the journal."""

    chain: str
    state: State
    events: tuple[tuple[Instant, str, Event], ...]
    """Stamp, source, event; in order."""
    caller: str
    """His number as the vault keeps it, +79990000001; empty: withheld."""

    @property
    def file(self) -> File:
        """The call's papers."""
        assert not isinstance(self.state, Stranger), self.state
        file: File = self.state.file  # type: ignore[attr-defined]
        return file

    @property
    def end(self) -> End:
        """How the call ended; AssertionError while it has not."""
        assert isinstance(self.state, Ended), f"{self.chain} has not ended: {type(self.state).__name__}"
        return self.state.end

    @property
    def people(self) -> list[str]:
        """Who was offered the call, in order, those whose offers are over."""
        return [hop.person for hop in self.file.hops]

    def of(self, kind: type[E]) -> list[E]:
        """Events of this type."""
        return [event for _, _, event in self.events if isinstance(event, kind)]


class Books:
    """The journal in a data folder."""

    def __init__(self, data: Path) -> None:
        self._path = data / JOURNAL

    def entries(self) -> list[Entry]:
        """All calls, in the order in which they were first heard of."""
        return self._read(_entries)

    def entry(self, caller: str) -> Entry:
        """The only call of this caller."""
        (found,) = [entry for entry in self.entries() if entry.caller == caller]
        return found

    def ended(self, caller: str) -> Entry | None:
        """The only call of this caller, once it is over; None before that."""
        found = [entry for entry in self.entries() if entry.caller == caller]
        assert len(found) < 2, found
        return found[0] if found and isinstance(found[0].state, Ended) else None

    def callbacks(self) -> dict[str, State]:
        """The calls to whom a call-back was opened -> its state."""
        return self._read(_callbacks)

    def audit(self) -> Audit:
        """Conservation."""
        return self._read(lambda core, reading, _: audit(core, reading, Instant(time.time_ns() // 1000)))

    def differences(self) -> list[Difference]:
        """What a replay of everything finds."""
        return self._read(_differences)

    def _read(self, work: Callable[[Core, Reading, SqliteStore], Awaitable[T]]) -> T:
        return asyncio.run(self._opened(work))

    async def _opened(self, work: Callable[[Core, Reading, SqliteStore], Awaitable[T]]) -> T:
        core = Core(machines(), Office({}).looks(), Vault())
        reading, store = Reading(self._path), SqliteStore(self._path)
        await reading.open(core.contents)
        await store.open_reader()
        try:
            return await work(core, reading, store)
        finally:
            await store.close()
            await reading.close()


async def _entries(core: Core, reading: Reading, store: SqliteStore) -> list[Entry]:
    found = []
    async for row in reading.chains("call"):
        machine = core.machine(row.kind, row.machine_version)
        state = core.codec.state(machine, row.state, row.schema)
        events = tuple(
            (record.at, record.source, core.codec.event(machine, record.event, record.schema))
            for record in await reading.history(row.chain)
        )
        token = None if isinstance(state, Stranger) else state.file.caller  # type: ignore[attr-defined]
        number = (await store.reveal([token])).get(token, "") if token else ""
        found.append(Entry(row.chain, state, events, number))
    return found


async def _callbacks(core: Core, reading: Reading, _: SqliteStore) -> dict[str, State]:
    machine = core.machine("callback", 1)
    return {
        row.chain.replace("callback:", "call:", 1): core.codec.state(machine, row.state, row.schema)
        async for row in reading.chains("callback")
    }


async def _differences(core: Core, reading: Reading, _: SqliteStore) -> list[Difference]:
    found: list[Difference] = []
    async for row in reading.chains():
        found += replay(core, await reading.history(row.chain), row).differences
    return found
