"""`python -m simulators.pbx` as a process of its own: it plays to the end, whether or not a server is there."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from router.chains.effects import Connect, TelephonyEffect
from router.chains.events import CallArrived, CallerHungUp, LegAnswered, LegEnded, LegRinging, TalkEnded, TalkStarted
from router.telephony_adapter.port import Report
from router.telephony_adapter.webhook import WebhookPbx, WebhookSettings
from router.telephony_adapter.webhook.signature import Keys
from simulators.contract.rig import Server, ring
from simulators.pbx import scenario
from tests.support.ports import free_port

pytestmark = pytest.mark.net

SECRET = "whsec_aG9wbGluZS1leGFtcGxlLXNlY3JldC0wMDAx"
PLAY: dict[str, Any] = {
    "phones": [{"extension": "101", "rings": [[], [{"after_s": 0.05, "do": "answer"}]]}],
    "calls": [{"at_s": 0.05, "line": "+74950000001", "caller": "+79990001122", "call": "c-1"}],
    "talk_s": 0.2,
    "no_server_s": None,
}


@asynccontextmanager
async def played(
    tmp_path: Path, port: int, play: dict[str, Any], *more: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    script = tmp_path / "play.json"
    script.write_text(json.dumps(play), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulators.pbx", "--server-url", f"http://127.0.0.1:{port}/webhooks/pbx/office",
        "--script", str(script), "--record", str(tmp_path / "record.jsonl"), *more,
        env=os.environ | {"HOPLINE_PBX_WEBHOOK_SECRETS": SECRET}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def line(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    said: dict[str, Any] = json.loads(await asyncio.wait_for(process.stdout.readline(), 60))
    return said


def record(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(row) for row in (tmp_path / "record.jsonl").read_text(encoding="utf-8").splitlines()]


@asynccontextmanager
async def server_at(port: int, command_url: str) -> AsyncIterator[tuple[Server, WebhookPbx]]:
    server = Server()
    pbx = WebhookPbx("office", WebhookSettings(command_url=command_url), Keys([SECRET]))
    app = web.Application()
    app.add_routes(pbx.routes(server.deliver))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield server, pbx
    finally:
        await pbx.close()
        await runner.cleanup()


async def test_the_server_dies_in_the_middle_and_nothing_is_lost(tmp_path: Path) -> None:
    port = free_port()
    async with played(tmp_path, port, PLAY) as process:
        command_url = (await line(process))["command_url"]
        async with server_at(port, command_url) as (server, pbx):
            await server.hears(CallArrived, "c-1")
            await perform(pbx, ring("office", "c-1", "L1", ring_s=1))
            await server.hears(LegRinging, "c-1", "L1")
            first_life = server.reports
        # Nobody listens while the first ring runs out. A second life begins:
        async with server_at(port, command_url) as (server, pbx):
            await server.hears(LegEnded, "c-1", "L1")
            await perform(pbx, ring("office", "c-1", "L2"))
            await server.hears(LegAnswered, "c-1", "L2")
            await perform(pbx, Connect("office", "c-1", "L2"))
            await server.hears(CallerHungUp, "c-1")
            assert await line(process) == {"over": True, "calls": 1, "ends": ["talked"]}
            assert await asyncio.wait_for(process.wait(), 60) == 0
            told = [report for report in (*first_life, *server.reports) if report.call == "c-1"]
    assert [type(report.event) for report in told] == [
        CallArrived, LegRinging, LegEnded, LegRinging, LegAnswered, TalkStarted, TalkEnded, LegEnded, CallerHungUp,
    ]  # fmt: skip
    assert len({report.origin for report in told}) == len(told)
    rows = record(tmp_path)
    assert [row["what"] for row in rows if row["what"] in ("ordered", "talk_began", "call_ended")] == [
        "ordered", "ordered", "talk_began", "call_ended",
    ]  # fmt: skip
    assert sum(row["what"] == "delivered" for row in rows) == len(told)


async def test_it_gives_up_and_says_what_is_left(tmp_path: Path) -> None:
    async with played(tmp_path, free_port(), PLAY, "--give-up-s", "0.8") as process:
        await line(process)
        said = await line(process)
        assert said["live"] == ["c-1"]
        assert said["undelivered"] == 1
        assert await asyncio.wait_for(process.wait(), 60) == 3
    assert "undelivered" in {row["what"] for row in record(tmp_path)}


async def test_without_a_server_the_fallback_serves(tmp_path: Path) -> None:
    play = PLAY | {"no_server_s": 0.1, "fallback": {"after_s": 0.1, "answered_by": "200", "talk_s": 0.1}}
    async with played(tmp_path, free_port(), play, "--give-up-s", "2") as process:
        await line(process)
        assert (await line(process))["live"] == []
    ends = [row for row in record(tmp_path) if row["what"] == "call_ended"]
    assert [(row["end"], row["answered_by"]) for row in ends] == [("fallback_answered", "200")]


def test_a_play_with_a_mistake_names_its_place(tmp_path: Path) -> None:
    script = tmp_path / "play.json"
    script.write_text('{"calls": [{"line": "1", "patience": 3}]}', encoding="utf-8")
    with pytest.raises(msgspec.ValidationError, match="patience"):
        scenario.read(script)


async def perform(pbx: WebhookPbx, effect: TelephonyEffect) -> None:
    facts: tuple[Report, ...] = tuple(Report("c-1", fact) for fact in await pbx.perform(effect, None))
    assert facts == ()
