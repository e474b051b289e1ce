"""The journal, the vault and the inbox's cards.

A migration is history: it does not import the tables of today, it writes down those of its day.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

POSITION = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make all tables; make `event` append-only."""
    op.create_table(
        "chain",
        sa.Column("no", POSITION, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("machine_version", sa.Integer, nullable=False),
        sa.Column("schema", sa.Integer, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
        sa.Column("final", sa.Boolean, nullable=False),
        sa.Column("deadline", sa.BigInteger),
    )
    live = sa.text("NOT final")
    op.create_index("chain_live", "chain", ["deadline"], sqlite_where=live, postgresql_where=live)
    op.create_index("chain_kind", "chain", ["kind", "no"])
    op.create_table(
        "event",
        sa.Column("position", POSITION, primary_key=True, autoincrement=True),
        sa.Column("chain", sa.BigInteger, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("machine_version", sa.Integer, nullable=False),
        sa.Column("schema", sa.Integer, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("origin", sa.Text),
        sa.Column("event", sa.LargeBinary, nullable=False),
        sa.Column("seen", sa.LargeBinary, nullable=False),
        sa.Column("outcome", sa.LargeBinary, nullable=False),
        sa.Column("reply", sa.Text),
        sa.UniqueConstraint("chain", "sequence", name="event_sequence"),
    )
    known = sa.text("origin IS NOT NULL")
    op.create_index(
        "event_origin", "event", ["chain", "origin"], unique=True, sqlite_where=known, postgresql_where=known
    )
    _make_outbox_and_claims()
    _make_vault()
    op.create_table(
        "inbox_card",
        sa.Column("card", sa.Text, primary_key=True),
        sa.Column("chain", sa.Text, nullable=False),
        sa.Column("audience", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("face", sa.LargeBinary, nullable=False),
        sa.Column("shown", sa.BigInteger, nullable=False),
        sa.Column("changed", sa.BigInteger, nullable=False),
    )
    op.create_index("inbox_audience", "inbox_card", ["audience", "shown"])
    _make_append_only("event")


def downgrade() -> None:
    """The first state of all has nothing before it."""
    message = "a journal is not taken back: restore a backup made before it"
    raise RuntimeError(message)


def _make_outbox_and_claims() -> None:
    op.create_table(
        "outbox",
        sa.Column("chain", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("ordered", sa.BigInteger, nullable=False),
        sa.Column("aside", sa.Text),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "claim",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("chain", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "content",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )


def _make_vault() -> None:
    op.create_table(
        "vault",
        sa.Column("token", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.UniqueConstraint("kind", "value", name="vault_value"),
    )
    op.create_table(
        "raw_payload",
        sa.Column("chain", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "quarantine",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("chain", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("event", sa.LargeBinary, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
    )


def _make_append_only(table: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_is_append_only()"
    )
