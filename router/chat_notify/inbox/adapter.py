"""Keeps the cards and tells the pages that look at them."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from aiohttp import web

from router.basis.machine import Event
from router.chains.effects import ShowCard
from router.chat_notify.inbox.wire import COLUMNS, card_of, values_of
from router.chat_notify.port import Bring, Card, Ordered

NEWEST = 100
"""Cards on one page: some two working days of one head; older ones stay in the table."""

_ONE = f"SELECT {COLUMNS} FROM inbox_card WHERE card = ?"  # noqa: S608 - constant columns
_MANY = f"SELECT {COLUMNS} FROM inbox_card WHERE audience = ? ORDER BY shown DESC, card DESC LIMIT ?"  # noqa: S608


_OF = f"SELECT {COLUMNS} FROM inbox_card WHERE audience = ? AND chain IN"  # noqa: S608

AT_ONCE = 500
"""Values in one query: SQLite takes 32,766 (sqlite.org/limits.html), older ones 999."""


class Table(Protocol):
    """The part of the store that the inbox needs."""

    async def upsert(self, table: str, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Write one row durably."""
        ...

    async def select(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Read committed rows."""
        ...


class Watch:
    """One page that is open: `changed` is set when a card of its audience is new, different or gone."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()


class Inbox:
    """The built-in chat. Performer of the lane `inbox`."""

    name = "inbox"

    def __init__(self, table: Table) -> None:
        self._table = table
        self._watches: dict[str, set[Watch]] = {}
        # The outbox already sends the edits of one card one after another. The lock keeps "is it newer?" and the write
        # together whoever else calls; the store writes one at a time anyway, so it costs nothing.
        self._writing = asyncio.Lock()

    async def perform(self, order: Ordered) -> Sequence[Event]:
        """Show a card as ordered, unless a newer revision is shown already."""
        effect = order.effect
        assert isinstance(effect, ShowCard), effect
        async with self._writing:
            before = await self.card(effect.card)
            if before is not None and before.revision >= effect.revision:
                return ()
            shown = before.shown if before is not None else order.ordered
            card = Card(
                effect.card, effect.chain, effect.audience, effect.revision, effect.face, shown, order.ordered
            )  # fmt: skip
            await self._table.upsert("inbox_card", {"card": card.id}, values_of(card))
        self._tell({card.audience} | ({before.audience} if before is not None else set()))
        return ()

    async def card(self, card: str) -> Card | None:
        """The card with this id."""
        rows = await self._table.select(_ONE, (card,))
        return card_of(rows[0]) if rows else None

    async def cards(self, audience: str, newest: int = NEWEST) -> list[Card]:
        """The cards of an audience, newest first."""
        return [card_of(row) for row in await self._table.select(_MANY, (audience, newest))]

    async def cards_of(self, audience: str, chains: Iterable[str]) -> list[Card]:
        """The cards that these chains show to an audience, however old, newest first."""
        wanted = list(chains)
        found: list[Card] = []
        for start in range(0, len(wanted), AT_ONCE):
            part = wanted[start : start + AT_ONCE]
            sql = f"{_OF} ({','.join('?' * len(part))})"
            found += [card_of(row) for row in await self._table.select(sql, (audience, *part))]
        return sorted(found, key=lambda card: (card.shown, card.id), reverse=True)

    @contextmanager
    def watch(self, audience: str) -> Iterator[Watch]:
        """Be told of changes to the cards of an audience."""
        watch = Watch()
        self._watches.setdefault(audience, set()).add(watch)
        try:
            yield watch
        finally:
            watches = self._watches[audience]
            watches.discard(watch)
            if not watches:
                del self._watches[audience]

    def _tell(self, audiences: set[str]) -> None:
        for audience in audiences:
            for watch in self._watches.get(audience, ()):
                watch.changed.set()

    def routes(self, bring: Bring) -> Sequence[web.RouteDef]:
        """None: the pages of `router.web` bring the buttons."""
        return ()

    async def close(self) -> None:
        """Nothing to free: the store is the engine's."""
