"""A small company on the real engine, store and machines; its PBX is a sink, its events are told by the test."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from router.basis.machine import Event
from router.basis.people import Chain, Directory, Line, Person
from router.chains.events import (
    CallArrived,
    CallerHungUp,
    DirectoryApplied,
    Disposition,
    LegAnswered,
    LegEnded,
    LegRinging,
    Party,
    TalkEnded,
    TalkStarted,
)
from router.chains.roster import ROSTER
from router.chat_notify.inbox import Inbox
from router.chat_notify.port import Card
from router.engine.clock import SystemClock
from router.engine.core import Admission, Core
from router.engine.journal import Order
from router.engine.quarantine import Quarantine
from router.engine.shell import Engine
from router.engine.store.sqlite import SqliteStore
from router.engine.vault import Vault
from router.office import Office, call_chain, machines
from router.operations import Operations
from router.web import Desk, add_pages

SECRET = "0123456789abcdef0123456789abcdef"
PBX = "office"
LINE = "+74950000001"
CALLER = "+79990001122"
PATIENCE_S = 30.0
"""Nothing here takes longer than a second by itself; a noisy machine gets thirty."""

PEOPLE = Directory(
    (
        Person("anna", "Анна Смирнова", ("101",)),
        Person("boris", "Борис Котов", ("102",)),
        Person("vera", "Вера Лис", ("103",)),
    ),
    (Line(LINE, "sales", "Яндекс Директ", "Отдел продаж"),),
    (Chain("sales", ("anna", "boris", "vera"), "Продажи", {"no_ringing_after_s": 0}),),
)


class Played:
    """The company; a test tells what its PBX reports."""

    def __init__(self, engine: Engine, desk: Desk, client: TestClient[web.Request, web.Application]) -> None:
        self.engine = engine
        self.desk = desk
        self.client = client

    async def tell(self, call: str, event: Event, caller: str = "") -> str | None:
        """The PBX reports a fact; returns the machine's reply."""
        personal = {"caller": ("phone", caller)} if caller else {}
        [answer] = await self.engine.admit([Admission(call_chain(PBX, call), event, f"pbx:{PBX}", personal=personal)])
        assert answer.error is None, answer.error
        return answer.reply

    async def rings(self, call: str, caller: str = CALLER, line: str = LINE) -> None:
        """A client calls, the first free head is rung."""
        await self.tell(call, CallArrived(line), caller)

    async def hop_ends(self, call: str, number: int, how: Disposition) -> None:
        """One offer is over."""
        await self.tell(call, LegEnded(f"{call}.h{number}", how))

    async def talks(self, call: str, number: int = 1, extension: str = "") -> None:
        """The head of an offer picks up and talks."""
        leg = f"{call}.h{number}"
        await self.tell(call, LegRinging(leg))
        await self.tell(call, LegAnswered(leg))
        await self.tell(call, TalkStarted(leg, extension))

    async def over(self, call: str) -> None:
        """The client hangs up after the talk."""
        await self.tell(call, TalkEnded(Party.CALLER))
        for number in range(1, 6):
            await self.tell(call, LegEnded(f"{call}.h{number}", Disposition.COMPLETED))

    async def gives_up(self, call: str) -> None:
        """The client hangs up before anybody picked up."""
        await self.tell(call, CallerHungUp())
        for number in range(1, 6):
            await self.tell(call, LegEnded(f"{call}.h{number}", Disposition.CANCELLED))

    async def card(self, audience: str, code: str) -> Card:
        """The newest card of an audience, once it shows this face."""
        async with asyncio.timeout(PATIENCE_S):
            with self.desk.inbox.watch(audience) as watch:
                while True:
                    cards = await self.desk.inbox.cards(audience)
                    if cards and cards[0].face.code == code:
                        return cards[0]
                    await watch.changed.wait()
                    watch.changed.clear()

    def address(self, person: str, purpose: str = "inbox") -> str:
        """The path of a personal page."""
        return f"/{purpose}/{self.desk.signer.token(person, 'duty' if purpose == 'duty' else 'inbox')}"


async def _sink(order: Order) -> Sequence[Event]:
    """A PBX that takes everything and says nothing by itself."""
    return ()


@asynccontextmanager
async def played(folder: Path, *, demo: bool = False, people: Directory = PEOPLE) -> AsyncIterator[Played]:
    """The company, open and served; closed in order afterwards, whatever fails (the store's thread would hang us)."""
    office = Office({})
    store = SqliteStore(folder / "journal.db")
    engine = Engine(Core(machines(), office.looks(), Vault()), store, SystemClock())
    async with AsyncExitStack() as closing:
        closing.push_async_callback(store.close)
        await engine.open()
        running = asyncio.create_task(engine.run())
        closing.push_async_callback(asyncio.wait_for, running, PATIENCE_S)
        closing.push_async_callback(engine.stop)
        inbox = Inbox(store)
        engine.performers |= {"inbox": inbox.perform, f"pbx:{PBX}": _sink}
        applied = DirectoryApplied(engine.core.contents.pin(people), "test")
        await engine.admit([Admission(ROSTER, applied, "person:test")])
        quarantine = Quarantine(engine)
        quarantine.listen()
        operations, kept = Operations(engine, office, quarantine), folder / "recordings"
        switches = {f"pbx:{PBX}": None}
        desk = Desk(engine, office, inbox, SECRET, switches, demo=demo, operations=operations, recordings=kept)
        app = web.Application()
        add_pages(app, desk)
        client = TestClient(TestServer(app))
        closing.push_async_callback(client.close)
        await client.start_server()
        yield Played(engine, desk, client)
