"""An engine over the journal for a command that writes while no server runs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from router.app import JOURNAL
from router.engine.clock import SystemClock
from router.engine.core import Core
from router.engine.shell import Engine
from router.engine.store.sqlite import SqliteStore
from router.engine.vault import Vault
from router.office import Office, machines


@asynccontextmanager
async def own_engine(data: Path) -> AsyncIterator[Engine]:
    """A running engine; takes the writer's lock or raises StoreUnavailable. Its effects stay in the outbox."""
    engine = Engine(Core(machines(), Office({}).looks(), Vault()), SqliteStore(data / JOURNAL), SystemClock())
    try:
        recovered = await engine.open()
    except BaseException:
        await engine.store.close()
        raise
    for order in recovered:
        engine.out_of_sight(order.delivery.lane)
    for lane in engine.outbox.lanes():
        engine.out_of_sight(lane)
    task = asyncio.create_task(engine.run())
    try:
        yield engine
    finally:
        await engine.stop()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await engine.store.close()
