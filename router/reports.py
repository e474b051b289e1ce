"""What the reading commands tell: explain, replay, audit. They open the journal beside a running server."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from router.audit import Audit, audit
from router.basis.instants import Instant, iso
from router.basis.phone import masked
from router.chains.call import CallMachine
from router.chains.call_states import CallEvent
from router.chains.client import ClientMachine
from router.chains.explain import Told, explain
from router.chains.roster import Roster, RosterMachine
from router.clients import kept_of, plain, tokens_of
from router.crm_bridge.builtin import ClientBook, Entry
from router.engine.core import Core, Foreign
from router.engine.journal import StoredChain, StoredRecord
from router.engine.replay import replay
from router.engine.store.reading import Reading
from router.engine.vault import Vault
from router.office import Office, machines

JOURNAL = "hopline.db"


@asynccontextmanager
async def opened(data: Path) -> AsyncIterator[tuple[Core, Reading]]:
    """A core to decode with and the journal."""
    core = Core(machines(), Office({}).looks(), Vault())
    reading = Reading(data / JOURNAL)
    try:
        await reading.open(core.contents)
        yield core, reading
    finally:
        await reading.close()


async def explain_call(data: Path, call: str, language: str) -> list[str]:
    """Sentences; none if there is no such call."""
    lines: list[str] = []
    async with opened(data) as (core, reading):
        names = await _names(core, reading)
        for chain in await reading.find(call):
            if chain.kind == CallMachine.kind:
                try:
                    history = [_decoded(core, record) for record in await reading.history(chain.chain)]
                except (LookupError, msgspec.MsgspecError) as error:
                    lines.append(f"{chain.chain}: written by another release, which can explain it ({error})")
                    continue
                lines += explain(history, "en" if language == "en" else "ru", names)
    return lines


def _decoded(core: Core, record: StoredRecord) -> Told:
    machine = core.machine(record.kind, record.machine_version)
    event = core.codec.event(machine, record.event, record.schema)
    assert isinstance(event, CallEvent)
    return Told(record.at, event, core.codec.seen(machine, record.seen, record.schema))


async def _names(core: Core, reading: Reading) -> dict[str, str]:
    """Person id -> name, as they stand in the directory now."""
    async for row in reading.chains(RosterMachine.kind):
        try:
            roster = core.read(row)[1]
        except Foreign:
            continue
        if isinstance(roster, Roster) and roster.directory is not None:
            return {person.id: person.name for person in roster.directory.value.people}
    return {}


async def replay_chains(data: Path, call: str, *, check: bool) -> dict[str, Any]:
    """Fold one call, or all chains where `call` is empty."""
    result: dict[str, Any] = {"chains": 0, "events": 0, "lines": [], "differences": []}
    async with opened(data) as (core, reading):
        if call:
            for chain in await reading.find(call):
                await _replay(core, reading, chain, result, check=check, tell=True)
        else:
            async for chain in reading.chains():
                await _replay(core, reading, chain, result, check=check, tell=False)
    return result


async def _replay(
    core: Core, reading: Reading, chain: StoredChain, result: dict[str, Any], *, check: bool, tell: bool
) -> None:
    history = await reading.history(chain.chain)
    if history and history[-1].sequence != chain.sequence:
        # The server wrote between the two readings: what we hold of the chain is older than its log.
        history = history[: chain.sequence]
    folded = replay(core, history, chain if check else None)
    result["chains"] += 1
    result["events"] += len(history)
    if check:
        result["differences"] += [asdict(difference) for difference in folded.differences]
    if tell:
        for record in history:
            result["lines"].append(f"{iso(record.at)} {record.source:16} {record.event.decode()}")
        result["lines"].append(f"state {type(folded.state).__name__}")


async def client_entries(data: Path) -> list[Entry]:
    """All clients of the client book in plain, in the order of their ids."""
    async with opened(data) as (core, reading):
        book = await _book(core, reading)
        return plain(book, await reading.vault({token for client in book for token in tokens_of(client)}))


async def client_conflicts(data: Path) -> list[dict[str, Any]]:
    """Numbers (masked) and mails that stand with several active clients."""
    async with opened(data) as (core, reading):
        conflicts = (await _book(core, reading)).conflicts()
        values = await reading.vault({conflict.token for conflict in conflicts})
        shown = {token: value if "@" in value else masked(value) for token, value in values.items()}
        return [
            {"contact": shown.get(conflict.token, conflict.token), "clients": list(conflict.clients)}
            for conflict in conflicts
        ]


async def _book(core: Core, reading: Reading) -> ClientBook:
    book = ClientBook()
    async for row in reading.chains(ClientMachine.kind):
        kept = kept_of(core, row)
        if kept is not None:
            book.put(kept.client)
    return book


async def audit_journal(data: Path) -> Audit:
    """See `router.audit`."""
    now = Instant(time.time_ns() // 1_000)
    async with opened(data) as (core, reading):
        return await audit(core, reading, now)
