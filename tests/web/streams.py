"""Reads server-sent events as a browser does."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient

PATIENCE_S = 30.0


class Reader:
    """What a page that is open knows: per section its items in order, as markup."""

    def __init__(self, response: ClientResponse) -> None:
        self.response = response
        self.sections: dict[str, dict[str, str]] = {}
        self.patches: list[dict[str, Any]] = []

    async def next(self) -> dict[str, Any]:
        """The next patch."""
        kind = ""
        async with asyncio.timeout(PATIENCE_S):
            while line := (await self.response.content.readline()).decode().rstrip("\n"):
                kind = line.removeprefix("event: ") if line.startswith("event: ") else kind
                if line.startswith("data: ") and kind == "patch":
                    await self.response.content.readline()
                    return self._take(json.loads(line.removeprefix("data: ")))
            return await self.next()

    async def until(self, true: Callable[[dict[str, dict[str, str]]], bool]) -> None:
        """Read on until the page looks like this."""
        async with asyncio.timeout(PATIENCE_S):
            while not true(self.sections):
                await self.next()

    def _take(self, patch: dict[str, Any]) -> dict[str, Any]:
        self.patches.append(patch)
        for name, change in patch["sections"].items():
            before = self.sections.get(name, {})
            self.sections[name] = {key: change["html"].get(key, before.get(key, "")) for key in change["order"]}
        return patch


@asynccontextmanager
async def reading(client: TestClient[web.Request, web.Application], path: str) -> AsyncIterator[Reader]:
    """Open a stream."""
    async with client.get(path) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        yield Reader(response)
