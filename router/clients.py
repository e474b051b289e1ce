"""The client book over the journal: reads it at the start, follows what is committed, writes what people bring.

    clients.book.by_phone(token)      at once, in memory: for the look of a call
    await clients.save(placed, by)    what file, table or API bring, with differences and mistakes
    await clients.entries(...)        plain values, revealed from the vault, for people

It knows the chains of clients and the engine, so it stands beside `office`.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from router.basis.clients import Client
from router.basis.failures import Mistake
from router.basis.machine import Token
from router.basis.phone import masked
from router.chains.client import ClientKept, ClientMachine, client_chain
from router.chains.events import ClientSaved
from router.crm_bridge.builtin import ClientBook, Entry
from router.crm_bridge.builtin.entry import Placed, differences
from router.engine.core import Admission, Core, Draft
from router.engine.journal import Order, StoredChain
from router.engine.shell import Engine
from router.engine.store.port import StoreUnavailable
from router.office import roster_of

MOST = 1_000_000
"""Clients read at the start; a company with more has a CRM that answers for it."""

TOGETHER = 25
"""Clients written in one transaction: 0.2 ms of processor each (measured), so that a call's turn never waits more than
some 5 ms behind an import."""

SLICE = 500
"""States read between two breaths of the loop."""


def new_id() -> str:
    """An id for a client who came without one."""
    return "c" + secrets.token_hex(5)


@dataclass(slots=True)
class Saved:
    """What a list of clients changed, or would change."""

    ids: list[str] = field(default_factory=list)
    """Of each client in the list, in its order."""
    words: list[str] = field(default_factory=list)
    """What became of each: `created`, `changed`, `same`; `outdated` where somebody else was first."""
    changed: list[str] = field(default_factory=list)
    """Differences, a line each."""
    warnings: list[str] = field(default_factory=list)
    """Numbers and mails that stand with other clients as well."""
    mistakes: list[Mistake] = field(default_factory=list)
    """If there are any, nothing was written."""


class Clients:
    """See the module's docstring. `open` after the engine's own."""

    def __init__(self, engine: Engine, fresh_id: Callable[[], str] = new_id) -> None:
        self.book = ClientBook()
        self._engine = engine
        self._fresh_id = fresh_id
        self._kept: dict[str, ClientKept] = {}
        self._doubtful: set[str] = set()
        """Clients of a write of which nobody knows whether it holds; looked at again after the next commit."""

    async def open(self) -> None:
        """Read all clients and follow the engine from now on."""
        self._engine.observers.append(self.observe)
        for number, stored in enumerate(await self._engine.store.find(ClientMachine.kind, final=None, newest=MOST), 1):
            self._note(kept_of(self._engine.core, stored))
            if number % SLICE == 0:
                await asyncio.sleep(0)

    def observe(self, draft: Draft, orders: list[Order]) -> None:
        """What has just become true (`engine.observers`)."""
        chains = [record.chain for record in draft.batch.records if record.kind == ClientMachine.kind]
        if self._doubtful:
            chains += [client_chain(client) for client in self._doubtful]
            self._doubtful.clear()
        for chain in chains:
            live = self._engine.core.live.get(chain)
            if live is not None and isinstance(live.state, ClientKept):
                self._note(live.state)

    def _note(self, kept: ClientKept | None) -> None:
        if kept is None:
            return
        before = self._kept.get(kept.client.id)
        if before is None or before.revision <= kept.revision:
            self._kept[kept.client.id] = kept
            self.book.put(kept.client)

    def kept(self, client: str) -> ClientKept | None:
        """The entry with its revision."""
        return self._kept.get(client)

    # --- for people ------------------------------------------------------------------------------------------------

    async def entries(self, clients: Sequence[Client]) -> list[Entry]:
        """Plain values of these."""
        return plain(clients, await self._values(token for client in clients for token in tokens_of(client)))

    async def tokens(self, contacts: Iterable[str]) -> list[Token]:
        """Tokens of numbers (E.164) and mails, of those that anybody has."""
        known = await self._engine.store.tokens(list(map(_pair, contacts)))
        return list(known.values())

    async def _values(self, tokens: Iterable[Token]) -> Mapping[Token, str]:
        vault, wanted = self._engine.core.vault, set(tokens)
        values = {token: value for token in wanted if (value := vault.value(token)) is not None}
        unknown = sorted(wanted - values.keys())
        return {**values, **(await self._engine.store.reveal(unknown) if unknown else {})}

    # --- writing ---------------------------------------------------------------------------------------------------

    async def save(self, placed: Sequence[Placed], by: str, *, dry: bool = False, expected: int | None = None) -> Saved:
        """Write these clients, each as a whole; `dry` only tells what would change.

        With mistakes nothing is written. `expected` is the revision the writer saw (see `ClientSaved`). Raises
        StoreUnavailable; what was written before that stays, and the same list can be brought again.
        """
        saved = Saved()
        wanted = await self._named(placed, saved)
        self._check_responsible(placed, saved)
        if saved.mistakes:
            return saved
        known = [kept.client for entry in wanted if (kept := self._kept.get(entry.id)) is not None]
        current = {entry.id: entry for entry in await self.entries(known)}
        saved.ids = [entry.id for entry in wanted]
        saved.words = ["same"] * len(wanted)
        different: list[int] = []
        for index, entry in enumerate(wanted):
            before = current.get(entry.id)
            if before != entry or expected is not None:
                saved.words[index] = "created" if before is None else "changed" if before != entry else "same"
                saved.changed += differences(before, entry)
                different.append(index)
        saved.warnings = await self._shared([wanted[index] for index in different])
        if not dry:
            await self._write(wanted, different, by, expected, saved)
        return saved

    async def _named(self, placed: Sequence[Placed], saved: Saved) -> list[Entry]:
        """Clients without an id get that of the one entry that has their numbers and mails; else a new one."""
        found: list[Entry] = []
        for where, entry in placed:
            if entry.id:
                found.append(entry)
                continue
            owners = self.book.owners(await self.tokens((*entry.phones, *entry.mails)))
            if len(owners) > 1:
                remedy = f"belongs to several clients ({', '.join(owners)}); give an id"
                saved.mistakes.append(Mistake(f"{where}.id", "", remedy))
            found.append(_with_id(entry, owners[0] if owners else self._fresh_id()))
        places: dict[str, str] = {}
        for (where, _), entry in zip(placed, found, strict=True):
            if (first := places.setdefault(entry.id, where)) != where:
                saved.mistakes.append(
                    Mistake(f"{where}.id", entry.id, f"is the same client as {first}; write him once")
                )
        return found

    def _check_responsible(self, placed: Sequence[Placed], saved: Saved) -> None:
        directory = roster_of(self._engine.core).directory
        if directory is None:
            return  # people come later: the look finds nobody by that id until then
        people = {person.id for person in directory.value.people}
        saved.mistakes += [
            Mistake(f"{where}.responsible", entry.responsible, "no person has this id")
            for where, entry in placed
            if entry.responsible and entry.responsible not in people
        ]

    async def _shared(self, entries: Sequence[Entry]) -> list[str]:
        """Numbers and mails of these that other active clients have as well, in words."""
        contacts = {contact: entry.id for entry in entries if entry.active for contact in (*entry.phones, *entry.mails)}
        warnings: list[str] = []
        known = await self._engine.store.tokens(list(map(_pair, contacts)))
        for (kind, value), token in sorted(known.items()):
            others = [owner for owner in self.book.owners([token]) if owner != contacts[value]]
            if others:
                shown = masked(value) if kind == "phone" else value
                warnings.append(f"! {shown} of client {contacts[value]} belongs to {', '.join(others)} as well")
        return warnings

    async def _write(
        self, wanted: Sequence[Entry], different: Sequence[int], by: str, expected: int | None, saved: Saved
    ) -> None:
        for start in range(0, len(different), TOGETHER):
            part = different[start : start + TOGETHER]
            try:
                answers = await self._engine.admit([admission_of(wanted[index], by, expected) for index in part])
            except StoreUnavailable:
                self._doubtful.update(wanted[index].id for index in part)
                raise
            for index, answer in zip(part, answers, strict=True):
                if answer.error is not None:
                    raise answer.error
                saved.words[index] = answer.reply or ""


def admission_of(entry: Entry, by: str, expected: int | None) -> Admission:
    """A client's entry on its way into his chain: what is personal goes beside the event and comes back as tokens."""
    event = ClientSaved(
        entry.id, by, entry.kind, entry.responsible, entry.active, entry.priority, expected=expected
    )  # fmt: skip
    single = {name: (name, value) for name in ("name", "note") if (value := getattr(entry, name))}
    several = {name: tuple(map(_pair, contacts)) for name in ("phones", "mails") if (contacts := getattr(entry, name))}
    return Admission(client_chain(entry.id), event, f"person:{by}", personal=single, personal_lists=several)


def kept_of(core: Core, stored: StoredChain) -> ClientKept | None:
    """The entry in a stored chain; None where there is none (a change of a client who never was)."""
    state = core.codec.state(core.machine(stored.kind, stored.machine_version), stored.state, stored.schema)
    return state if isinstance(state, ClientKept) else None


def plain(clients: Iterable[Client], values: Mapping[Token, str]) -> list[Entry]:
    """These clients with the values behind their tokens."""
    return [
        Entry(
            client.id,
            values.get(client.name, ""),
            client.kind,
            tuple(values.get(token, "") for token in client.phones),
            tuple(values.get(token, "") for token in client.mails),
            client.responsible,
            client.active,
            client.priority,
            values.get(client.note, ""),
        )
        for client in clients
    ]


def tokens_of(client: Client) -> tuple[Token, ...]:
    """All tokens in an entry."""
    return tuple(token for token in (client.name, client.note, *client.phones, *client.mails) if token)


def _pair(contact: str) -> tuple[str, str]:
    """Kind and value as the vault has them; numbers have the kind that a call's caller has (`router.switch`)."""
    return ("mail" if "@" in contact else "phone", contact)


def _with_id(entry: Entry, client: str) -> Entry:
    return Entry(
        client, entry.name, entry.kind, entry.phones, entry.mails, entry.responsible, entry.active, entry.priority,
        entry.note,
    )  # fmt: skip
