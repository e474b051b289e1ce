"""The contract on a real PostgreSQL, and what only several engines on one database meet."""

import asyncio
import sys
from collections.abc import AsyncIterator

import asyncpg
import pytest

from router.engine.journal import Refused
from router.engine.store import postgres_sql
from router.engine.store.migrate import HEAD
from router.engine.store.port import Store, StoreUnavailable
from router.engine.store.postgres import PostgresStore
from tests.engine.rows import LATER, batch, record, takes
from tests.engine.store_contract import A, B, StoreContract, refusal

pytestmark = pytest.mark.postgres


class DatabasePlace:
    """One database."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._open: list[PostgresStore] = []

    async def open(self) -> Store:
        store = PostgresStore(self.url)
        await store.open()
        self._open.append(store)
        return store

    async def close(self) -> None:
        while self._open:
            await self._open.pop().close()

    async def sql(self, statement: str) -> None:
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def cut_all(self) -> None:
        """The server ends every connection but the one that asks."""
        await self.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.fixture
async def place(postgres_url: str) -> AsyncIterator[DatabasePlace]:
    place = DatabasePlace(postgres_url)
    yield place
    await place.close()


async def somebody_waits(blocker: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Until a commit really waits for the lock; the server can be asked, but does not tell by itself."""
    asked = "SELECT count(*) FROM pg_locks WHERE locktype='advisory' AND NOT granted"
    while not await blocker.fetchval(asked):
        pass


class TestPostgresStore(StoreContract):
    """The suite."""

    async def test_two_engines_write_one_chain_and_the_second_is_refused(
        self, store: Store, place: DatabasePlace
    ) -> None:
        other = await place.open()
        await store.commit(batch(record(A, 1)))
        results = await asyncio.gather(
            *(
                engine.commit(batch(record(A, 2), record(f"order:test:{n}", 1)))
                for n, engine in enumerate((store, other))
            ),
            return_exceptions=True,
        )
        (refused,) = [result for result in results if isinstance(result, Refused)]
        assert refused.reasons == {0: "sequence"}
        assert results.count(None) == 1
        assert len(await store.load_live()) == 2

    async def test_two_engines_begin_one_chain_or_take_one_key(self, store: Store, place: DatabasePlace) -> None:
        other = await place.open()
        for first, second, reason in (
            (record(A, 1), record(A, 1), "sequence"),
            (record("order:test:x", 1, **takes("k")), record("order:test:y", 1, **takes("k")), "claim"),
        ):
            results = await asyncio.gather(
                store.commit(batch(first)), other.commit(batch(second)), return_exceptions=True
            )
            assert [r.reasons for r in results if isinstance(r, Refused)] == [{0: reason}]
            assert results.count(None) == 1

    async def test_positions_never_appear_behind_a_reader(self, store: Store, place: DatabasePlace) -> None:
        """Whoever reads after the last position seen meets every event exactly once, while four engines write."""
        writers = [store, *[await place.open() for _ in range(3)]]
        ended = False
        seen: list[str] = []

        async def read() -> None:
            after = 0
            while True:
                last = ended
                lines = await store.records(after, 50)
                seen.extend(line.chain for line in lines)
                after = lines[-1].position if lines else after
                if last and not lines:
                    return

        async def write(number: int, engine: Store) -> None:
            for turn in range(30):
                await engine.commit(batch(*(record(f"order:{number}:{turn}.{n}", 1) for n in range(1 + turn % 7))))

        reader = asyncio.create_task(read())
        await asyncio.gather(*(write(number, engine) for number, engine in enumerate(writers)))
        ended = True
        await reader
        assert len(seen) == len(set(seen)) == 4 * sum(1 + turn % 7 for turn in range(30))

    async def test_replicas_that_start_together_migrate_once(self, place: DatabasePlace) -> None:
        stores = [PostgresStore(place.url) for _ in range(4)]
        await asyncio.gather(*(store.open() for store in stores))
        assert await stores[3].select("SELECT version_num FROM alembic_version") == [(HEAD,)]
        await asyncio.gather(*(store.close() for store in stores))

    async def test_tables_of_a_newer_version_are_left_alone(self, store: Store, place: DatabasePlace) -> None:
        await place.sql("UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(StoreUnavailable, match="newer version"):
            await place.open()

    async def test_a_cut_connection_is_made_anew(self, store: Store, place: DatabasePlace) -> None:
        await store.commit(batch(record(A, 1, **takes("k"))))
        await place.cut_all()
        for _ in range(20):  # each of the connections may find out on its own
            try:
                await store.commit(batch(record(A, 2)))
                await store.history(A)
                break
            except StoreUnavailable:
                continue
            except Refused:
                break
        assert [line.sequence for line in await store.history(A)] == [1, 2]
        assert await store.claims() == {"k": (A, LATER)}

    async def test_a_connection_cut_inside_a_transaction_leaves_nothing(
        self, store: Store, place: DatabasePlace
    ) -> None:
        blocker = await asyncpg.connect(place.url)
        await blocker.execute("BEGIN")
        await blocker.execute(f"SELECT pg_advisory_xact_lock({postgres_sql.LOCK})")
        commit = asyncio.create_task(store.commit(batch(record(A, 1, orders=1))))
        await somebody_waits(blocker)
        await blocker.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        with pytest.raises(StoreUnavailable):
            await commit
        await blocker.close()
        assert await store.load([A]) == []
        await store.commit(batch(record(A, 1)))

    async def test_a_cancelled_commit_leaves_a_usable_store(self, store: Store, place: DatabasePlace) -> None:
        blocker = await asyncpg.connect(place.url)
        await blocker.execute(f"SELECT pg_advisory_lock({postgres_sql.LOCK})")
        commit = asyncio.create_task(store.commit(batch(record(A, 1))))
        await somebody_waits(blocker)
        commit.cancel()
        with pytest.raises(asyncio.CancelledError):
            await commit
        await blocker.close()
        await store.commit(batch(record(B, 1)))
        assert await store.load([A]) == []

    async def test_text_that_postgresql_cannot_hold_is_told(self, store: Store) -> None:
        with pytest.raises(StoreUnavailable):
            await store.commit(batch(record(A, 1, source="nul \x00")))
        assert await refusal(store.commit(batch(record(A, 2)))) == {0: "sequence"}


async def test_a_server_that_is_not_there_is_told(unused_tcp_port: int) -> None:
    store = PostgresStore(f"postgresql://hopline@127.0.0.1:{unused_tcp_port}/none")
    with pytest.raises(StoreUnavailable):
        await store.open()
    await store.close()


def test_a_missing_driver_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(StoreUnavailable, match=r"install hopline\[postgres\]"):
        PostgresStore("postgresql://nowhere")
