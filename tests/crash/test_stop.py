"""SIGTERM in the middle of calls: the server ends within seconds whoever is connected, and its calls go on after it."""

import asyncio

import aiohttp
import pytest

from tests.crash.case import START, Office, Telling
from tests.crash.judge import complaints
from tests.crash.plays import PLAYS
from tests.crash.runs import Runs
from tests.crash.test_kill import has, ordered

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.timeout(1800)]

ENDS_WITHIN_S = 5.0


def with_a_page_open(moment: str) -> Telling:
    """Somebody looks at the live page, whose stream never ends by itself."""

    async def story(office: Office) -> None:
        await office.serve(rank=START)
        pbx = await office.play(PLAYS["third"])
        await pbx.until(ordered(1) if moment == "ring" else has("third", "answered"))
        async with aiohttp.ClientSession(office.url) as session, session.get("/events") as stream:
            assert (await stream.content.readline()).startswith(b"retry")
            await office.stopped()
        await office.serve()

    return Telling(f"stopped-in-{moment}", "third", story, alone=True)


async def with_half_a_request(office: Office) -> None:
    """Somebody who has begun to send and does not go on is not waited for."""
    await office.serve(rank=START)
    pbx = await office.play(PLAYS["third"])
    await pbx.until(ordered(1))
    host, port = office.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /webhooks/pbx/office HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
    await writer.drain()
    await office.stopped()
    writer.close()
    await office.serve()


async def with_a_silent_pbx(office: Office) -> None:
    """Whatever is on its way to it has a moment, no more; whether it was carried out is read afterwards."""
    await office.serve(rank=START)
    pbx = await office.play(PLAYS["third"])
    await pbx.until(ordered(1))
    pbx.freeze()
    try:
        await office.stopped()
    finally:
        pbx.thaw()
    await office.serve()


TELLINGS = [
    with_a_page_open("ring"),
    with_a_page_open("talk"),
    Telling("stopped-with-half-a-request", "third", with_half_a_request, alone=True),
    Telling("stopped-with-a-silent-pbx", "third", with_a_silent_pbx, alone=True),
]


@pytest.mark.parametrize("telling", TELLINGS, ids=lambda telling: telling.id)
def test_it_stops_in_seconds_and_its_calls_go_on(runs: Runs, telling: Telling) -> None:
    left = runs.left(telling)
    assert left.exits == [0]
    assert left.took_s[0] < ENDS_WITHIN_S
    assert asyncio.run(complaints(left)) == []
