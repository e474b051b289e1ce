"""Reads a journal beside the server that writes it: for commands. Takes no lock, writes nothing."""

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from router.basis.machine import Token
from router.engine.contents import Contents
from router.engine.crashes import passing, point
from router.engine.journal import StoredChain, StoredRecord
from router.engine.store.sqlite import SqliteStore
from router.engine.store.sqlite_file import CHAIN_COLUMNS, stored_chain

OPEN = point("reading.open", "a command opens the journal to read it")
READ = point("reading.read", "a command reads the journal")

PAGE = 500
"""Chains read at once."""


class Reading:
    """An open journal."""

    def __init__(self, path: Path) -> None:
        self._store = SqliteStore(path)

    async def open(self, contents: Contents) -> None:
        """Open; the table of contents is read into `contents`. Raises StoreUnavailable where there is no journal."""
        await passing(OPEN, self._store.open_reader())
        # One snapshot for all that is read: a chain that the server writes meanwhile may name content that is newer
        # than the table of contents read here (sqlite.org/isolation.html).
        await passing(READ, self._store.select("BEGIN"))
        for digest, body in await passing(READ, self._store.select("SELECT digest, body FROM content")):
            contents.loaded(digest, body)

    async def close(self) -> None:
        """Close."""
        await passing(OPEN, self._store.close())

    async def chains(self, kind: str = "") -> AsyncIterator[StoredChain]:
        """All chains (of a kind), those begun first first; origins are not filled."""
        after = 0
        sql = (
            f"SELECT {CHAIN_COLUMNS} FROM chain c "  # noqa: S608 - constant columns
            "WHERE c.no > ? AND (? = '' OR c.kind = ?) ORDER BY c.no LIMIT ?"
        )
        while True:
            rows = await passing(READ, self._store.select(sql, (after, kind, kind, PAGE)))
            for row in rows:
                yield stored_chain(row, {})
            if len(rows) < PAGE:
                return
            after = rows[-1][0]

    async def find(self, name: str) -> list[StoredChain]:
        """Chains whose id, or the neighbour's own id within it, is `name`."""
        sql = f"SELECT {CHAIN_COLUMNS} FROM chain c WHERE c.id = ? OR c.id LIKE ? ESCAPE '!' ORDER BY c.no"  # noqa: S608
        escaped = name.replace("!", "!!").replace("%", "!%").replace("_", "!_")
        rows = await passing(READ, self._store.select(sql, (name, f"call:%:{escaped}")))
        return [stored_chain(row, {}) for row in rows]

    async def history(self, chain: str) -> list[StoredRecord]:
        """The log of one chain."""
        return await passing(READ, self._store.history(chain))

    async def claims(self) -> list[tuple[str, str, bool]]:
        """Key, holder, whether the holder is final."""
        sql = "SELECT k.key, c.id, c.final FROM claim k JOIN chain c ON c.no = k.chain"
        return [(row[0], row[1], bool(row[2])) for row in await passing(READ, self._store.select(sql))]

    async def vault(self, tokens: Iterable[Token]) -> dict[Token, str]:
        """Token -> value, of those the vault knows."""
        return await passing(READ, self._store.reveal(tokens))
