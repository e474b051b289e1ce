"""Webhook after a durable commit over the bare aiohttp floor: whole calls, all events for the first time, in order per
call.

The mix of a call: it arrives, rings a first head who does not answer, a second who declines, a third who picks up,
talks and hangs up: ten deliveries. 64 calls are under way at any time, each on a connection of its own. The client
signs beforehand and is the same for both servers; both are measured in turn, three times, and the medians compared.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.office import PBX, spread
from benchmarks.webhook_server import LINES, SECRET
from simulators.pbx.signing import key, signed

AT_ONCE = 64
CALLS = 1_280
ROUNDS = 3


def deliveries(call: str, line: int, now_s: int) -> list[bytes]:
    """The ten requests of one call, as bytes for a connection that stays open."""
    leg = [f"{call}.h{number}" for number in (1, 2, 3)]
    extension = [str(1000 + line * 5 + seat) for seat in range(3)]
    events: list[dict[str, object]] = [
        {"type": "call.arrived", "line": f"+7495{line:07}", "caller": f"+7999{hash(call) % 10_000_000:07}"},
        {"type": "leg.ringing", "leg": leg[0], "extension": extension[0]},
        {"type": "leg.ended", "leg": leg[0], "extension": extension[0], "how": "no_answer"},
        {"type": "leg.ringing", "leg": leg[1], "extension": extension[1]},
        {"type": "leg.ended", "leg": leg[1], "extension": extension[1], "how": "declined"},
        {"type": "leg.ringing", "leg": leg[2], "extension": extension[2]},
        {"type": "leg.answered", "leg": leg[2], "extension": extension[2]},
        {"type": "talk.started", "leg": leg[2], "extension": extension[2]},
        {"type": "talk.ended", "leg": leg[2], "by": "caller"},
        {"type": "call.ended", "by": "caller"},
    ]
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now_s))
    return [
        _request(f"{call}-{number}", event | {"call": call, "timestamp": stamp}, now_s)
        for number, event in enumerate(events)
    ]


def _request(message: str, event: dict[str, object], now_s: int) -> bytes:
    body = json.dumps(event).encode()
    headers = signed(key(SECRET), message, body, now_s)
    head = [
        f"POST /webhooks/pbx/{PBX} HTTP/1.1",
        "Host: bench",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class _Connection(asyncio.Protocol):
    """Sends one request, hands back the answer: as little client as possible, so that the server is what is
    measured."""

    def __init__(self) -> None:
        self._received = b""
        self._answer: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._received[:end].lower()
        length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        if len(self._received) >= end + 4 + length and self._answer is not None:
            answer, self._received = self._received, b""
            self._answer.set_result(answer)

    def ask(self, request: bytes) -> "asyncio.Future[bytes]":
        """Send; the future holds the answer."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer


async def _drive(port: int, calls: list[list[bytes]]) -> dict[str, object]:
    loop = asyncio.get_running_loop()
    queues: list[list[list[bytes]]] = [calls[slot::AT_ONCE] for slot in range(AT_ONCE)]
    latencies: list[float] = []

    async def slot(queue: list[list[bytes]]) -> None:
        _, connection = await loop.create_connection(_Connection, "127.0.0.1", port)
        for call in queue:
            for request in call:
                begun = time.perf_counter()
                answer = await connection.ask(request)
                latencies.append((time.perf_counter() - begun) * 1000)
                if not answer.startswith(b"HTTP/1.1 200"):
                    raise RuntimeError(answer.decode())

    begun = time.perf_counter()
    await asyncio.gather(*(slot(queue) for queue in queues))
    seconds = time.perf_counter() - begun
    return {"per_s": round(len(latencies) / seconds, 1), "latency_ms": spread(latencies)}


def _run(mode: str, folder: str, tag: str) -> dict[str, object]:
    now_s = int(time.time())
    calls = [deliveries(f"{tag}-{number}", number % AT_ONCE % LINES, now_s) for number in range(CALLS)]
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.webhook_server", mode, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        before = _cpu_s(server.pid)
        figures = asyncio.run(_drive(port, calls))
        figures["cpu_us_per_event"] = round((_cpu_s(server.pid) - before) / (CALLS * 10) * 1e6, 1)
        return figures
    finally:
        server.kill()
        server.wait(30)


def _cpu_s(process: int) -> float:
    """Processor time a process has used, seconds (proc(5): fields 14 and 15 of /proc/PID/stat)."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure() -> dict[str, object]:
    """Floor and ours in turn; the ratio of the medians."""
    floor: list[dict[str, object]] = []
    ours: list[dict[str, object]] = []
    for number in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            floor.append(_run("floor", folder, f"f{number}"))
            ours.append(_run("ours", folder, f"o{number}"))
    rate = {name: median(float(str(run["per_s"])) for run in runs) for name, runs in (("floor", floor), ("ours", ours))}
    return {
        "floor_per_s": rate["floor"],
        "ours_per_s": rate["ours"],
        "ratio": round(rate["ours"] / rate["floor"], 3),
        "events": CALLS * 10,
        "at_once": AT_ONCE,
        "rounds": {"floor": floor, "ours": ours},
    }
