"""The journal in one SQLite file: the server's store.

Statements run in the loop's thread: they touch the page cache only and take microseconds, while two threads would pass
the interpreter lock back and forth at every statement, which costs up to 5 ms each (`sys.getswitchinterval`). The
COMMIT waits for the disk: in the same thread where that is soon over (`sqlite_pace`), else in one of its own. The log
is written back in quiet moments (`sqlite_wal`). Pages read over a second connection (aiosqlite).
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import aiosqlite
import structlog

from router.basis.instants import Instant
from router.basis.machine import ChainId, Token
from router.engine.crashes import passing, passing_here, passing_in_thread, point, reach
from router.engine.journal import Batch, EffectId, StoredChain, StoredOrder, StoredRecord
from router.engine.store.migrate import migrate_sqlite
from router.engine.store.port import StoreFull, StoreUnavailable
from router.engine.store.reserve import Reserve
from router.engine.store.sqlite_file import (
    FIND,
    HISTORY,
    OVERDUE,
    RECORDS,
    SqliteFile,
    parts,
    stored_chain,
    stored_record,
    unavailable,
)
from router.engine.store.sqlite_pace import Pace
from router.engine.store.sqlite_wal import Wal

log = structlog.get_logger(__name__)

T = TypeVar("T")

WRITTEN = point("sqlite.written", "the batch is in the transaction, nothing is durable")
COMMITTED = point("sqlite.commit", "the COMMIT: before it nothing, after it everything is durable")
OPEN_READER = point("sqlite.reader", "the reading connection is opened or closed")
READ = point("sqlite.read", "a page or command reads committed data")
TURN = point("sqlite.turn", "a write waits for the one before it")


class SqliteStore:
    """See `router.engine.store.port.Store`."""

    def __init__(self, path: str | Path, reserve: int = 0) -> None:
        """`reserve`: bytes put by beside the file for when the disk is full; 0: none."""
        self._file = SqliteFile(str(path))
        self._reserve = Reserve(Path(f"{path}.reserve"), reserve)
        self.scarce = False
        """See `HasReserve`."""
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._reader: aiosqlite.Connection | None = None
        self._one_at_a_time = asyncio.Lock()
        self._pace = Pace()
        self._wal = Wal(self._file.path, self._one_at_a_time)

    async def open(self) -> None:
        """Take the writer's lock, bring the tables up to date, open both connections."""
        try:
            Path(self._file.path).parent.mkdir(parents=True, exist_ok=True)
            self._file.lock()
            migrate_sqlite(self._file.path)
            self._file.open()
            self._wal.prepare(self._file.connection)
        except (OSError, sqlite3.Error) as error:
            message = f"{self._file.path}: {error}"
            raise StoreUnavailable(message) from error
        self.tend_reserve()
        await self.open_reader()

    @property
    def reserve_made(self) -> bool:
        """See `HasReserve`; also where none is wanted."""
        return self._reserve.size == 0 or self._reserve.made

    def tend_reserve(self) -> None:
        """See `HasReserve`."""
        if self._reserve.size == 0 or self._reserve.made:
            return
        if self._reserve.make():
            if self.scarce:
                log.info("reserve_made", bytes=self._reserve.size)
            self.scarce = False

    async def open_reader(self) -> None:
        """Open only the reading connection, beside the server that writes. Raises StoreUnavailable."""
        # Ours before it is open: an end in between must be able to close it, its thread would outlive us otherwise.
        self._reader = aiosqlite.connect(f"file:{quote(self._file.path)}?mode=ro", uri=True)
        try:
            await passing(OPEN_READER, self._reader)
        except sqlite3.Error as error:
            self._reader = None
            message = f"{self._file.path}: {error}"
            raise StoreUnavailable(message) from error

    async def close(self) -> None:
        """Close both connections and give the lock back."""
        if self._reader is not None:
            await passing(OPEN_READER, self._reader.close())
            self._reader = None
        self._wal.close()
        self._disk.shutdown(wait=True)
        self._file.close()

    async def commit(self, batch: Batch) -> None:
        """Write the batch; returns when it is on the disk."""
        await passing(TURN, self._one_at_a_time.acquire())
        try:
            try:
                await self._write(batch)
            except StoreFull:
                if not self._give_up_reserve():
                    raise
                await self._write(batch)
        finally:
            self._one_at_a_time.release()

    async def _write(self, batch: Batch) -> None:
        self._file.write(batch)
        reach(WRITTEN)
        await self._commit()

    async def _commit(self) -> None:
        if self._pace.waits_here():
            await passing_here(COMMITTED, self._pace.timed(self._file.commit, here=True))
        else:
            await passing_in_thread(COMMITTED, self._disk, self._pace.timed(self._file.commit, here=False))
        self._wal.written(self._file.connection.total_changes)

    def _give_up_reserve(self) -> bool:
        """A full disk writes no commit record, so the batch that failed is not there; and if it were, the sequence
        numbers would refuse the second one."""
        if not self._reserve.give_up():
            return False
        self.scarce = True
        log.error("reserve_given_up", bytes=self._reserve.size)
        return True

    async def load(self, chains: Iterable[ChainId]) -> list[StoredChain]:
        """The chains among these that exist."""
        return self._guarded(lambda: self._file.load(chains))

    async def load_live(self) -> list[StoredChain]:
        """All chains that are not final."""
        return self._guarded(self._file.load_live)

    async def claims(self) -> dict[str, tuple[ChainId, Instant]]:
        """Key -> holder and expiry."""
        return self._guarded(self._file.claims)

    async def orders(self) -> list[StoredOrder]:
        """Effects not marked done."""
        return self._guarded(self._file.orders)

    async def contents(self) -> list[tuple[str, bytes]]:
        """The table of contents."""
        return self._guarded(self._file.contents)

    async def tokens(self, values: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Token]:
        """(kind, value) -> token."""
        return self._guarded(lambda: self._file.tokens(values))

    async def reveal(self, tokens: Iterable[Token]) -> dict[Token, str]:
        """Token -> value."""
        found: dict[Token, str] = {}
        for part in parts(list(tokens)):
            marks = ",".join("?" * len(part))
            sql = f"SELECT token, value FROM vault WHERE token IN ({marks})"  # noqa: S608 - marks only
            found.update((row[0], row[1]) for row in await self.select(sql, part))
        return found

    async def history(self, chain: ChainId) -> list[StoredRecord]:
        """The log of one chain."""
        return [stored_record(row) for row in await self.select(HISTORY, (chain,))]

    async def records(self, after: int, limit: int) -> list[StoredRecord]:
        """The log of all chains from a position on."""
        return [stored_record(row) for row in await self.select(RECORDS, (after, limit))]

    async def find(self, kind: str, *, final: bool | None, newest: int) -> list[StoredChain]:
        """Chains of a kind, those begun last first."""
        rows = await self.select(FIND, (kind, final, final, newest))
        return [stored_chain(row, {}) for row in rows]

    async def overdue(self, before: Instant, limit: int) -> list[tuple[ChainId, Instant | None]]:
        """Live chains whose deadline lies before an instant, or that have none."""
        return [(row[0], row[1]) for row in await self.select(OVERDUE, (before, limit))]

    async def put_back(self, order: EffectId) -> bool:
        """Let an effect that was put aside be performed again."""
        return await self._apart(lambda: self._file.put_back(order))

    async def upsert(self, table: str, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Write one row of an adapter's own table."""
        columns = {**key, **values}
        change = f"UPDATE SET {','.join(f'{name}=excluded.{name}' for name in values)}" if values else "NOTHING"
        sql = (
            f"INSERT INTO {table}({','.join(columns)}) VALUES({','.join('?' * len(columns))}) "
            f"ON CONFLICT({','.join(key)}) DO {change}"
        )
        await self._apart(lambda: self._file.connection.execute(sql, tuple(columns.values())))

    async def remove(self, table: str, key: Mapping[str, Any]) -> bool:
        """Take one row out of an adapter's own table."""
        sql = f"DELETE FROM {table} WHERE {' AND '.join(f'{name}=?' for name in key)}"  # noqa: S608 - our own names
        return await self._apart(lambda: self._file.connection.execute(sql, tuple(key.values())).rowcount == 1)

    async def select(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Read committed data over the reading connection."""
        if self._reader is None:
            message = f"{self._file.path} is not open"
            raise StoreUnavailable(message)
        try:
            return [tuple(row) for row in await passing(READ, self._reader.execute_fetchall(sql, parameters))]
        except sqlite3.Error as error:
            raise StoreUnavailable(str(error)) from error

    async def _apart(self, work: Callable[[], T]) -> T:
        """A write of its own, between batches."""
        await passing(TURN, self._one_at_a_time.acquire())
        try:
            try:
                return await self._write_apart(work)
            except StoreFull:
                if not self._give_up_reserve():
                    raise
                return await self._write_apart(work)
        finally:
            self._one_at_a_time.release()

    async def _write_apart(self, work: Callable[[], T]) -> T:
        self._guarded(lambda: self._file.connection.execute("BEGIN IMMEDIATE"))
        try:
            result = self._guarded(work)
        except BaseException:
            self._file.rollback()
            raise
        await self._commit()
        return result

    def _guarded(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except sqlite3.Error as error:
            raise unavailable(error) from error
