"""The write-ahead log beside the journal: made long before work begins, written back while nobody waits.

A COMMIT waits until its pages are in the log on the disk. Where the log must grow for them, the file system's own
journal is written too, with whatever other programs have put into it (ext4, 32 kB on an idle disk, median and 99th
percentile: 0.5 and 1.0 to 3.6 ms growing, 0.4 and 0.7 to 1.7 ms in place). And SQLite's own checkpoint runs inside of
the COMMIT that fills the log: now and then a ring would wait for it.
"""

import asyncio
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import structlog

from router.engine.crashes import passing, passing_in_thread, point

log = structlog.get_logger(__name__)

QUIET = point("wal.quiet", "the log is long and waits for a quiet moment")
TURN = point("wal.turn", "no quiet moment came: writing back takes its turn between two commits")
WRITE_BACK = point("wal.write_back", "before: committed in the log; after: in the journal's file as well")

PAGES = 1_000
"""As many as SQLite's own checkpoint lets gather (sqlite.org/pragma.html, wal_autocheckpoint): 4 MB."""
ROWS = 500
"""Changed rows after which a quiet moment is used: some 120 events, which fill less than `PAGES`."""
MOST_ROWS = 10 * ROWS
"""Changed rows after which no quiet moment is waited for."""
SMALL_CACHE = 50
"""Pages in memory while the log is made long: what does not fit goes into the log."""
QUIET_S = 0.3
"""Without a commit for so long nobody is in the middle of a hop."""


class Wal:
    """Of one open journal; `turn` keeps writers apart."""

    def __init__(self, path: str, turn: asyncio.Lock) -> None:
        self._path = path
        self._turn = turn
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal-log")
        self._changes = 0
        self._written_back = 0
        self._task: asyncio.Task[None] | None = None

    def prepare(self, connection: sqlite3.Connection) -> None:
        """Make the log long; checkpoints are ours from now on. Raises sqlite3.Error, OSError."""
        connection.execute("PRAGMA wal_autocheckpoint=0")
        (page,) = connection.execute("PRAGMA page_size").fetchone()
        name = Path(self._path + "-wal")
        if not name.exists() or name.stat().st_size < PAGES * page:
            _lengthen(connection, (PAGES + SMALL_CACHE) * page)
            with name.open("rb") as file:
                os.fsync(file.fileno())
        self._changes = self._written_back = connection.total_changes

    def written(self, changes: int) -> None:
        """A commit is in the log; `changes` is the writing connection's `total_changes`."""
        self._changes = changes
        if changes - self._written_back >= ROWS and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._write_back())

    async def _write_back(self) -> None:
        try:
            before = None
            while before != self._changes and self._changes - self._written_back < MOST_ROWS:
                before = self._changes
                await passing(QUIET, asyncio.sleep(QUIET_S))
            if before == self._changes:
                await self._checkpoint()
            else:
                # With a writer beside it a checkpoint never reaches the log's end, and the log would grow for ever.
                await passing(TURN, self._turn.acquire())
                try:
                    await self._checkpoint()
                finally:
                    self._turn.release()
        except sqlite3.Error as error:  # nothing is lost: it is in the log, which is longer than it should be
            log.warning("journal_not_written_back", error=str(error))
        finally:
            self._task = None

    async def _checkpoint(self) -> None:
        changes = self._changes
        await passing_in_thread(WRITE_BACK, self._thread, self._copy)
        self._written_back = changes

    def _copy(self) -> None:
        """Over a connection of its own, so that commits go on beside it."""
        with closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """End; the last connection that closes writes back what is left."""
        if self._task is not None:
            self._task.cancel()
        self._thread.shutdown(wait=True)


def _lengthen(connection: sqlite3.Connection, size: int) -> None:
    """By a transaction that is too big for the cache and is taken back: its pages stay in the log as empty room."""
    (cache,) = connection.execute("PRAGMA cache_size").fetchone()
    connection.execute(f"PRAGMA cache_size={SMALL_CACHE}")
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("CREATE TABLE ballast(body)")
        connection.execute("INSERT INTO ballast VALUES(zeroblob(?))", (size,))
    finally:
        if connection.in_transaction:  # SQLite has taken it back itself where the disk is full
            connection.execute("ROLLBACK")
        connection.execute(f"PRAGMA cache_size={cache}")
