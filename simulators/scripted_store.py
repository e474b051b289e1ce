"""The SQLite journal behind the store's port, without threads and without an event loop."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from router.basis.instants import Instant
from router.basis.machine import ChainId, Token
from router.engine.crashes import reach
from router.engine.journal import Batch, EffectId, StoredChain, StoredOrder, StoredRecord
from router.engine.store import sqlite
from router.engine.store.migrate import migrate_sqlite
from router.engine.store.sqlite_file import (
    FIND,
    HISTORY,
    MEMORY,
    OVERDUE,
    RECORDS,
    SqliteFile,
    stored_chain,
    stored_record,
)
from simulators.scripted import Later


class ScriptedStore:
    """See the module. The crash points are those of the server's own store."""

    def __init__(self, path: str = MEMORY) -> None:
        self.path = path
        self.file = SqliteFile(path)
        if path != MEMORY:
            migrate_sqlite(path)
        self.file.open()

    def survive(self) -> None:
        """The process died: what was not committed is gone. A file is opened anew, as by the next process."""
        if self.path == MEMORY:
            self.file.rollback()
            return
        self.file.close()
        self.file = SqliteFile(self.path)
        self.file.open()

    def open(self) -> Later[None]:
        """See `Store`; opened already."""
        return Later(lambda: None)

    def close(self) -> Later[None]:
        """See `Store`."""
        return Later(self.file.close)

    def commit(self, batch: Batch) -> Later[None]:
        """See `Store`."""
        return Later(lambda: self._commit(batch))

    def _commit(self, batch: Batch) -> None:
        self.file.write(batch)
        reach(sqlite.WRITTEN)
        reach(f"{sqlite.COMMITTED}:before")
        self.file.commit()
        reach(f"{sqlite.COMMITTED}:after")

    def load(self, chains: Iterable[ChainId]) -> Later[list[StoredChain]]:
        """See `Store`."""
        return Later(lambda: self.file.load(chains))

    def load_live(self) -> Later[list[StoredChain]]:
        """See `Store`."""
        return Later(self.file.load_live)

    def claims(self) -> Later[dict[str, tuple[ChainId, Instant]]]:
        """See `Store`."""
        return Later(self.file.claims)

    def orders(self) -> Later[list[StoredOrder]]:
        """See `Store`."""
        return Later(self.file.orders)

    def contents(self) -> Later[list[tuple[str, bytes]]]:
        """See `Store`."""
        return Later(self.file.contents)

    def tokens(self, values: Iterable[tuple[str, str]]) -> Later[dict[tuple[str, str], Token]]:
        """See `Store`."""
        return Later(lambda: self.file.tokens(values))

    def reveal(self, tokens: Iterable[Token]) -> Later[dict[Token, str]]:
        """See `Store`."""

        def read() -> dict[Token, str]:
            rows = [self._rows("SELECT token, value FROM vault WHERE token=?", (token,)) for token in tokens]
            return {token: value for found in rows for token, value in found}

        return Later(read)

    def history(self, chain: ChainId) -> Later[list[StoredRecord]]:
        """See `Store`."""
        return Later(lambda: [stored_record(row) for row in self._rows(HISTORY, (chain,))])

    def records(self, after: int, limit: int) -> Later[list[StoredRecord]]:
        """See `Store`."""
        return Later(lambda: [stored_record(row) for row in self._rows(RECORDS, (after, limit))])

    def find(self, kind: str, *, final: bool | None, newest: int) -> Later[list[StoredChain]]:
        """See `Store`."""
        return Later(lambda: [stored_chain(row, {}) for row in self._rows(FIND, (kind, final, final, newest))])

    def overdue(self, before: Instant, limit: int) -> Later[list[tuple[ChainId, Instant | None]]]:
        """See `Store`."""
        return Later(lambda: [(row[0], row[1]) for row in self._rows(OVERDUE, (before, limit))])

    def put_back(self, order: EffectId) -> Later[bool]:
        """See `Store`."""
        return Later(lambda: self.file.put_back(order))

    def upsert(self, table: str, key: Mapping[str, Any], values: Mapping[str, Any]) -> Later[None]:
        """No adapter with a table of its own is played."""
        raise NotImplementedError(table)

    def remove(self, table: str, key: Mapping[str, Any]) -> Later[bool]:
        """No adapter with a table of its own is played."""
        raise NotImplementedError(table)

    def select(self, sql: str, parameters: Sequence[Any] = ()) -> Later[list[tuple[Any, ...]]]:
        """See `Store`."""
        return Later(lambda: self._rows(sql, parameters))

    def _rows(self, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        return self.file.connection.execute(sql, tuple(parameters)).fetchall()
