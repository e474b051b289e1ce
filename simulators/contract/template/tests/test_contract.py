"""The telephony contract, adapter and fake PBX, both ways over real HTTP on loopback."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from aiohttp import web
from fake import FakePbx
from hopline_newpbx.client import NewPbx
from hopline_newpbx.config import NewPbxSettings
from router.telephony_adapter.port import Telephony
from simulators.contract import Retells, TelephonyContract
from simulators.contract.rig import Server

TOKEN = "a token of the tests"


@dataclass
class Rig:
    telephony: Telephony
    pbx: FakePbx
    server: Server


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    server = Server()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pbx = FakePbx(f"http://127.0.0.1:{port}/webhooks/pbx/office", TOKEN)
    await pbx.appear()
    telephony = NewPbx("office", NewPbxSettings(url=pbx.url, look_every_s=0.05), TOKEN)
    app = web.Application()
    app.add_routes(telephony.routes(server.deliver))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    running = asyncio.create_task(telephony.run(server.deliver, server.in_sight))
    yield Rig(telephony, pbx, server)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await telephony.close()
    await runner.cleanup()
    await pbx.close()


class TestNewPbx(TelephonyContract, Retells):
    """It has no timer of its own and does not remember legs: those laws are not taken."""
