"""The one place where everything meets: store, engine, PBXs, inbox, pages, auditor, control socket.

Start, in the order of law 11: the journal is opened and what was under way is taken in; everything that depends on no
neighbour runs; each PBX is connected, read, its differences admitted; then its calls go on.
"""

import asyncio
import contextlib
from dataclasses import dataclass

import structlog
from aiohttp import web
from prometheus_client import REGISTRY, CollectorRegistry

from router.basis.failures import Mistake, Mistakes
from router.basis.people import Directory
from router.chains.events import DirectoryApplied
from router.chains.roster import ROSTER
from router.chat_notify.inbox import Inbox
from router.clients import Clients
from router.config import Config
from router.control import Control
from router.engine.auditor import Auditor
from router.engine.clock import Clock, SystemClock
from router.engine.core import Admission, Core
from router.engine.line import ClockWatch, resume
from router.engine.metrics import EngineMetrics
from router.engine.quarantine import Quarantine
from router.engine.shell import Engine
from router.engine.store.port import HasReserve, Store, StoreUnavailable
from router.engine.store.reserve import MEGABYTE
from router.engine.store.sqlite import SqliteStore
from router.engine.vault import TokenSource, Vault, random_token
from router.health import add_health
from router.office import Office, machines
from router.operations import Act, Operations
from router.switch import Switch
from router.telephony_adapter.port import KeepsRecordings
from router.web import Desk, add_pages
from router.web.clients import ClientsApi

log = structlog.get_logger(__name__)

JOURNAL = "hopline.db"
"""File of the journal in the data folder."""

BODY_LIMIT = 1024 * 1024
"""Bytes of a request at most; the largest known PBX report has a few kilobytes."""

REQUESTS_END_WITHIN = 1.0
"""Seconds that requests under way have at an orderly stop: a fact is stored within milliseconds, and a service manager
kills who is slow to stop (systemd: TimeoutStopSec, 90 s; docker stop: 10 s)."""

LAST_TURN_WITHIN = 1.0
"""Seconds in which the engine notes what its last effects reported; a commit takes milliseconds."""


RESERVE_EVERY_S = 5.0
"""Seconds between two looks whether there is room again on a disk that was full."""

DRAIN_LOOK_S = 0.1
"""Seconds between two looks at what still rings."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What tests replace."""

    store: Store | None = None
    clock: Clock | None = None
    tokens: TokenSource = random_token
    registry: CollectorRegistry | None = None


def make_engine(config: Config, parts: Parts = Parts()) -> tuple[Engine, Office]:
    """An engine over the configured journal, not opened yet."""
    office = Office({telephony.name: telephony.abilities for telephony in config.telephones})
    core = Core(machines(), office.looks(), Vault(parts.tokens))
    store = parts.store or SqliteStore(config.server.data / JOURNAL, config.server.reserve_mb * MEGABYTE)
    engine = Engine(core, store, parts.clock or SystemClock())
    engine.observers.append(lambda draft, _: office.recall.observe(core, draft))
    return engine, office


class Server:
    """A running Hopline. `start`, then `stop`."""

    def __init__(self, config: Config, parts: Parts = Parts()) -> None:
        self.config = config
        self.engine, self.office = make_engine(config, parts)
        self.registry = parts.registry or REGISTRY
        self.metrics = EngineMetrics(self.engine, self.registry)
        self.quarantine = Quarantine(self.engine)
        self.quarantine.listen()
        self.operations = Operations(self.engine, self.office, self.quarantine)
        self.metrics.quarantine.set_function(lambda: self.quarantine.size)
        self.metrics.draining.set_function(lambda: float(self.office.draining))
        self.inbox = Inbox(self.engine.store)
        self.clients = Clients(self.engine)
        self.office.book = self.clients.book
        self.recordings = config.server.data / "recordings"
        self.switches = [self._switch(index) for index in range(len(config.telephones))]
        self.auditor = Auditor(self.engine, self.metrics.found)
        self.control = Control(self.engine, config.server.data, self.clients, self.operations)
        self.url = ""
        """Where the server listens, once it does."""
        self._runner: web.AppRunner | None = None
        self._tasks: list[asyncio.Task[None]] = []
        """What must run for ever; the engine first."""
        self._recalling: asyncio.Task[None] | None = None

    def _switch(self, index: int) -> Switch:
        server = self.config.server
        telephony = self.config.telephones[index]
        if isinstance(telephony, KeepsRecordings):
            telephony.recordings = self.recordings / telephony.name
        return Switch(
            telephony,
            self.engine,
            region=server.region,
            keep_raw=server.keep_raw,
            look_every=server.look_every_s,
            resync_limit=server.resync_limit_s,
            lost_limit=server.lost_limit_s,
            rung_twice=self.metrics.maybe_rung_twice.inc,
            quarantine=self.quarantine,
        )

    async def start(self, directory: Directory | None = None) -> None:
        """Start everything; returns when pages are served. `directory` is applied if the journal has none yet.

        Raises what went wrong, with everything stopped again that was started: StoreUnavailable, Mistakes.
        """
        try:
            await self._start(directory)
        except BaseException:
            await self.stop()
            raise

    async def _start(self, directory: Directory | None) -> None:
        recovered = await self.engine.open((switch.lane for switch in self.switches), resume)
        await self.clients.open()
        self.engine.performers["inbox"] = self.inbox.perform
        self._tasks.append(asyncio.create_task(self.engine.run(), name="engine"))
        if directory is not None and ROSTER not in self.engine.core.live:
            await self.apply(directory, "start")
        self._tasks.append(asyncio.create_task(self.auditor.run(), name="auditor"))
        self._recalling = asyncio.create_task(self._recall(), name="recall")
        self._tasks.append(asyncio.create_task(self._tend_reserve(), name="reserve"))
        self._tasks.append(asyncio.create_task(ClockWatch(self.engine).run(), name="clock"))
        await self.quarantine.count()
        await self._listen()
        for switch in self.switches:
            switch.start(recovered)
        await self.control.start()
        log.info("started", url=self.url, pbx=[switch.telephony.name for switch in self.switches])

    async def _recall(self) -> None:
        """Calls are taken at once; who talked with whom before is remembered a moment later."""
        try:
            await self.office.recall.read(self.engine.core, self.engine.store)
        except StoreUnavailable as error:
            log.warning("recall_unread", error=str(error))

    async def stop(self) -> None:
        """Stop in the opposite order, whatever of it was started; what is under way in the PBX goes on there.

        Connections to the PBXs are closed last: effects under way have a moment to be noted as sent.
        """
        await self.control.stop()
        if self._recalling is not None:
            self._recalling.cancel()
            await asyncio.gather(self._recalling, return_exceptions=True)
        for switch in self.switches:
            await switch.rest()
        if self._runner is not None:
            await self._runner.cleanup()
        await self.engine.stop()
        if self._tasks:
            await asyncio.wait(self._tasks[:1], timeout=LAST_TURN_WITHIN)
        for task in self._tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*self._tasks, return_exceptions=True)
        for switch in self.switches:
            await switch.stop()
        await self.engine.store.close()

    async def _tend_reserve(self) -> None:
        """Put room by again when there is some."""
        while isinstance(self.engine.store, HasReserve):
            await asyncio.sleep(RESERVE_EVERY_S)
            await asyncio.to_thread(self.engine.store.tend_reserve)  # it waits for the disk
        await asyncio.Event().wait()  # a store without one has nothing to tend

    async def drain(self, within_s: float, hurry: asyncio.Event) -> None:
        """Take no new calls; returns when nothing rings any more, after `within_s`, or when somebody is in a hurry."""
        try:
            await self.operations.do(Act("drain", "SIGTERM"))
        except StoreUnavailable as error:
            log.warning("drain_not_noted", error=str(error))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self.operations.under_way() and not hurry.is_set():  # noqa: ASYNC110 - calls end by many events
                    await asyncio.sleep(DRAIN_LOOK_S)
        log.info("drained", under_way=self.operations.under_way())

    async def apply(self, directory: Directory, by: str) -> None:
        """Make this the company's directory."""
        pinned = self.engine.core.contents.pin(directory)
        await self.engine.admit([Admission(ROSTER, DirectoryApplied(pinned, by), f"person:{by}")])

    async def failed(self) -> None:
        """Return only by an exception: something that must run has ended."""
        await asyncio.gather(*self._tasks, *(switch.ended() for switch in self.switches))

    async def _listen(self) -> None:
        app = web.Application(client_max_size=BODY_LIMIT)
        server = self.config.server
        for switch in self.switches:
            app.add_routes(switch.telephony.routes(switch.deliver))
        desk = Desk(
            engine=self.engine,
            office=self.office,
            inbox=self.inbox,
            switches={switch.lane: switch for switch in self.switches},
            secret=self.config.secret,
            public_url=server.public_url,
            language=server.language,
            demo=self.config.demo,
            operations=self.operations,
            recordings=self.recordings,
        )
        add_pages(app, desk)
        app.add_routes(ClientsApi(self.clients, self.config.api_token, server.region).routes())
        add_health(app, self.engine, self.switches, self.registry, self.operations)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=REQUESTS_END_WITHIN)
        await self._runner.setup()
        site = web.TCPSite(self._runner, server.host, server.port)
        try:
            await site.start()
        except OSError as error:
            remedy = f"cannot listen there: {error.strerror}; end the other program or choose another port"
            raise Mistakes([Mistake("server.port", f"{server.host}:{server.port}", remedy)]) from error
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
