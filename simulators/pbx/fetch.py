"""How a PBX behind NAT gets its commands: it polls, carries each out, and answers each.

Written from `docs/webhook-pbx.md`, "Fetching commands". A command that is fetched twice is carried out once, because
the switchboard knows its legs; after a restart the position is forgotten, and whatever is unanswered comes again.
"""

import asyncio
import json
import time
from collections.abc import Callable
from itertools import count
from typing import Any

import aiohttp

from simulators.pbx.commands import Answer
from simulators.pbx.signing import signed

_WAIT_S = 5
_REST_S = 0.05


class Fetcher:
    """Polls one server until it is closed."""

    def __init__(
        self, url: str, secret: bytes, session: aiohttp.ClientSession, obey: Callable[[dict[str, Any]], Answer]
    ) -> None:
        self._url, self._secret, self._session, self._obey = f"{url}/commands", secret, session, obey
        self._ids = (f"poll-{number}" for number in count(1))
        self.fetched: list[tuple[str, dict[str, Any]]] = []
        """All commands in the order in which they came, with their ids."""
        self.answers_lost = 0
        """So many of the next answers are lost on the way: a fault for tests."""
        self.task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Poll no more."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def _run(self) -> None:
        after = ""
        while True:
            try:
                after = await self._once(after)
            except (aiohttp.ClientError, TimeoutError, ValueError, KeyError):
                await asyncio.sleep(_REST_S)

    async def _once(self, after: str) -> str:
        headers = signed(self._secret, next(self._ids), b"", int(time.time()))
        query = {"after": after, "wait_s": str(_WAIT_S)}
        timeout = aiohttp.ClientTimeout(total=_WAIT_S + 10)
        async with self._session.get(self._url, params=query, headers=headers, timeout=timeout) as answer:
            said = await answer.json()
            answer.raise_for_status()
        done = []
        for one in said["commands"]:
            self.fetched.append((one["id"], one["command"]))
            result = self._obey(one["command"])
            done.append({"id": one["id"], "status": result.status, "body": result.body})
        if self.answers_lost and done:
            self.answers_lost -= 1
        elif done:
            body = json.dumps(done).encode()
            headers = signed(self._secret, next(self._ids), body, int(time.time()))
            async with self._session.post(self._url, data=body, headers=headers) as answer:
                answer.raise_for_status()
        return str(said["after"])
