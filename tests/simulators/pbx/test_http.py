"""The played PBX on loopback: what it refuses, and how its post behaves towards a server that fails."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from simulators.pbx import Switchboard
from simulators.pbx.http import PbxServer
from simulators.pbx.signing import key, signed

SECRET = "whsec_aG9wbGluZS1leGFtcGxlLXNlY3JldC0wMDAx"
OTHER = "whsec_b3RoZXItc2VjcmV0LW9mLW5vYm9keS1oZXJlMDAw"


@dataclass
class Ear:
    """A server that only listens. `plan`: statuses of its next answers."""

    plan: list[int] = field(default_factory=list)
    heard: list[tuple[str, str, int]] = field(default_factory=list)
    """webhook-id, type, status answered"""
    deaf_to: set[str] = field(default_factory=set)
    """Calls whose facts are not taken."""

    async def hear(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        status = self.plan.pop(0) if self.plan else 503 if body["call"] in self.deaf_to else 200
        self.heard.append((request.headers["webhook-id"], body["type"], status))
        return web.json_response({}, status=status)


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
async def pbx(ear: Ear) -> AsyncIterator[PbxServer]:
    app = web.Application()
    app.add_routes([web.post("/webhooks/pbx/office", ear.hear)])
    async with TestServer(app) as server:
        url = str(server.make_url("/webhooks/pbx/office"))
        async with PbxServer(Switchboard(["101"]), server_url=url, secret=SECRET) as pbx:
            yield pbx


async def told(pbx: PbxServer) -> None:
    await asyncio.wait_for(pbx.until(lambda: not pbx.post.undelivered()), 60)


async def test_a_fact_is_told_until_it_is_taken_and_the_next_one_waits(pbx: PbxServer, ear: Ear) -> None:
    ear.plan = [503, 500, 200, 503]
    call = pbx.call_in("+7495")
    pbx.hang_up(call)
    await asyncio.wait_for(pbx.settled(), 60)
    first, second = pbx.board.name + "-fact-1", pbx.board.name + "-fact-2"
    assert ear.heard == [
        (first, "call.arrived", 503), (first, "call.arrived", 500), (first, "call.arrived", 200),
        (second, "call.ended", 503), (second, "call.ended", 200),
    ]  # fmt: skip
    tries = [entry.what for entry in pbx.board.record.entries if "fact" in entry.more]
    assert tries == ["refused", "refused", "delivered", "refused", "delivered"]


async def test_calls_do_not_wait_for_one_another(pbx: PbxServer, ear: Ear) -> None:
    def delivered() -> list[str]:
        return [entry.call for entry in pbx.board.record.entries if entry.what == "delivered"]

    ear.deaf_to = {"slow"}
    pbx.call_in("+7495", call="slow")
    await asyncio.wait_for(pbx.until(lambda: len(ear.heard) > 0), 60)
    pbx.call_in("+7495", call="quick")
    await asyncio.wait_for(pbx.until(lambda: delivered() == ["quick"]), 60)
    ear.deaf_to.clear()
    await told(pbx)
    assert delivered() == ["quick", "slow"]


async def test_a_post_that_repeats_itself(pbx: PbxServer, ear: Ear) -> None:
    pbx.post.repeat = 2
    pbx.call_in("+7495")
    await told(pbx)
    assert len(ear.heard) == 3
    assert len({delivery for delivery, _, _ in ear.heard}) == 1


async def test_a_taken_arrival_keeps_the_fallback_away(pbx: PbxServer) -> None:
    call = pbx.call_in("+7495")
    await told(pbx)
    assert pbx.board.calls[call].server_known


async def test_what_is_due_happens_on_time(pbx: PbxServer) -> None:
    call = pbx.call_in("+7495", patience_us=100_000)
    await asyncio.wait_for(pbx.settled(), 60)
    story = pbx.board.record.stories[call]
    assert story.end == "caller_left"
    assert (story.ended or 0) - story.arrived == 100_000


@pytest.mark.parametrize(
    ("secret", "age_s", "body", "status"),
    [
        (OTHER, 0, b"{}", 401),
        (SECRET, 400, b"{}", 401),
        (SECRET, 0, b"{", 400),
        (SECRET, 0, b"[]", 400),
        (SECRET, 0, b"{}", 400),
    ],
)
async def test_commands_are_signed_json(pbx: PbxServer, secret: str, age_s: int, body: bytes, status: int) -> None:
    headers = signed(key(secret), "c-1", body, pbx.now() // 1_000_000 - age_s)
    async with aiohttp.ClientSession() as session, session.post(pbx.command_url, data=body, headers=headers) as answer:
        assert answer.status == status
        assert (await answer.json())["error"]


async def test_the_list_is_for_those_who_sign(pbx: PbxServer) -> None:
    pbx.call_in("+7495", call="c-1")
    url = f"{pbx.command_url}/calls"
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as answer:
            assert answer.status == 401
        headers = signed(key(SECRET), "calls-1", b"", pbx.now() // 1_000_000)
        async with session.get(url, headers=headers) as answer:
            assert [call["call"] for call in (await answer.json())["calls"]] == ["c-1"]
