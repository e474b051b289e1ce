"""The asyncio engine on a real file, with a store that can be told to misbehave, and a world that is slow on demand."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from router.basis.instants import SECOND, Instant
from router.basis.machine import ChainId, Event, Token
from router.engine.clock import Clock, VirtualClock
from router.engine.core import Admission, Draft
from router.engine.journal import Batch, EffectId, Order, StoredChain, StoredOrder
from router.engine.shell import Engine
from router.engine.store.port import Store, StoreUnavailable
from router.engine.store.sqlite import SqliteStore
from tests.engine.approval import LightIsOff, RingBell, SwitchOff
from tests.engine.bench import T0, new_core

PATIENCE = 30.0
"""Seconds a test waits for what must come at once; only a hung engine needs them."""


class MoodyStore:
    """A store whose next commits and reads can fail, hang, or succeed and pretend to have failed."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.commits: list[Batch] = []
        """Those that were tried."""
        self.committed = 0
        self.down = False
        """Nothing works."""
        self.fail_commits: list[BaseException] = []
        self.hide_commits = 0
        """So many commits succeed and say that they failed."""
        self.refuses: Callable[[Batch], BaseException | None] = lambda batch: None
        self.forget_tokens = 0
        self.gate: asyncio.Event | None = None
        self.at_the_gate = asyncio.Event()
        self.loads = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def _look(self) -> None:
        if self.down:
            raise StoreUnavailable("down")

    async def commit(self, batch: Batch) -> None:
        self.commits.append(batch)
        if self.gate is not None:
            self.at_the_gate.set()
            await self.gate.wait()
        self._look()
        if self.fail_commits:
            raise self.fail_commits.pop(0)
        if (refusal := self.refuses(batch)) is not None:
            raise refusal
        await self.inner.commit(batch)
        self.committed += 1
        if self.hide_commits:
            self.hide_commits -= 1
            raise StoreUnavailable("the connection was cut after COMMIT")

    async def load(self, chains: Iterable[ChainId]) -> list[StoredChain]:
        self.loads += 1
        self._look()
        return await self.inner.load(chains)

    async def claims(self) -> dict[str, tuple[ChainId, Instant]]:
        self._look()
        return await self.inner.claims()

    async def orders(self) -> list[StoredOrder]:
        self._look()
        return await self.inner.orders()

    async def tokens(self, values: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Token]:
        if self.forget_tokens:
            self.forget_tokens -= 1
            return {}
        return await self.inner.tokens(values)


class World:
    """The desk and the post: they note what they are asked for, and the desk confirms a lamp that is off."""

    def __init__(self) -> None:
        self.performed: list[Order] = []
        self.answers: dict[type, Callable[[Order], Awaitable[Sequence[Event]]]] = {}
        self._news = asyncio.Event()

    async def perform(self, order: Order) -> Sequence[Event]:
        self.performed.append(order)
        self._news.set()
        answer = self.answers.get(type(order.effect))
        if answer is not None:
            return await answer(order)
        return (LightIsOff(order.effect.offer),) if isinstance(order.effect, SwitchOff) else ()

    def effects(self, kind: type) -> list[Any]:
        return [order.effect for order in self.performed if isinstance(order.effect, kind)]

    def bells(self) -> list[str]:
        return [f"{bell.request} {bell.clerk}" for bell in self.effects(RingBell)]

    async def until(self, enough: Callable[[], bool]) -> None:
        """Wait until something performed makes it true."""
        async with asyncio.timeout(PATIENCE):
            while not enough():
                self._news.clear()
                await self._news.wait()


class Edge:
    """An engine that runs."""

    def __init__(self, store: MoodyStore, clock: Clock, world: World) -> None:
        self.store = store
        self.clock = clock
        self.world = world
        self.core = new_core()
        self.engine = Engine(self.core, store, clock)
        self.engine.performers = {"desk": world.perform, "post": world.perform}
        self.engine.observers.append(self._committed)
        self.engine.troubles.append(lambda admission, error: self.troubles.append((admission, error)))
        self.troubles: list[tuple[Admission, Exception]] = []
        self.recovered: list[Order] = []
        self.task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    async def open(self, blocked: Iterable[str] = ()) -> None:
        self.recovered = await self.engine.open(blocked)
        self.task = asyncio.create_task(self.engine.run())

    async def say(self, chain: ChainId, event: Event, **given: Any) -> Any:
        (answer,) = await self.engine.admit([Admission(chain, event, "test", **given)])
        return answer

    def wait(self, seconds: float) -> None:
        """The clock goes on, the loop looks at it."""
        assert isinstance(self.clock, VirtualClock)
        self.clock.advance_to(Instant(self.clock.now() + round(seconds * SECOND)))
        self.engine.wake()

    async def until(self, enough: Callable[[], bool]) -> None:
        """Wait until a commit makes it true."""
        async with asyncio.timeout(PATIENCE):
            while not enough():
                self._news.clear()
                await self._news.wait()

    async def until_quiet(self, but: int = 0) -> None:
        """Wait until the outbox has written down all that is over, with so many orders left."""
        outbox = self.engine.outbox
        await self.until(lambda: len(outbox) == but and not (outbox.tally.done or outbox.tally.aside))

    async def orders(self) -> list[EffectId]:
        return [order.id for order in await self.store.inner.orders()]

    async def stop(self) -> None:
        await self.engine.stop()
        if self.task is not None:
            await asyncio.gather(self.task, return_exceptions=True)
        await self.store.inner.close()

    async def kill(self) -> None:
        """End abruptly: nothing more is written, noted or sent."""
        tasks = [task for task in (self.task, *self.engine._performing) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.engine._handle is not None:
            self.engine._handle.cancel()
        await self.store.inner.close()

    def _committed(self, draft: Draft, orders: list[Order]) -> None:
        self._news.set()


@asynccontextmanager
async def running(
    path: Path, world: World | None = None, clock: Clock | None = None, blocked: Iterable[str] = ()
) -> AsyncIterator[Edge]:
    """An engine on this journal; stopped in order at the end if it still runs."""
    edge = Edge(MoodyStore(SqliteStore(path)), clock or VirtualClock(T0), world or World())
    await edge.open(blocked)
    try:
        yield edge
    finally:
        await edge.stop()
