"""Lateness of deadlines at 10,000 live calls, over bare `call_at` with as many handles; and what a backlog of deadlines
does to a fresh event.

`paced`: the calls arrive over 16 s and each rings its first head for 16 s, so that 10,000 are live when the first
deadline comes and 625 a second fall due. Each is a step, a row and two effects; the PBX confirms the end of the leg
and reports the next phone ringing, so that a deadline is three events and nothing else falls due meanwhile (a phone
that is not reported ringing would have a deadline of its own after 2 s). Lateness is from the deadline to the stamp its
event was admitted under, as the journal has it. Bare: 10,000 handles over the same span that only look at the clock.

`backlog`: all deadlines fall due at one instant, as after a stall or a restart; a new call arrives every 20 ms then.
How long it waits for its commit is told beside how long the backlog takes.
"""

import asyncio
import gc
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.office import PBX, apply, arrivals, company, engine, spread
from router import collector
from router.basis.instants import SECOND, Instant
from router.basis.machine import DeadlineReached, Event
from router.chains.effects import RingLeg, StopLeg
from router.chains.events import Disposition, LegEnded, LegRinging
from router.engine.clock import Clock, SystemClock
from router.engine.core import Admission, Draft
from router.engine.journal import Order
from router.engine.shell import Engine

CALLS = 10_000
SPAN_S = 16.0
RING_S = 16
LINES = 50
BURST = 25
"""Calls that arrive together: at 625 a second one burst every 40 ms."""
PROBE_S = 0.02


async def _bare(calls: int, span_s: float) -> dict[str, object]:
    loop = asyncio.get_running_loop()
    late: list[float] = []
    done = asyncio.Event()

    def due(wanted: float) -> None:
        late.append((loop.time() - wanted) * 1000)
        if len(late) == calls:
            done.set()

    begin = loop.time() + 1
    for number in range(calls):
        wanted = begin + span_s * number / calls
        loop.call_at(wanted, due, wanted)
    await done.wait()
    return {"late_ms": spread(late), "early": sum(value < 0 for value in late)}


class _Watch:
    """Lateness of deadlines and sizes of batches, as they are committed."""

    def __init__(self, running: Engine) -> None:
        self.late: list[float] = []
        self.batches: list[int] = []
        self.pauses: list[float] = []
        self._running = running
        self._begun = 0.0
        running.observers.append(self._committed)

    def _committed(self, draft: Draft, _orders: list[Order]) -> None:
        if self.late or any(record.source == "timer" for record in draft.batch.records):
            self.batches.append(len(draft.batch.records))
        for record in draft.batch.records:
            if record.source == "timer" and record.event.startswith(b'{"type":"DeadlineReached"'):
                machine = self._running.core.machine("call", 1)
                deadline = self._running.core.codec.event(machine, record.event, record.schema)
                assert isinstance(deadline, DeadlineReached)
                self.late.append((record.at - deadline.deadline) / 1000)

    def collected(self, phase: str, _info: dict[str, int]) -> None:
        """`gc.callbacks`: how long the collector stops everything."""
        if phase == "start":
            self._begun = time.perf_counter()
        else:
            self.pauses.append((time.perf_counter() - self._begun) * 1000)

    def figures(self, calls: int) -> dict[str, object]:
        """Of the first `calls` deadlines."""
        first = self.late[:calls]
        return {
            "late_ms": spread(first),
            "early": sum(value < 0 for value in first),
            "batch_most": max(self.batches),
            "collector_ms": {"times": len(self.pauses), "max": round(max(self.pauses, default=0.0), 1)},
        }


async def _accepted(order: Order) -> Sequence[Event]:
    """A PBX that confirms at once."""
    effect = order.effect
    if isinstance(effect, StopLeg):
        return (LegEnded(effect.leg, Disposition.CANCELLED),)
    return (LegRinging(effect.leg),) if isinstance(effect, RingLeg) else ()


class _Leaping(SystemClock):
    """A clock that can be put forward, as if the process had stood still."""

    def __init__(self) -> None:
        super().__init__()
        self._leapt = 0

    def now(self) -> Instant:
        """The engine's time."""
        return Instant(super().now() + self._leapt)

    def leap(self, us: int) -> None:
        """Stand still for this long."""
        self._leapt += us


async def _office(path: Path, ring_s: int, clock: Clock) -> tuple[Engine, _Watch, asyncio.Task[None]]:
    running = engine(path, clock)
    watch = _Watch(running)
    running.performers |= {f"pbx:{PBX}": _accepted, "inbox": _accepted}
    await running.open()
    turns = asyncio.create_task(running.run())
    await apply(running, company(LINES, exclusive=False, ring_s=ring_s))
    collector.settle()  # as `hopline serve` does
    gc.callbacks.append(watch.collected)
    return running, watch, turns


async def _arrive(running: Engine, calls: int, span_s: float) -> None:
    begun = time.monotonic()
    burst: list[Admission] = []
    for number, admissions in enumerate(arrivals(calls, LINES), 1):
        burst.extend(admissions)
        if number % BURST == 0 or number == calls:
            await asyncio.sleep(max(0.0, begun + span_s * number / calls - time.monotonic()))
            await running.admit(burst)
            burst = []


async def _end(running: Engine, watch: _Watch, turns: "asyncio.Task[None]") -> None:
    gc.callbacks.remove(watch.collected)
    await running.stop()
    turns.cancel()
    await running.store.close()


async def _paced(path: Path, calls: int, span_s: float, ring_s: int) -> dict[str, object]:
    running, watch, turns = await _office(path, ring_s, SystemClock())
    await _arrive(running, calls, span_s)
    live = sum(not chain.final for chain in running.core.live.values())
    while len(watch.late) < calls:  # noqa: ASYNC110 - what is waited for happens in the engine's own tasks
        await asyncio.sleep(PROBE_S)
    await _end(running, watch, turns)
    return watch.figures(calls) | {"live_at_most": live}


async def _backlog(path: Path, calls: int, ring_s: int) -> dict[str, object]:
    clock = _Leaping()
    running, watch, turns = await _office(path, ring_s, clock)
    await _arrive(running, calls, 0.0)
    waited: list[float] = []
    begun = time.perf_counter()
    clock.leap(ring_s * SECOND)
    running.wake()
    for admissions in arrivals(1_000_000, LINES, first=calls):
        asked = time.perf_counter()
        await running.admit(admissions)
        waited.append((time.perf_counter() - asked) * 1000)
        if len(watch.late) >= calls:
            break
        await asyncio.sleep(PROBE_S)
    took = time.perf_counter() - begun
    await _end(running, watch, turns)
    return {"took_s": round(took, 2), "fresh_event_ms": spread(waited), "batch_most": max(watch.batches)}


def measure(calls: int = CALLS, span_s: float = SPAN_S, ring_s: int = RING_S) -> dict[str, object]:
    """One after the other, in one process."""
    bare = asyncio.run(_bare(calls, span_s))
    with tempfile.TemporaryDirectory() as folder:
        paced = asyncio.run(_paced(Path(folder) / "paced.db", calls, span_s, ring_s))
        backlog = asyncio.run(_backlog(Path(folder) / "backlog.db", calls, 60))
    return {
        "calls": calls,
        "ring_s": ring_s,
        "bare": bare,
        "ours": paced,
        "backlog": backlog,
        "ratio_p99": _ratio(paced, bare),
    }


def _ratio(ours: dict[str, object], bare: dict[str, object]) -> float:
    late, least = ours["late_ms"], bare["late_ms"]
    assert isinstance(late, dict)
    assert isinstance(least, dict)
    return round(float(late["p99"]) / max(0.001, float(least["p99"])), 1)
