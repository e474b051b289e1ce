"""The server in the world: the real engine, office and switch over the real SQLite journal, without an event loop.

The engine's own turn runs here, the one of `router.engine.shell` with its batches, refusals, crash points and recovery;
only what would touch asyncio is replaced: futures are promises, tasks are scripts, waiting is done by the world. A kill
is an exception at a crash point after which nothing of the process moves any more; what was not committed is gone.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

from router.basis.failures import Temporary
from router.basis.instants import SECOND, Instant
from router.engine import shell
from router.engine.auditor import Auditor, Finding
from router.engine.clock import Clock
from router.engine.core import Admission, Answer, Core
from router.engine.crashes import passing, reach
from router.engine.journal import Order
from router.engine.line import EVERY_S, ClockWatch, resume
from router.engine.shell import Engine
from router.engine.store.port import Store, StoreUnavailable
from router.engine.vault import Vault
from router.office import Office, machines
from router.switch import Switch
from router.telephony_adapter.port import Report
from simulators.played_pbx import LOOK_EVERY, LOST_AFTER, PlayedPbx
from simulators.scripted import Later, Promise, Scripts, at_once
from simulators.scripted_store import ScriptedStore
from simulators.world import World

RESYNC_LIMIT = 10 * SECOND
"""How long calls wait after a start for their PBX to be read (design, law 11)."""

LOST_LIMIT = 300 * SECOND
"""How long they wait for a PBX that is lost on the way (default of `lost_limit_s` of the server)."""

COMPARE_EVERY = 30 * SECOND
"""How often the PBX's live calls are compared with ours (default of `look_every_s` of the server)."""

WATCH_EVERY = round(EVERY_S * SECOND)
"""How often the wall clock is looked at."""

AUDIT_EVERY = 60 * SECOND
"""Rounds of the auditor while calls live; the server makes one every 5 s, which would only make this slower."""

AUDIT_AT_LEAST = 3600 * SECOND
"""At night."""


class Killed(BaseException):
    """kill -9."""


class ScriptedEngine(Engine):
    """The engine with the four places replaced at which it would touch the event loop."""

    def __init__(self, core: Core, store: Store, clock: Clock, scripts: Scripts) -> None:
        super().__init__(core, store, clock)
        self._scripts = scripts

    async def admit(self, admissions: Sequence[Admission]) -> list[Answer]:
        """See `Engine.admit`."""
        if not admissions:
            return []
        promise: Promise[list[Answer]] = Promise()
        self._queue.append(shell._Request(list(admissions), cast(Any, promise)))
        self._woken.set()
        return await passing(shell.ANSWER, promise)

    def _start_effects(self, now: Instant) -> None:
        ready = self.outbox.start_ready(now)
        if ready:
            reach(shell.STARTED)
        for order in ready:
            self._scripts.start(self._perform(order))

    def next_due(self) -> Instant | None:
        """When it has something to do by itself; as `Engine._arm` reckons it."""
        marks = None if self._marks_since is None else Instant(self._marks_since + shell.MARKS_WAIT)
        wakes = [wake for wake in (self.core.timer.next(), self.outbox.next_wake(), marks) if wake is not None]
        return min(wakes, default=None)

    def move(self, now: Instant) -> bool:
        """Take turns until nothing is left to do now."""
        due = self.next_due()
        if not self._woken.is_set() and (due is None or due > now):
            return False
        self._woken.clear()
        while at_once(self.turn()):
            pass
        return True


class MachineClock:
    """The clock of the machine on which the server runs. Its line is the world's time, its wall is what people set."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> Instant:
        """See `Clock`."""
        return self._world.now

    def offset(self) -> int:
        """See `Clock`."""
        return self._world.clock.offset()

    def resume(self, ahead_us: int) -> None:
        """The world's time does not end with a process."""


class _Turnstile:
    """`asyncio.Lock` for scripts."""

    def __init__(self) -> None:
        self._taken = False
        self._waiting: list[Promise[None]] = []

    async def __aenter__(self) -> None:
        while self._taken:
            promise: Promise[None] = Promise()
            self._waiting.append(promise)
            await promise
        self._taken = True

    async def __aexit__(self, *_: object) -> None:
        self._taken = False
        if self._waiting:
            self._waiting.pop(0).set_result(None)


class Process:
    """One life of the server, from start to kill."""

    def __init__(
        self, world: World, pbx: PlayedPbx, store: ScriptedStore, cards: Callable[[Order], Awaitable[Any]]
    ) -> None:
        self.scripts = Scripts()
        self.asked: list[Callable[[bool], None]] = []
        """Deliveries that have not been answered."""
        self.recovered: list[Order] = []
        office = Office({pbx.name: pbx.abilities})
        core = Core(machines(), office.looks(), Vault(world.chance.token))
        self.engine = ScriptedEngine(core, cast(Store, store), MachineClock(world), self.scripts)
        self.engine.observers.append(lambda draft, _: office.recall.observe(core, draft))
        self.switch = Switch(
            cast(Any, pbx),
            self.engine,
            region="RU",
            keep_raw=False,
            look_every=COMPARE_EVERY / SECOND,
            resync_limit=RESYNC_LIMIT / SECOND,
            lost_limit=LOST_LIMIT / SECOND,
            rung_twice=lambda _: None,
        )
        self.switch._looking = cast(Any, _Turnstile())
        self._cards = cards

    def open(self) -> None:
        """Take in what was under way, in the order of `router.app`."""
        recovered = at_once(self.engine.open([self.switch.lane], resume))
        self.switch.lost = self.engine.clock.now()
        self.switch._recovered = frozenset(order.id for order in recovered if order.delivery.lane == self.switch.lane)
        self.recovered = recovered
        self.engine.performers["inbox"] = cast(Any, self._cards)
        self.engine.performers[self.switch.lane] = lambda order: Later(lambda: self.switch.perform(order))
        self.engine.wake()


class Server:
    """The server as the world meets it: it lives, dies and comes back."""

    def __init__(
        self,
        world: World,
        pbx: PlayedPbx,
        store: ScriptedStore,
        cards: Callable[[Order], Awaitable[Any]],
        *,
        steps: bool = False,
    ) -> None:
        """`steps`: somebody sets the wall clock now and then, so it has to be looked at."""
        self._steps = steps
        self.store = store
        self.process: Process | None = None
        self.deaths = 0
        self.starts = 0
        self.findings: list[Finding] = []
        """Of the auditor."""
        self.troubles: list[tuple[Admission, Exception]] = []
        """Admissions that could not be taken."""
        self.crashes: list[Exception] = []
        """What ended the process by itself."""
        self.on_death: Callable[[], None] = lambda: None
        self._world = world
        self._pbx = pbx
        self._cards = cards
        self._visible = False
        self._audited = Instant(0)

    # --- life ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """A new process begins."""
        self.starts += 1
        process = self.process = Process(self._world, self._pbx, self.store, self._cards)
        process.engine.troubles.append(lambda admission, error: self.troubles.append((admission, error)))
        self._visible = False
        try:
            process.open()
        except Killed:
            self.die()
            return
        self._pbx.deliver = self.deliver
        self._later(process, 0, lambda: self._see(process, 0))
        self._later(process, RESYNC_LIMIT, lambda: self._run_on(process))
        self._later(process, COMPARE_EVERY, lambda: self._compare(process))
        self._later(process, AUDIT_EVERY, lambda: self._audit(process))
        self._watch(process)

    def die(self) -> None:
        """kill -9: connections break, nothing of the process moves any more."""
        process, self.process = self.process, None
        assert process is not None
        self.deaths += 1
        self._pbx.deliver = None
        process.scripts.kill()
        self.store.survive()
        for answered in process.asked:
            answered(False)
        self.on_death()

    def _later(self, process: Process, delay: int, what: Callable[[], None]) -> None:
        """What a process does later, unless it is dead by then."""
        self._world.after(delay, lambda: what() if self.process is process else None)

    # --- the world ----------------------------------------------------------------------------------------------

    def next_due(self) -> int | None:
        """See `world.Member`."""
        process = self.process
        if process is None:
            return None
        return self._world.now if process.scripts.busy() else process.engine.next_due()

    def move(self, now: Instant) -> bool:
        """See `world.Member`."""
        process, busy = self.process, False
        try:
            while process is not None and (process.scripts.busy() or process.engine.move(now)):
                process.scripts.run()
                busy = True
        except Killed:
            self.die()
            return True
        except Exception as error:  # noqa: BLE001 - the process ends, as it would by itself; the run goes on
            self.crashes.append(error)
            self.die()
            return True
        return busy

    # --- what reaches it ----------------------------------------------------------------------------------------

    def deliver(self, reports: list[Report], answered: Callable[[bool], None]) -> None:
        """A delivery of the PBX; `answered` hears whether it was taken."""
        process = self.process
        assert process is not None
        process.asked.append(answered)

        async def take() -> None:
            try:
                await process.switch.deliver(reports)
            except StoreUnavailable:
                ok = False
            else:
                ok = True
            process.asked.remove(answered)
            answered(ok)

        process.scripts.start(take())

    def press(self, admission: Admission, answered: Callable[[str | None], None]) -> bool:
        """A person's button; False while the server is not there."""
        process = self.process
        if process is None:
            return False

        async def take() -> None:
            answers = await process.engine.admit([admission])
            answered(answers[0].reply)

        process.scripts.start(take())
        return True

    # --- sight of the PBX, as the adapter and the switch keep it ------------------------------------------------

    def outage_began(self) -> None:
        """The PBX is gone: noticed after so many readings in vain."""
        if (process := self.process) is not None:
            self._later(process, LOST_AFTER * LOOK_EVERY, lambda: self._lost(process))

    def _lost(self, process: Process) -> None:
        if self._pbx.outage and self._visible:
            self._visible = False
            process.scripts.start(process.switch.in_sight(False, "lost"))
            self._later(process, LOST_LIMIT, lambda: self._run_on(process))
            self._see(process, LOOK_EVERY)

    def _see(self, process: Process, pause: int) -> None:
        async def look() -> None:
            try:
                await self._pbx.look()
            except Temporary:
                self._see(process, LOOK_EVERY)
                return
            self._visible = True
            await process.switch.in_sight(True, "the list of calls was read")
            if not process.switch.visible:
                self._visible = False
                self._see(process, LOOK_EVERY)

        self._later(process, pause, lambda: process.scripts.start(look()))

    def _watch(self, process: Process) -> None:
        """A look at the wall clock; in a world where nobody sets it, one is enough."""

        async def look() -> None:
            await ClockWatch(process.engine).look()

        process.scripts.start(look())
        if self._steps:
            self._later(process, WATCH_EVERY, lambda: self._watch(process))

    def _run_on(self, process: Process) -> None:
        process.switch.run_on(process.engine.clock.now())

    def _compare(self, process: Process) -> None:
        if process.switch.visible and not self._pbx.board.quiet():
            process.scripts.start(self._compared(process))
        self._later(process, COMPARE_EVERY, lambda: self._compare(process))

    async def _compared(self, process: Process) -> None:
        await process.switch._look("periodic")

    def _audit(self, process: Process) -> None:
        async def audit() -> None:
            await Auditor(process.engine, self.findings.append).round()

        now = self._world.now
        if not self._pbx.board.quiet() or now - self._audited >= AUDIT_AT_LEAST:
            self._audited = now
            process.scripts.start(audit())
        self._later(process, AUDIT_EVERY, lambda: self._audit(process))
