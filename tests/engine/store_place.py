"""Where the store contract is played: one journal, opened as often as a test likes."""

from typing import Protocol

from router.engine.store.port import Store


class Place(Protocol):
    """One journal and the ways to reach it."""

    async def open(self) -> Store:
        """A store on this journal; the one opened before is left as a killed process leaves it."""
        ...

    async def close(self) -> None:
        """Close all that is open."""
        ...

    async def sql(self, statement: str) -> None:
        """Run a statement past the store; raises what the database says."""
        ...
