"""A client book over a real engine and SQLite, for tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path

from router.basis.people import Chain, Directory, Person
from router.chains.events import DirectoryApplied
from router.chains.roster import ROSTER
from router.clients import Clients
from router.engine.clock import SystemClock
from router.engine.core import Admission, Core
from router.engine.shell import Engine
from router.engine.store.port import Store
from router.engine.store.sqlite import SqliteStore
from router.engine.vault import Vault
from router.office import Office, machines

PATIENCE_S = 30.0
PEOPLE = Directory((Person("anna", "Анна", ("101",)), Person("vera", "Вера", ("103",))), (), (Chain("s", ("anna",)),))


@asynccontextmanager
async def client_book(
    path: Path, people: Directory | None = PEOPLE, store: Store | None = None
) -> AsyncIterator[Clients]:
    """Open, with ids `c1`, `c2`, … for clients who come without one; closed in order afterwards."""
    numbers = count(1)
    kept: Store = store or SqliteStore(path)
    engine = Engine(Core(machines(), Office({}).looks(), Vault()), kept, SystemClock())
    async with AsyncExitStack() as closing:
        closing.push_async_callback(kept.close)
        await engine.open()
        running = asyncio.create_task(engine.run())
        closing.push_async_callback(asyncio.wait_for, running, PATIENCE_S)
        closing.push_async_callback(engine.stop)
        if people is not None:
            applied = DirectoryApplied(engine.core.contents.pin(people), "test")
            await engine.admit([Admission(ROSTER, applied, "person:test")])
        clients = Clients(engine, lambda: f"c{next(numbers)}")
        await clients.open()
        yield clients
