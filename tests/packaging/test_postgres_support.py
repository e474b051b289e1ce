"""The helper that other suites stand on: a real PostgreSQL, started, used, gone."""

import asyncpg
import pytest

from tests.support.postgres import running_postgres

pytestmark = pytest.mark.postgres


async def test_each_test_has_an_empty_database_of_its_own(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    try:
        await connection.execute("CREATE TABLE here (n integer)")
        assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 1
        assert await connection.fetchval("SHOW listen_addresses") == "127.0.0.1"
    finally:
        await connection.close()


async def test_nothing_is_left_of_the_test_before(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    try:
        assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    finally:
        await connection.close()


async def test_a_stopped_server_answers_nobody_and_leaves_no_folder() -> None:
    with running_postgres() as server:
        connection = await asyncpg.connect(server.url("postgres"))
        await connection.close()
        assert server.log.parent.is_dir()
    assert not server.log.parent.exists()
    with pytest.raises(OSError, match=str(server.port)):
        await asyncpg.connect(server.url("postgres"))
