"""Webhook after a durable commit over the bare aiohttp floor: whole calls, all events for the first time, in order per
call.

The mix of a call stands in `webhook_client.deliveries`: eleven deliveries, as `docs/webhook-pbx.md` asks for them. 64
calls are under way at any time, each on a connection of its own. Both servers live for the whole run, and slices of
load go to them in turn, floor · ours · floor · … · floor: what else the machine does then falls on both, and a server
that became slower as it runs would show. Each slice of ours is compared with the floor before and after it; the ratio
is the median of these comparisons. The ratio of processor time beside it does not depend on how busy the disk is.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean, median, quantiles
from typing import Any

from benchmarks.webhook_client import PER_CALL, deliveries, drive
from benchmarks.webhook_server import LINES, SECRET

AT_ONCE = 64
CALLS = 192
"""Calls in one slice: 2,112 deliveries, half a second of ours. Short, because what else a shared machine does changes
within seconds."""
ROUNDS = 31


class _Server:
    """`benchmarks.webhook_server` as a process of its own."""

    def __init__(self, mode: str, folder: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.webhook_server", mode, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.port: int = self._told()["port"]

    def cpu_s(self) -> float:
        """Processor time used so far, seconds, all threads (kernel, Documentation/scheduler/sched-stats.rst: the first
        field is nanoseconds on the processor)."""
        tasks = Path(f"/proc/{self._process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text(encoding="ascii").split()[0]) for task in tasks) / 1e9

    def end(self) -> dict[str, Any]:
        """Stop it; what it says about itself at the end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        told = self._told()
        self._process.wait(30)
        return told

    def kill(self) -> None:
        """Whatever happens, nothing is left running."""
        self._process.kill()
        self._process.wait(30)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _told(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        return told


async def _slice(server: _Server, calls: list[list[bytes]], at_once: int) -> dict[str, Any]:
    before = server.cpu_s()
    figures = await drive(server.port, calls, at_once)
    return figures | {"cpu_us_per_event": round((server.cpu_s() - before) / (len(calls) * PER_CALL) * 1e6, 1)}


async def _in_turn(
    floor: _Server, ours: _Server, calls: int, rounds: int, at_once: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    floors: list[dict[str, Any]] = []
    of_ours: list[dict[str, Any]] = []
    for number in range(rounds + 1):
        # Signed here, between the slices, and not in one go: a delivery is believed for five minutes.
        first, now_s = number * calls, int(time.time())
        told = [deliveries(first + call, call % at_once % LINES, SECRET, now_s) for call in range(calls)]
        floors.append(await _slice(floor, told, at_once))
        if number < rounds:
            of_ours.append(await _slice(ours, told, at_once))
    return floors, of_ours


def _quartiles(ratios: list[float]) -> list[float]:
    """First quartile, median, third: half of the rounds lie between the outer two."""
    return [round(cut, 3) for cut in quantiles(ratios, n=4)] if len(ratios) > 1 else [round(ratios[0], 3)] * 3


def measure(calls: int = CALLS, rounds: int = ROUNDS, at_once: int = AT_ONCE) -> dict[str, object]:
    """Floor and ours in turn; the ratio, and how far the rounds lie apart."""
    servers: list[_Server] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            for mode in ("floor", "ours"):
                servers.append(_Server(mode, folder))  # noqa: PERF401 - the first must be known if the second fails
            floor, own = servers
            floors, ours = asyncio.run(_in_turn(floor, own, calls, rounds, at_once))
            floor.end()
            left = own.end()
        finally:
            for server in servers:
                server.kill()
    ratios = [
        run["per_s"] / mean((before["per_s"], after["per_s"]))
        for run, before, after in zip(ours, floors[:-1], floors[1:], strict=True)
    ]
    of_floor, of_ours = (median(run["cpu_us_per_event"] for run in runs) for runs in (floors, ours))
    return {
        "floor_per_s": median(run["per_s"] for run in floors),
        "ours_per_s": median(run["per_s"] for run in ours),
        "ratio": round(median(ratios), 3),
        "quartiles": _quartiles(ratios),
        "cpu_us_per_event": {"floor": of_floor, "ours": of_ours, "ratio": round(of_floor / of_ours, 3)},
        "events_per_round": calls * PER_CALL,
        "at_once": at_once,
        "left": left,
        "latency_ms": {
            name: median(run["latency_ms"]["median"] for run in runs)
            for name, runs in (("floor", floors), ("ours", ours))
        },
        "load": os.getloadavg()[0],
        "ratio_of_rounds": [round(ratio, 3) for ratio in ratios],
    }
