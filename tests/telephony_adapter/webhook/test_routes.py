"""Deliveries over real HTTP: what is taken, what is refused and how; nothing is answered before it is stored."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from router.basis.failures import Temporary
from router.chains.events import CallerHungUp, LegRinging
from router.telephony_adapter.port import Report, UnknownPayload
from router.telephony_adapter.webhook import WebhookPbx, WebhookSettings
from router.telephony_adapter.webhook.signature import Keys
from simulators.pbx import signing

SECRET = "whsec_aG9wbGluZS1leGFtcGxlLXNlY3JldC0wMDAx"
ENDED = b'{"type":"call.ended","call":"c-1"}'


class Journal:
    """What the engine would do with reports."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.kept: list[UnknownPayload] = []
        self.failure: Exception | None = None
        self.replies: list[str | None] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def deliver(self, reports: Sequence[Report]) -> Sequence[str | None]:
        await self.may_answer.wait()
        if self.failure:
            raise self.failure
        self.reports.extend(reports)
        return self.replies or [None] * len(reports)

    async def keep(self, payload: UnknownPayload) -> None:
        self.kept.append(payload)


Post = Callable[..., Awaitable[ClientResponse]]


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
async def post(journal: Journal) -> AsyncIterator[Post]:
    pbx = WebhookPbx("office", WebhookSettings(command_url="http://127.0.0.1:9/c"), Keys([SECRET]))
    pbx.unknown = journal.keep
    app = web.Application(client_max_size=2000)
    app.add_routes(pbx.routes(journal.deliver))

    async with TestClient(TestServer(app)) as client:

        async def send(body: bytes, delivery: str = "fact-1", *, age_s: int = 0, **headers: str) -> ClientResponse:
            signed = signing.signed(signing.key(SECRET), delivery, body, int(time.time()) - age_s)
            return await client.post("/webhooks/pbx/office", data=body, headers=signed | headers)

        yield send


async def said(answer: ClientResponse) -> Any:
    assert answer.content_type == "application/json"
    return json.loads(await answer.read())


async def test_one_event(post: Post, journal: Journal) -> None:
    answer = await post(ENDED)
    assert (answer.status, await said(answer)) == (200, {"accepted": 1})
    assert journal.reports == [Report("c-1", CallerHungUp(), {}, "fact-1", ENDED)]


async def test_a_list(post: Post, journal: Journal) -> None:
    answer = await post(b'[{"type":"leg.ringing","call":"c-1","leg":"L1"},' + ENDED + b"]")
    assert (answer.status, await said(answer)) == (200, {"accepted": 2})
    assert [report.event for report in journal.reports] == [LegRinging("L1"), CallerHungUp()]


async def test_an_empty_list(post: Post, journal: Journal) -> None:
    assert await said(await post(b"[]")) == {"accepted": 0}
    assert journal.reports == []


async def test_an_old_fact_in_a_fresh_delivery(post: Post) -> None:
    old = b'{"type":"call.ended","call":"c-1","timestamp":"2020-01-01T00:00:00Z"}'
    assert (await post(old)).status == 200


async def test_a_stored_reply_is_handed_back(post: Post, journal: Journal) -> None:
    journal.replies = ["ring 101"]
    assert await said(await post(ENDED)) == {"accepted": 1, "replies": ["ring 101"]}


async def test_nothing_is_answered_before_it_is_stored(post: Post, journal: Journal) -> None:
    journal.may_answer.clear()
    answer = asyncio.ensure_future(post(ENDED))
    done, _ = await asyncio.wait([answer], timeout=0.1)
    assert not done
    journal.may_answer.set()
    assert (await answer).status == 200
    assert journal.reports


async def test_the_journal_cannot_be_written(post: Post, journal: Journal) -> None:
    journal.failure = Temporary("journal_down", retry_after_us=1_500_000)
    answer = await post(ENDED)
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "2"
    assert "journal_down" in (await said(answer))["error"]


async def test_without_a_word_how_long_to_wait(post: Post, journal: Journal) -> None:
    journal.failure = Temporary("journal_down")
    assert (await post(ENDED)).headers["Retry-After"] == "1"


async def test_an_unknown_payload_is_kept_and_answered_politely(post: Post, journal: Journal) -> None:
    weather = b'{"type":"weather","call":"c-1"}'
    answer = await post(weather)
    text = await said(answer)
    assert (answer.status, text["accepted"]) == (202, 0)
    assert "weather" in text["not_understood"][0]
    assert [payload.body for payload in journal.kept] == [weather]
    assert journal.reports == []


async def test_the_known_part_of_a_list_is_taken(post: Post, journal: Journal) -> None:
    answer = await post(b'[{"type":"weather"},' + ENDED + b"]")
    assert (answer.status, (await said(answer))["accepted"]) == (202, 1)
    assert [report.event for report in journal.reports] == [CallerHungUp()]
    assert len(journal.kept) == 1


@pytest.mark.parametrize(
    ("headers", "status", "key"),
    [
        ({"webhook-signature": ""}, 400, "webhook-signature"),
        ({"webhook-id": ""}, 400, "webhook-id"),
        ({"webhook-timestamp": "now"}, 400, "webhook-timestamp"),
        ({"webhook-signature": "v1,AAAA"}, 401, "webhook-signature"),
        ({"webhook-id": "fact-2"}, 401, "webhook-signature"),
    ],
)
async def test_refused(post: Post, journal: Journal, headers: dict[str, str], status: int, key: str) -> None:
    answer = await post(ENDED, **headers)
    error = (await said(answer))["error"]
    assert (answer.status, error["key"]) == (status, key)
    assert error["remedy"]
    assert journal.reports == []
    assert journal.kept == []


async def test_a_delivery_that_is_too_old(post: Post, journal: Journal) -> None:
    answer = await post(ENDED, age_s=400)
    assert (answer.status, (await said(answer))["error"]["key"]) == (401, "webhook-timestamp")
    assert journal.reports == []


async def test_no_json(post: Post, journal: Journal) -> None:
    answer = await post(b'{"type":')
    error = (await said(answer))["error"]
    assert (answer.status, error["key"], error["value"]) == (400, "body", '{"type":')
    assert journal.kept == []


async def test_too_much_at_once(post: Post, journal: Journal) -> None:
    answer = await post(b"[" + b",".join([ENDED] * 100) + b"]")
    assert (answer.status, (await said(answer))["error"]["key"]) == (413, "body")
    assert journal.reports == []


async def test_until_the_application_keeps_them_unread_payloads_stay_in_memory() -> None:
    pbx = WebhookPbx("office", WebhookSettings(command_url="http://127.0.0.1:9/c"), Keys([SECRET]))
    for number in range(150):
        await pbx.unknown(UnknownPayload("odd", str(number).encode()))
    assert [payload.body for payload in pbx.unread] == [str(number).encode() for number in range(50, 150)]


async def test_bytes_in_a_header_that_are_no_text(journal: Journal) -> None:
    """They are refused in words, which can be written although the value cannot."""
    pbx = WebhookPbx("office", WebhookSettings(command_url="http://127.0.0.1:9/c"), Keys([SECRET]))
    app = web.Application()
    app.add_routes(pbx.routes(journal.deliver))
    async with TestServer(app) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        headers = b"webhook-id: \xff\xfe\r\nwebhook-timestamp: 1\r\nwebhook-signature: v1,\xff"
        writer.write(
            b"POST /webhooks/pbx/office HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n" + headers + b"\r\n\r\n{}"
        )
        status = await asyncio.wait_for(reader.readline(), 30)
        writer.close()
    assert status.split()[1] == b"400"


async def test_advice_is_json_among_the_replies(post: Post, journal: Journal) -> None:
    said_ = '{"do":"wait","wait_ms":2000}'
    journal.replies = [None, said_]
    body = b'[{"type":"call.ended","call":"a"},{"type":"advice.asked","call":"b","line":"1"}]'
    answer = await post(body)
    assert await answer.read() == b'{"accepted":2,"replies":[null,' + said_.encode() + b"]}"
