"""The inbox's table of cards; written through the engine's one writer."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text

metadata = MetaData()

inbox_card = Table(
    "inbox_card",
    metadata,
    Column("card", Text, primary_key=True),
    Column("chain", Text, nullable=False),
    Column("audience", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("face", LargeBinary, nullable=False),
    Column("shown", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
)
Index("inbox_audience", inbox_card.c.audience, inbox_card.c.shown)
