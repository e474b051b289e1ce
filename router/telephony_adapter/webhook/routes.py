"""What a webhook PBX tells us: `POST /webhooks/pbx/<name>`. Answered once the facts are durable, not before.

The manual is `docs/webhook-pbx.md`, "Deliveries". This is the hot path: every event of every call comes through here.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec
import structlog
from aiohttp import web

from router.basis.failures import Temporary
from router.telephony_adapter.port import Deliver, Report, UnknownPayload
from router.telephony_adapter.webhook import wire
from router.telephony_adapter.webhook.metrics import FACTS, REFUSED, UNREADABLE
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
            return self._no(413, "body", str(request.content_length or ""), f"send it in parts: {no.text}")
        try:
            delivery = self._keys.check(request.headers, body, self._now_s())
            reports, unknown = wire.read(body, delivery)
        except Refused as no:
            return self._no(no.status, no.key, no.value, no.remedy)
        except wire.Malformed as no:
            return self._no(400, "body", body[:80].decode("utf-8", "replace"), f"no JSON: {no}")
        try:
            replies = await self._deliver(reports) if reports else ()
        except Temporary as failure:
            return self._later(failure)
        self._stored.inc(len(reports))
        if unknown:
            return await self._unknown(len(reports), unknown)
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

    def _no(self, status: int, key: str, value: str, remedy: str) -> web.Response:
        REFUSED.labels(self._name, status).inc()
        log.warning("pbx_delivery_refused", pbx=self._name, status=status, key=key, remedy=remedy)
        return _json(status, {"error": {"key": key, "value": value[:200], "remedy": remedy}})


_ONE = b'{"accepted":1}'


def _accepted(reports: Sequence[Report], replies: Sequence[str | None]) -> web.Response:
    if any(reply is not None for reply in replies):
        return _json(200, {"accepted": len(reports), "replies": list(replies)})
    body = _ONE if len(reports) == 1 else b'{"accepted":%d}' % len(reports)
    return web.Response(body=body, content_type="application/json")


def _json(status: int, said: Mapping[str, object], headers: dict[str, str] | None = None) -> web.Response:
    body = msgspec.json.encode(said)
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)
