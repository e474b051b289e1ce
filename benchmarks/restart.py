"""A restart with 10,000 live calls: from opening the store to all deadlines armed and the first overdue one handled.

The journal is made by a process of its own; the restart is another, so that nothing is warm. Imports are told apart,
and so is the PBX's read-back, which this does not have. Floor: reading the same rows with sqlite3 and nothing else.
"""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CALLS = 10_000
LINES = 50
RING_S = 8


async def _make(folder: Path, calls: int, ring_s: int) -> None:
    from benchmarks.office import PBX, apply, arrivals, company, engine  # noqa: PLC0415 - imports are measured below
    from router.engine.clock import SystemClock  # noqa: PLC0415

    async def accepted(_order: object) -> tuple[()]:
        return ()

    running = engine(folder / "restart.db", SystemClock())
    running.performers |= {f"pbx:{PBX}": accepted, "inbox": accepted}
    await running.open()
    task = asyncio.create_task(running.run())
    await apply(running, company(LINES, exclusive=False, ring_s=ring_s))
    waiting = [admission for admissions in arrivals(calls, LINES) for admission in admissions]
    for start in range(0, len(waiting), 1_000):
        await running.admit(waiting[start : start + 1_000])
    await running.stop()
    task.cancel()
    await running.store.close()


async def _again(folder: Path) -> dict[str, float]:
    begun = time.perf_counter()
    from benchmarks.office import engine  # noqa: PLC0415
    from router.engine.clock import SystemClock  # noqa: PLC0415

    imported = time.perf_counter()
    running = engine(folder / "restart.db", SystemClock())
    handled = asyncio.Event()
    running.observers.append(lambda draft, _: handled.set() if draft.batch.records else None)
    await running.open()
    armed = time.perf_counter()
    task = asyncio.create_task(running.run())
    await handled.wait()
    first = time.perf_counter()
    live = len(running.core.timer)
    task.cancel()
    return {
        "imports_s": round(imported - begun, 3),
        "armed_s": round(armed - imported, 3),
        "first_overdue_s": round(first - imported, 3),
        "live": live,
    }


def _floor(folder: Path) -> float:
    begun = time.perf_counter()
    connection = sqlite3.connect(folder / "restart.db")
    connection.execute("SELECT * FROM chain WHERE NOT final").fetchall()
    connection.execute("SELECT chain, origin, reply FROM event WHERE origin IS NOT NULL").fetchall()
    connection.execute("SELECT * FROM outbox").fetchall()
    connection.close()
    return round(time.perf_counter() - begun, 4)


def measure(calls: int = CALLS, ring_s: int = RING_S) -> dict[str, object]:
    """Make the journal, wait until the first deadlines have passed, restart."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_make(Path(folder), calls, ring_s))
        time.sleep(ring_s + 0.5)  # the first hop of the first calls is over: there is something overdue
        command = [sys.executable, "-m", "benchmarks.restart", folder]
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
        ours: dict[str, float] = json.loads(told.splitlines()[-1])  # log lines come before it
        floor = _floor(Path(folder))
    return {"calls": calls, **ours, "floor_s": floor, "ratio": round(ours["armed_s"] / floor, 1)}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_again(Path(sys.argv[1])))), flush=True)
    # The reading connection's thread would keep the process until the store is closed; this one dies as if killed.
    os._exit(0)
