"""The PBX's side of `webhook`: what it tells of one call, signed beforehand, and as little HTTP client as possible."""

import asyncio
import json
import time

from benchmarks.office import PBX, spread
from simulators.pbx.signing import key, signed

PER_CALL = 11
"""Deliveries of one call, all for the first time: see `deliveries`."""


def deliveries(number: int, line: int, secret: str, now_s: int) -> list[bytes]:
    """What a PBX that keeps `docs/webhook-pbx.md` tells of one call, as requests for a connection that stays open.

    The client arrives; a first head does not answer, a second declines, a third picks up and talks until the client
    hangs up. Every leg is told to its end, also the one that talked: only that ends the server's stop.
    """
    call = f"c-{number}"
    leg = [f"{call}.h{hop}" for hop in (1, 2, 3)]
    extension = str(1000 + line * 5 + 2)
    events: list[dict[str, object]] = [
        {"type": "call.arrived", "line": f"+7495{line:07}", "caller": f"+7999{number:07}"},
        {"type": "leg.ringing", "leg": leg[0]},
        {"type": "leg.ended", "leg": leg[0], "how": "no_answer", "code": 19},
        {"type": "leg.ringing", "leg": leg[1]},
        {"type": "leg.ended", "leg": leg[1], "how": "declined", "code": 21},
        {"type": "leg.ringing", "leg": leg[2]},
        {"type": "leg.answered", "leg": leg[2], "extension": extension},
        {"type": "talk.started", "leg": leg[2], "extension": extension},
        {"type": "talk.ended", "by": "caller"},
        {"type": "leg.ended", "leg": leg[2], "how": "completed", "code": 16},
        {"type": "call.ended", "by": "caller"},
    ]
    assert len(events) == PER_CALL
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(now_s))
    head = {"timestamp": stamp, "call": call}
    return [
        _request(f"{call}-{place}", {"type": event["type"]} | head | event, secret, now_s)
        for place, event in enumerate(events)
    ]


def _request(message: str, event: dict[str, object], secret: str, now_s: int) -> bytes:
    body = json.dumps(event).encode()
    headers = signed(key(secret), message, body, now_s)
    head = [
        f"POST /webhooks/pbx/{PBX} HTTP/1.1",
        "Host: bench",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class Connection(asyncio.Protocol):
    """Sends one request, hands back the answer: nothing more, so that the server is what is measured."""

    def __init__(self) -> None:
        self._received = b""
        self._answer: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0 or self._answer is None:
            return
        head = self._received[:end].lower()
        length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        if len(self._received) >= end + 4 + length:
            answer, self._received = self._received, b""
            self._answer.set_result(answer)

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError(f"the server closed the connection: {error}"))

    def ask(self, request: bytes) -> "asyncio.Future[bytes]":
        """Send; the future holds the answer."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def close(self) -> None:
        """Hang up."""
        assert self._transport is not None
        self._transport.close()


async def drive(port: int, calls: list[list[bytes]], at_once: int) -> dict[str, object]:
    """Tell all calls, `at_once` under way at any time, each on a connection of its own and in order. Raises
    RuntimeError for any answer but 200."""
    loop = asyncio.get_running_loop()
    connections = [(await loop.create_connection(Connection, "127.0.0.1", port))[1] for _ in range(at_once)]
    latencies: list[float] = []

    async def slot(connection: Connection, queue: list[list[bytes]]) -> None:
        for call in queue:
            for request in call:
                begun = time.perf_counter()
                answer = await connection.ask(request)
                latencies.append((time.perf_counter() - begun) * 1000)
                if not answer.startswith(b"HTTP/1.1 200"):
                    raise RuntimeError(answer.decode())

    begun = time.perf_counter()
    await asyncio.gather(*(slot(one, calls[number::at_once]) for number, one in enumerate(connections)))
    seconds = time.perf_counter() - begun
    for connection in connections:
        connection.close()
    return {"per_s": round(len(latencies) / seconds, 1), "latency_ms": spread(latencies)}
