"""The post of a PBX: every fact is told until the server has taken it, in order within one call.

A fact keeps its `webhook-id` and is signed anew at each try. The post survives the server: while nobody answers, facts
wait and are tried again, ever more slowly.
"""

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable

import aiohttp

from simulators.pbx.signing import signed
from simulators.pbx.switchboard import Told

FIRST_WAIT_S, LONGEST_WAIT_S = 0.05, 1.0
"""Between tries: doubled each time. Short, because a test or a demonstration waits for it."""

Outcome = Callable[[Told, int, str], None]
"""Hears of each try: the fact, the status (0: no answer), the answer's text."""


class Post:
    """Delivers facts to one address."""

    def __init__(self, url: str, secret: bytes, session: aiohttp.ClientSession, heard: Outcome) -> None:
        self._url, self._secret, self._session, self._heard = url, secret, session, heard
        self._waiting: dict[str, deque[Told]] = {}
        self._carriers: dict[str, asyncio.Task[None]] = {}
        self._empty = asyncio.Event()
        self._empty.set()
        self.repeat = 0
        """How many times more than necessary each fact is told: a fault for tests of idempotency."""

    def send(self, told: Told) -> None:
        """Put one fact into the queue of its call."""
        self._empty.clear()
        self._waiting.setdefault(told.call, deque()).append(told)
        if told.call not in self._carriers:
            self._carriers[told.call] = asyncio.create_task(self._carry(told.call))

    def undelivered(self) -> int:
        """Facts that the server has not taken yet."""
        return sum(map(len, self._waiting.values()))

    async def empty(self) -> None:
        """Returns when the server has taken everything."""
        await self._empty.wait()

    async def close(self) -> None:
        """Give up."""
        carriers = list(self._carriers.values())
        for carrier in carriers:
            carrier.cancel()
        await asyncio.gather(*carriers, return_exceptions=True)

    async def _carry(self, call: str) -> None:
        queue = self._waiting[call]
        while queue:
            wait_s = FIRST_WAIT_S
            while not await self._told(queue[0]):
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
            for _ in range(self.repeat):
                await self._told(queue[0])
            queue.popleft()
        del self._waiting[call], self._carriers[call]
        if not self._waiting:
            self._empty.set()

    async def _told(self, told: Told) -> bool:
        body = json.dumps(told.body, ensure_ascii=False).encode()
        headers = signed(self._secret, told.id, body, int(time.time())) | {"Content-Type": "application/json"}
        try:
            async with self._session.post(self._url, data=body, headers=headers) as answer:
                status, text = answer.status, await answer.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            status, text = 0, type(error).__name__
        self._heard(told, status, text)
        return 200 <= status < 300
