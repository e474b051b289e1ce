"""Where a COMMIT waits, and when the log is written back."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from router.engine.crashes import KILLED
from router.engine.store import sqlite_pace, sqlite_wal
from router.engine.store.port import StoreUnavailable
from router.engine.store.sqlite import SqliteStore
from router.engine.store.sqlite_pace import BURST_S, QUICK_S, SHARE, Pace
from tests.engine.rows import batch, record
from tests.engine.store_contract import A

# --- where a COMMIT waits ---------------------------------------------------------------------------------------------


class Disk:
    """Time stands still but for what a commit takes and for rests."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.takes_s = 0.0005
        self.pace = Pace(lambda: self.now_s)

    def commits(self, count: int = 1) -> list[bool]:
        """Whether each was waited for in the loop's thread."""
        return [self._commit() for _ in range(count)]

    def _commit(self) -> bool:
        here = self.pace.waits_here()
        self.pace.timed(self._take, here=here)()
        return here

    def _take(self) -> None:
        self.now_s += self.takes_s

    def rests(self, seconds: float) -> None:
        """Nothing is committed."""
        self.now_s += seconds


def test_a_quick_disk_is_waited_for_after_it_was_got_to_know() -> None:
    disk = Disk()
    assert disk.commits(4) == [False, True, True, True]


def test_a_slow_disk_is_left_to_the_thread() -> None:
    disk = Disk()
    disk.takes_s = 2 * QUICK_S
    disk.commits(20)
    assert not any(disk.commits(50))


def test_after_a_slow_moment_the_thread_for_a_while_and_then_the_loop_again() -> None:
    disk = Disk()
    disk.commits(10)
    disk.takes_s = 0.040
    assert disk.commits() == [True]
    disk.takes_s = 0.0005
    assert disk.commits(3) == [False] * 3
    assert disk.commits() == [True]


def test_a_disk_that_hangs_is_not_waited_for_a_second_time() -> None:
    disk = Disk()
    disk.commits(10)
    disk.takes_s = 3.0
    assert disk.commits() == [True]
    assert not any(disk.commits(5))
    disk.takes_s = 0.0005
    assert not any(disk.commits(20))


def test_the_loop_waits_for_a_small_part_of_its_time_however_many_commits_there_are() -> None:
    disk = Disk()
    began, waited = disk.now_s, 0.0
    for _ in range(20_000):
        waited += disk.takes_s * sum(disk.commits())
        disk.rests(0.0005)
    assert waited <= BURST_S + disk.takes_s + SHARE * (disk.now_s - began)
    assert waited >= 0.8 * SHARE * (disk.now_s - began), "and uses that part"


def test_ten_calls_that_hop_together_are_all_waited_for() -> None:
    disk = Disk()
    disk.commits(3)
    disk.takes_s = 0.9 * QUICK_S
    for _ in range(5):  # hops, 8 s apart
        disk.rests(8)
        assert all(disk.commits(20)), "an end and a ring for each call"


def test_a_failing_commit_is_learned_from() -> None:
    disk = Disk()
    disk.commits(10)

    def fails() -> None:
        disk.now_s += 5
        raise StoreUnavailable("the disk is gone")

    with pytest.raises(StoreUnavailable):
        disk.pace.timed(fails, here=True)()
    assert not any(disk.commits(10))


# --- in the store -----------------------------------------------------------------------------------------------------


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "journal.db")
    await store.open()
    yield store
    await store.close()


@pytest.mark.parametrize("here", [True, False])
async def test_the_commit_is_made_where_the_pace_says(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, here: bool
) -> None:
    monkeypatch.setattr(store._pace, "waits_here", lambda: here)
    threads: list[int] = []
    commit = store._file.commit

    def noted() -> None:
        threads.append(threading.get_ident())
        commit()

    monkeypatch.setattr(store._file, "commit", noted)
    await store.commit(batch(record(A, 1)))
    await store.upsert("quarantine", {"id": "1"}, {"at": 1, "chain": "", "source": "", "event": b"", "error": ""})
    assert [thread == threading.get_ident() for thread in threads] == [here, here]
    with closing(sqlite3.connect(store._file.path)) as other:
        assert other.execute("SELECT count(*) FROM event").fetchone() == (1,)
        assert other.execute("SELECT count(*) FROM quarantine").fetchone() == (1,)


# --- the log ----------------------------------------------------------------------------------------------------------


def log_of(store: SqliteStore) -> Path:
    return Path(store._file.path + "-wal")


async def until(holds: Callable[[], bool]) -> None:
    """Other threads take part: real time, and a wide limit."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - the checkpoint runs in a thread that tells nobody
            await asyncio.sleep(0.005)


async def fill(store: SqliteStore, first: int, last: int) -> None:
    """Records of one chain, each in a commit of its own."""
    for sequence in range(first, last + 1):
        await store.commit(batch(record(A, sequence)))


def behind(store: SqliteStore) -> tuple[int, int]:
    """Pages in the log, and how many of them are in the file as well (a checkpoint by somebody else tells)."""
    with closing(sqlite3.connect(store._file.path)) as other:
        other.execute("PRAGMA query_only=1")
        shared = Path(store._file.path + "-shm").read_bytes()
    # sqlite.org/walformat.html: mxFrame at 16, nBackfill at 96, in the machine's byte order
    return int.from_bytes(shared[16:20], sys.byteorder), int.from_bytes(shared[96:100], sys.byteorder)


async def test_the_log_is_long_from_the_start_and_commits_do_not_make_it_longer(store: SqliteStore) -> None:
    size = log_of(store).stat().st_size
    assert size >= sqlite_wal.PAGES * 4096
    await fill(store, 1, 50)
    assert log_of(store).stat().st_size == size
    assert behind(store)[1] == 0, "nothing was written back in between"
    with closing(sqlite3.connect(store._file.path)) as other:
        names = {name for (name,) in other.execute("SELECT name FROM sqlite_schema")}
    assert "ballast" not in names
    assert Path(store._file.path).stat().st_size < size // 4, "nor does the room in it make the file longer"


async def test_a_long_log_is_written_back_in_a_quiet_moment(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_wal, "ROWS", 20)
    monkeypatch.setattr(sqlite_wal, "QUIET_S", 0.05)
    await fill(store, 1, 30)
    await until(lambda: store._wal._task is None)
    pages, written = behind(store)
    assert pages == written > 0
    await fill(store, 31, 31)
    assert behind(store)[0] < pages, "the log begins anew"


async def test_it_waits_while_something_is_written(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_wal, "ROWS", 20)
    monkeypatch.setattr(sqlite_wal, "QUIET_S", 0.5)
    await fill(store, 1, 20)
    for sequence in range(21, 28):
        await asyncio.sleep(0.2)
        await fill(store, sequence, sequence)
    assert behind(store)[1] == 0
    await until(lambda: store._wal._task is None)
    pages, written = behind(store)
    assert pages == written > 0


async def test_without_a_quiet_moment_it_is_written_back_between_two_commits(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_wal, "ROWS", 20)
    monkeypatch.setattr(sqlite_wal, "MOST_ROWS", 60)
    monkeypatch.setattr(sqlite_wal, "QUIET_S", 0.02)
    longest = 0
    for sequence in range(1, 600):
        await fill(store, sequence, sequence)
        longest = max(longest, behind(store)[0])
        await asyncio.sleep(0)
    assert behind(store)[0] < longest, "the log began anew under load"


async def test_trouble_while_writing_back_is_told_and_tried_again(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sqlite_wal, "ROWS", 20)
    monkeypatch.setattr(sqlite_wal, "QUIET_S", 0.01)
    copy = store._wal._copy

    def refuses() -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(store._wal, "_copy", refuses)
    await fill(store, 1, 20)
    await until(lambda: store._wal._task is None)
    assert "journal_not_written_back" in capsys.readouterr().out
    monkeypatch.setattr(store._wal, "_copy", copy)
    await fill(store, 21, 21)
    await until(lambda: store._wal._task is None)
    pages, written = behind(store)
    assert pages == written > 0


async def test_closing_does_not_wait_for_a_quiet_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_wal, "ROWS", 20)
    monkeypatch.setattr(sqlite_wal, "QUIET_S", 3600)
    store = SqliteStore(tmp_path / "journal.db")
    await store.open()
    await fill(store, 1, 30)
    task = store._wal._task
    assert task
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert not log_of(store).exists(), "the last connection has written it back"


# --- a death in between -----------------------------------------------------------------------------------------------

_CHILD = textwrap.dedent("""
    import asyncio, sys
    from router.engine import crashes
    from router.engine.store import sqlite_wal
    from router.engine.store.sqlite import SqliteStore
    from tests.engine.rows import batch, record
    from tests.engine.store_contract import A

    sqlite_wal.ROWS, sqlite_wal.QUIET_S = 20, 0.01
    sqlite_wal.MOST_ROWS = 40 if sys.argv[2] == "busy" else 4000

    async def main():
        store = SqliteStore(sys.argv[1])
        await store.open()
        for sequence in range(1, 2000):
            await store.commit(batch(record(A, sequence)))
            print(sequence, flush=True)
            await asyncio.sleep(0.001 if sys.argv[2] == "busy" else 0.1 if sequence == 30 else 0)

    crashes.install_from_environment()
    asyncio.run(main())
""")


@pytest.mark.net
@pytest.mark.parametrize("place", ["wal.quiet", "wal.quiet:after", "wal.write_back", "wal.write_back:after"])
async def test_a_death_while_the_log_is_written_back_loses_nothing(tmp_path: Path, place: str) -> None:
    await _dies(tmp_path / "journal.db", place, "quiet")


@pytest.mark.net
@pytest.mark.parametrize("place", ["wal.turn", "wal.turn:after"])
async def test_nor_where_it_takes_its_turn_between_commits(tmp_path: Path, place: str) -> None:
    await _dies(tmp_path / "journal.db", place, "busy")


async def _dies(path: Path, place: str, how: str) -> None:
    child = subprocess.run(
        [sys.executable, "-c", _CHILD, str(path), how],
        env={**os.environ, "HOPLINE_CRASH_AT": place}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert child.returncode == KILLED, child.stderr
    last = int(child.stdout.split()[-1])
    store = SqliteStore(path)
    await store.open()
    try:
        (chain,) = await store.load([A])
        assert chain.sequence >= last, "what was told to be durable"
        assert len(await store.history(A)) == chain.sequence
        assert await store.select("PRAGMA integrity_check") == [("ok",)]
    finally:
        await store.close()


def test_the_numbers_hang_together() -> None:
    assert sqlite_wal.ROWS < sqlite_wal.MOST_ROWS
    assert QUICK_S < sqlite_pace.BURST_S
