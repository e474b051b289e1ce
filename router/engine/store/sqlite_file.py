"""The journal in one SQLite file: the synchronous half, used by the server's store and by the simulator.

WAL and `synchronous=FULL`: a commit is on the disk when it returns. One connection writes. Statements are run in bulk;
only when something is refused is the batch gone through record by record to find the guilty ones.
"""

import fcntl
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from router.basis.instants import Instant
from router.basis.machine import ChainId, Token
from router.engine.journal import Batch, EffectId, Record, Refused, StoredChain, StoredOrder, StoredRecord
from router.engine.store.judge import Facts, judge, keys_of, named_by
from router.engine.store.migrate import migrate_memory
from router.engine.store.port import StoreFull, StoreUnavailable

MEMORY = ":memory:"

PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA cache_size=-65536",  # KiB (negative: size, not pages; sqlite.org/pragma.html): indices of a year stay warm
    "PRAGMA busy_timeout=5000",
)

_EVENT = (
    "INSERT INTO event(chain, sequence, machine_version, schema, at, source, origin, event, seen, outcome, reply) "
    "VALUES(?,?,?,?,?,?,?,?,?,?,?)"
)
_NEW_CHAIN = (
    "INSERT INTO chain(id, kind, machine_version, schema, sequence, at, state, final, deadline) "
    "VALUES(?,?,?,?,?,?,?,?,?)"
)
_CHAIN = (
    "UPDATE chain SET machine_version=?, schema=?, sequence=?, at=?, state=?, final=?, deadline=? "
    "WHERE no=? AND sequence=?"
)
_TAKE = (
    "INSERT INTO claim(key, chain, expires) VALUES(?,?,?) ON CONFLICT(key) DO UPDATE "
    "SET chain=excluded.chain, expires=excluded.expires WHERE claim.chain IN (excluded.chain, ?)"
)
CHAIN_COLUMNS = "c.no, c.id, c.kind, c.machine_version, c.schema, c.sequence, c.at, c.state, c.final, c.deadline"
_RECORD_COLUMNS = (
    "e.position, c.id, c.kind, e.machine_version, e.schema, e.sequence, e.at, e.source, e.origin, "
    "e.event, e.seen, e.outcome"
)

REMEMBERED_NUMBERS = 100_000
"""Chain ids whose row number is kept in memory, some 15 MB."""


class SqliteFile:
    """One open journal. Not thread-safe: the owner sees to it that one thread at a time is inside."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._numbers: dict[ChainId, int] = {}
        self._lock: IO[str] | None = None
        self._connection: sqlite3.Connection | None = None

    # --- life --------------------------------------------------------------------------------------------------

    def lock(self) -> None:
        """Take the writer's lock; held until `close` or the end of the process. Raises StoreUnavailable."""
        if self.path == MEMORY:
            return
        lock = Path(self.path + ".lock").open("w")  # noqa: SIM115 - held as long as the journal is open
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            message = f"{self.path} is being written by another process"
            raise StoreUnavailable(message) from error
        self._lock = lock

    def open(self) -> None:
        """Open the file, whose tables must exist (see `migrate`); a journal in memory gets its tables here."""
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        if self.path == MEMORY:
            migrate_memory(connection)
        for pragma in PRAGMAS:
            connection.execute(pragma)
        self._connection = connection

    def close(self) -> None:
        """Close the file and give the lock back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def connection(self) -> sqlite3.Connection:
        """The one writing connection."""
        if self._connection is None:
            message = f"{self.path} is not open"
            raise StoreUnavailable(message)
        return self._connection

    # --- writing -----------------------------------------------------------------------------------------------

    def write(self, batch: Batch) -> None:
        """Begin a transaction and put the batch into it. On `Refused` nothing is left begun."""
        connection = self.connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            try:
                self._write_records(batch.records)
            except (sqlite3.IntegrityError, _Conflict) as error:
                raise Refused(self._at_fault(batch.records)) from error
            try:
                self._write_rest(batch)
            except sqlite3.IntegrityError as error:
                raise Refused(named_by(batch.records, batch.secrets)) from error
        except sqlite3.Error as error:
            self.rollback()
            raise unavailable(error) from error
        except BaseException:
            self.rollback()
            raise

    def commit(self) -> None:
        """Make what was written durable. Raises StoreUnavailable; whether it holds must then be read."""
        try:
            self.connection.execute("COMMIT")
        except sqlite3.Error as error:
            self.rollback()
            raise unavailable(error) from error

    def rollback(self) -> None:
        """Undo what was written since `write`."""
        self._numbers.clear()
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")

    def _write_records(self, records: Sequence[Record]) -> None:
        execute = self.connection.execute
        last: dict[ChainId, Record] = {}
        first: dict[ChainId, int] = {}
        for record in records:
            first.setdefault(record.chain, record.sequence)
            last[record.chain] = record
        updates: list[tuple[Any, ...]] = []
        numbers: dict[ChainId, int] = {}
        for chain, record in last.items():
            values = (record.machine_version, record.schema, record.sequence, record.at, record.state, record.final)
            if first[chain] == 1:
                cursor = execute(_NEW_CHAIN, (chain, record.kind, *values, record.deadline))
                numbers[chain] = cursor.lastrowid or 0
            else:
                numbers[chain] = self._number(chain)
                updates.append((*values, record.deadline, numbers[chain], first[chain] - 1))
        if updates and self.connection.executemany(_CHAIN, updates).rowcount != len(updates):
            raise _Conflict
        self._remember(numbers)
        self._write_events(records, numbers)
        for record in records:
            if record.claims_released or record.claims_taken:
                self._write_claims(record, numbers)

    def _write_events(self, records: Sequence[Record], numbers: Mapping[ChainId, int]) -> None:
        self.connection.executemany(
            _EVENT,
            [
                (
                    numbers[record.chain], record.sequence, record.machine_version, record.schema, record.at,
                    record.source, record.origin, record.event, record.seen, record.outcome, record.reply,
                )
                for record in records
            ],
        )  # fmt: skip
        orders = [
            (numbers[record.chain], order.id[1], order.id[2], order.ordered)
            for record in records
            for order in record.orders
        ]
        if orders:
            self.connection.executemany("INSERT INTO outbox(chain, sequence, number, ordered) VALUES(?,?,?,?)", orders)
        raws = [(numbers[record.chain], record.sequence, record.raw) for record in records if record.raw is not None]
        if raws:
            self.connection.executemany("INSERT INTO raw_payload(chain, sequence, body) VALUES(?,?,?)", raws)

    def _write_claims(self, record: Record, numbers: Mapping[ChainId, int]) -> None:
        execute = self.connection.execute
        number = numbers[record.chain]
        for key in record.claims_released:
            execute("DELETE FROM claim WHERE key=? AND chain=?", (key, number))
        for taken in record.claims_taken:
            loser = self._number(taken.seized_from) if taken.seized_from else number
            if execute(_TAKE, (taken.key, number, taken.expires, loser)).rowcount != 1:
                raise _Conflict

    def _write_rest(self, batch: Batch) -> None:
        many = self.connection.executemany
        if batch.contents:
            many("INSERT INTO content(digest, body) VALUES(?,?) ON CONFLICT DO NOTHING", batch.contents)
        if batch.secrets:
            many(
                "INSERT INTO vault(token, kind, value) VALUES(?,?,?)",
                [(secret.token, secret.kind, secret.value) for secret in batch.secrets],
            )
        if batch.done:
            many(
                "DELETE FROM outbox WHERE chain=? AND sequence=? AND number=?",
                [(self._number(chain), sequence, number) for (chain, sequence, number), _ in batch.done],
            )
        if batch.aside:
            many(
                "UPDATE outbox SET aside=? WHERE chain=? AND sequence=? AND number=?",
                [(why, self._number(chain), sequence, number) for (chain, sequence, number), why in batch.aside],
            )

    def _at_fault(self, records: Sequence[Record]) -> dict[int, str]:
        """Index -> reason; takes back what was written, because the facts are those before the batch."""
        self.rollback()
        chains = {record.chain for record in records}
        sequences = self._rows("SELECT id, sequence FROM chain WHERE id IN ({marks})", chains)
        origins = {
            (record.chain, record.origin)
            for record in records
            if record.origin is not None and self._has_origin(record.chain, record.origin)
        }
        holders = self._rows(
            "SELECT k.key, c.id FROM claim k JOIN chain c ON c.no = k.chain WHERE k.key IN ({marks})", keys_of(records)
        )
        reasons = judge(records, Facts(dict(sequences), frozenset(origins), dict(holders)))
        return reasons or dict.fromkeys(range(len(records)), "sequence")

    def _has_origin(self, chain: ChainId, origin: str) -> bool:
        sql = "SELECT 1 FROM event WHERE origin=? AND chain=(SELECT no FROM chain WHERE id=?)"
        return self.connection.execute(sql, (origin, chain)).fetchone() is not None

    def _rows(self, sql: str, values: Iterable[Any]) -> list[tuple[Any, ...]]:
        """Rows of a query with `IN ({marks})`, whatever the number of values."""
        rows: list[tuple[Any, ...]] = []
        for part in parts(list(values)):
            rows.extend(self.connection.execute(sql.format(marks=",".join("?" * len(part))), part))
        return rows

    def _number(self, chain: ChainId) -> int:
        number = self._numbers.get(chain)
        if number is None:
            row = self.connection.execute("SELECT no FROM chain WHERE id=?", (chain,)).fetchone()
            if row is None:
                raise _Conflict
            number = int(row[0])
            self._remember({chain: number})
        return number

    def _remember(self, numbers: Mapping[ChainId, int]) -> None:
        if len(self._numbers) > REMEMBERED_NUMBERS:
            self._numbers.clear()
        self._numbers.update(numbers)

    # --- reading what the engine works with --------------------------------------------------------------------

    def load(self, chains: Iterable[ChainId]) -> list[StoredChain]:
        """See `Store.load`."""
        found: list[StoredChain] = []
        for part in parts(list(chains)):
            marks = ",".join("?" * len(part))
            rows = self.connection.execute(
                f"SELECT {CHAIN_COLUMNS} FROM chain c WHERE c.id IN ({marks})",  # noqa: S608 - marks only
                part,
            ).fetchall()
            found.extend(self._with_origins(rows))
        return found

    def load_live(self) -> list[StoredChain]:
        """See `Store.load_live`."""
        rows = self.connection.execute(
            f"SELECT {CHAIN_COLUMNS} FROM chain c WHERE NOT c.final ORDER BY c.no"  # noqa: S608 - constant columns
        ).fetchall()
        return self._with_origins(rows)

    def _with_origins(self, rows: list[tuple[Any, ...]]) -> list[StoredChain]:
        origins: dict[int, dict[str, str | None]] = {row[0]: {} for row in rows}
        for part in parts(list(origins)):
            marks = ",".join("?" * len(part))
            for number, origin, reply in self.connection.execute(
                f"SELECT chain, origin, reply FROM event WHERE origin IS NOT NULL AND chain IN ({marks})",  # noqa: S608
                part,
            ):
                origins[number][origin] = reply
        self._remember({row[1]: row[0] for row in rows})
        return [stored_chain(row, origins[row[0]]) for row in rows]

    def claims(self) -> dict[str, tuple[ChainId, Instant]]:
        """See `Store.claims`."""
        rows = self.connection.execute("SELECT k.key, c.id, k.expires FROM claim k JOIN chain c ON c.no = k.chain")
        return {key: (chain, Instant(expires)) for key, chain, expires in rows}

    def orders(self) -> list[StoredOrder]:
        """See `Store.orders`."""
        rows = self.connection.execute(
            "SELECT c.id, o.sequence, o.number, c.kind, e.machine_version, e.schema, o.ordered, e.outcome, o.aside "
            "FROM outbox o JOIN chain c ON c.no = o.chain "
            "JOIN event e ON e.chain = o.chain AND e.sequence = o.sequence "
            "ORDER BY e.position, o.number"
        )
        return [StoredOrder((row[0], row[1], row[2]), *row[3:]) for row in rows]

    def contents(self) -> list[tuple[str, bytes]]:
        """See `Store.contents`."""
        return self.connection.execute("SELECT digest, body FROM content").fetchall()

    def tokens(self, values: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Token]:
        """See `Store.tokens`."""
        found: dict[tuple[str, str], Token] = {}
        for kind, value in values:
            row = self.connection.execute("SELECT token FROM vault WHERE kind=? AND value=?", (kind, value)).fetchone()
            if row:
                found[kind, value] = row[0]
        return found

    def put_back(self, order: EffectId) -> bool:
        """See `Store.put_back`."""
        cursor = self.connection.execute(
            "UPDATE outbox SET aside=NULL WHERE aside IS NOT NULL AND sequence=? AND number=? "
            "AND chain=(SELECT no FROM chain WHERE id=?)",
            (order[1], order[2], order[0]),
        )
        return cursor.rowcount == 1


_FULL = frozenset({13, 4874})
"""SQLITE_FULL; SQLITE_IOERR_SHMSIZE, which comes where the file `-shm` cannot grow (sqlite.org/rescode.html)."""


def unavailable(error: sqlite3.Error) -> StoreUnavailable:
    """What an error of the database means to the engine."""
    kind = StoreFull if getattr(error, "sqlite_errorcode", 0) in _FULL else StoreUnavailable
    return kind(str(error))


class _Conflict(Exception):
    """A row was not as the record expects it."""


def stored_chain(row: Sequence[Any], origins: dict[str, str | None]) -> StoredChain:
    """A chain from a row of `CHAIN_COLUMNS`."""
    return StoredChain(row[1], row[2], row[3], row[4], row[5], row[6], row[7], bool(row[8]), row[9], origins)


def stored_record(row: Sequence[Any]) -> StoredRecord:
    """A line of the log from a row of `_RECORD_COLUMNS`."""
    return StoredRecord(*row)


def parts(values: list[Any], size: int = 500) -> Iterable[list[Any]]:
    """Slices below SQLite's limit of 999 parameters in old builds (sqlite.org/limits.html)."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


_LOG = f"SELECT {_RECORD_COLUMNS} FROM event e JOIN chain c ON c.no = e.chain "  # noqa: S608 - constant columns
HISTORY = _LOG + "WHERE c.id = ? ORDER BY e.sequence"
RECORDS = _LOG + "WHERE e.position > ? ORDER BY e.position LIMIT ?"
FIND = (
    f"SELECT {CHAIN_COLUMNS} FROM chain c "  # noqa: S608 - constant columns
    "WHERE c.kind = ? AND (? IS NULL OR c.final = ?) ORDER BY c.no DESC LIMIT ?"
)
OVERDUE = (
    "SELECT id, deadline FROM chain WHERE NOT final AND (deadline IS NULL OR deadline < ?) ORDER BY deadline LIMIT ?"
)
