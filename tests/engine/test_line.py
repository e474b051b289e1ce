"""The watch over the wall clock: on the running engine, over a start, and with a journal that fails."""

import asyncio
from pathlib import Path
from typing import Any, ClassVar

import pytest

from router.basis.instants import MILLISECOND, SECOND, Instant
from router.basis.machine import ClockStepped, Delivery, Effect, Event, Machine, Standing, State, Step
from router.engine import crashes
from router.engine.clock import SystemClock, VirtualClock
from router.engine.core import Admission, Core
from router.engine.line import LINE, ClockWatch, Line, LineMachine, ahead_of, followers, resume
from router.engine.shell import Engine
from router.engine.store.port import StoreUnavailable
from router.engine.store.sqlite import SqliteStore
from router.engine.vault import Vault


class Opened(Event, frozen=True):
    """A chain begins."""


class Known(State, frozen=True):
    """What the chain was told."""

    ahead: int = 0


class Diary(Machine[Known, Any, None]):
    """Follows the calendar."""

    kind: ClassVar[str] = "diary"
    version: ClassVar[int] = 1
    states = Known
    events: ClassVar[Any] = Opened | ClockStepped
    effects = Effect
    seen = type(None)
    lane: ClassVar[str | None] = None

    def start(self, event: Any, seen: None, at: Instant) -> Step[Known]:
        return self.step(Known(), event, seen, at)

    def step(self, state: Known, event: Any, seen: None, at: Instant) -> Step[Known]:
        return Step(Known(event.ahead_us) if isinstance(event, ClockStepped) else state)

    def deadline(self, state: Known) -> None:
        return None

    def standing(self, state: Known) -> Standing:
        return Standing(final=False, reason="kept")

    def delivery(self, effect: Effect) -> Delivery:
        raise AssertionError(effect)

    def neighbour(self, state: Known) -> str | None:
        return self.lane


class Talk(Diary):
    """Depends on a neighbour and does not follow the calendar."""

    kind: ClassVar[str] = "talk"
    events: ClassVar[Any] = Opened
    lane: ClassVar[str | None] = "pbx:x"


def engine_of(path: Path, clock: Any) -> Engine:
    core = Core((Diary(), Talk(), LineMachine()), {LineMachine.kind: followers}, Vault())
    return Engine(core, SqliteStore(path), clock)


async def turn(engine: Engine, *admissions: Admission) -> None:
    """Admit without a running loop of turns."""
    waiting = asyncio.create_task(engine.admit(admissions))
    await asyncio.sleep(0)
    await engine.turn()
    await waiting


async def look(engine: Engine) -> bool:
    looking = asyncio.create_task(ClockWatch(engine).look())
    await asyncio.sleep(0)
    await engine.turn()
    return await looking


async def test_a_step_is_told_to_whoever_lists_it_in_one_transaction(tmp_path: Path) -> None:
    clock = VirtualClock(Instant(1_000 * SECOND))
    engine = engine_of(tmp_path / "j.db", clock)
    await engine.open()
    await turn(engine, Admission("diary:x:1", Opened(), "test"), Admission("talk:x:1", Opened(), "test"))
    assert not await look(engine)
    clock.step_wall(500 * MILLISECOND)
    assert not await look(engine), "half a second is no step"
    clock.step_wall(1)
    batches: list[int] = []
    engine.observers.append(lambda draft, orders: batches.append(len(draft.batch.records)))
    assert await look(engine)
    assert batches == [2], "the line and its follower, in one transaction"
    assert ahead_of(engine.core) == 500 * MILLISECOND + 1
    assert engine.core.live["diary:x:1"].state == Known(500 * MILLISECOND + 1)
    assert engine.core.live["talk:x:1"].sequence == 1
    assert not await look(engine), "told once"
    await engine.store.close()


async def test_what_could_not_be_stored_is_told_at_the_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = VirtualClock(Instant(1_000 * SECOND))
    engine = engine_of(tmp_path / "j.db", clock)
    await engine.open()
    clock.step_wall(-7 * SECOND)

    async def fails(*_: Any) -> None:
        raise StoreUnavailable("no")

    with monkeypatch.context() as patched:
        patched.setattr(engine.store, "commit", fails)
        with pytest.raises(StoreUnavailable):
            await look(engine)
    await engine.turn()
    assert await look(engine)
    line = engine.core.live[LINE].state
    assert line == Line(-7 * SECOND, 1)
    await engine.store.close()


@pytest.mark.parametrize("under_way", [True, False])
async def test_the_line_goes_on_over_a_restart_while_a_neighbour_is_waited_for(tmp_path: Path, under_way: bool) -> None:
    """With a call under way its distances stay; without one, a new line begins at the wall, and all are told."""
    wall, monotonic = [10_000 * SECOND], [5 * SECOND]

    def clock() -> SystemClock:
        return SystemClock(lambda: wall[0] * 1_000, lambda: monotonic[0] * 1_000)

    first = engine_of(tmp_path / "j.db", clock())
    await first.open()
    chains = ["diary:x:1", "talk:x:1"] if under_way else ["diary:x:1"]
    await turn(first, *(Admission(chain, Opened(), "test") for chain in chains))
    wall[0] += 3_600 * SECOND
    await look(first)
    wall[0] += SECOND
    monotonic[0] += SECOND
    line = first.clock.now()
    await first.store.close()
    monotonic[0] = 0  # another process of a machine that was started anew
    second = engine_of(tmp_path / "j.db", clock())
    await second.open((), resume)
    assert second.clock.now() == (line if under_way else wall[0])
    told = await look(second)
    assert told is not under_way
    assert second.core.live["diary:x:1"].state == Known(3_600 * SECOND if under_way else 0)
    await second.store.close()


class Died(BaseException):
    """The process is no more."""


@pytest.mark.parametrize("place", ["clock.tell:before", "clock.tell:after", "clock.pause:before"])
async def test_wherever_the_watch_dies_the_step_is_told_once(tmp_path: Path, place: str) -> None:
    clock = VirtualClock(Instant(1_000 * SECOND))

    def die(passed: str) -> None:
        if passed == place:
            crashes.install(None)
            raise Died

    engine = engine_of(tmp_path / "j.db", clock)
    await engine.open()
    running = asyncio.create_task(engine.run())
    await engine.admit([Admission("diary:x:1", Opened(), "test")])
    clock.step_wall(60 * SECOND)
    crashes.install(die)
    try:
        with pytest.raises(Died):
            await ClockWatch(engine).run()
    finally:
        crashes.install(None)
        await engine.stop()
        await running
        await engine.store.close()
    again = engine_of(tmp_path / "j.db", clock)
    await again.open((), resume)
    told = await look(again)
    assert told is (place == "clock.tell:before")
    assert again.core.live[LINE].state == Line(60 * SECOND, 1)
    assert again.core.live["diary:x:1"].state == Known(60 * SECOND)
    await again.store.close()
