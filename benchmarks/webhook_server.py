"""The two servers that `webhook` measures, each a process of its own: `floor` and `ours`.

`floor` reads the body and answers 200. `ours` checks the signature, lets the call machine step, commits to a SQLite
file with `synchronous=FULL`, hands the effects to a sink in the same process, counts, and answers after the commit.
"""

import asyncio
import base64
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from aiohttp import web
from prometheus_client import CollectorRegistry

from benchmarks.office import PBX, apply, company, engine
from router import collector
from router.basis.machine import Event
from router.chains.effects import TelephonyEffect
from router.engine.clock import SystemClock
from router.engine.core import Draft
from router.engine.journal import Order
from router.engine.metrics import EngineMetrics
from router.logs import set_up
from router.switch import Switch
from router.telephony_adapter.webhook import WebhookPbx, WebhookSettings
from router.telephony_adapter.webhook.signature import Keys

SECRET = "whsec_" + base64.b64encode(b"benchmark secret of 32 bytes ...").decode()
LINES = 128


class SilentPbx(WebhookPbx):
    """Takes orders and does nothing: what sending costs is not measured here."""

    async def perform(self, effect: TelephonyEffect, caller: str | None) -> Sequence[Event]:
        """Accepted."""
        return ()


Ending = Callable[[], Awaitable[dict[str, int]]]
"""Brings a server to rest and says what is left."""


async def floor() -> tuple[web.Application, Ending]:
    """The least a server can do with a delivery."""

    async def receive(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=b'{"accepted":1}', content_type="application/json")

    async def end() -> dict[str, int]:
        return {}

    app = web.Application()
    app.add_routes([web.post(f"/webhooks/pbx/{PBX}", receive)])
    return app, end


async def ours(folder: Path) -> tuple[web.Application, Ending]:
    """The real way of an event."""
    running = engine(folder / "bench.db", SystemClock())
    EngineMetrics(running, CollectorRegistry())
    await running.open()

    events = 0

    def count(draft: Draft, _orders: list[Order]) -> None:
        nonlocal events
        events += len(draft.batch.records)

    running.observers.append(count)

    async def card(_order: Order) -> Sequence[Event]:
        return ()

    running.performers["inbox"] = card
    pbx = SilentPbx(PBX, WebhookSettings(command_url="http://127.0.0.1:9/none"), Keys([SECRET]))
    switch = Switch(
        pbx, running, region="RU", keep_raw=True, look_every=3600, resync_limit=3600, rung_twice=lambda _: None
    )
    running.performers[switch.lane] = switch.perform
    turns = asyncio.create_task(running.run())
    await apply(running, company(LINES))
    app = web.Application()
    app.add_routes(pbx.routes(switch.deliver))

    async def end() -> dict[str, int]:
        await running.stop()
        await turns
        live = sum(not chain.final for chain in await running.store.load_live())
        left = {"events": events, "live_calls": live - 1, "effects": len(running.outbox)}  # the roster lives on
        await running.store.close()
        return left

    return app, end


async def main() -> None:
    """Serve on a free port, tell it, until the standard input ends. Log lines are written as in production."""
    set_up("json")
    app, end = await (floor() if sys.argv[1] == "floor" else ours(Path(sys.argv[2])))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    if sys.argv[1] == "ours":
        collector.settle()  # as `hopline serve` does
    print(json.dumps({"port": runner.addresses[0][1]}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print(json.dumps(await end()), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
