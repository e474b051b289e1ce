"""One case: who dies where, what is played meanwhile, and everything that is left behind to be judged by."""

import asyncio
import os
import shutil
import socket
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from tests.crash.company import configuration
from tests.crash.lives import LOOK_S, PATIENCE_S, Child, Gate, PlayedPbx, start_pbx, start_server
from tests.crash.plays import CALL, Row, facts_told

KILLED = 137
"""128 + SIGKILL, as shells report it; a crash point exits with it."""

RESTART, START = 0, 1
"""Ranks at the gate."""


@dataclass(slots=True)
class Left:
    """What a case left behind."""

    home: Path
    play: str
    rows: list[Row] = field(default_factory=list)
    """The PBX's record."""
    lives: list[list[str]] = field(default_factory=list)
    """What each server said, in order."""
    exits: list[int] = field(default_factory=list)
    """How each server but the last ended."""
    stopped: int | None = None
    """How the last one ended after SIGTERM."""
    took_s: list[float] = field(default_factory=list)
    """How long each orderly stop in the middle of the story took."""


class Office:
    """The place of one case: a copy of the prepared data folder, ports of its own, its processes."""

    def __init__(self, home: Path, prepared: Path, play: str, gate: Gate) -> None:
        self.left = Left(home, play)
        self.server: Child | None = None
        self.pbx: PlayedPbx | None = None
        self._gate = gate
        home.mkdir(parents=True)
        shutil.copytree(prepared, home / "data")
        self._port, self._pbx_port = own_port(), own_port()
        self._config = configuration(home, self._port, self._pbx_port)

    @property
    def journal(self) -> Path:
        """The file that everything is about."""
        return self.left.home / "data" / "hopline.db"

    @property
    def url(self) -> str:
        """Where its server listens."""
        return f"http://127.0.0.1:{self._port}"

    async def serve(self, *, crash_at: str = "", rank: int = RESTART, counting: bool = False) -> Child:
        """Start a server; returns when it listens, or has ended (a crash point at the start)."""
        program = ("-m", "tests.crash.counting", str(self.left.home / "diary")) if counting else ("-m", "router")
        async with self._gate.passed(rank):
            self.server = child = await start_server(self._config, crash_at=crash_at, program=program)
            self.left.lives.append(child.lines)
            try:
                await child.says("hopline listens")
            except EOFError:
                if not crash_at:
                    raise
        return child

    async def play(self, script: dict[str, Any]) -> PlayedPbx:
        """The PBX begins to play."""
        self.pbx = await start_pbx(self.left.home, self._port, self._pbx_port, script)
        self.left.rows = self.pbx.rows
        return self.pbx

    async def dies(self, within_s: float = PATIENCE_S) -> None:
        """The server ends at its crash point. Raises TimeoutError if it lives on."""
        assert self.server is not None
        self.left.exits.append(await self.server.ended(within_s))

    async def killed(self) -> None:
        """SIGKILL."""
        assert self.server is not None
        await self.server.kill()
        assert self.server.process.returncode is not None
        self.left.exits.append(self.server.process.returncode)

    async def stopped(self) -> None:
        """SIGTERM in the middle of things."""
        assert self.server is not None
        began = time.monotonic()
        self.left.exits.append(await self.server.terminate())
        self.left.took_s.append(time.monotonic() - began)

    async def settled(self) -> None:
        """The call is over, the PBX has told everything, and the journal owes nothing."""
        assert self.pbx is not None
        await self.pbx.until(facts_told)
        async with asyncio.timeout(PATIENCE_S):
            while not self._quiet():  # noqa: ASYNC110 - it is another process that writes
                await asyncio.sleep(LOOK_S)

    def _quiet(self) -> bool:
        with closing(sqlite3.connect(f"file:{self.journal}?mode=ro", uri=True)) as journal:
            (owed,) = journal.execute("SELECT count(*) FROM outbox").fetchone()
            rows = journal.execute("SELECT final FROM chain WHERE id = ?", (f"call:office:{CALL}",)).fetchall()
            return not owed and rows == [(1,)]

    async def stop(self) -> None:
        """SIGTERM for the server."""
        assert self.server is not None
        self.left.stopped = await self.server.terminate()

    async def close(self) -> None:
        """Nothing is left running, however the case ended."""
        if self.server is not None:
            await self.server.kill()
        if self.pbx is not None:
            self.pbx.look()
            await self.pbx.child.kill()


_PORTS = count(20_000 + os.getpid() % 4_000 * 3)
"""Below those that the kernel gives to outgoing connections (ip(7), `ip_local_port_range`: 32768 up): a port is kept
for a server that is dead for a while, and nobody else may get it meanwhile."""


def own_port() -> int:
    """A port that no other case of this session has."""
    for port in _PORTS:
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise RuntimeError


Story = Callable[[Office], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Telling:
    """A story of a test's own; several are told side by side."""

    id: str
    play: str
    story: Story
    alone: bool = False
    """Begun with its like when the first of them is asked for: it is about seconds, which a crowd would take."""


async def lived(office: Office, story: Story) -> Left:
    """Let a story happen; the last server is stopped in order once everything has settled."""
    try:
        await story(office)
        await office.settled()
        await office.stop()
    except Exception as error:
        raise AssertionError(_told(office.left, error)) from error  # keeps its words between threads
    finally:
        await office.close()
    return office.left


def _told(left: Left, error: Exception) -> str:
    said = [f"--- life {number}\n" + "\n".join(lines) for number, lines in enumerate(left.lives, 1)]
    rows = [f"--- PBX, exits {left.exits}", *map(str, left.rows[-12:])]
    return "\n".join([f"{type(error).__name__}: {error} in {left.home}", *rows, *said])
