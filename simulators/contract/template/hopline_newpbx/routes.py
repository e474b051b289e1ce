"""What NewPbx tells us: `POST /webhooks/pbx/<name>`, answered once the fact is durable, not before."""

import hmac
from collections.abc import Awaitable, Callable

from aiohttp import web
from router.basis.failures import Temporary
from router.telephony_adapter.port import Deliver, UnknownPayload

from hopline_newpbx import wire


class Intake:
    """One PBX's way in."""

    def __init__(self, token: str, deliver: Deliver, keep: Callable[[UnknownPayload], Awaitable[None]]) -> None:
        self._token = token.encode()
        self._deliver = deliver
        self._keep = keep

    async def receive(self, request: web.Request) -> web.Response:
        """One event. Anything but 200 makes the PBX tell it again."""
        if not hmac.compare_digest(request.headers.get("X-Token", "").encode("utf-8", "replace"), self._token):
            return web.json_response({"error": "X-Token: not the one that was agreed"}, status=401)
        report = wire.read(await request.read())
        if isinstance(report, UnknownPayload):
            await self._keep(report)
            return web.json_response({"remark": report.reason})  # telling it again would not make it readable
        try:
            await self._deliver([report])
        except Temporary as failure:
            return web.json_response({"error": failure.code}, status=503)
        return web.json_response({})
