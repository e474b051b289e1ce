"""A day in the office, gone through step by step by as many processes as it takes, and the fate that ends them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from router.basis.failures import Permanent
from router.basis.instants import SECOND, Instant
from router.basis.machine import Event
from router.engine import crashes
from router.engine.auditor import Auditor
from router.engine.clock import VirtualClock
from router.engine.core import Admission
from router.engine.journal import Order, Refused
from router.engine.store.port import Store, StoreUnavailable
from tests.engine.approval import (
    ClerkAnswered,
    ClerkSeenWorking,
    Filed,
    LightIsOff,
    ManagerAnswered,
    SendLetter,
    SwitchOff,
    Withdrawn,
)
from tests.engine.bench import T0, request
from tests.engine.edge import PATIENCE, Edge, MoodyStore, World
from tests.engine.ledger import LEDGER
from tests.engine.quirks import Note, Small
from tests.engine.rows import batch, record
from tests.engine.values import ANNA, BORIS, Terms


class Killed(BaseException):
    """The process is no more."""


class Fate:
    """The hook: counts passages; at the chosen one, and at every point after it, the process is dead."""

    def __init__(self, place: str = "", passage: int = 1) -> None:
        self.place = place
        self.left = passage
        self.passed: dict[str, int] = {}
        self.dead = asyncio.Event()

    def __call__(self, place: str) -> None:
        if not self.dead.is_set():
            self.passed[place] = self.passed.get(place, 0) + 1
            if place == self.place:
                self.left -= 1
                if self.left == 0:
                    self.dead.set()
        if self.dead.is_set():
            raise Killed(place)


class Day:
    """A script that is gone through step by step; a step that did not end is done again by the next process."""

    def __init__(self, store: Callable[[], Store]) -> None:
        self.store = store
        self.clock = VirtualClock(T0)
        self.world = World()
        self.world.answers = {Note: self._box_is_full_at_first, SendLetter: self._letter, SwitchOff: self._desk}
        self.edge: Edge | None = None
        self.step = 0
        self.processes = 0
        self.steps: list[Callable[[Edge], Awaitable[Any]]] = [
            self.says("f1", request("a"), self.filed("a"), personal={"asker": ("name", "Ivan")}),
            self.says("f2", request("b"), self.filed("b")),
            self.says("f3", request("c"), self.filed("c")),
            self.says("n1", "quirk:test:odd", lambda edge: Small("note")),
            self.quiet,
            self.sends_again,
            self.says("a1", request("a"), lambda edge: ClerkAnswered(ANNA, True)),
            self.comes(60),
            self.in_trouble("m1", request("a"), lambda edge: ManagerAnswered(True)),
            self.looks,
            self.says("w1", request("b"), lambda edge: Withdrawn()),
            self.says("c1", request("c"), lambda edge: ClerkSeenWorking(BORIS)),
            self.says("c2", request("c"), lambda edge: ClerkAnswered(BORIS, False)),
            self.quiet,
            self.audits,
            self.stops,
        ]

    async def live(self, fate: Fate) -> None:
        """Processes one after another until the script is through."""
        crashes.install(fate)
        try:
            while self.step < len(self.steps):
                self.processes += 1
                await self._process(fate)
                if fate.dead.is_set():
                    crashes.install(None)
                    await self._bury()
                    fate.dead.clear()
                    fate.place = ""
                    crashes.install(fate)
        finally:
            crashes.install(None)
            await self._bury()

    async def _process(self, fate: Fate) -> None:
        self.edge = Edge(MoodyStore(self.store()), self.clock, self.world)
        script = asyncio.create_task(self._script(self.edge))
        dead = asyncio.create_task(fate.dead.wait())
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait({script, dead}, return_when=asyncio.FIRST_COMPLETED)
        dead.cancel()
        script.cancel()
        (result,) = await asyncio.gather(script, return_exceptions=True)
        if isinstance(result, Exception) and not fate.dead.is_set():
            raise result

    async def _script(self, edge: Edge) -> None:
        await edge.open()
        while self.step < len(self.steps):
            await self.steps[self.step](edge)
            self.step += 1

    async def _bury(self) -> None:
        if self.edge is not None:
            edge, self.edge = self.edge, None
            await edge.kill()

    # --- steps -------------------------------------------------------------------------------------------------

    def filed(self, name: str) -> Callable[[Edge], Event]:
        return lambda edge: Filed(request(name), 100, edge.core.contents.pin(Terms()))

    def says(
        self, origin: str, chain: str, event: Callable[[Edge], Event], **given: Any
    ) -> Callable[[Edge], Awaitable[Any]]:
        async def step(edge: Edge) -> None:
            answer = await edge.say(chain, event(edge), origin=origin, **given)
            assert answer.error is None

        return step

    def in_trouble(self, origin: str, chain: str, event: Callable[[Edge], Event]) -> Callable[[Edge], Awaitable[Any]]:
        async def step(edge: Edge) -> None:
            edge.store.fail_commits = [StoreUnavailable("for a moment")]
            await edge.engine.admit_surely([Admission(chain, event(edge), "test", origin)])
            edge.store.fail_commits = []  # a twin needs no commit

        return step

    def comes(self, seconds: int) -> Callable[[Edge], Awaitable[Any]]:
        until = Instant(T0 + seconds * SECOND)

        async def step(edge: Edge) -> None:
            self.clock.advance_to(until)
            edge.engine.wake()
            await edge.until(lambda: (edge.core.timer.next() or until + 1) > until)

        return step

    async def quiet(self, edge: Edge) -> None:
        await edge.until_quiet()

    async def sends_again(self, edge: Edge) -> None:
        await edge.engine.send_again(("quirk:test:odd", 1, 0))
        await edge.until_quiet()

    async def looks(self, edge: Edge) -> None:
        with pytest.raises(Refused):  # as when another engine was first
            await edge.store.inner.commit(batch(record(request("a"), 1)))
        assert len(await edge.store.inner.find("request", final=None, newest=9)) == 3
        row = {"chain": "x", "audience": "anna", "revision": 1, "face": b"", "shown": 1, "changed": 1}
        await edge.store.inner.upsert("inbox_card", {"card": "c"}, row)

    async def audits(self, edge: Edge) -> None:
        findings: list[Any] = []
        auditing = asyncio.create_task(Auditor(edge.engine, findings.append).run())
        rounds = edge.store.loads
        while edge.store.loads < rounds + 2:
            if auditing.done():
                await auditing
            await asyncio.sleep(0)
        auditing.cancel()
        await asyncio.gather(auditing, return_exceptions=True)
        assert findings == []

    async def stops(self, edge: Edge) -> None:
        await edge.say("quirk:test:odd", Small("last"), origin="last")  # its note is being sent when the stop comes
        await edge.engine.stop()
        assert edge.task is not None
        await edge.task

    # --- the world ---------------------------------------------------------------------------------------------

    async def _box_is_full_at_first(self, order: Order) -> tuple[Event, ...]:
        await asyncio.sleep(0)
        if self.step < self.steps.index(self.sends_again):
            raise Permanent("full")
        return ()

    async def _letter(self, order: Order) -> tuple[Event, ...]:
        assert self.edge is not None
        await self.edge.engine.reveal("t_unknown")
        return ()

    async def _desk(self, order: Order) -> tuple[Event, ...]:
        assert isinstance(order.effect, SwitchOff)
        return (LightIsOff(order.effect.offer),)


async def end_of(day: Day) -> dict[str, Any]:
    """What is in the journal and in the world at the end."""
    store = day.store()
    await store.open()
    chains = await store.load([*map(request, "abc"), LEDGER, "quirk:test:odd"])
    log = await store.records(0, 10_000)
    origins = [line.origin for line in log if line.origin is not None and line.source == "test"]
    assert len(origins) == len(set(origins))
    end = {
        "states": {chain.chain: chain.state for chain in chains},
        "claims": await store.claims(),
        "orders": [(order.id, order.aside) for order in await store.orders()],
        "origins": sorted(origins),
        "entries": [line.event for line in log if line.chain == LEDGER],
        "vault": await store.select("SELECT kind, value FROM vault"),
        "performed": performed_surely(day.world),
    }
    await store.close()
    return end


def performed_surely(world: World) -> set[str]:
    """What cannot be overtaken: lamps off, notes, and of each request's letters the newest."""
    letters = {
        letter.request: letter for letter in sorted(world.effects(SendLetter), key=lambda one: int(one.revision))
    }
    return {repr(effect) for effect in (*world.effects(SwitchOff), *world.effects(Note), *letters.values())}
