"""What the engine asks of a store.

One writer at a time per chain is guaranteed by the sequence numbers: a store refuses a record whose sequence it already
has, and a claim that another chain holds. A batch is taken whole or not at all; a refusal names the records at fault,
so that the engine can write the others at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from router.basis.instants import Instant
from router.basis.machine import ChainId, Token
from router.engine.journal import Batch, EffectId, StoredChain, StoredOrder, StoredRecord


class Store(Protocol):
    """A journal that survives kill -9. All methods may raise `StoreUnavailable`."""

    async def open(self) -> None:
        """Take the writer's lock, bring the tables up to date."""
        ...

    async def close(self) -> None:
        """Give everything back."""
        ...

    async def commit(self, batch: Batch) -> None:
        """Write all of it durably or nothing. Raises `Refused`."""
        ...

    async def load(self, chains: Iterable[ChainId]) -> list[StoredChain]:
        """The chains among these that exist."""
        ...

    async def load_live(self) -> list[StoredChain]:
        """All chains that are not final."""
        ...

    async def claims(self) -> dict[str, tuple[ChainId, Instant]]:
        """Key -> holder and expiry."""
        ...

    async def orders(self) -> list[StoredOrder]:
        """Effects not marked done, oldest first, those put aside included."""
        ...

    async def contents(self) -> list[tuple[str, bytes]]:
        """The table of contents."""
        ...

    async def tokens(self, values: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Token]:
        """(kind, value) -> token, of those that have one."""
        ...

    async def reveal(self, tokens: Iterable[Token]) -> dict[Token, str]:
        """Token -> value, of those the vault knows."""
        ...

    async def history(self, chain: ChainId) -> list[StoredRecord]:
        """The log of one chain, in order."""
        ...

    async def records(self, after: int, limit: int) -> list[StoredRecord]:
        """The log of all chains from a position on, in order of position."""
        ...

    async def find(self, kind: str, *, final: bool | None, newest: int) -> list[StoredChain]:
        """Chains of a kind, those begun last first; origins are not filled."""
        ...

    async def overdue(self, before: Instant, limit: int) -> list[tuple[ChainId, Instant | None]]:
        """Live chains whose deadline lies before an instant, or that have none (the auditor reads these)."""
        ...

    async def put_back(self, order: EffectId) -> bool:
        """Let an effect that was put aside be performed again; False where there is none."""
        ...

    async def upsert(self, table: str, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Write one row of an adapter's own table through the one writer, durably."""
        ...

    async def remove(self, table: str, key: Mapping[str, Any]) -> bool:
        """Take one row out of an adapter's own table, durably; False where there is none."""
        ...

    async def select(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Read with `?` placeholders; sees committed data only."""
        ...


class StoreUnavailable(Exception):
    """The journal cannot be written or read now; nothing of the request has taken effect."""


class StoreFull(StoreUnavailable):
    """There is no room left to write."""


@runtime_checkable
class HasReserve(Protocol):
    """Optional: a store on a disk that can fill up, with room put by for calls under way."""

    scarce: bool
    """The reserve was given up: what is under way is written, nothing new should be begun."""

    @property
    def reserve_made(self) -> bool:
        """Whether the room is put by."""
        ...

    def tend_reserve(self) -> None:
        """Put room by (again) where there is enough; called at the start and every few seconds."""
        ...
