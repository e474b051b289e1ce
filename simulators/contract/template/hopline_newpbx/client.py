"""What we ask of NewPbx over its API. No state is kept that the PBX does not have."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import aiohttp
import msgspec
from aiohttp import web
from router.basis.failures import Failure, Temporary
from router.basis.machine import Event
from router.chains.effects import LookAtCall, TelephonyEffect
from router.telephony_adapter.port import Deliver, NotSent, Sighting, UnknownPayload

from hopline_newpbx import wire
from hopline_newpbx.config import ABILITIES, NewPbxSettings
from hopline_newpbx.routes import Intake


class NewPbx:
    """One connected NewPbx (`port.Telephony`)."""

    def __init__(self, name: str, settings: NewPbxSettings, token: str) -> None:
        self.name = name
        self.abilities = ABILITIES
        self.unknown: Callable[[UnknownPayload], Awaitable[None]] = _forget
        """Keeper of payloads that could not be read, put in by the server."""
        self._settings = settings
        self._token = token
        self._session: aiohttp.ClientSession | None = None

    async def perform(self, effect: TelephonyEffect, caller: str | None) -> Sequence[Event]:
        """See the port."""
        if isinstance(effect, LookAtCall):
            return wire.looked(effect, await self.look())
        asked = wire.request(effect, caller)
        if asked is None:
            return ()
        status, body = await self._ask("POST", asked[0], msgspec.json.encode(asked[1]))
        return wire.facts(effect, status, body)

    async def look(self) -> Sighting:
        """See the port."""
        status, body = await self._ask("GET", "/calls", b"")
        if status != 200:
            raise Temporary(f"http_{status}", "GET /calls")
        return wire.sighting(body)

    async def run(self, deliver: Deliver, in_sight: Callable[[bool, str], Awaitable[None]]) -> None:
        """Watch whether it is there; its events come by `routes`."""
        visible: bool | None = None
        while True:
            try:
                await self.look()
            except Failure as why:
                if visible is not False:
                    visible = False
                    await in_sight(False, str(why))
            else:
                if not visible:
                    visible = True
                    await in_sight(True, "its calls were read")
            await asyncio.sleep(self._settings.look_every_s)

    def routes(self, deliver: Deliver) -> Sequence[web.RouteDef]:
        """See the port."""
        intake = Intake(self._token, deliver, self._keep)
        return [web.post(f"/webhooks/pbx/{self.name}", intake.receive)]

    async def close(self) -> None:
        """See the port."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _ask(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=self._settings.answer_within_s)
            self._session = aiohttp.ClientSession(timeout=timeout, headers={"X-Token": self._token})
        url = self._settings.url.rstrip("/") + path
        try:
            async with self._session.request(method, url, data=body or None, allow_redirects=False) as answer:
                return answer.status, await answer.read()
        except aiohttp.ClientConnectorError as error:
            raise NotSent("not_reached", str(error.os_error)) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Temporary("no_answer", type(error).__name__) from error

    async def _keep(self, payload: UnknownPayload) -> None:
        await self.unknown(payload)


async def _forget(payload: UnknownPayload) -> None:
    """Until the server puts its own keeper in."""
