"""The live page's read model: kept from what the engine commits, read once from the store at the start.

It holds small values of ended calls (today's, and the last hour's); live calls are looked at in the engine's own memory
when a page asks. With no page open it does next to nothing for an event, however many calls are live.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime
from itertools import islice
from statistics import median

import structlog
from aiohttp import web

from router.basis.instants import HOUR, Instant, as_datetime, from_datetime
from router.basis.machine import ChainId, Nudged, Token
from router.basis.phone import masked
from router.chains.call_states import CallSeen, Ended, Ringing
from router.chains.callback import Debt, Open
from router.chains.choice import Sight
from router.chains.enquiry import MISSED, Outcome
from router.engine.core import Draft, Foreign
from router.engine.journal import Order
from router.engine.store.port import StoreUnavailable
from router.web.desk import Desk
from router.web.people import people_views
from router.web.sketch import Names, Phone, call_view, debt_view, ended_view
from router.web.views import CallView, Figures, Health, LaneView, Snapshot

log = structlog.get_logger(__name__)

NEWEST_READ = 3_000
"""Calls looked at in the store at the start: far more than an office has in a day (200; design of the simulator)."""

SHOWN_CALLS = 40
"""Live calls on the page: more than a person can follow; the rest is counted."""

SHOWN_ENDED = 30
SHOWN_DEBTS = 50

LOOK_S = 1.0
"""How often sight of the PBXs and the journal are looked at: nothing reports their change to us."""

MINUTE_S = 60.0
"""How often the page is drawn anew without an event, so that what is older than an hour goes."""

SLICE = 200
"""States read from the store between two breaths of the loop."""


class Pulse:
    """Something changed: a number that rises, and a way to wait for it."""

    def __init__(self) -> None:
        self.beat = 0
        self._event = asyncio.Event()

    def bump(self) -> None:
        """It changed."""
        self.beat += 1
        self._event.set()

    async def beyond(self, beat: int) -> int:
        """Wait until the number is above `beat`."""
        while self.beat <= beat:
            self._event.clear()
            await self._event.wait()
        return self.beat


class Board:
    """See the module's docstring."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.pulse = Pulse()
        self._live: dict[ChainId, None] = {}
        """Live calls, oldest first."""
        self._debts: dict[ChainId, Debt] = {}
        self._ended: dict[ChainId, Ended] = {}
        """Calls that are over, in the order in which they ended: today's and the last hour's."""
        self._is_read = False
        self._snapshot: tuple[int, Snapshot] | None = None
        self._drawing = asyncio.Lock()

    # --- life --------------------------------------------------------------------------------------------------

    async def kept(self, app: web.Application) -> AsyncIterator[None]:
        """`cleanup_ctx` of the application: read, observe, look, stop."""
        engine = self._desk.engine
        engine.observers.append(self.observe)
        await self._read_if_possible()
        looking = asyncio.create_task(self._look(), name="board")
        yield
        engine.observers.remove(self.observe)
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking

    def observe(self, draft: Draft, orders: list[Order]) -> None:
        """What has just become true (`engine.observers`)."""
        for chain in draft.touched:
            live = self._desk.engine.core.live.get(chain)
            if live is not None:
                self._note(chain, live.state)
        self.pulse.bump()

    def _note(self, chain: ChainId, state: object) -> None:
        kind = chain.partition(":")[0]
        if kind == "callback":
            if isinstance(state, Open):
                self._debts[chain] = state.debt
            else:
                self._debts.pop(chain, None)
        elif kind == "call":
            if isinstance(state, Ended):
                self._live.pop(chain, None)
                self._ended[chain] = state
            else:
                self._ended.pop(chain, None)
                self._live.setdefault(chain)

    async def _read_if_possible(self) -> None:
        """The pages must not keep the server from taking calls: without the store they begin with what they see."""
        try:
            await self._read()
        except StoreUnavailable as error:
            log.warning("board_unread", error=str(error))
        else:
            self._is_read = True

    async def _read(self) -> None:
        """What was before we came: today's ended calls from the store, live chains from the engine."""
        engine = self._desk.engine
        since = self._kept_since(engine.clock.now())
        found = await engine.store.find("call", final=True, newest=NEWEST_READ)
        for number, stored in enumerate(reversed(found)):
            if stored.at >= since:
                with suppress(Foreign):  # a chain of another release is counted by the health, not drawn
                    self._note(stored.chain, self._desk.engine.core.read(stored)[1])
            if number % SLICE == 0:
                await asyncio.sleep(0)
        for live in sorted(engine.core.live.values(), key=lambda live: live.at):
            self._note(live.id, live.state)
        self.pulse.bump()

    async def _look(self) -> None:
        """Sight and journal once a second, the whole page once a minute."""
        before, ticks = self._health(), 0
        while True:
            await asyncio.sleep(LOOK_S)
            ticks += 1
            if not self._is_read:
                await self._read_if_possible()
            health = self._health()
            if health != before or ticks % int(MINUTE_S / LOOK_S) == 0:
                before = health
                self.pulse.bump()

    def owed(self) -> list[ChainId]:
        """The chains of all open call-backs."""
        return list(self._debts)

    # --- drawing -----------------------------------------------------------------------------------------------

    async def snapshot(self) -> Snapshot:
        """Everything on the page now; drawn once for all pages that are open."""
        async with self._drawing:
            if self._snapshot is None or self._snapshot[0] != self.pulse.beat:
                beat = self.pulse.beat
                self._snapshot = (beat, await self._draw())
            return self._snapshot[1]

    async def _draw(self) -> Snapshot:
        now = self._desk.engine.clock.now()
        self._forget(self._kept_since(now))
        shown = list(islice(self._live, SHOWN_CALLS))
        recent = [item for item in reversed(list(self._ended.items())) if item[1].end.at >= now - HOUR]
        debts = sorted(self._debts.items(), key=lambda item: item[1].arrived)
        numbers = await self._numbers(
            [*self._callers(shown), *(debt.caller for _, debt in debts[:SHOWN_DEBTS])]
            + [ended.file.caller for _, ended in recent[:SHOWN_ENDED]]
        )
        directory = self._desk.directory()
        names = Names(directory)

        def phone(token: Token | None) -> str:
            return numbers.get(token, "+***") if token is not None else ""

        calls = tuple(view for chain in shown if (view := self._call(chain, names, phone, now)) is not None)
        return Snapshot(
            self._figures(now),
            self._health(),
            people_views(self._desk.engine.core, directory, shown),
            calls,
            len(self._live) - len(shown),
            tuple(debt_view(chain, debt, names, phone) for chain, debt in debts[:SHOWN_DEBTS]),
            max(0, len(debts) - SHOWN_DEBTS),
            tuple(ended_view(chain, ended, names, phone) for chain, ended in recent[:SHOWN_ENDED]),
            max(0, len(recent) - SHOWN_ENDED),
        )

    def _call(self, chain: ChainId, names: Names, phone: Phone, now: Instant) -> CallView | None:
        core = self._desk.engine.core
        live = core.live.get(chain)
        if live is None:
            return None
        sights: tuple[Sight, ...] = ()
        if isinstance(live.state, Ringing):
            seen: CallSeen = self._desk.office.look_at_call(chain, Nudged("page"), core, now)
            sights = seen.sights
        return call_view(chain, live.state, names, phone, sights)  # type: ignore[arg-type]

    def _figures(self, now: Instant) -> Figures:
        today = self._midnight(now)
        ended = [entry for entry in self._ended.values() if entry.file.arrived >= today]
        missed = sum(entry.end.outcome in MISSED for entry in ended)
        waited = [
            entry.end.talk_from - entry.file.arrived
            for entry in ended
            if entry.end.outcome is Outcome.ANSWERED and entry.end.talk_from
        ]
        live = len(self._live)
        after = round(median(waited)) if waited else 0
        return Figures(len(ended) + live, len(ended) - missed, missed, live, len(self._debts), after)

    def _health(self) -> Health:
        engine = self._desk.engine
        gone = engine.lanes_out_of_sight()
        lanes = tuple(LaneView(lane.partition(":")[2], lane not in gone) for lane in self._desk.switches)
        return Health(lanes, engine.writable, engine.scarce, self._desk.office.draining)

    def _callers(self, chains: list[ChainId]) -> list[Token | None]:
        found: list[Token | None] = []
        for chain in chains:
            live = self._desk.engine.core.live.get(chain)
            file = getattr(live.state, "file", None) if live is not None else None
            found.append(file.caller if file is not None else None)
        return found

    async def _numbers(self, tokens: list[Token | None]) -> dict[Token, str]:
        engine = self._desk.engine
        found: dict[Token, str] = {}
        for token in {token for token in tokens if token is not None}:
            number = await engine.reveal(token)
            if number:
                found[token] = masked(number)
        return found

    # --- days --------------------------------------------------------------------------------------------------

    def _midnight(self, now: Instant) -> Instant:
        today = as_datetime(now).astimezone(self._desk.zone).date()
        return from_datetime(datetime(today.year, today.month, today.day, tzinfo=self._desk.zone))

    def _kept_since(self, now: Instant) -> Instant:
        return Instant(min(self._midnight(now), now - HOUR))

    def _forget(self, before: Instant) -> None:
        while self._ended:
            oldest = next(iter(self._ended))
            if self._ended[oldest].end.at >= before:
                return
            del self._ended[oldest]


BOARD = web.AppKey("board", Board)
