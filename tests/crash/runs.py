"""Runs the cases side by side, in a thread with a loop of its own; each test waits for the result of its case."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tests.crash.case import START, Left, Office, Telling, lived
from tests.crash.company import RING_S, apply_people
from tests.crash.judge import complaints, stale
from tests.crash.lives import PATIENCE_S, Gate
from tests.crash.places import Case
from tests.crash.plays import PLAYS, Row, instant, leg

T = TypeVar("T")

AT_ONCE = 30
"""Cases under way: most of a case is waiting for phones that ring out."""

WATCHDOG_S = 1.0
"""How long after its planned end the server stops a ring that the PBX times itself (`Terms.watchdog`)."""

STARTING = 2
"""Servers that start at once: a start is a second of processor, and there are two cores."""


@dataclass(slots=True)
class Verdict:
    """What is known of a case once it is over."""

    complaints: list[str]
    stale: int = 0
    """Rings that the restart was too late for."""
    reached: str = ""
    """The line in which the server said where it died."""
    exits: list[int] = field(default_factory=list)


class Runs:
    """One per test session."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="cases")
        self._thread.start()
        self._futures: dict[object, Future[Any]] = {}
        self._later: list[Telling] = []
        self._gate = Gate(STARTING)
        self._room = asyncio.Semaphore(AT_ONCE)
        self._prepared = self._submit("prepared", self._prepare())

    def close(self) -> None:
        """End what is still under way."""

        async def end() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(PATIENCE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def begin(self, wanted: Iterable[Case | Telling]) -> None:
        """Start these, in this order as far as there is room; the calls that are counted by go first."""
        fresh = [one for one in wanted if one not in self._futures]
        for play in sorted({one.play for one in fresh if isinstance(one, Case) and not one.passage}):
            self.counted(play)
        for one in fresh:
            if isinstance(one, Case):
                self._submit(one, self._run(one))
            elif one.alone:
                self._later.append(one)
            else:
                self._submit(one, self._lived(one.id, one.play, one.story))

    def verdict(self, case: Case) -> Verdict:
        """Wait for a case; raises what went wrong in it."""
        self.begin([case])
        verdict: Verdict = self._futures[case].result()
        return verdict

    def counted(self, play: str) -> Future[tuple[Left, list[str]]]:
        """An undisturbed call: what it left behind, and complaints about it."""
        return self._futures.get(play) or self._submit(play, self._count(play))

    def left(self, telling: Telling) -> Left:
        """What a story left behind."""
        self.begin([telling])
        if telling.alone:
            later, self._later = dict.fromkeys(self._later), []
            for one in later:
                self._submit(one, self._lived(one.id, one.play, one.story))
        left: Left = self._futures[telling].result()
        return left

    # --- inside ----------------------------------------------------------------------------------------------------

    def _submit(self, name: object, work: Coroutine[Any, Any, T]) -> Future[T]:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        self._futures[name] = future
        return future

    async def _prepare(self) -> Path:
        home = self._home / "prepared"
        home.mkdir()
        await apply_people(home)
        return home / "data"

    async def _lived(self, name: str, play: str, story: Callable[[Office], Awaitable[None]]) -> Left:
        prepared = await asyncio.wrap_future(self._prepared)
        async with self._room:
            return await lived(Office(self._home / name, prepared, play, self._gate), story)

    async def _count(self, play: str) -> tuple[Left, list[str]]:
        async def story(office: Office) -> None:
            await office.serve(rank=START, counting=True)
            await office.play(PLAYS[play])

        left = await self._lived(f"undisturbed-{play}", play, story)
        return left, await complaints(left)

    async def _run(self, case: Case) -> Verdict:
        passage = case.passage or await self._passage(case)
        crash_at = f"{case.place}#{passage}"
        story = STORIES.get(case.moment, _dies_in_the_middle)
        left = await self._lived(case.id.replace(":", "_"), case.play, lambda office: story(office, crash_at))
        reached = [line for life in left.lives for line in life if line.startswith("crash point ")]
        return Verdict(await complaints(left), await stale(left), "; ".join(reached), left.exits)

    async def _passage(self, case: Case) -> int:
        counted: Future[tuple[Left, list[str]]] = self._futures[case.play]
        left, _ = await asyncio.wrap_future(counted)
        passed = [line.split() for line in (left.home / "diary").read_text(encoding="ascii").splitlines()]
        moment = instant(case.play, case.moment, left.rows)
        return 1 + sum(place == case.place and int(at) < moment for at, place in passed)


def _rings(number: int) -> Callable[[list[Row]], bool]:
    return lambda rows: any(row["what"] == "ringing" and row["leg"] == leg(number) for row in rows)


async def _dies_in_the_middle(office: Office, crash_at: str) -> None:
    await office.serve(crash_at=crash_at, rank=START)
    await office.play(PLAYS[office.left.play])
    await office.dies()
    await office.serve()


async def _dies_recovering(office: Office, crash_at: str) -> None:
    """Killed in a ring, dead again at a point that is passed at the start."""
    await office.serve(rank=START)
    pbx = await office.play(PLAYS[office.left.play])
    await pbx.until(_rings(1))
    await office.killed()
    await office.serve(crash_at=crash_at)
    await office.dies()
    await office.serve()


async def _dies_stopping(office: Office, crash_at: str) -> None:
    """Told to stop while an order is on its way to a PBX that does not answer: the watchdog behind its own timer."""
    await office.serve(crash_at=crash_at, rank=START)
    pbx = await office.play(PLAYS[office.left.play])
    await pbx.until(_rings(1))
    pbx.freeze()
    try:
        await asyncio.sleep(RING_S + WATCHDOG_S + 1.5)
        assert office.server is not None
        office.server.process.terminate()
        await office.dies()
    finally:
        pbx.thaw()
    await office.serve()


async def _dies_and_misses_the_talk(office: Office, crash_at: str) -> None:
    """Killed before it has taken that they talk, and away until they have: they did, and nobody is owed a call."""
    await office.serve(crash_at=crash_at, rank=START)
    pbx = await office.play(PLAYS[office.left.play])
    await office.dies()
    await pbx.until(lambda rows: any(row["what"] == "call_ended" for row in rows))
    await office.serve()


STORIES: dict[str, Callable[[Office, str], Awaitable[None]]] = {
    "recovering": _dies_recovering,
    "recovered": _dies_recovering,
    "stopping": _dies_stopping,
    "talk_unheard": _dies_and_misses_the_talk,
}
