"""The journal's tables, for both dialects. Alembic's first migration was written from these; hot paths use plain SQL.

`event` is append-only: triggers refuse UPDATE and DELETE in both dialects (see the migration).
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, Table, Text, UniqueConstraint

metadata = MetaData()

_POSITION = BigInteger().with_variant(Integer, "sqlite")
"""SQLite makes only INTEGER PRIMARY KEY its row id; PostgreSQL wants eight bytes for a journal that grows for years."""

chain = Table(
    "chain",
    metadata,
    Column("no", _POSITION, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("machine_version", Integer, nullable=False),
    Column("schema", Integer, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("state", LargeBinary, nullable=False),
    Column("final", Boolean, nullable=False),
    Column("deadline", BigInteger),
)
# Only live chains are looked for by deadline, so the index stays as small as the work in hand.
Index("chain_live", chain.c.deadline, sqlite_where=~chain.c.final, postgresql_where=~chain.c.final)
Index("chain_kind", chain.c.kind, chain.c.no)

event = Table(
    "event",
    metadata,
    Column("position", _POSITION, primary_key=True, autoincrement=True),
    Column("chain", BigInteger, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("machine_version", Integer, nullable=False),
    Column("schema", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("source", Text, nullable=False),
    Column("origin", Text),
    Column("event", LargeBinary, nullable=False),
    Column("seen", LargeBinary, nullable=False),
    Column("outcome", LargeBinary, nullable=False),
    Column("reply", Text),
    UniqueConstraint("chain", "sequence", name="event_sequence"),
)
Index(
    "event_origin",
    event.c.chain,
    event.c.origin,
    unique=True,
    sqlite_where=event.c.origin.is_not(None),
    postgresql_where=event.c.origin.is_not(None),
)

outbox = Table(
    "outbox",
    metadata,
    Column("chain", BigInteger, primary_key=True, autoincrement=False),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("ordered", BigInteger, nullable=False),
    Column("aside", Text),
    sqlite_with_rowid=False,
)

claim = Table(
    "claim",
    metadata,
    Column("key", Text, primary_key=True),
    Column("chain", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

content = Table(
    "content",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

vault = Table(
    "vault",
    metadata,
    Column("token", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False),
    UniqueConstraint("kind", "value", name="vault_value"),
)

raw_payload = Table(
    "raw_payload",
    metadata,
    Column("chain", BigInteger, primary_key=True, autoincrement=False),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("chain", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("event", LargeBinary, nullable=False),
    Column("error", Text, nullable=False),
)
