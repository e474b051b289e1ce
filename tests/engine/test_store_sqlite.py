"""The contract on one SQLite file, and what is SQLite's own."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from router.engine.journal import Batch
from router.engine.store.port import Store, StoreUnavailable
from router.engine.store.sqlite import SqliteStore
from router.engine.store.sqlite_file import MEMORY, SqliteFile
from tests.engine.rows import batch, record
from tests.engine.store_contract import A, B, StoreContract


class FilePlace:
    """One file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open: list[SqliteStore] = []

    async def open(self) -> Store:
        await self.close()
        store = SqliteStore(self.path)
        await store.open()
        self._open.append(store)
        return store

    async def close(self) -> None:
        while self._open:
            await self._open.pop().close()

    async def sql(self, statement: str) -> None:
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute(statement)
            connection.commit()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[FilePlace]:
    place = FilePlace(tmp_path / "a folder #1?" / "journal.db")
    yield place
    await place.close()


class TestSqliteStore(StoreContract):
    """The suite on a file whose name needs quoting in a URI."""

    async def test_a_second_writer_is_refused_by_the_lock(self, store: Store, place: FilePlace) -> None:
        second = SqliteStore(place.path)
        with pytest.raises(StoreUnavailable, match="written by another process"):
            await second.open()
        await second.close()
        await store.commit(batch(record(A, 1)))
        await place.close()
        third = SqliteStore(place.path)
        await third.open()
        assert len(await third.load([A])) == 1
        await third.close()

    async def test_a_full_disk_is_told_and_leaves_nothing(self, store: Store, place: FilePlace) -> None:
        await store.commit(batch(record(A, 1)))
        connection = store._file.connection  # type: ignore[attr-defined]
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages + 2}")
        with pytest.raises(StoreUnavailable, match="full"):
            await store.commit(batch(record(B, 1, raw=bytes(1_000_000))))
        connection.execute("PRAGMA max_page_count=1000000")
        assert await store.load([B]) == []
        await store.commit(batch(record(B, 1)))

    async def test_commits_are_durable_in_the_strict_sense(self, store: Store) -> None:
        connection = store._file.connection  # type: ignore[attr-defined]
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL (sqlite.org/pragma.html)

    async def test_readers_see_no_uncommitted_row(self, store: Store) -> None:
        file: SqliteFile = store._file  # type: ignore[attr-defined]
        file.write(batch(record(A, 1)))
        assert await store.history(A) == []
        await asyncio.to_thread(file.commit)
        assert len(await store.history(A)) == 1

    async def test_a_statement_that_cannot_be_read_is_told(self, store: Store) -> None:
        with pytest.raises(StoreUnavailable, match="no such table"):
            await store.select("SELECT x FROM nowhere")


def test_a_journal_in_memory_has_its_tables() -> None:
    file = SqliteFile(MEMORY)
    file.lock()
    file.open()
    file.write(batch(record(A, 1)))
    file.commit()
    file.write(Batch(done=[((A, 1, 0), "sent")]))
    file.rollback()
    assert [chain.sequence for chain in file.load([A])] == [1]
    other = SqliteFile(MEMORY)
    other.open()
    assert other.load([A]) == []
    other.close()
    file.close()
    with pytest.raises(StoreUnavailable):
        file.load([A])
