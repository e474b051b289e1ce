"""What one release left in a journal and another takes up, on every store: `test_store_…` inherit it with the suite."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from router.basis.instants import SECOND, Instant
from router.basis.machine import Event, Machine
from router.engine.auditor import Auditor
from router.engine.clock import VirtualClock
from router.engine.core import Admission, Answer, Core, Foreign
from router.engine.journal import Order
from router.engine.quarantine import Quarantine
from router.engine.replay import replay
from router.engine.shell import Engine
from router.engine.store.port import Store
from router.engine.vault import Vault
from tests.engine.releases import DESK, LaterNotes, Notes, OldNotes, SendTo, Written
from tests.engine.store_place import Place

T0 = Instant(1_700_000_000 * SECOND)
A, B, C = "note:x:a", "note:x:b", "note:x:c"


class Open:
    """A store that is open already."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def open(self) -> None:
        """Done."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class Release:
    """An engine with the machines of one release, on a journal that others have written."""

    def __init__(self, store: Store, *machines: Machine[Any, Any, Any]) -> None:
        self.clock = VirtualClock(T0)
        self.engine = Engine(Core(machines, {}, Vault()), cast(Store, Open(store)), self.clock)
        self.quarantine = Quarantine(self.engine)
        self.quarantine.listen()
        self.sent: list[Order] = []
        self.engine.performers["post"] = self._post
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> "Release":
        """Take up the journal and run."""
        await self.engine.open()
        self._task = asyncio.create_task(self.engine.run())
        return self

    async def end(self) -> None:
        """Stop; the store stays open."""
        await self.engine.stop()
        assert self._task is not None
        await self._task

    async def say(self, chain: str, event: Event) -> Answer:
        """One fact."""
        (answer,) = await self.engine.admit([Admission(chain, event, "test")])
        return answer

    async def kept(self) -> list[tuple[str, str]]:
        """Chain and error of what is in the quarantine, once something is."""
        async with asyncio.timeout(30):
            while not (rows := await self.quarantine.rows()):  # noqa: ASYNC110 - the store tells nobody
                await asyncio.sleep(0.01)
        return [(row.chain, row.error) for row in rows]

    async def _post(self, order: Order) -> Sequence[Event]:
        self.sent.append(order)
        return ()


class ReleasesContract:
    """The suite."""

    async def test_an_order_of_an_older_form_is_performed_in_the_present_one(self, store: Store, place: Place) -> None:
        older = await Release(store, OldNotes()).begin()
        older.engine.out_of_sight("post")
        await older.say(A, Written("hello"))
        await older.end()
        newer = await Release(await place.open(), Notes()).begin()
        await newer.say(B, Written("world"))
        await newer.end()
        assert [order.effect for order in newer.sent] == [SendTo("hello", "everybody"), SendTo("world", "everybody")]
        reading = newer.engine.store
        for chain in (A, B):
            (snapshot,) = await reading.load([chain])
            assert replay(newer.engine.core, await reading.history(chain), snapshot).differences == ()

    async def test_a_chain_of_an_unknown_version_is_set_aside_and_everything_else_runs(
        self, store: Store, place: Place
    ) -> None:
        later = await Release(store, LaterNotes()).begin()
        later.engine.out_of_sight("post")
        await later.say(A, Written("from the future"))
        await later.end()
        ours = await Release(await place.open(), Notes()).begin()
        assert set(ours.engine.core.foreign) == {A}
        assert ours.engine.foreign_orders == {(A, 1, 0)}
        assert (await ours.say(B, Written("ours"))).error is None
        assert isinstance((await ours.say(A, Written("to the future"))).error, Foreign)
        assert [(chain, error.partition(":")[0]) for chain, error in await ours.kept()] == [(A, "Foreign")]
        assert await Auditor(ours.engine).round() == []
        await ours.end()
        assert [order.effect for order in ours.sent] == [SendTo("ours", "everybody")]
        again = await Release(await place.open(), Notes(), LaterNotes()).begin()
        assert again.engine.core.foreign == {}
        assert again.engine.core.live[A].sequence == 1
        await again.say(A, Written("now"))
        await again.end()
        assert [order.id for order in again.sent] == [(A, 1, 0), (A, 2, 0)]

    async def test_who_tells_a_foreign_chain_something_goes_on(self, store: Store, place: Place) -> None:
        later = await Release(store, LaterNotes()).begin()
        await later.say(A, Written("x"))
        await later.end()
        ours = await Release(await place.open(), Notes()).begin()
        assert (await ours.say(B, Written("y", tell=A))).error is None
        assert [chain for chain, _ in await ours.kept()] == [A]
        await ours.end()
        assert ours.engine.core.live[B].sequence == 1

    async def test_what_a_foreign_chain_held_is_free_after_its_time(self, store: Store, place: Place) -> None:
        later = await Release(store, LaterNotes()).begin()
        await later.say(A, Written("x", until=Instant(T0 + 10 * SECOND)))
        await later.end()
        ours = await Release(await place.open(), Notes()).begin()
        await Auditor(ours.engine).round()
        assert ours.engine.core.claims.holder(DESK) == A, "not before its time"
        ours.clock.advance_to(Instant(T0 + 20 * SECOND))
        await Auditor(ours.engine).round()
        assert (await ours.say(B, Written("y", until=Instant(T0 + 60 * SECOND)))).error is None
        assert await ours.engine.store.claims() == {DESK: (B, T0 + 60 * SECOND)}
        await ours.end()

    async def test_a_form_that_nobody_can_bring_up_is_set_aside_too(self, store: Store, place: Place) -> None:
        older = await Release(store, OldNotes()).begin()
        await older.say(A, Written("x"))
        await older.end()
        if "postgres" in type(store).__module__:
            await place.sql('UPDATE chain SET state = \'{"type":"Gone"}\'::bytea')
        else:
            await place.sql('UPDATE chain SET state = CAST(\'{"type":"Gone"}\' AS BLOB)')
        ours = await Release(await place.open(), Notes()).begin()
        assert "ValidationError" in ours.engine.core.foreign[A]
        assert (await ours.say(C, Written("z"))).error is None
        await ours.end()
