"""The journal in PostgreSQL: the store past one machine.

One connection writes, in one transaction per batch; a small pool reads. Sequence numbers are the optimistic lock
between engines on one database: whoever comes second to a chain is refused and reads again. A connection whose state is
not certain is thrown away, and the next request makes a new one. Counterparts: `postgres_sql` (statements), `judge`
(who is at fault), `sqlite` (the same for one file).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from router.basis.instants import Instant
from router.basis.machine import ChainId, Token
from router.engine.crashes import passing, point, reach
from router.engine.journal import Batch, EffectId, Record, Refused, StoredChain, StoredOrder, StoredRecord
from router.engine.store import postgres_sql as sql
from router.engine.store.judge import Facts, judge, keys_of, named_by
from router.engine.store.migrate import HEAD, migrate_connection
from router.engine.store.port import StoreUnavailable
from router.engine.store.sqlite_file import stored_chain, stored_record

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    Connection = Pool = Any

T = TypeVar("T")

CONNECT = point("postgres.connect", "a connection to PostgreSQL is made or closed")
MIGRATE = point("postgres.migrate", "the tables are brought up to date; other replicas wait")
TURN = point("postgres.turn", "a request to the writing connection waits for the one before it")
WORK = point("postgres.work", "a request goes over the writing connection")
BEGUN = point("postgres.begin", "a transaction begins, after those of other replicas")
CHECKED = point("postgres.check", "what the batch builds on is read inside the transaction; nothing is written")
PUT = point("postgres.put", "a part of the batch is put into the transaction; nothing is durable")
WRITTEN = point("postgres.written", "the batch is in the transaction, nothing is durable")
COMMITTED = point("postgres.commit", "the COMMIT: before it nothing, after it everything is durable")
ROLLED_BACK = point("postgres.rollback", "a refused batch is taken back")
READ = point("postgres.read", "committed data is read")

PATIENCE = 10.0
"""Seconds for a connection, and for one statement: a server that is silent for longer counts as gone."""

READERS = 4
"""Reading connections; pages and commands share them."""

REMEDY = "install hopline[postgres] (asyncpg and SQLAlchemy[asyncio]), or use the embedded SQLite journal"


class PostgresStore:
    """See `router.engine.store.port.Store`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._driver = _driver()
        self._troubles = (
            self._driver.PostgresError,
            self._driver.InterfaceError,
            self._driver.InternalClientError,
            OSError,
            TimeoutError,
        )
        self._writer: Connection | None = None
        self._readers: Pool | None = None
        self._one_at_a_time = asyncio.Lock()

    # --- life --------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Bring the tables up to date, one replica at a time, and connect."""
        try:
            await self._migrate(await self._connect())
            self._readers = await passing(
                CONNECT, self._driver.create_pool(self._url, min_size=1, max_size=READERS, command_timeout=PATIENCE)
            )
        except self._troubles as error:
            self._throw_away()
            raise StoreUnavailable(_words(error)) from error
        except BaseException:
            self._throw_away()
            raise

    async def close(self) -> None:
        """Close all connections."""
        readers, self._readers = self._readers, None
        writer, self._writer = self._writer, None
        try:
            if readers is not None:
                await passing(CONNECT, asyncio.wait_for(readers.close(), PATIENCE))
            if writer is not None:
                await passing(CONNECT, writer.close(timeout=PATIENCE))
        except self._troubles:
            if writer is not None:
                writer.terminate()

    async def _connect(self) -> Connection:
        # A replica that vanishes inside a transaction must not hold up the others' commits for ever.
        settings = {"idle_in_transaction_session_timeout": str(round(PATIENCE * 1_000)), "application_name": "hopline"}
        made: Connection = await passing(
            CONNECT,
            self._driver.connect(self._url, timeout=PATIENCE, command_timeout=PATIENCE, server_settings=settings),
        )
        self._writer = made
        return made

    async def _migrate(self, writer: Connection) -> None:
        revision = await self._revision(writer)
        if revision == HEAD:
            return  # importing Alembic and SQLAlchemy takes longer than everything else in a restart
        if revision is not None and revision > HEAD:
            message = f"the database belongs to a newer version ({revision}, this one knows {HEAD}): start that one"
            raise StoreUnavailable(message)
        await passing(MIGRATE, writer.execute(f"SELECT pg_advisory_lock({sql.MIGRATION_LOCK})", timeout=600))
        try:
            if await self._revision(writer) != HEAD:
                await self._upgrade()
        finally:
            await passing(MIGRATE, writer.execute(f"SELECT pg_advisory_unlock({sql.MIGRATION_LOCK})"))

    async def _revision(self, writer: Connection) -> str | None:
        try:
            return await passing(MIGRATE, writer.fetchval("SELECT version_num FROM alembic_version"))
        except self._driver.UndefinedTableError:
            return None

    async def _upgrade(self) -> None:
        try:
            from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 - an extra, and slow to import
            from sqlalchemy.pool import NullPool  # noqa: PLC0415 - an extra, and slow to import

            engine = create_async_engine(
                "postgresql+asyncpg://", poolclass=NullPool, async_creator=lambda: self._driver.connect(self._url)
            )
            connection = await passing(MIGRATE, engine.connect())
        except (ImportError, ValueError) as error:  # SQLAlchemy 2.1 says ValueError where greenlet is missing
            message = f"{error}: {REMEDY}"
            raise StoreUnavailable(message) from error
        try:
            await passing(MIGRATE, connection.run_sync(migrate_connection))
            await passing(MIGRATE, connection.commit())
        finally:
            await passing(MIGRATE, connection.close())

    # --- writing -----------------------------------------------------------------------------------------------

    async def commit(self, batch: Batch) -> None:
        """Write the batch; returns when it is durable."""
        await self._with_writer(lambda writer: self._commit(writer, batch))

    async def _commit(self, writer: Connection, batch: Batch) -> None:
        await passing(BEGUN, writer.execute(sql.BEGIN))
        try:
            numbers, holders = await self._check(writer, batch.records)
            await self._write(writer, batch, numbers, holders)
        except self._driver.UniqueViolationError as error:
            await passing(ROLLED_BACK, writer.execute("ROLLBACK"))
            if error.constraint_name in {"vault_value", "vault_pkey"}:
                raise Refused(named_by(batch.records, batch.secrets)) from error
            await self._refuse(writer, batch.records, error)
        except Refused:
            await passing(ROLLED_BACK, writer.execute("ROLLBACK"))
            raise
        reach(WRITTEN)
        await passing(COMMITTED, writer.execute("COMMIT"))

    async def _check(
        self, writer: Connection, records: Sequence[Record]
    ) -> tuple[dict[ChainId, int], dict[str, ChainId]]:
        """Row numbers of the chains that exist and holders of the keys concerned. Raises Refused for what does not fit.

        Origins are left to the unique index: a twin of another engine is rare, a look-up for every delivery is not.
        """
        if not records:
            return {}, {}
        chains = list({record.chain for record in records})
        rows = await passing(CHECKED, writer.fetch(sql.CHAINS, chains))
        holders: dict[str, ChainId] = {}
        if keys := keys_of(records):
            holders = {row[0]: row[1] for row in await passing(CHECKED, writer.fetch(sql.HOLDERS, keys))}
        if judge(records, Facts({row[0]: row[2] for row in rows}, frozenset(), holders)):
            raise Refused(judge(records, await self._facts(writer, records)))
        return {row[0]: row[1] for row in rows}, holders

    async def _refuse(self, writer: Connection, records: Sequence[Record], error: Exception) -> None:
        reasons = judge(records, await self._facts(writer, records))
        raise Refused(reasons or dict.fromkeys(range(len(records)), "sequence")) from error

    async def _facts(self, writer: Connection, records: Sequence[Record]) -> Facts:
        chains = list({record.chain for record in records})
        known = [(record.chain, record.origin) for record in records if record.origin is not None]
        sequences = await passing(CHECKED, writer.fetch(sql.CHAINS, chains))
        origins = await passing(CHECKED, writer.fetch(sql.ORIGINS, *_columns(known, 2)))
        holders = await passing(CHECKED, writer.fetch(sql.HOLDERS, keys_of(records)))
        return Facts(
            {row[0]: row[2] for row in sequences},
            frozenset((row[0], row[1]) for row in origins),
            {row[0]: row[1] for row in holders},
        )

    async def _write(
        self, writer: Connection, batch: Batch, numbers: dict[ChainId, int], holders: Mapping[str, ChainId]
    ) -> None:
        new, updates = _chain_rows(batch.records, numbers)
        if new:
            made = await passing(PUT, writer.fetch(sql.NEW_CHAINS, *_columns(new, 9)))
            numbers.update((row[0], row[1]) for row in made)
        for statement, rows in (
            (sql.UPDATE_CHAIN, updates),
            *_event_rows(batch.records, numbers),
            *_claim_rows(batch.records, numbers, holders),
            *_other_rows(batch),
        ):
            if rows and statement in sql.ROW_BY_ROW:
                await passing(PUT, writer.executemany(statement, rows))
            elif rows:
                await passing(PUT, writer.execute(statement, *_columns(rows, len(rows[0]))))

    async def put_back(self, order: EffectId) -> bool:
        """Let an effect that was put aside be performed again."""
        status = await self._with_writer(lambda writer: writer.execute(sql.PUT_BACK, *order))
        return status == "UPDATE 1"

    async def upsert(self, table: str, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Write one row of an adapter's own table."""
        columns = {**key, **values}
        marks = ",".join(f"${number}" for number in range(1, len(columns) + 1))
        change = f"UPDATE SET {','.join(f'{name}=excluded.{name}' for name in values)}" if values else "NOTHING"
        statement = f"INSERT INTO {table}({','.join(columns)}) VALUES({marks}) ON CONFLICT({','.join(key)}) DO {change}"
        await self._with_writer(lambda writer: writer.execute(statement, *columns.values()))

    async def remove(self, table: str, key: Mapping[str, Any]) -> bool:
        """Take one row out of an adapter's own table."""
        names = " AND ".join(f"{name}=${number}" for number, name in enumerate(key, 1))
        statement = f"DELETE FROM {table} WHERE {names}"  # noqa: S608 - our own names
        status = await self._with_writer(lambda writer: writer.execute(statement, *key.values()))
        return bool(status == "DELETE 1")

    # --- reading what the engine works with --------------------------------------------------------------------

    async def load(self, chains: Iterable[ChainId]) -> list[StoredChain]:
        """The chains among these that exist."""
        wanted = list(chains)
        return await self._with_writer(lambda writer: self._load(writer, sql.LOAD, wanted))

    async def load_live(self) -> list[StoredChain]:
        """All chains that are not final."""
        return await self._with_writer(lambda writer: self._load(writer, sql.LOAD_LIVE))

    async def _load(self, writer: Connection, statement: str, *parameters: Any) -> list[StoredChain]:
        rows = await passing(READ, writer.fetch(statement, *parameters))
        origins: dict[int, dict[str, str | None]] = {row[0]: {} for row in rows}
        if rows:
            for number, origin, reply in await passing(READ, writer.fetch(sql.LOAD_ORIGINS, list(origins))):
                origins[number][origin] = reply
        return [stored_chain(tuple(row), origins[row[0]]) for row in rows]

    async def claims(self) -> dict[str, tuple[ChainId, Instant]]:
        """Key -> holder and expiry."""
        rows = await self._with_writer(lambda writer: writer.fetch(sql.CLAIMS))
        return {key: (chain, Instant(expires)) for key, chain, expires in rows}

    async def orders(self) -> list[StoredOrder]:
        """Effects not marked done."""
        rows = await self._with_writer(lambda writer: writer.fetch(sql.ORDERS_LEFT))
        return [StoredOrder((row[0], row[1], row[2]), *tuple(row)[3:]) for row in rows]

    async def contents(self) -> list[tuple[str, bytes]]:
        """The table of contents."""
        rows = await self._with_writer(lambda writer: writer.fetch(sql.ALL_CONTENTS))
        return [(row[0], row[1]) for row in rows]

    async def tokens(self, values: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Token]:
        """(kind, value) -> token."""
        wanted = _columns(list(values), 2)
        rows = await self._with_writer(lambda writer: writer.fetch(sql.TOKENS, *wanted))
        return {(row[0], row[1]): row[2] for row in rows}

    # --- reading what people look at ---------------------------------------------------------------------------

    async def reveal(self, tokens: Iterable[Token]) -> dict[Token, str]:
        """Token -> value."""
        return {row[0]: row[1] for row in await self._read(sql.REVEAL, list(tokens))}

    async def history(self, chain: ChainId) -> list[StoredRecord]:
        """The log of one chain."""
        return list(map(stored_record, await self._read(sql.HISTORY, chain)))

    async def records(self, after: int, limit: int) -> list[StoredRecord]:
        """The log of all chains from a position on."""
        return list(map(stored_record, await self._read(sql.RECORDS, after, limit)))

    async def find(self, kind: str, *, final: bool | None, newest: int) -> list[StoredChain]:
        """Chains of a kind, those begun last first."""
        return [stored_chain(row, {}) for row in await self._read(sql.FIND, kind, final, newest)]

    async def overdue(self, before: Instant, limit: int) -> list[tuple[ChainId, Instant | None]]:
        """Live chains whose deadline lies before an instant, or that have none."""
        return [(row[0], row[1]) for row in await self._read(sql.OVERDUE, before, limit)]

    async def select(self, sql_text: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Read committed data; `?` placeholders as everywhere."""
        return await self._read(sql.numbered(sql_text), *parameters)

    async def _read(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        if self._readers is None:
            raise StoreUnavailable(CLOSED)
        try:
            rows = await passing(READ, self._readers.fetch(statement, *parameters))
        except self._troubles as error:
            raise StoreUnavailable(_words(error)) from error
        return list(map(tuple, rows))

    async def _with_writer(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `work` alone on the writing connection, which is thrown away when its state is in doubt afterwards."""
        await passing(TURN, self._one_at_a_time.acquire())
        try:
            if self._readers is None:
                raise StoreUnavailable(CLOSED)
            writer = self._writer
            if writer is None or writer.is_closed():
                writer = await self._connect()
            return await passing(WORK, work(writer))
        except (Refused, StoreUnavailable):
            raise
        except self._troubles as error:
            self._throw_away()
            raise StoreUnavailable(_words(error)) from error
        except BaseException:
            self._throw_away()
            raise
        finally:
            self._one_at_a_time.release()

    def _throw_away(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.terminate()


CLOSED = "the journal in PostgreSQL is not open"


def _driver() -> Any:
    """asyncpg, imported only where PostgreSQL is used. Raises StoreUnavailable with the remedy."""
    try:
        import asyncpg  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        message = f"asyncpg is missing: {REMEDY}"
        raise StoreUnavailable(message) from error
    return asyncpg


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _columns(rows: Sequence[Sequence[Any]], count: int) -> list[list[Any]]:
    """One list per column, as unnest wants them."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(count)]


def _chain_rows(
    records: Sequence[Record], numbers: Mapping[ChainId, int]
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Rows for new chains and for those that exist: each chain as its last record leaves it."""
    first: dict[ChainId, int] = {}
    last: dict[ChainId, Record] = {}
    for record in records:
        first.setdefault(record.chain, record.sequence)
        last[record.chain] = record
    new: list[tuple[Any, ...]] = []
    updates: list[tuple[Any, ...]] = []
    for chain, record in last.items():
        values = (
            record.machine_version, record.schema, record.sequence, record.at, record.state, record.final,
            record.deadline,
        )  # fmt: skip
        if chain in numbers:
            updates.append((numbers[chain], first[chain] - 1, *values))
        else:
            new.append((chain, record.kind, *values))
    return new, updates


def _event_rows(
    records: Sequence[Record], numbers: Mapping[ChainId, int]
) -> Iterable[tuple[str, list[tuple[Any, ...]]]]:
    """Rows of the log, the outbox and the raw payloads."""
    yield sql.EVENTS, [
        (
            numbers[record.chain], record.sequence, record.machine_version, record.schema, record.at, record.source,
            record.origin, record.event, record.seen, record.outcome, record.reply,
        )
        for record in records
    ]  # fmt: skip
    yield (
        sql.ORDERS,
        [
            (numbers[record.chain], order.id[1], order.id[2], order.ordered)
            for record in records
            for order in record.orders
        ],
    )
    yield (
        sql.RAWS,
        [(numbers[record.chain], record.sequence, record.raw) for record in records if record.raw is not None],
    )


def _claim_rows(
    records: Sequence[Record], numbers: Mapping[ChainId, int], before: Mapping[str, ChainId]
) -> Iterable[tuple[str, list[tuple[Any, ...]]]]:
    """Each key as the batch leaves it: within a batch it may be released, taken, seized and released again."""
    holders = dict(before)
    expires: dict[str, Instant] = {}
    for record in records:
        for key in record.claims_released:
            if holders.get(key) == record.chain:
                del holders[key]
        for taken in record.claims_taken:
            holders[taken.key] = record.chain
            expires[taken.key] = taken.expires
    yield sql.RELEASE, [(key,) for key in before if key not in holders]
    yield sql.TAKE, [(key, numbers[holders[key]], expires[key]) for key in sorted(expires) if key in holders]


def _other_rows(batch: Batch) -> Iterable[tuple[str, list[tuple[Any, ...]]]]:
    """Rows of contents, vault and outbox that belong to no record."""
    yield sql.CONTENTS, list(batch.contents)
    yield sql.SECRETS, [(secret.token, secret.kind, secret.value) for secret in batch.secrets]
    yield sql.DONE, [order for order, _ in batch.done]
    yield sql.ASIDE, [(*order, why) for order, why in batch.aside]
