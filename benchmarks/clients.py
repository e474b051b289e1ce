"""The client book with 10,000 clients: import, import again, start, look-up by number, beside what it would be without.

Import is `Clients.save` over an open journal on the disk, as `hopline clients import` does it, first dry and then in
earnest. The start is told with and without the book, each in a process of its own.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CLIENTS = 10_000
TOGETHER = 200
LOOKS = 100_000


def _table(clients: int) -> str:
    lines = ["id,name,kind,phones,mails,priority"]
    lines += [
        f"c{n},Client number {n},client,+7999{n:07} +7495{n:07},client{n}@example.org,{n % 10}" for n in range(clients)
    ]
    return "\n".join(lines) + "\n"


async def _make(folder: Path, clients: int) -> dict[str, float]:
    from router.clients import Clients  # noqa: PLC0415 - imports are measured below
    from router.crm_bridge.builtin.table import read_table  # noqa: PLC0415
    from router.own_engine import own_engine  # noqa: PLC0415

    told: dict[str, float] = {}
    begun = time.perf_counter()
    placed = read_table(_table(clients), "RU")
    told["read_table_s"] = time.perf_counter() - begun
    async with own_engine(folder) as engine:
        book = Clients(engine)
        await book.open()
        slowest = 0.0
        for name, dry in (("dry_s", True), ("import_s", False), ("same_again_s", False)):
            begun = time.perf_counter()
            for start in range(0, len(placed), TOGETHER):
                part = time.perf_counter()
                saved = await book.save(placed[start : start + TOGETHER], "bench", dry=dry)
                assert not saved.mistakes
                slowest = max(slowest, time.perf_counter() - part)
            told[name] = time.perf_counter() - begun
        told["slowest_request_s"] = slowest
        tokens = [client.phones[0] for client in book.book]
        begun = time.perf_counter()
        for number in range(LOOKS):
            book.book.by_phone(tokens[number % len(tokens)])
        told["look_us"] = (time.perf_counter() - begun) / LOOKS * 1e6
    return {name: round(value, 3) for name, value in told.items()}


async def _start(folder: Path, *, with_book: bool) -> dict[str, float]:
    from router.clients import Clients  # noqa: PLC0415
    from router.own_engine import own_engine  # noqa: PLC0415

    begun = time.perf_counter()
    async with own_engine(folder) as engine:
        opened = time.perf_counter()
        clients = Clients(engine)
        if with_book:
            await clients.open()
        told = {"engine_s": opened - begun, "book_s": time.perf_counter() - opened}
        return {**{name: round(value, 3) for name, value in told.items()}, "clients": len(clients.book)}


def measure(clients: int = CLIENTS) -> dict[str, object]:
    """Import into a new journal; start over it, with the book and without."""
    with tempfile.TemporaryDirectory() as folder:
        made = asyncio.run(_make(Path(folder), clients))
        starts: dict[str, object] = {}
        for name in ("with_book", "without"):
            command = [sys.executable, "-m", "benchmarks.clients", folder, name]
            told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
            starts[name] = json.loads(told.splitlines()[-1])
        size = (Path(folder) / "hopline.db").stat().st_size
    return {"clients": clients, **made, "start": starts, "journal_mb": round(size / 1e6, 1)}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_start(Path(sys.argv[1]), with_book=sys.argv[2] == "with_book"))), flush=True)
    os._exit(0)
