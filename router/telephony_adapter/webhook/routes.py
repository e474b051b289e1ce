"""Where a webhook PBX comes to us: `POST /webhooks/pbx/<name>` with its facts, answered once they are durable, not
before; `GET` and `POST …/commands` where it fetches its commands and answers them; `GET …/openapi.json`.

The manual is `docs/webhook-pbx.md`, "Deliveries" and "Fetching commands". `Intake` is the hot path: every event of
every call comes through it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec
import structlog
from aiohttp import web

from router.basis.failures import Temporary
from router.chains.events import AdviceAsked
from router.telephony_adapter.port import Deliver, Report, UnknownPayload
from router.telephony_adapter.webhook import commands, wire
from router.telephony_adapter.webhook.mailbox import Mailbox
from router.telephony_adapter.webhook.metrics import FACTS, LATE_ANSWERS, POLLS, REFUSED, UNREADABLE
from router.telephony_adapter.webhook.paper import document
from router.telephony_adapter.webhook.signature import Keys, Refused

log = structlog.get_logger()

Keep = Callable[[UnknownPayload], Awaitable[None]]
"""Puts away a payload that could not be read."""

_SHORTEST_WAIT_S = 1
"""Retry-After when nothing better is known, seconds: its smallest value above zero."""


class Intake:
    """One PBX's way in."""

    def __init__(self, name: str, keys: Keys, deliver: Deliver, keep: Keep, now_s: Callable[[], float]) -> None:
        self._name = name
        self._keys = keys
        self._deliver = deliver
        self._keep = keep
        self._now_s = now_s
        self._stored = FACTS.labels(name)
        self._unreadable = UNREADABLE.labels(name)

    async def receive(self, request: web.Request) -> web.Response:
        """One delivery: an event, or a list of events."""
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge as no:
            return _no(
                self._name, Refused(413, "body", str(request.content_length or ""), f"send it in parts: {no.text}")
            )
        try:
            delivery = self._keys.check(request.headers, body, self._now_s())
            reports, unknown = wire.read(body, delivery)
        except Refused as no:
            return _no(self._name, no)
        except wire.Malformed as no:
            return _no(self._name, Refused(400, "body", body[:80].decode("utf-8", "replace"), f"no JSON: {no}"))
        try:
            replies = await self._deliver(reports) if reports else ()
            self._stored.inc(len(reports))
            if unknown:
                return await self._unknown(len(reports), unknown)
        except Temporary as failure:
            return self._later(failure)
        return _accepted(reports, replies)

    async def _unknown(self, accepted: int, unknown: Sequence[UnknownPayload]) -> web.Response:
        """Kept and answered politely: telling it again would not make it readable."""
        for payload in unknown:
            self._unreadable.inc()
            log.warning("pbx_payload_unknown", pbx=self._name, reason=payload.reason)
            await self._keep(payload)
        reasons = [payload.reason for payload in unknown]
        text = "kept, but not understood; compare with docs/webhook-pbx.md; do not send it again as it is"
        return _json(202, {"accepted": accepted, "not_understood": reasons, "remark": text})

    def _later(self, failure: Temporary) -> web.Response:
        REFUSED.labels(self._name, 503).inc()
        wait_s = max(_SHORTEST_WAIT_S, -(-(failure.retry_after_us or 0) // 1_000_000))
        said = {"error": f"not stored yet ({failure.code}): send it again under the same webhook-id"}
        return _json(503, said, {"Retry-After": str(wait_s)})


class Counter:
    """Where a PBX that cannot be reached fetches its commands and answers them."""

    def __init__(self, name: str, keys: Keys, mailbox: Mailbox, now_s: Callable[[], float]) -> None:
        self._name = name
        self._keys = keys
        self._mailbox = mailbox
        self._now_s = now_s

    async def fetch(self, request: web.Request) -> web.Response:
        """`?after=` the last position, `?wait_s=` how long to wait for a command."""
        try:
            self._keys.check(request.headers, b"", self._now_s())
            wait_s = _wait_s(request.query.get("wait_s", ""))
        except Refused as no:
            return _no(self._name, no)
        POLLS.labels(self._name).inc()
        handed = await self._mailbox.hand_out(request.query.get("after", ""), wait_s)
        if handed is None:
            return _json(503, {"error": "the server is stopping: come again"}, {"Retry-After": str(_SHORTEST_WAIT_S)})
        after, letters = handed
        said = {"after": after, "commands": [{"id": one.id, "command": msgspec.Raw(one.body)} for one in letters]}
        body = msgspec.json.encode(said)
        headers = self._keys.sign(f"commands-{after}", body, self._now_s())
        return web.Response(body=body, content_type="application/json", headers=headers)

    async def answer(self, request: web.Request) -> web.Response:
        """What became of one command, or of several."""
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge as no:
            return _no(self._name, Refused(413, "body", "", f"send it in parts: {no.text}"))
        try:
            self._keys.check(request.headers, body, self._now_s())
            said = commands.read_answers(body)
        except Refused as no:
            return _no(self._name, no)
        except msgspec.DecodeError as error:
            return _no(self._name, Refused(400, "body", body[:80].decode("utf-8", "replace"), str(error)))
        waited = [self._mailbox.answered(one.id, (one.status, bytes(one.body), one.retry_after)) for one in said]
        LATE_ANSWERS.labels(self._name).inc(waited.count(False))
        return _json(200, {"taken": waited.count(True)})


LONGEST_POLL_S = 60
"""A proxy in between closes what is silent for longer (nginx: proxy_read_timeout, 60 s)."""
_USUAL_POLL_S = 25


def _wait_s(text: str) -> float:
    if not text:
        return _USUAL_POLL_S
    if not (
        text.isascii() and text.isdecimal() and len(text) <= len(str(LONGEST_POLL_S)) and int(text) <= LONGEST_POLL_S
    ):
        raise Refused(400, "wait_s", text, f"whole seconds, 0 to {LONGEST_POLL_S}")
    return int(text)


def paper(name: str, *, polled: bool) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Serves the OpenAPI document of this PBX."""
    body = msgspec.json.encode(document(name, polled=polled))

    async def serve(_request: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    return serve


def _no(name: str, no: Refused) -> web.Response:
    REFUSED.labels(name, no.status).inc()
    log.warning("pbx_delivery_refused", pbx=name, status=no.status, key=no.key, remedy=no.remedy)
    value = no.value[:200].encode("utf-8", "replace").decode()  # a header may hold bytes that are no text
    return _json(no.status, {"error": {"key": no.key, "value": value, "remedy": no.remedy}})


_ONE = b'{"accepted":1}'


def _accepted(reports: Sequence[Report], replies: Sequence[str | None]) -> web.Response:
    if any(reply is not None for reply in replies):
        said = [_word(report, reply) for report, reply in zip(reports, replies, strict=True)]
        return _json(200, {"accepted": len(reports), "replies": said})
    body = _ONE if len(reports) == 1 else b'{"accepted":%d}' % len(reports)
    return web.Response(body=body, content_type="application/json")


def _word(report: Report, reply: str | None) -> object:
    """Advice is JSON as it was stored: the bytes of the first answer are those of each repeat."""
    return msgspec.Raw(reply.encode()) if reply is not None and isinstance(report.event, AdviceAsked) else reply


def _json(status: int, said: Mapping[str, object], headers: dict[str, str] | None = None) -> web.Response:
    body = msgspec.json.encode(said)
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)
