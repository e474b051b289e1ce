"""NewPbx as its manual describes it, on a real port: clients dial, phones ring, events are told until they are taken.

Shares nothing with the adapter; refuses what the vendor refuses. What is invented here is to be made true.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import aiohttp
from aiohttp import web
from simulators.contract.rig import CALLER, LINE


class FakePbx:
    """Start with `appear`, end with `close`."""

    def __init__(self, hook: str, token: str) -> None:
        self._hook, self._token = hook, token
        self._phones = {"101": "free", "102": "free"}
        self._calls: dict[str, dict[str, Any]] = {}
        self._rung: Counter[str] = Counter()
        self._post: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._numbers = {"call": 0, "n": 0}
        self._port = 0
        self._carrier = asyncio.create_task(self._carry())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    # --- what people do (simulators.contract.rig.Neighbour) -----------------------------------------------------------

    async def caller_dials(self, caller: str = CALLER) -> str:
        call = f"call-{self._next('call')}"
        self._calls[call] = {"call": call, "line": LINE, "number": caller, "legs": {}, "talks": ""}
        self._tell("incoming", call, line=LINE, number=caller)
        return call

    async def caller_hangs_up(self, call: str) -> None:
        self._end_call(call, "client")

    async def head_answers(self, extension: str) -> None:
        call, leg = self._ringing(extension)
        call["legs"][leg]["up"] = True
        self._tell("answer", call["call"], leg=leg, phone=extension)

    async def head_declines(self, extension: str) -> None:
        call, leg = self._ringing(extension)
        self._end_leg(call, leg, "reject")

    async def head_hangs_up(self, extension: str) -> None:
        call, leg = self._ringing(extension)
        if call["talks"] == leg:
            self._end_talk(call, "agent")
        self._end_leg(call, leg, "normal")

    async def phone_is_busy(self, extension: str) -> None:
        self._phones[extension] = "busy"

    async def phone_goes(self, extension: str) -> None:
        self._phones[extension] = "offline"

    async def vanish(self) -> None:
        await self._runner.cleanup()

    async def appear(self) -> None:
        app = web.Application()
        app.add_routes([web.get("/calls", self._list), web.post("/call/{call}/{what}", self._do)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]

    async def close(self) -> None:
        self._carrier.cancel()
        await asyncio.gather(self._carrier, return_exceptions=True)
        await self.vanish()

    def rings(self, extension: str) -> int:
        return self._rung[extension]

    def rings_now(self) -> Sequence[str]:
        return [leg["phone"] for call in self._calls.values() for leg in call["legs"].values() if not leg["up"]]

    def talks_now(self) -> Sequence[tuple[str, str]]:
        return [(name, call["legs"][call["talks"]]["phone"]) for name, call in self._calls.items() if call["talks"]]

    # --- its API ------------------------------------------------------------------------------------------------------

    async def _list(self, request: web.Request) -> web.Response:
        if request.headers.get("X-Token") != self._token:
            return web.json_response({}, status=403)
        seen = [
            call | {"legs": [{"leg": name, **leg} for name, leg in call["legs"].items()]}
            for call in self._calls.values()
        ]
        return web.json_response(seen)

    async def _do(self, request: web.Request) -> web.Response:
        if request.headers.get("X-Token") != self._token:
            return web.json_response({}, status=403)
        call, what = self._calls.get(request.match_info["call"]), request.match_info["what"]
        body = await request.json()
        if call is None:
            return web.json_response({"gone": "call"}, status=404)
        status, said = self._obey(call, what, body)
        return web.json_response(said, status=status)

    def _obey(self, call: dict[str, Any], what: str, body: dict[str, Any]) -> tuple[int, dict[str, str]]:
        leg = body.get("leg", "")
        match what:
            case "ring":
                phone = body["phone"]
                state = self._phones.get(phone, "offline")
                if state != "free":
                    return 409, {"reason": state}
                call["legs"][leg] = {"phone": phone, "up": False}
                self._rung[phone] += 1
                self._tell("ringing", call["call"], leg=leg, phone=phone)
            case "stop" | "join" if leg not in call["legs"]:
                return 404, {"gone": "leg"}
            case "stop":
                self._end_leg(call, leg, "cancel")
            case "join" if not call["talks"] and call["legs"][leg]["up"]:
                call["talks"] = leg
                self._tell("talk", call["call"], leg=leg, phone=call["legs"][leg]["phone"])
            case "join":
                return 409, {}
            case "hangup" | "reception":
                self._end_call(call["call"], "server")
            case _:
                return 400, {"reason": f"unknown: {what}"}
        return 200, {}

    # --- inside -------------------------------------------------------------------------------------------------------

    def _ringing(self, extension: str) -> tuple[dict[str, Any], str]:
        return next(
            (call, name) for call in self._calls.values() for name, leg in call["legs"].items()
            if leg["phone"] == extension
        )  # fmt: skip

    def _end_leg(self, call: dict[str, Any], leg: str, reason: str) -> None:
        del call["legs"][leg]
        self._tell("leg_end", call["call"], leg=leg, reason=reason)

    def _end_talk(self, call: dict[str, Any], by: str) -> None:
        call["talks"] = ""
        self._tell("talk_end", call["call"], reason=by)

    def _end_call(self, name: str, by: str) -> None:
        call = self._calls.pop(name)
        if talking := call["talks"]:
            self._end_talk(call, by)
        self._tell("bye", name)
        for leg in list(call["legs"]):
            self._end_leg(call, leg, "normal" if leg == talking else "cancel")

    def _next(self, what: str) -> int:
        self._numbers[what] += 1
        return self._numbers[what]

    def _tell(self, event: str, call: str, **more: str) -> None:
        self._post.put_nowait({"event": event, "n": self._next("n"), "call": call} | more)

    async def _carry(self) -> None:
        async with aiohttp.ClientSession(headers={"X-Token": self._token}) as session:
            while True:
                body = json.dumps(await self._post.get())
                while not await self._taken(session, body):  # noqa: ASYNC110 - it tries again
                    await asyncio.sleep(0.05)

    async def _taken(self, session: aiohttp.ClientSession, body: str) -> bool:
        try:
            async with session.post(self._hook, data=body) as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False
