"""Brings the tables up to date with Alembic, before the writer opens.

A file that is up to date already is recognised by one query, because importing Alembic and SQLAlchemy takes longer than
everything else in a restart.
"""

import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

from router.engine.store.port import StoreUnavailable

MIGRATIONS = Path(__file__).parent / "migrations"

HEAD = "0001"
"""The newest revision; a test compares it with Alembic's own answer."""


def migrate_sqlite(path: str) -> bool:
    """Bring a file up to date; True if something was done. Raises StoreUnavailable for one of a newer version."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        revision = _revision(connection)
        if revision == HEAD:
            return False
        if revision is not None and revision > HEAD:
            message = f"{path} was written by a newer version (tables {revision}, known here {HEAD}): start that one"
            raise StoreUnavailable(message)
        _upgrade_sqlite(connection)
    return True


def migrate_memory(connection: sqlite3.Connection) -> None:
    """Give an empty database in memory its tables: a copy of one that was migrated once in this process."""
    _template().backup(connection)


def migrate_connection(connection: Any) -> None:
    """Bring the database behind an open SQLAlchemy connection up to date; the caller commits."""
    from alembic import command  # noqa: PLC0415 - see the module's docstring
    from alembic.config import Config  # noqa: PLC0415 - see the module's docstring

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


@cache
def _template() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    _upgrade_sqlite(connection)
    return connection


def _revision(connection: sqlite3.Connection) -> str | None:
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:
        return None
    return str(row[0]) if row else None


def _upgrade_sqlite(connection: sqlite3.Connection) -> None:
    """All or nothing: the module sqlite3 itself begins no transaction for a CREATE TABLE, so a listener does."""
    from sqlalchemy import create_engine, event, exc  # noqa: PLC0415 - see the module's docstring
    from sqlalchemy.pool import StaticPool  # noqa: PLC0415 - see the module's docstring

    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    event.listen(engine, "begin", lambda borrowed: borrowed.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        with engine.begin() as borrowed:
            migrate_connection(borrowed)
    except exc.DBAPIError as error:
        raise StoreUnavailable(str(error.orig)) from error  # a full disk, a file that may not be written
