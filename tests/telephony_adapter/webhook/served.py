"""The whole server with one webhook PBX, on a free port: the real journal on a file, the real machines."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from router.app import Parts, Server
from router.basis.people import Chain, Directory, Line, Person
from router.config import Config, ServerSettings
from router.telephony_adapter.webhook import WebhookPbx, WebhookSettings
from router.telephony_adapter.webhook.signature import Keys

SECRET = "whsec_aG9wbGluZS1leGFtcGxlLXNlY3JldC0wMDAx"
LINE, CALLER = "+74950000001", "+79990001122"
HEADS = {"anna": "101", "boris": "102", "vera": "103"}


def company(terms: Mapping[str, Any]) -> Directory:
    """Three heads on one list."""
    people = tuple(Person(head, head.title(), (extension,)) for head, extension in HEADS.items())
    return Directory(
        people, (Line(LINE, "sales", "search", "Site"),), (Chain("sales", tuple(HEADS), "Sales", dict(terms)),)
    )


def config(data: Path, port: int, **settings: Any) -> Config:
    """The configuration; `settings` are those of the PBX."""
    pbx = WebhookPbx("office", WebhookSettings.model_validate(settings), Keys([SECRET]))
    server = ServerSettings(port=port, data=data, public_url=f"http://127.0.0.1:{port}", look_every_s=0.3)
    return Config(server, (pbx,), "0123456789abcdef" * 2)


@asynccontextmanager
async def served(
    data: Path, port: int, terms: Mapping[str, Any] | None = None, **settings: Any
) -> AsyncIterator[Server]:
    """Running until the block is left."""
    data.mkdir(exist_ok=True)
    server = Server(config(data, port, **settings), Parts(registry=CollectorRegistry()))
    await server.start(company({"no_ringing_after_s": 0, **(terms or {})}))
    try:
        yield server
    finally:
        await server.stop()


@contextmanager
def served_beside(data: Path, port: int, **settings: Any) -> Iterator[str]:
    """The same in a thread of its own, for callers without a loop; gives its address."""
    started, over = threading.Event(), threading.Event()

    async def live() -> None:
        async with served(data, port, **settings):
            started.set()
            await asyncio.get_running_loop().run_in_executor(None, over.wait)

    thread = threading.Thread(target=lambda: asyncio.run(live()), daemon=True)
    thread.start()
    assert started.wait(60)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        over.set()
        thread.join(60)
