"""Commands that write speak to the running server over a local socket in the data folder.

With no server they take the writer's lock themselves (`router.cli`). The socket is a file that only the server's own
user may open; whoever can open it could write the journal as well, so it asks for no password.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from router.basis.failures import Mistake, Mistakes
from router.basis.people import Directory
from router.chains.events import DirectoryApplied
from router.chains.roster import ROSTER
from router.clients import Clients, Saved
from router.crm_bridge.builtin.entry import Placed
from router.crm_bridge.directory import differences
from router.engine.core import Admission
from router.engine.quarantine import Kept
from router.engine.shell import Engine
from router.engine.store.port import StoreUnavailable
from router.office import roster_of
from router.operations import DONE, Act, Operations

SOCKET = "hopline.sock"

BODY_LIMIT = 16 * 1024 * 1024
"""Bytes of a command at most: a directory of some thousand people, or a part of an import."""

ENDS_WITHIN = 1.0
"""Seconds that a command under way has when the server stops."""


async def apply_directory(engine: Engine, directory: Directory, by: str, *, dry: bool) -> list[str]:
    """What the document changes; changes it unless `dry` or nothing differs."""
    roster = roster_of(engine.core)
    changed = differences(roster.directory.value if roster.directory else Directory(), directory)
    if changed and not dry:
        pinned = engine.core.contents.pin(directory)
        answers = await engine.admit([Admission(ROSTER, DirectoryApplied(pinned, by), f"person:{by}")])
        if answers[0].error is not None:
            raise answers[0].error
    return changed


def told(saved: Saved) -> dict[str, Any]:
    """What became of a list of clients, as it goes over the socket."""
    return {
        "ids": saved.ids,
        "words": saved.words,
        "changed": saved.changed,
        "warnings": saved.warnings,
        "mistakes": [{"key": one.key, "value": one.value, "remedy": one.remedy} for one in saved.mistakes],
    }


class Control:
    """The server's end of the socket."""

    def __init__(self, engine: Engine, data: Path, clients: Clients, operations: Operations) -> None:
        self._engine = engine
        self._clients = clients
        self._operations = operations
        self._path = data / SOCKET
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Open the socket. Raises Mistakes."""
        app = web.Application(client_max_size=BODY_LIMIT)
        app.add_routes([
            web.post("/apply", self._apply),
            web.post("/clients", self._save_clients),
            web.get("/status", self._status),
            web.post("/do", self._do),
            web.post("/aside", self._aside),
            web.post("/quarantine", self._quarantine),
        ])  # fmt: skip
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=ENDS_WITHIN)
        await runner.setup()
        self._path.unlink(missing_ok=True)  # ours alone: whoever gets here holds the writer's lock
        try:
            await web.UnixSite(runner, str(self._path)).start()
        except OSError as error:
            await runner.cleanup()
            remedy = f"no socket can be opened there: {error}"
            raise Mistakes([Mistake("server.data", str(self._path), remedy)]) from error
        self._runner = runner
        self._path.chmod(0o600)

    async def stop(self) -> None:
        """Close it."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._path.unlink(missing_ok=True)

    async def _apply(self, request: web.Request) -> web.Response:
        body = await request.json()
        directory = msgspec.convert(body["directory"], Directory)
        try:
            changed = await apply_directory(self._engine, directory, str(body["by"]), dry=bool(body["dry"]))
        except StoreUnavailable as error:
            return web.json_response({"error": str(error)}, status=503)
        return web.json_response({"changed": changed})

    async def _save_clients(self, request: web.Request) -> web.Response:
        body = await request.json()
        placed = msgspec.convert(body["clients"], list[Placed])
        try:
            saved = await self._clients.save(placed, str(body["by"]), dry=bool(body["dry"]))
        except StoreUnavailable as error:
            return web.json_response({"error": str(error)}, status=503)
        return web.json_response(told(saved))

    async def _status(self, request: web.Request) -> web.Response:
        lanes = sorted(self._engine.lanes_out_of_sight())
        said = {
            "writable": self._engine.writable,
            "out_of_sight": lanes,
            "draining": self._operations.draining,
            "under_way": self._operations.under_way(),
        }
        return web.json_response(said)

    async def _do(self, request: web.Request) -> web.Response:
        act = msgspec.convert(await request.json(), Act)
        return await _answered(lambda: done(self._operations, act))

    async def _aside(self, request: web.Request) -> web.Response:
        return await _answered(lambda: aside(self._operations))

    async def _quarantine(self, request: web.Request) -> web.Response:
        row = str((await request.json()).get("row", ""))
        return await _answered(lambda: quarantine(self._operations, row))


async def done(operations: Operations, act: Act) -> dict[str, Any]:
    """What became of an act."""
    said = await operations.do(act)
    return {"said": said, "done": said in DONE}


async def aside(operations: Operations) -> dict[str, Any]:
    """Effects put aside."""
    return {"aside": [msgspec.to_builtins(entry) for entry in await operations.asides()]}


async def quarantine(operations: Operations, row: str) -> dict[str, Any]:
    """All rows without their bodies, or one with it."""
    if not row:
        rows = await operations.quarantine.rows()
        return {"rows": [{**_row(kept), "bytes": len(kept.body)} for kept in rows]}
    kept = await operations.unread(row)
    if isinstance(kept, str):
        return {"rows": []}
    return {"rows": [{**_row(kept), "body": kept.body.decode("utf-8", "backslashreplace")}]}


def _row(kept: Kept) -> dict[str, Any]:
    return {"id": kept.id, "at": kept.at, "chain": kept.chain, "source": kept.source, "error": kept.error}


async def _answered(work: Callable[[], Awaitable[dict[str, Any]]]) -> web.Response:
    try:
        return web.json_response(await work())
    except StoreUnavailable as error:
        return web.json_response({"error": str(error)}, status=503)


@asynccontextmanager
async def running_server(data: Path) -> AsyncIterator[aiohttp.ClientSession | None]:
    """A session with the running server; None if there is none. Raises StoreUnavailable where it does not answer."""
    path = data / SOCKET
    if not path.exists():
        yield None
        return
    async with aiohttp.ClientSession(
        "http://hopline", connector=aiohttp.UnixConnector(str(path)), timeout=aiohttp.ClientTimeout(total=10)
    ) as session:
        try:
            async with session.get("/status") as answer:
                answer.raise_for_status()
        except aiohttp.ClientConnectorError:
            yield None  # left over from a server that was killed
            return
        except (aiohttp.ClientError, TimeoutError) as error:
            message = f"the server behind {path} does not answer: {type(error).__name__}"
            raise StoreUnavailable(message) from error
        yield session


async def ask(session: aiohttp.ClientSession, path: str, body: dict[str, Any]) -> Any:
    """One request to the running server. Raises StoreUnavailable where it cannot write or does not answer."""
    try:
        async with session.post(path, json=body) as answer:
            if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
                raise StoreUnavailable((await answer.json())["error"])
            answer.raise_for_status()
            return await answer.json()
    except (aiohttp.ClientError, TimeoutError) as error:
        message = f"the server did not do it: {type(error).__name__}"
        raise StoreUnavailable(message) from error
