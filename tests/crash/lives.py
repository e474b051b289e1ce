"""The processes of one case: a server that may die and be started again, and a played PBX that outlives it."""

import asyncio
import heapq
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

from tests.crash.company import SHARED_SECRET, environment

PATIENCE_S = 90.0
"""Whatever is waited for comes within seconds; two noisy cores with many children on them get much more."""

LOOK_S = 0.03
"""Pause between two looks at what another process has written."""


class Gate:
    """Lets few servers start at a time, those first that a caller waits for: a restart must not queue behind starts."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._queue: list[tuple[int, int, asyncio.Future[None]]] = []
        self._tick = count()

    @asynccontextmanager
    async def passed(self, rank: int) -> AsyncIterator[None]:
        """Inside, one of the few; a smaller rank goes first."""
        if self._room == 0:
            turn = asyncio.get_running_loop().create_future()
            heapq.heappush(self._queue, (rank, next(self._tick), turn))
            await turn
        else:
            self._room -= 1
        try:
            yield
        finally:
            if self._queue:
                heapq.heappop(self._queue)[2].set_result(None)
            else:
                self._room += 1


class Child:
    """A process whose lines on one stream are kept and can be waited for."""

    def __init__(self, process: asyncio.subprocess.Process, stream: asyncio.StreamReader) -> None:
        self.process = process
        self.lines: list[str] = []
        self._more = asyncio.Condition()
        self._reading = asyncio.create_task(self._read(stream))

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            async with self._more:
                self.lines.append(line.decode(errors="replace").rstrip("\n"))
                self._more.notify_all()
        async with self._more:
            self._more.notify_all()

    async def says(self, text: str, within_s: float = PATIENCE_S) -> str:
        """The first line with this text. Raises EOFError with all lines if the process ends without it."""

        def found() -> bool:
            return self._reading.done() or any(text in line for line in self.lines)

        reading = asyncio.create_task(self._noted_end())
        try:
            async with asyncio.timeout(within_s), self._more:
                await self._more.wait_for(found)
        except TimeoutError:
            raise TimeoutError(f"{text!r} not said: " + "\n".join(self.lines)) from None
        finally:
            reading.cancel()
        for line in self.lines:
            if text in line:
                return line
        raise EOFError("\n".join(self.lines))

    async def _noted_end(self) -> None:
        await asyncio.shield(self._reading)
        async with self._more:
            self._more.notify_all()

    async def ended(self, within_s: float = PATIENCE_S) -> int:
        """The exit code, after all lines have been read."""
        async with asyncio.timeout(within_s):
            await self._reading
            return await self.process.wait()

    async def kill(self) -> None:
        """SIGKILL, if it still lives."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await self._reading

    async def terminate(self, within_s: float = PATIENCE_S) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await self.ended(within_s)


async def start_server(config: Path, *, crash_at: str = "", program: Sequence[str] = ("-m", "router")) -> Child:
    """`hopline serve`. Its log is read from standard error."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *program, "serve", "--config", str(config),
        env=environment({"HOPLINE_CRASH_AT": crash_at}), stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    return Child(process, process.stderr)


class PlayedPbx:
    """`python -m simulators.pbx` and its record as far as it is written."""

    def __init__(self, child: Child, record: Path, command_url: str) -> None:
        self.child = child
        self.command_url = command_url
        self._record = record
        self._read = 0
        self.rows: list[dict[str, Any]] = []

    def look(self) -> list[dict[str, Any]]:
        """The diary so far."""
        with self._record.open("rb") as diary:
            diary.seek(self._read)
            for line in diary:
                if not line.endswith(b"\n"):
                    break
                self._read += len(line)
                self.rows.append(json.loads(line))
        return self.rows

    def freeze(self) -> None:
        """It answers nobody; its calls go on when it thaws."""
        self.child.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        self.child.process.send_signal(signal.SIGCONT)

    async def until(self, true: Callable[[list[dict[str, Any]]], bool], within_s: float = PATIENCE_S) -> None:
        """Returns when the diary is so."""
        async with asyncio.timeout(within_s):
            while not true(self.look()):  # noqa: ASYNC110 - it is another process that writes
                await asyncio.sleep(LOOK_S)


async def start_pbx(home: Path, port: int, pbx_port: int, play: dict[str, Any]) -> PlayedPbx:
    """A PBX in a process of its own; returns when it listens."""
    script, record = home / "play.json", home / "record.jsonl"
    script.write_text(json.dumps(play), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulators.pbx", "--port", str(pbx_port), "--script", str(script),
        "--record", str(record), "--server-url", f"http://127.0.0.1:{port}/webhooks/pbx/office",
        env=environment({"HOPLINE_PBX_WEBHOOK_SECRETS": SHARED_SECRET}), stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    child = Child(process, process.stdout)
    said = json.loads(await child.says("command_url"))
    return PlayedPbx(child, record, said["command_url"])
