"""One run: a company, its PBX, its people and the real server, for a number of days, under a climate of faults."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

from router.basis.instants import HOUR, MINUTE, Instant
from router.chains.events import DirectoryApplied
from router.chains.roster import ROSTER
from router.engine import crashes
from router.engine.core import Admission
from router.engine.store.sqlite_file import MEMORY
from router.telephony_adapter.webhook.config import WebhookSettings
from simulators.chance import Chance
from simulators.company import DAY, DIRECTORY, FIRST_DAY, OWNERS, PBX
from simulators.faults import NONE, Faults
from simulators.pbx import Entry, Record, Switchboard
from simulators.people import People
from simulators.played_inbox import PlayedInbox
from simulators.played_pbx import PlayedPbx
from simulators.scripted_store import ScriptedStore
from simulators.server import Killed, Server
from simulators.traffic import WORKING_DAY, Traffic
from simulators.world import World

AFTERMATH = 3 * HOUR
"""After the last day: every talk ends, every record of the fallback comes, every pause is over."""

PATIENCE_FOR_A_POINT = 30 * MINUTE
"""A kill waits so long for its crash point; then the next one passed will do."""

PLACES = (
    "engine.answer:before", "engine.answer:after", "engine.load:before", "engine.load:after",
    "engine.tokens:before", "engine.tokens:after", "engine.commit:before", "engine.commit:after",
    "sqlite.written", "sqlite.commit:before", "sqlite.commit:after", "engine.started",
    "outbox.perform:before", "outbox.perform:after", "engine.reveal:before", "engine.reveal:after",
    "engine.open:before", "engine.open:after", "engine.recover.contents:before", "engine.recover.contents:after",
    "engine.recover.chains:before", "engine.recover.chains:after", "engine.recover.claims:before",
    "engine.recover.claims:after", "engine.recover.orders:before", "engine.recover.orders:after",
)  # fmt: skip
"""Where a kill may strike: the crash points that a process passes here."""

SECOND_DEATHS = ("engine.open", "engine.recover", "engine.reveal")
"""Those of a restart."""


CLOCKMAKER = 0x57E9
"""Steps of the wall clock have a generator of their own: with and without them a seed is otherwise the same day."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a run is made of."""

    days: int = 1
    seed: int = 1
    faults: Faults = NONE
    calls_a_day: int = WORKING_DAY
    from_hour: float = 0
    """Hour of the first day to begin at, for short runs."""
    to_hour: float = 24
    """Hour of the last day after which nobody calls for the first time."""
    journal: str = MEMORY
    timer: str = "pbx"
    """Who ends a ring after its time: `pbx` or `server`."""
    stop_takes: int = 0
    """Microseconds from the stop of a ring to the silence."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Further settings of the adapter, as in `[pbx.<name>]`."""
    board: dict[str, Any] = field(default_factory=dict)
    """Further habits of the PBX, as `Switchboard` takes them."""


class Simulation:
    """A run under way, and afterwards all that it left behind."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        faults = setup.faults
        self.world = World(setup.seed, Instant(FIRST_DAY + round(setup.from_hour * HOUR)))
        self.people = People(self.world)
        self.traffic = Traffic(self.world, setup.calls_a_day)
        self.record = Record(self._noted)
        self.board = Switchboard(
            OWNERS,
            on_ring=self.people.on_ring,
            on_talk=self.people.on_talk,
            on_fallback=self.people.on_fallback,
            record=self.record,
            stop_takes_us=setup.stop_takes,
            name=PBX,
            **setup.board,
        )
        settings = WebhookSettings.model_validate(
            {"command_url": "http://pbx.invalid", "owns_timer": setup.timer, **setup.settings}
        )
        self.pbx = PlayedPbx(PBX, self.board, self.world, faults, settings)
        self.inbox = PlayedInbox(self.world, self.people, faults)
        self.store = ScriptedStore(setup.journal)
        self.server = Server(self.world, self.pbx, self.store, self.inbox.perform, steps=bool(faults.steps_every))
        self.server.on_death = self._comes_back
        self.people.press_at = self.server.press
        self.world.members += [self.pbx, self.server]
        self._clockmaker = Chance(setup.seed + CLOCKMAKER)
        self.killed_at: list[str] = []
        self.outages = 0
        self.wall_s = 0.0

    @property
    def end(self) -> Instant:
        """When the aftermath is over."""
        return Instant(self._last + AFTERMATH)

    @property
    def _last(self) -> int:
        return FIRST_DAY + (self.setup.days - 1) * DAY + round(self.setup.to_hour * HOUR)

    def run(self, on_day: Callable[[int], None] = lambda _: None) -> None:
        """Play all days and the aftermath; `on_day` hears of each day that is over."""
        began = time.perf_counter()
        with _quiet_log():
            try:
                self._begin()
                for day in range(self.setup.days):
                    self._plan_day(day)
                    last = day == self.setup.days - 1
                    self.world.run(Instant(self._last if last else FIRST_DAY + (day + 1) * DAY))
                    on_day(day + 1)
                self.traffic.open = False
                self._calm()
                self.world.run(self.end)
            finally:
                crashes.install(None)
        self.wall_s = time.perf_counter() - began

    # --- the course of things -----------------------------------------------------------------------------------

    def open_company(self) -> None:
        """The server starts and is told who works here."""
        self.server.start()
        process = self.server.process
        assert process is not None
        pinned = process.engine.core.contents.pin(DIRECTORY)
        self.server.press(Admission(ROSTER, DirectoryApplied(pinned, "duty"), "person:duty"), lambda _: None)
        self.world.run(self.world.now)

    def _begin(self) -> None:
        self.open_company()
        self.people.everybody_out()
        self.world.run(self.world.now)
        faults = self.setup.faults
        if faults.outage_every:
            self.world.after(self.world.chance.below(2 * faults.outage_every), self._vanish)
        if faults.kill_every:
            self.world.after(self.world.chance.below(2 * faults.kill_every), self._doom)
        if faults.steps_every:
            self.world.after(self._clockmaker.below(2 * faults.steps_every), self._set_the_clock)

    def _plan_day(self, day: int) -> None:
        self.people.plan_day(day, self.board)
        self.traffic.plan_day(day, self.board, self._last)

    def _noted(self, entry: Entry) -> None:
        self.traffic.on_entry(self.board, entry)

    # --- faults that strike by themselves -----------------------------------------------------------------------

    def _set_the_clock(self) -> None:
        faults = self.setup.faults
        if not self.traffic.open:
            return
        self.world.set_wall(self._clockmaker.between(*faults.step))
        self.world.after(self._clockmaker.below(2 * faults.steps_every), self._set_the_clock)

    def _vanish(self) -> None:
        faults, chance = self.setup.faults, self.world.chance
        if not self.traffic.open:
            return
        self.vanish(chance.between(*faults.outage))
        self.world.after(faults.outage[1] + chance.below(2 * faults.outage_every), self._vanish)

    def vanish(self, for_us: int) -> None:
        """The PBX is out of sight for so many microseconds."""
        self.outages += 1
        self.pbx.outage = True
        self.record.write(self.world.now, "line_down")
        self.server.outage_began()
        self.world.after(for_us, self._appear)

    def _appear(self) -> None:
        self.pbx.outage = False
        self.record.write(self.world.now, "line_up")

    def _doom(self) -> None:
        """The next passage of some crash point is fatal."""
        if not self.traffic.open:
            return
        chance = self.world.chance
        place, left = chance.pick(PLACES), chance.between(1, 20)
        if place.startswith(SECOND_DEATHS):
            # It is passed only by a process that takes up what another left behind.
            self._arm("outbox.perform:before", 1, then=place)
        else:
            self._arm(place, left)

    def _arm(self, place: str, left: int, then: str = "") -> None:
        until = self.world.now + PATIENCE_FOR_A_POINT

        def pass_by(passed: str) -> None:
            nonlocal left
            if passed != place and self.world.now < until:
                return
            left -= 1
            if left > 0 and self.world.now < until:
                return
            crashes.install(None)
            self.killed_at.append(passed)
            if then:
                self._arm(then, 1)
            raise Killed

        crashes.install(pass_by)

    def _comes_back(self) -> None:
        faults, chance = self.setup.faults, self.world.chance
        self.record.write(self.world.now, "server_gone")
        self.world.after(chance.between(*faults.dead_for), self._restart)

    def _restart(self) -> None:
        self.restart()
        if self.server.process is not None and self.traffic.open and self.setup.faults.kill_every:
            self.world.after(self.world.chance.below(2 * self.setup.faults.kill_every), self._doom)

    def restart(self) -> None:
        """A dead server comes back."""
        self.record.write(self.world.now, "server_back")
        self.server.start()

    def _calm(self) -> None:
        """Nobody is killed any more; the PBX comes back by itself."""
        crashes.install(None)


@contextmanager
def _quiet_log() -> Iterator[None]:
    """The server's own log would tell a month of calls; everything it says is in the journal."""
    before = structlog.get_config() if structlog.is_configured() else None
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.reset_defaults() if before is None else structlog.configure(**before)
