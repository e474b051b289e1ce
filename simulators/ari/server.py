"""The doors of the played Asterisk: `/ari` over HTTP, its event socket, and the refusals of the real one."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiohttp import WSMsgType, web

from simulators.ari.switch import Application, Bridge, Channel, Json, Switch

LONGEST_ID = 149  # asterisk include/asterisk/channel.h AST_MAX_UNIQUEID; longer: 400 on originate
DEAF_TO = frozenset({"Down", "Rsrved", "Ringing"})
"""412: an outbound channel in these states refuses answer, ring, continue (asterisk res/ari/resource_channels.c)."""


@dataclass
class Asked:
    """One request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    auth: str


@dataclass
class Fault:
    """What is done with the next request that fits, instead of an answer."""

    method: str
    path_end: str
    status: int
    """0: the connection is cut without an answer; -1: no answer ever comes."""
    body: str = "{}"
    carried_out: bool = False
    """The request is carried out first; only its answer is lost."""


@dataclass
class Door:
    """A running server."""

    switch: Switch
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    booted: bool = True
    answers_pings: bool = True

    def paths(self, method: str) -> list[str]:
        """Paths asked for with this method, in order."""
        return [asked.path for asked in self.asked if asked.method == method]

    async def cut_sockets(self) -> None:
        """All event sockets break; channels stay."""
        for socket in self.sockets:
            await socket.close(code=1001)


@asynccontextmanager
async def running(
    switch: Switch, *, user: str = "hopline", password: str = "secret", port: int = 0, keep_alive_s: float = 15.0
) -> AsyncIterator[Door]:
    """Serve `switch` on loopback until the block ends."""
    door = Door(switch)
    app = web.Application(middlewares=[_guard(door, user, password)])
    app.add_routes(_Rest(door).routes())
    app.router.add_get("/ari/events", partial(_events, door))
    runner = web.AppRunner(app, keepalive_timeout=keep_alive_s, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    door.url = f"http://127.0.0.1:{runner.addresses[0][1]}/ari"
    try:
        yield door
    finally:
        await door.cut_sockets()
        await runner.cleanup()


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _guard(door: Door, user: str, password: str) -> Any:
    expected = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        text = await request.text()
        asked = Asked(
            request.method, request.path.removeprefix("/ari"), dict(request.query), json.loads(text) if text else None,
            request.headers.get("Authorization", ""),
        )  # fmt: skip
        door.asked.append(asked)
        if asked.auth != expected:
            return web.json_response({"message": "Authentication required"}, status=401)
        if not door.booted:
            return web.json_response({"message": "Asterisk not booted"}, status=503)
        for fault in door.faults:
            if fault.method == asked.method and asked.path.endswith(fault.path_end):
                door.faults.remove(fault)
                if fault.carried_out:
                    await handler(request)
                if fault.status < 0:
                    await asyncio.Event().wait()
                if fault.status == 0:
                    assert request.transport
                    request.transport.abort()
                return web.Response(status=fault.status or 500, text=fault.body, content_type="application/json")
        return await handler(request)

    return guard


async def _events(door: Door, request: web.Request) -> web.StreamResponse:
    name = request.query.get("app", "")
    if not name:
        return _no(400, "Missing parameter app")
    socket = web.WebSocketResponse(protocols=("ari",), autoping=door.answers_pings)
    await socket.prepare(request)
    frames: asyncio.Queue[Json] = asyncio.Queue()
    app = door.switch.applications.setdefault(name, Application(name))
    if app.listener:  # the newest wins; the older one is told and stays open and silent
        app.listener({"type": "ApplicationReplaced", "application": name})
    app.listener = frames.put_nowait
    mine = app.listener
    door.sockets.append(socket)
    writer = asyncio.create_task(_write(socket, frames))
    try:
        async for message in socket:
            if message.type in (WSMsgType.CLOSE, WSMsgType.ERROR):
                break
    finally:
        writer.cancel()
        door.sockets.remove(socket)
        if app.listener == mine:
            app.listener = None
    return socket


async def _write(socket: web.WebSocketResponse, frames: asyncio.Queue[Json]) -> None:
    while True:
        frame = await frames.get()
        if not socket.closed:
            await socket.send_json(frame)


def _no(status: int, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status)


def _done() -> web.Response:
    return web.Response(status=204)


class _Rest:
    """One method for each operation used (rest-api/api-docs)."""

    def __init__(self, door: Door) -> None:
        self.switch = door.switch

    def routes(self) -> list[web.RouteDef]:
        """All of them."""
        return [
            web.get("/ari/asterisk/ping", self.ping),
            web.get("/ari/channels", self.channels),
            web.post("/ari/channels/{channel}", self.originate),
            web.get("/ari/channels/{channel}", self.channel),
            web.delete("/ari/channels/{channel}", self.hang_up),
            web.post("/ari/channels/{channel}/{what:answer|ring|continue}", self.act),
            web.post("/ari/channels/{channel}/variable", self.set_variable),
            web.get("/ari/bridges", self.bridges),
            web.post("/ari/bridges/{bridge}", self.make_bridge),
            web.get("/ari/bridges/{bridge}", self.bridge),
            web.delete("/ari/bridges/{bridge}", self.drop_bridge),
            web.post("/ari/bridges/{bridge}/addChannel", self.add_channel),
            web.get("/ari/applications/{app}", self.application),
            web.put("/ari/applications/{app}/eventFilter", self.event_filter),
            web.get("/ari/endpoints", self.endpoints),
        ]

    async def ping(self, request: web.Request) -> web.Response:
        return web.json_response({"ping": "pong"})

    # --- channels -----------------------------------------------------------------------------------------------------

    async def channels(self, request: web.Request) -> web.Response:
        return web.json_response([channel.json() for channel in self.switch.channels.values()])

    async def channel(self, request: web.Request) -> web.Response:
        channel = self.switch.channels.get(request.match_info["channel"])
        return web.json_response(channel.json()) if channel else _no(404, "Channel not found")

    async def originate(self, request: web.Request) -> web.Response:
        asked: Json = {**dict(request.query), **(await request.json() if request.body_exists else {})}
        leg_id, endpoint = request.match_info["channel"], str(asked.get("endpoint", ""))
        timeout = asked.get("timeout", 30)
        if isinstance(timeout, str) and timeout.lstrip("-").isdigit():
            timeout = int(timeout)
        if not endpoint or not asked.get("app") or not isinstance(timeout, int) or len(leg_id) > LONGEST_ID:
            return _no(400, "Invalid parameters")
        if leg_id in self.switch.channels:
            return _no(409, "Channel with given unique ID already exists")
        if asked.get("originator") and asked["originator"] not in self.switch.channels:
            return _no(400, "Provided originator channel was not found")
        phone = self.switch.phones.get(endpoint)
        if phone is None or not phone.registered:
            return web.json_response({"error": "Allocation failed"}, status=500)
        leg = Channel(
            leg_id, f"{endpoint}-{len(self.switch.log):08x}", "Down", endpoint.rpartition("/")[2], app=asked["app"],
            args=tuple(str(asked.get("appArgs", "")).split(",")), shown=str(asked.get("callerId", "")),
        )  # fmt: skip
        self.switch.originate(leg, phone, timeout or 30)
        return web.json_response(leg.json())

    async def hang_up(self, request: web.Request) -> web.Response:
        if "reason" in request.query and "reason_code" in request.query:
            return _no(400, "The reason and reason_code query parameters can't both be specified")
        channel = self.switch.channels.get(request.match_info["channel"])
        if channel is None:
            return _no(404, "Channel not found")
        self.switch.delete(channel, int(request.query.get("reason_code", 16)))
        return _done()

    async def act(self, request: web.Request) -> web.Response:
        channel, refusal = self._controlled(request.match_info["channel"])
        if channel is None:
            return refusal
        match request.match_info["what"]:
            case "answer" if channel.state != "Up":
                channel.state = "Up"
                self.switch.report("ChannelStateChange", channel)
            case "continue":
                self.switch.to_dialplan(channel, request.query.get("context", ""), request.query.get("extension", ""))
            case _:
                pass  # ring, and answer where it is answered already, change nothing
        return _done()

    async def set_variable(self, request: web.Request) -> web.Response:
        channel, refusal = self._controlled(request.match_info["channel"])
        if channel is None:
            return refusal
        channel.variables[request.query["variable"]] = request.query["value"]
        return _done()

    def _controlled(self, channel_id: str) -> tuple[Channel | None, web.Response]:
        channel = self.switch.channels.get(channel_id)
        if channel is None:
            return None, _no(404, "Channel not found")
        if not channel.in_stasis:
            return None, _no(409, "Channel not in Stasis application")
        if channel.outbound and channel.state in DEAF_TO:
            return None, _no(412, "Channel in invalid state")
        return channel, _done()

    # --- bridges ------------------------------------------------------------------------------------------------------

    async def bridges(self, request: web.Request) -> web.Response:
        return web.json_response([bridge.json() for bridge in self.switch.bridges.values()])

    async def bridge(self, request: web.Request) -> web.Response:
        bridge = self.switch.bridges.get(request.match_info["bridge"])
        return web.json_response(bridge.json()) if bridge else _no(404, "Bridge not found")

    async def make_bridge(self, request: web.Request) -> web.Response:
        bridge_id = request.match_info["bridge"]
        if bridge_id in self.switch.bridges:
            return _no(409, f"Bridge with id '{bridge_id}' already exists")
        bridge = self.switch.bridges[bridge_id] = Bridge(bridge_id, request.query.get("name", ""))
        return web.json_response(bridge.json())

    async def drop_bridge(self, request: web.Request) -> web.Response:
        bridge = self.switch.bridges.get(request.match_info["bridge"])
        if bridge is None:
            return _no(404, "Bridge not found")
        for member in list(bridge.members):
            self.switch.part(self.switch.channels[member])
        del self.switch.bridges[bridge.id]
        return _done()

    async def add_channel(self, request: web.Request) -> web.Response:
        bridge = self.switch.bridges.get(request.match_info["bridge"])
        if bridge is None:
            return _no(404, "Bridge not found")
        members = [self.switch.channels.get(name) for name in request.query.get("channel", "").split(",")]
        if None in members:
            return _no(400, "Channel not found")
        joining = [member for member in members if member]
        if not all(member.in_stasis for member in joining):
            return _no(422, "Channel not in Stasis application")
        for member in joining:
            self.switch.join(bridge, member)
        return _done()

    # --- applications, phones -----------------------------------------------------------------------------------------

    async def application(self, request: web.Request) -> web.Response:
        app = self.switch.applications.get(request.match_info["app"])
        if app is None:
            return _no(404, "Application not found")
        channels = [channel.id for channel in self.switch.channels.values() if app.name in channel.told]
        bridges = [bridge.id for bridge in self.switch.bridges.values() if set(bridge.members) & set(channels)]
        return web.json_response({
            "name": app.name, "channel_ids": channels, "bridge_ids": bridges, "endpoint_ids": [], "device_names": [],
            "events_allowed": [], "events_disallowed": [],
        })  # fmt: skip

    async def event_filter(self, request: web.Request) -> web.Response:
        app = self.switch.applications.get(request.match_info["app"])
        if app is None:
            return _no(404, "Application not found")
        allowed = (await request.json()).get("allowed") or []
        app.allowed = frozenset(entry["type"] for entry in allowed) or None
        return await self.application(request)

    async def endpoints(self, request: web.Request) -> web.Response:
        rows = []
        for endpoint, phone in self.switch.phones.items():
            technology, resource = endpoint.split("/")
            state = "online" if phone.registered else "offline"
            here = [channel.id for channel in self.switch.channels.values() if channel.name.startswith(f"{endpoint}-")]
            rows.append({"technology": technology, "resource": resource, "state": state, "channel_ids": here})
        return web.json_response(rows)
