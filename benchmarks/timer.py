"""Lateness of deadlines at 10,000 live calls, over bare `call_at` with as many handles.

Ours is from the deadline to the stamp its event was admitted under, as the journal has it. The calls arrive over 16 s
and each rings its first head for 16 s, so that 10,000 are live when the first deadline comes and 625 a second fall due;
each is a step, a row, two effects, and the confirmed end of a leg behind it. Bare: 10,000 handles over the same span
that do nothing but look at the clock.
"""

import asyncio
import tempfile
import time
from pathlib import Path

from benchmarks.office import PBX, apply, arrivals, company, engine, spread
from router import collector
from router.basis.machine import DeadlineReached, Event
from router.chains.effects import StopLeg
from router.chains.events import Disposition, LegEnded
from router.engine.clock import SystemClock
from router.engine.core import Draft
from router.engine.journal import Order

CALLS = 10_000
SPAN_S = 16.0
RING_S = 16
LINES = 50
PACE_S = 0.02


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


async def _ours(folder: Path, calls: int, span_s: float) -> dict[str, object]:
    running = engine(folder / "timer.db", SystemClock())
    late: list[float] = []

    def committed(draft: Draft, _orders: list[Order]) -> None:
        for record in draft.batch.records:
            if record.source == "timer" and record.event.startswith(b'{"type":"DeadlineReached"'):
                deadline = running.core.codec.event(running.core.machine("call", 1), record.event, record.schema)
                assert isinstance(deadline, DeadlineReached)
                late.append((record.at - deadline.deadline) / 1000)

    async def accepted(order: Order) -> tuple[Event, ...]:
        effect = order.effect
        return (LegEnded(effect.leg, Disposition.CANCELLED),) if isinstance(effect, StopLeg) else ()

    running.observers.append(committed)
    running.performers |= {f"pbx:{PBX}": accepted, "inbox": accepted}
    await running.open()
    task = asyncio.create_task(running.run())
    await apply(running, company(LINES, exclusive=False, ring_s=RING_S))
    collector.settle()  # as `hopline serve` does
    begun = time.monotonic()
    for admitted, admissions in enumerate(arrivals(calls, LINES)):
        await asyncio.sleep(max(0.0, begun + span_s * admitted / calls - time.monotonic()) if admitted % 25 == 0 else 0)
        await running.admit(admissions)
    live = sum(not chain.final for chain in running.core.live.values())
    while len(late) < calls:  # noqa: ASYNC110 - what is waited for happens in the engine's own tasks
        await asyncio.sleep(PACE_S)
    await running.stop()
    task.cancel()
    await running.store.close()
    first = late[:calls]
    return {"late_ms": spread(first), "early": sum(value < 0 for value in first), "live_at_most": live}


def measure(calls: int = CALLS, span_s: float = SPAN_S) -> dict[str, object]:
    """Both, one after the other, in one process."""
    bare = asyncio.run(_bare(calls, span_s))
    with tempfile.TemporaryDirectory() as folder:
        ours = asyncio.run(_ours(Path(folder), calls, span_s))
    return {"calls": calls, "ring_s": RING_S, "bare": bare, "ours": ours, "ratio_p99": _ratio(ours, bare)}


def _ratio(ours: dict[str, object], bare: dict[str, object]) -> float:
    mine, theirs = ours["late_ms"], bare["late_ms"]
    assert isinstance(mine, dict)
    assert isinstance(theirs, dict)
    return round(float(mine["p99"]) / max(float(theirs["p99"]), 0.001), 1)
