"""SIGTERM in the middle of calls: the server ends within seconds whoever is connected, and its calls go on after it."""

import asyncio
import time

import aiohttp
import pytest

from tests.crash.case import START, Office
from tests.crash.plays import PLAYS
from tests.crash.runs import Runs
from tests.crash.test_kill import has, judged, ordered

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.timeout(1800)]

ENDS_WITHIN_S = 5.0


@pytest.mark.parametrize("moment", ["in_ring", "in_talk"])
def test_it_stops_with_a_live_call(runs: Runs, moment: str) -> None:
    took: list[float] = []

    async def story(office: Office) -> None:
        server = await office.serve(rank=START)
        pbx = await office.play(PLAYS["third"])
        await pbx.until(ordered(1) if moment == "in_ring" else has("third", "answered"))
        async with aiohttp.ClientSession(office.url) as session:
            stream = await session.get("/events")
            assert (await stream.content.readline()).startswith(b"retry")
            began = time.monotonic()
            office.left.exits.append(await server.terminate())
            took.append(time.monotonic() - began)
        await office.serve()

    left = runs.live(f"stop-{moment}", "third", story)
    assert left.exits == [0]
    assert took[0] < ENDS_WITHIN_S
    assert judged(left) == []


def test_it_stops_with_a_request_that_never_ends(runs: Runs) -> None:
    """Somebody who has begun to send and does not go on is not waited for."""
    took: list[float] = []

    async def story(office: Office) -> None:
        server = await office.serve(rank=START)
        pbx = await office.play(PLAYS["third"])
        await pbx.until(ordered(1))
        host, port = office.url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /webhooks/pbx/office HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()
        began = time.monotonic()
        office.left.exits.append(await server.terminate())
        took.append(time.monotonic() - began)
        writer.close()
        await office.serve()

    left = runs.live("stop-half", "third", story)
    assert left.exits == [0]
    assert took[0] < ENDS_WITHIN_S
    assert judged(left) == []


def test_it_stops_while_the_pbx_does_not_answer(runs: Runs) -> None:
    """An order that is on its way has a moment, no more; whether it was carried out is read afterwards."""
    took: list[float] = []

    async def story(office: Office) -> None:
        server = await office.serve(rank=START)
        pbx = await office.play(PLAYS["third"])
        await pbx.until(ordered(1))
        pbx.freeze()
        try:
            began = time.monotonic()
            office.left.exits.append(await server.terminate())
            took.append(time.monotonic() - began)
        finally:
            pbx.thaw()
        await office.serve()

    left = runs.live("stop-frozen", "third", story)
    assert left.exits == [0]
    assert took[0] < ENDS_WITHIN_S
    assert judged(left) == []
