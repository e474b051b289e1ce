"""What goes out, how it is signed, and what happens when nobody answers; against a PBX of a few lines."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from router.basis.failures import Permanent, Temporary
from router.basis.instants import Instant
from router.chains.effects import Connect, LookAtCall, RingBack, StopLeg
from router.chains.events import Disposition, LegEnded, TalkConfirmed
from router.telephony_adapter.port import NotSent
from router.telephony_adapter.webhook import WebhookPbx, WebhookSettings
from router.telephony_adapter.webhook.signature import Keys
from simulators.pbx import signing
from tests.support.ports import free_port

SECRET = "whsec_aG9wbGluZS1leGFtcGxlLXNlY3JldC0wMDAx"
STOP = StopLeg("office", "c", "L1", "no_answer")
LATER = Instant(2**61)


@dataclass
class OtherSide:
    """Answers as it is told and keeps what it was asked."""

    status: int = 200
    body: object = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    silent: bool = False
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    plan: list[int] = field(default_factory=list)
    """Statuses of the next answers, before `status` holds."""
    asked: list[tuple[str, str, str, Any]] = field(default_factory=list)
    """method, path, webhook-id, body"""

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        assert signing.proven([signing.key(SECRET)], request.headers, body, time.time())
        order = json.loads(body) if body else None
        self.asked.append((request.method, request.path, request.headers["webhook-id"], order))
        if self.silent:
            await self.may_answer.wait()
        status = self.plan.pop(0) if self.plan else self.status
        return web.json_response(self.body, status=status, headers=self.headers)


@pytest.fixture
def other() -> OtherSide:
    return OtherSide()


@asynccontextmanager
async def served(other: OtherSide) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", other.take)
    async with TestServer(app) as server:
        yield str(server.make_url("/pbx/"))


@pytest.fixture
async def pbx(other: OtherSide) -> AsyncIterator[WebhookPbx]:
    async with served(other) as url:
        settings = WebhookSettings(command_url=url, answer_within_s=30, look_every_s=0.05)
        pbx = WebhookPbx("office", settings, Keys([SECRET]))
        yield pbx
        await pbx.close()


async def test_a_command_is_a_signed_post(pbx: WebhookPbx, other: OtherSide) -> None:
    assert await pbx.perform(STOP, None) == ()
    ((method, path, _, order),) = other.asked
    assert (method, path) == ("POST", "/pbx")
    assert order == {"command": "stop", "call": "c", "leg": "L1", "why": "no_answer"}


async def test_a_repeat_has_the_same_id_but_each_look_its_own(pbx: WebhookPbx, other: OtherSide) -> None:
    other.body = {"call": "c", "talking_leg": "L1"}
    look = LookAtCall("office", "c", "L1", LATER)
    for effect in (STOP, STOP, look, look):
        await pbx.perform(effect, None)
    first, second, third, fourth = (delivery for _, _, delivery, _ in other.asked)
    assert first == second
    assert len({first, third, fourth}) == 3
    assert await pbx.perform(look, None) == (TalkConfirmed("L1"),)


async def test_ringing_tone_needs_no_command(pbx: WebhookPbx, other: OtherSide) -> None:
    assert await pbx.perform(RingBack("office", "c", LATER), None) == ()
    assert other.asked == []


async def test_the_answer_counts(pbx: WebhookPbx, other: OtherSide) -> None:
    other.status, other.body = 404, {"gone": "leg"}
    assert await pbx.perform(Connect("office", "c", "L1"), None) == (LegEnded("L1", Disposition.CANCELLED),)


async def test_asked_to_wait(pbx: WebhookPbx, other: OtherSide) -> None:
    other.status, other.headers = 429, {"Retry-After": "7"}
    with pytest.raises(NotSent) as failure:
        await pbx.perform(STOP, None)
    assert isinstance(failure.value, Temporary)
    assert failure.value.retry_after_us == 7_000_000


async def test_no_answer_in_time(other: OtherSide) -> None:
    other.silent = True
    async with served(other) as url:
        pbx = WebhookPbx("office", WebhookSettings(command_url=url, answer_within_s=0.2), Keys([SECRET]))
        with pytest.raises(Temporary) as failure:
            await pbx.perform(STOP, None)
        assert not isinstance(failure.value, NotSent)  # it may have been done
        other.may_answer.set()
        await pbx.close()


async def test_nobody_is_there() -> None:
    settings = WebhookSettings(command_url=f"http://127.0.0.1:{free_port()}/pbx")
    pbx = WebhookPbx("office", settings, Keys([SECRET]))
    with pytest.raises(NotSent) as failure:
        await pbx.perform(STOP, None)
    assert isinstance(failure.value, Temporary)
    await pbx.close()


async def test_a_redirect_is_not_followed(pbx: WebhookPbx, other: OtherSide) -> None:
    other.status, other.headers = 307, {"Location": "/elsewhere"}
    with pytest.raises(Permanent, match="final"):
        await pbx.perform(STOP, None)
    assert len(other.asked) == 1


async def test_the_list_of_calls(pbx: WebhookPbx, other: OtherSide) -> None:
    other.body = {"calls": [{"call": "c"}]}
    sighting = await pbx.look()
    assert [sight.call for sight in sighting.calls] == ["c"]
    assert sighting.remembers_legs
    assert other.asked[0][:2] == ("GET", "/pbx/calls")


@pytest.mark.parametrize(("status", "body"), [(200, "hello"), (200, {}), (401, {}), (404, {}), (500, {})])
async def test_a_list_that_cannot_be_had(pbx: WebhookPbx, other: OtherSide, status: int, body: object) -> None:
    other.status, other.body = status, body
    with pytest.raises(Temporary):
        await pbx.look()


async def test_one_slow_moment_is_no_loss_two_are(pbx: WebhookPbx, other: OtherSide) -> None:
    other.body = {"calls": []}
    other.plan = [500, 500, 200, 500, 200, 500, 500, 500, 200]
    sights: list[tuple[bool, int]] = []
    enough = asyncio.Event()

    async def in_sight(seen: bool, _why: str) -> None:
        sights.append((seen, len(other.asked)))
        if len(sights) == 4:
            enough.set()

    async def deliver(_reports: object) -> list[None]:
        return []

    running = asyncio.create_task(pbx.run(deliver, in_sight))
    await asyncio.wait_for(enough.wait(), 60)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    # The first word comes at once, whatever it is; said once, not at each look.
    assert sights == [(False, 1), (True, 3), (False, 7), (True, 9)]


async def test_closed_twice(pbx: WebhookPbx) -> None:
    await pbx.perform(STOP, None)
    await pbx.close()
    await pbx.close()
