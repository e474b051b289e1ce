"""The telephony contract, webhook adapter and played PBX, both ways over real HTTP on loopback."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from aiohttp import web

from router.telephony_adapter.port import Telephony
from router.telephony_adapter.webhook import WebhookPbx, WebhookSettings
from router.telephony_adapter.webhook.signature import Keys
from simulators.contract import (
    AdviserContract,
    IdempotentLegs,
    OwnPlan,
    OwnTimer,
    Retells,
    TelephonyContract,
    TellsDevices,
    WitnessContract,
)
from simulators.contract.rig import CALLER, LINE, Server
from simulators.pbx import Leg, Switchboard
from simulators.pbx.http import PbxServer
from simulators.pbx.switchboard import Style
from tests.support.ports import free_port

SECRET = "whsec_aG9wbGluZS1jb250cmFjdC1zdWl0ZS1zZWNyZXQh"


class Office:
    """The played PBX, moved as the contract's people do."""

    def __init__(self, pbx: PbxServer) -> None:
        self._pbx = pbx
        self._board = pbx.board

    async def caller_dials(self, caller: str = CALLER) -> str:
        return self._pbx.call_in(LINE, caller)

    async def caller_hangs_up(self, call: str) -> None:
        self._pbx.hang_up(call)

    async def head_answers(self, extension: str) -> None:
        self._pbx.do(self._leg(extension), "answer")

    async def head_declines(self, extension: str) -> None:
        self._pbx.do(self._leg(extension), "decline")

    async def head_hangs_up(self, extension: str) -> None:
        self._pbx.do(self._leg(extension), "hang_up")

    async def phone_is_busy(self, extension: str) -> None:
        self._board.occupy(self._pbx.now(), extension, until=2**60)

    async def phone_goes(self, extension: str) -> None:
        self._pbx.set_phone(extension, reachable=False)

    async def vanish(self) -> None:
        await self._pbx.vanish()

    async def appear(self) -> None:
        await self._pbx.appear()

    def rings(self, extension: str) -> int:
        return sum(entry.what == "ringing" and entry.extension == extension for entry in self._board.record.entries)

    def rings_now(self) -> Sequence[str]:
        return [
            phone.extension for phone in self._board.phones.values() for leg in phone.legs if leg.state == "ringing"
        ]

    def talks_now(self) -> Sequence[tuple[str, str]]:
        return [(call.id, call.talking.extension) for call in self._board.calls.values() if call.talking]

    def _leg(self, extension: str) -> Leg:
        (leg,) = self._board.phones[extension].legs
        return leg


@dataclass
class WebhookRig:
    telephony: Telephony
    pbx: Office
    server: Server


@asynccontextmanager
async def connected(*, polls: bool = False, style: Style = "conductor") -> AsyncIterator[WebhookRig]:
    """Adapter and PBX; commands are delivered, or fetched."""
    server, port = Server(), free_port()
    board = Switchboard(["101", "102"], no_server_us=None, style=style, hunt=["101", "102"], hunt_ms=30_000)
    url = f"http://127.0.0.1:{port}/webhooks/pbx/office"
    async with PbxServer(board, server_url=url, secret=SECRET, polls=polls) as pbx:
        way = {"commands": "poll"} if polls else {"command_url": pbx.command_url}
        settings = WebhookSettings.model_validate({**way, "style": style, "look_every_s": 0.05, "answer_within_s": 0.5})
        telephony: Telephony = WebhookPbx("office", settings, Keys([SECRET]))
        app = web.Application()
        app.add_routes(telephony.routes(server.deliver))
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        running = asyncio.create_task(telephony.run(server.deliver, server.in_sight))
        yield WebhookRig(telephony, Office(pbx), server)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await telephony.close()
        await runner.cleanup()


class TestDelivered(TelephonyContract, OwnTimer, IdempotentLegs, Retells, OwnPlan, TellsDevices):
    """All laws apply where commands are delivered."""

    @pytest.fixture
    async def rig(self) -> AsyncIterator[WebhookRig]:
        async with connected(polls=False) as rig:
            yield rig


class TestFetched(TelephonyContract, OwnTimer, IdempotentLegs, Retells, OwnPlan, TellsDevices):
    """And where the PBX fetches them."""

    @pytest.fixture
    async def rig(self) -> AsyncIterator[WebhookRig]:
        async with connected(polls=True) as rig:
            yield rig


class TestAsking(AdviserContract):
    """A PBX that asks."""

    @pytest.fixture
    async def rig(self) -> AsyncIterator[WebhookRig]:
        async with connected(style="adviser") as rig:
            yield rig


class TestHunting(WitnessContract):
    """A PBX that hunts by itself."""

    @pytest.fixture
    async def rig(self) -> AsyncIterator[WebhookRig]:
        async with connected(style="witness") as rig:
            yield rig
