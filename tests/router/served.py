"""The whole server in this process, with a played PBX behind real webhooks: for what only the whole can show."""

import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from router.app import Parts, Server
from router.basis.people import Chain, Directory, Line, Person
from router.config import config_of
from simulators.pbx.http import PbxServer
from simulators.pbx.switchboard import Switchboard
from tests.support.ports import free_port

PBX, LINE, CALLER = "office", "+74950000001", "+79990001122"
PBX_SECRET = "whsec_" + base64.b64encode(b"the whole server, both sides....").decode()
SECRET = "0123456789abcdef" * 2
EXTENSIONS = {"anna": "101", "boris": "102", "vera": "103"}


def company(**terms: int | str) -> Directory:
    """Three heads on one list."""
    people = tuple(Person(head, head.title(), (extension,)) for head, extension in EXTENSIONS.items())
    chain = Chain("sales", tuple(EXTENSIONS), "", {"no_ringing_after_s": 0, **terms})
    return Directory(people, (Line(LINE, "sales"),), (chain,))


@dataclass(slots=True)
class Served:
    """Both, running."""

    server: Server
    pbx: PbxServer
    session: aiohttp.ClientSession

    async def seen(self) -> None:
        """Returns when the PBX is in sight."""
        switch = self.server.switches[0]
        while not switch.visible:
            await switch.in_sight(True, "the test asks")

    def rows(self, what: str) -> list[Any]:
        """Lines of the PBX's diary."""
        return [entry for entry in self.pbx.board.record.entries if entry.what == what]

    async def get(self, path: str) -> tuple[int, Any]:
        """Status and JSON of an address of the server."""
        async with self.session.get(self.server.url + path) as answer:
            return answer.status, await answer.json()


@asynccontextmanager
async def served(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    parts: Parts | None = None,
    terms: Mapping[str, int | str] | None = None,
    board: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> AsyncIterator[Served]:
    """The server, started; `parts` replaces some of it, `settings` are those of `[server]`."""
    monkeypatch.setenv("HOPLINE_SECRET", SECRET)
    monkeypatch.setenv(f"HOPLINE_PBX_{PBX.upper()}_SECRETS", PBX_SECRET)
    port = free_port()
    switchboard = Switchboard(list(EXTENSIONS.values()), name=PBX, **(board or {}))
    url = f"http://127.0.0.1:{port}/webhooks/pbx/{PBX}"
    async with PbxServer(switchboard, server_url=url, secret=PBX_SECRET) as pbx, aiohttp.ClientSession() as session:
        document = {
            "server": {"port": port, "data": str(folder / "data"), **(settings or {})},
            "pbx": {PBX: {"kind": "webhook", "command_url": pbx.command_url, "look_every_s": 0.5}},
        }
        given = parts or Parts(registry=CollectorRegistry())
        server = Server(config_of(document), given)
        await server.start(company(**(terms or {})))
        running = Served(server, pbx, session)
        try:
            await running.seen()
            yield running
        finally:
            await server.stop()
