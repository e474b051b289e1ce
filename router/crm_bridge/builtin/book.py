"""The client book in memory: whose number is that? Answered in one look, without a store.

Kept up to date by whoever reads the journal (`router.clients`); looked at by the look of a call. It holds tokens only.
"""

from collections.abc import Iterable, Iterator

import msgspec

from router.basis.clients import Client, precedence
from router.basis.machine import Token


class Conflict(msgspec.Struct, frozen=True):
    """One number or mail in the entries of several active clients."""

    token: Token
    clients: tuple[str, ...]
    """Ids, the one it is taken for first."""


class ClientBook:
    """All clients, by id, number and mail."""

    def __init__(self) -> None:
        self._clients: dict[str, Client] = {}
        self._phones: dict[Token, tuple[Client, ...]] = {}
        self._mails: dict[Token, tuple[Client, ...]] = {}
        self._shared: set[Token] = set()

    def __len__(self) -> int:
        return len(self._clients)

    def __iter__(self) -> Iterator[Client]:
        """All clients in the order of their ids."""
        return iter(sorted(self._clients.values(), key=lambda client: client.id))

    def put(self, client: Client) -> None:
        """The entry as it stands now."""
        before = self._clients.get(client.id)
        self._clients[client.id] = client
        for index, name in ((self._phones, "phones"), (self._mails, "mails")):
            old: tuple[Token, ...] = getattr(before, name) if before is not None else ()
            for token in dict.fromkeys((*old, *getattr(client, name))):
                self._index(index, token, client, present=client.active and token in getattr(client, name))

    def _index(self, index: dict[Token, tuple[Client, ...]], token: Token, client: Client, *, present: bool) -> None:
        others = [other for other in index.get(token, ()) if other.id != client.id]
        owners = tuple(sorted((*others, client) if present else others, key=precedence))
        if owners:
            index[token] = owners
        else:
            index.pop(token, None)
        if len(owners) > 1:
            self._shared.add(token)
        else:
            self._shared.discard(token)

    def client(self, client_id: str) -> Client | None:
        """The entry with this id, active or not."""
        return self._clients.get(client_id)

    def by_phone(self, token: Token | None) -> Client | None:
        """The active client whose number this is; of several the one with precedence (`basis.clients.precedence`)."""
        owners = self._phones.get(token) if token else None
        return owners[0] if owners else None

    def by_mail(self, token: Token | None) -> Client | None:
        """The active client whose mail this is, as `by_phone`."""
        owners = self._mails.get(token) if token else None
        return owners[0] if owners else None

    def owners(self, tokens: Iterable[Token]) -> tuple[str, ...]:
        """Ids of all active clients to whom any of these numbers and mails belong."""
        found = (index.get(token, ()) for token in tokens for index in (self._phones, self._mails))
        return tuple(dict.fromkeys(client.id for clients in found for client in clients))

    def conflicts(self, client_id: str = "") -> list[Conflict]:
        """Numbers and mails that stand with several active clients (with this one among them, if one is named)."""
        found = [
            Conflict(token, tuple(client.id for client in index[token]))
            for token in sorted(self._shared)
            for index in (self._phones, self._mails)
            if token in index
        ]
        return [conflict for conflict in found if not client_id or client_id in conflict.clients]
