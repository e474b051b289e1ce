"""The tables: migrated in one go, as described, append-only, and only once."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from router.engine.store import migrate
from router.engine.store.port import StoreUnavailable
from router.engine.store.postgres import PostgresStore
from router.engine.store.tables import metadata


def test_the_newest_revision_is_the_one_the_server_looks_for() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [migrate.HEAD]
    for script in scripts.walk_revisions():
        assert script.doc


def test_a_file_is_migrated_once(tmp_path: Path) -> None:
    path = str(tmp_path / "100% new.db")
    assert migrate.migrate_sqlite(path) is True
    assert migrate.migrate_sqlite(path) is False


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = str(tmp_path / "journal.db")
    migrate.migrate_sqlite(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(StoreUnavailable, match="newer version"):
        migrate.migrate_sqlite(path)


def test_the_file_has_the_tables_that_are_described(tmp_path: Path) -> None:
    path = str(tmp_path / "journal.db")
    migrate.migrate_sqlite(path)
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        assert _differences(connection) == []
    engine.dispose()


@pytest.mark.postgres
async def test_the_database_has_the_tables_that_are_described(postgres_url: str) -> None:
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 - heavy, and only needed here

    store = PostgresStore(postgres_url)
    await store.open()
    await store.close()
    engine = create_async_engine(postgres_url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.connect() as connection:
        assert await connection.run_sync(_differences) == []
    await engine.dispose()


def _differences(connection: Any) -> list[Any]:
    """Between the engine's own tables as described and as they are; adapters' tables are theirs to compare."""
    options = {
        "compare_type": True,
        "include_object": lambda thing, name, kind, reflected, other: not _foreign(name, kind),
    }
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def _foreign(name: str | None, kind: str) -> bool:
    return kind == "table" and name not in metadata.tables


def test_a_migration_that_ends_in_the_middle_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process killed at its first start must be able to start again."""
    path = tmp_path / "journal.db"
    whole = migrate.migrate_connection

    def killed(connection: Any) -> None:
        whole(connection)
        raise KeyboardInterrupt

    monkeypatch.setattr(migrate, "migrate_connection", killed)
    with pytest.raises(KeyboardInterrupt):
        migrate.migrate_sqlite(str(path))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []
    monkeypatch.setattr(migrate, "migrate_connection", whole)
    assert migrate.migrate_sqlite(str(path)) is True


def test_the_first_migration_is_not_taken_back(tmp_path: Path) -> None:
    from alembic import command  # noqa: PLC0415 - heavy, and only needed here

    path = str(tmp_path / "journal.db")
    migrate.migrate_sqlite(path)
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        with pytest.raises(RuntimeError, match="restore a backup"):
            command.downgrade(config, "base")
    engine.dispose()


def test_databases_in_memory_share_nothing_but_their_tables() -> None:
    with closing(sqlite3.connect(":memory:")) as one, closing(sqlite3.connect(":memory:")) as two:
        migrate.migrate_memory(one)
        one.execute("INSERT INTO content(digest, body) VALUES('d', 'b')")
        one.commit()
        migrate.migrate_memory(two)
        assert two.execute("SELECT count(*) FROM content").fetchone() == (0,)
        one.execute(
            "INSERT INTO event(chain,sequence,machine_version,schema,at,source,event,seen,outcome) "
            "VALUES(1,1,1,1,1,'s','','','')"
        )
        with pytest.raises(sqlite3.IntegrityError, match="event is append-only"):
            one.execute("DELETE FROM event")
