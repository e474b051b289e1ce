"""Room put by beside the journal: given up once, written into, and made again."""

import errno
import sqlite3
from pathlib import Path

import pytest

from router.engine.journal import Batch
from router.engine.store.port import HasReserve, StoreFull, StoreUnavailable
from router.engine.store.reserve import Reserve
from router.engine.store.sqlite import SqliteStore
from router.engine.store.sqlite_file import unavailable

SIZE = 256 * 1024


def full() -> sqlite3.Error:
    """What the database says on a full disk, made by a real one that may not grow."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA max_page_count=3")
    connection.execute("CREATE TABLE t(a)")
    try:
        connection.execute("INSERT INTO t VALUES(zeroblob(100000))")
    except sqlite3.Error as error:
        return error
    finally:
        connection.close()
    raise AssertionError


class FullFile:
    """Lets the next commits of a store meet a full disk."""

    def __init__(self, store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
        self.times = 0
        commit = store._file.commit

        def fails() -> None:
            if self.times:
                self.times -= 1
                store._file.rollback()
                raise unavailable(full())
            commit()

        monkeypatch.setattr(store._file, "commit", fails)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def test_its_room_is_real_and_comes_back(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "r", SIZE)
    assert reserve.make()
    assert reserve.make(), "it is there"
    assert (tmp_path / "r").stat().st_blocks * 512 >= SIZE, "a hole would give nothing back"
    assert reserve.give_up()
    assert not reserve.give_up()
    assert not reserve.made


def test_another_size_is_made_anew(tmp_path: Path) -> None:
    Reserve(tmp_path / "r", SIZE).make()
    assert not Reserve(tmp_path / "r", 2 * SIZE).made
    assert Reserve(tmp_path / "r", 2 * SIZE).make()
    assert (tmp_path / "r").stat().st_size == 2 * SIZE


def test_it_is_not_made_where_it_would_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reserve = Reserve(tmp_path / "r", SIZE)

    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as patched:
        patched.setattr("router.engine.store.reserve.os.posix_fallocate", no_room)
        assert not reserve.make()
    assert not (tmp_path / "r").exists()
    with monkeypatch.context() as patched:
        patched.setattr("router.engine.store.reserve.shutil.disk_usage", lambda _: _Usage(2 * SIZE - 1))
        assert not reserve.make()


class _Usage:
    def __init__(self, free: int) -> None:
        self.free = free


def test_the_database_says_that_it_is_full() -> None:
    assert isinstance(unavailable(full()), StoreFull)
    assert not isinstance(unavailable(sqlite3.OperationalError("locked")), StoreFull)


async def test_a_batch_that_meets_a_full_disk_is_written_into_the_reserve(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteStore(path, SIZE)
    await store.open()
    assert isinstance(store, HasReserve)
    disk = FullFile(store, monkeypatch)
    assert (store.reserve_made, store.scarce) == (True, False)
    disk.times = 1
    await store.commit(Batch(contents=[("a", b"1")]))
    assert (store.reserve_made, store.scarce) == (False, True)
    assert await store.contents() == [("a", b"1")]
    disk.times = 1
    with pytest.raises(StoreFull):
        await store.commit(Batch(contents=[("b", b"2")]))
    await store.commit(Batch(contents=[("c", b"3")]))
    store.tend_reserve()
    assert (store.reserve_made, store.scarce) == (True, False)
    disk.times = 1
    await store.upsert("quarantine", {"id": "q"}, {"at": 1, "chain": "", "source": "", "event": b"", "error": ""})
    assert (store.reserve_made, store.scarce) == (False, True)
    assert await store.select("SELECT id FROM quarantine") == [("q",)]
    await store.close()


async def test_without_a_reserve_a_full_disk_is_what_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SqliteStore(path)
    await store.open()
    disk = FullFile(store, monkeypatch)
    disk.times = 1
    with pytest.raises(StoreUnavailable):
        await store.commit(Batch(contents=[("a", b"1")]))
    assert not store.scarce
    store.tend_reserve()
    assert not path.with_name("journal.db.reserve").exists()
    await store.close()
