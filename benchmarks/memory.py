"""Bytes per live call, beside a coroutine and a task per call that merely sleeps: the least another design would cost.

Each is measured in a process of its own: resident memory before and after, with the garbage collected.
"""

import asyncio
import gc
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.office import PBX, apply, arrivals, company, engine
from router.engine.clock import SystemClock

CALLS = 10_000
LINES = 50


def _resident() -> int:
    """Bytes of resident memory (proc(5): VmRSS in kB)."""
    gc.collect()
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


async def _ours(calls: int, folder: Path) -> float:
    async def accepted(_order: object) -> tuple[()]:
        return ()

    running = engine(folder / "memory.db", SystemClock())
    running.performers |= {f"pbx:{PBX}": accepted, "inbox": accepted}
    await running.open()
    task = asyncio.create_task(running.run())
    await apply(running, company(LINES, exclusive=False))
    batches = list(arrivals(calls, LINES))
    for admissions in batches[:200]:  # what is allocated once is not a call's
        await running.admit(admissions)
    before = _resident()
    for admissions in batches[200:]:
        await running.admit(admissions)
    after = _resident()
    task.cancel()
    return (after - before) / (calls - 200)


async def _tasks(calls: int) -> float:
    async def call(number: int) -> None:
        hops = [(number, hop, f"{number}.h{hop}") for hop in range(5)]
        for _hop in hops:
            await asyncio.sleep(3600)

    before = _resident()
    tasks = [asyncio.create_task(call(number)) for number in range(calls)]
    await asyncio.sleep(0)
    after = _resident()
    for task in tasks:
        task.cancel()
    return (after - before) / calls


def _run(mode: str, calls: int) -> float:
    command = [sys.executable, "-m", "benchmarks.memory", mode, str(calls)]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    return float(told.splitlines()[-1])  # log lines come before it


def measure(calls: int = CALLS) -> dict[str, object]:
    """Bytes per call of both, and how many times the one is the other."""
    ours, tasks = _run("ours", calls), _run("tasks", calls)
    return {
        "calls": calls,
        "bytes_per_live_call": round(ours),
        "bytes_per_sleeping_task": round(tasks),
        "ratio": round(ours / tasks, 2),
    }


def _main() -> None:
    if sys.argv[1] == "ours":
        with tempfile.TemporaryDirectory() as folder:
            print(asyncio.run(_ours(int(sys.argv[2]), Path(folder))), flush=True)
        os._exit(0)  # the store was not closed: its thread would wait for it
    print(asyncio.run(_tasks(int(sys.argv[2]))), flush=True)


if __name__ == "__main__":
    _main()
