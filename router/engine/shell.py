"""The asyncio edge of the engine: one loop that takes turns.

A turn takes what came in, what is due and what the outbox reports, lets the core take the steps, commits them together
and only then answers, arms the timer and starts effects. While a commit is under way the next turn's work gathers: that
is the group commit. There is exactly one timer handle and one batch under way.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog

from router.basis.failures import Failure, Permanent, Temporary
from router.basis.instants import MILLISECOND, Instant
from router.basis.machine import ChainId, Event, Token, Urgency
from router.engine.clock import Clock
from router.engine.core import Admission, Answer, Core, Draft, Foreign, Live
from router.engine.crashes import passing, point, reach
from router.engine.journal import EffectId, Order, Refused, StoredOrder, storable
from router.engine.outbox import Outbox, Tally
from router.engine.store.port import HasReserve, Store, StoreUnavailable

log = structlog.get_logger(__name__)

WAIT = point("engine.wait", "the loop sleeps until something is to be done")
BETWEEN = point("engine.between", "what a turn has ordered leaves before the next one takes the loop")
GATHER = point("engine.gather", "several events wait, and the loop is let run for those about to come")
LOAD = point("engine.load", "chains that an event concerns are read from the store")
TOKENS = point("engine.tokens", "tokens of known personal data are read from the vault")
COMMIT = point("engine.commit", "before: nothing of the batch is durable; after: all of it is")
ANSWER = point("engine.answer", "whoever delivered the event waits for the commit")
STARTED = point("engine.started", "orders are committed and their performing begins")
PERFORM = point("outbox.perform", "before: committed, not sent; after: sent, not noted as sent")
AGAIN = point("engine.again", "a fact that nobody delivers again waits for the journal")
RELOAD = point("engine.reload", "claims are read again after a failed commit")
RELOAD_ORDERS = point("engine.reload.orders", "effects are read again: nobody knows whether a commit holds")
SEND_AGAIN = point("engine.send_again", "before: an effect is aside; after: it is to be performed again")
OPEN = point("engine.open", "the store is opened at the start")
RECOVER_CONTENTS = point("engine.recover.contents", "the table of contents is read at the start")
RECOVER_CHAINS = point("engine.recover.chains", "live chains are read at the start")
RECOVER_CLAIMS = point("engine.recover.claims", "claims are read at the start")
RECOVER_ORDERS = point("engine.recover.orders", "effects under way are read at the start")
REVEAL = point("engine.reveal", "a token is turned into its value for an effect")
STOP = point("engine.stop", "the loop and the effects under way end in an orderly stop")

BATCH = 250
"""Deliveries in one transaction at most, and `OWN` of each other sort: a step costs some 0.1 ms with its rows, so a
turn stays below some 50 ms when a backlog is taken in; a fresh event or deadline waits for that, not for all of it."""

OWN = 100
"""Deadlines, and reports of the outbox, in one transaction at most."""

TRIES = 3
"""How often an admission that the store refused is prepared anew before it fails."""

RETRY_WRITE = 0.2
"""Seconds between tries while the journal cannot be written."""

KEEP_FINALS = 2_000
"""Final chains kept in memory for twins and late facts; others are read from the store when one comes."""

PASSES = 4
"""Passes of the loop that a crowd of deliveries is given before a turn takes it: answers of the batch before leave in
the first, what is readable is read in the second, its handlers run in the third and queue in the fourth. Measured with
64 connections: batches of 42 instead of 30, a third less work for the disk, 8 % less for the loop."""

MARKS_WAIT = 50 * MILLISECOND
"""How long "this effect was sent" may wait for a batch to ride along with."""

Perform = Callable[[Order], Awaitable[Sequence[Event]]]
"""Carries out an order and returns facts for its chain; raises Temporary or Permanent."""


@dataclass(slots=True)
class _Request:
    admissions: list[Admission]
    future: asyncio.Future[list[Answer]]
    tries: int = 0


class Engine:
    """A running engine. `open`, then `run` in a task; `admit` from anywhere in the loop's thread."""

    def __init__(self, core: Core, store: Store, clock: Clock, outbox: Outbox | None = None) -> None:
        self.core = core
        self.store = store
        self.clock = clock
        self.outbox = outbox or Outbox()
        self.performers: dict[str, Perform] = {}
        self.observers: list[Callable[[Draft, list[Order]], None]] = []
        """Called after each commit with what has become true."""
        self.troubles: list[Callable[[Admission, Exception], None]] = []
        """Called with each admission that could not be taken."""
        self.in_flight: frozenset[ChainId] = frozenset()
        """Chains whose newest steps are being written: their effects are not in the outbox yet."""
        self.writable = True
        self.aside: dict[EffectId, str] = {}
        """Effects that were given up and wait for a person, with the reason; as the store has them."""
        self.foreign_orders: set[EffectId] = set()
        """Effects that this release cannot read: they stay in the store, unperformed."""
        self._queue: deque[_Request] = deque()
        self._woken = asyncio.Event()
        self._handle: asyncio.TimerHandle | None = None
        self._out_of_sight: set[str] = set()
        self._reload: set[ChainId] = set()
        self._performing: set[asyncio.Task[None]] = set()
        self._turns = 0
        self._marks_since: Instant | None = None
        self._draining = False
        self._stopping = False
        self._ended = False

    # --- what others call --------------------------------------------------------------------------------------

    async def admit(self, admissions: Sequence[Admission]) -> list[Answer]:
        """Admit facts, in this order; returns after the durable commit. Raises StoreUnavailable if it did not
        happen."""
        if not admissions:
            return []
        if self._ended:
            message = "the engine has stopped"
            raise StoreUnavailable(message)
        request = _Request(list(admissions), asyncio.get_running_loop().create_future())
        self._queue.append(request)
        self._woken.set()
        return await passing(ANSWER, request.future)

    async def admit_surely(self, admissions: Sequence[Admission]) -> list[Answer]:
        """As `admit`, for facts that nobody will deliver again: tries until the journal takes them."""
        while True:
            try:
                return await self.admit(admissions)
            except StoreUnavailable:
                await passing(AGAIN, asyncio.sleep(RETRY_WRITE))

    async def reveal(self, token: Token) -> str | None:
        """The value behind a token."""
        value = self.core.vault.value(token)
        if value is None:
            self.core.vault.remember(await passing(REVEAL, self.store.reveal([token])))
            value = self.core.vault.value(token)
        return value

    async def send_again(self, order: EffectId) -> bool:
        """Perform an effect that was put aside once more; False where there is none. Raises StoreUnavailable."""
        if not await passing(SEND_AGAIN, self.store.put_back(order)):
            return False
        self.aside.pop(order, None)
        await self._take_up(lambda found: found == order)
        self._woken.set()
        return True

    def out_of_sight(self, lane: str) -> None:
        """A neighbour cannot be seen: its effects and the deadlines of chains that depend on it wait."""
        self._out_of_sight.add(lane)
        self.outbox.block(lane)

    def in_sight(self, lane: str) -> None:
        """The neighbour's facts have been admitted: everything runs on."""
        self._out_of_sight.discard(lane)
        self.outbox.unblock(lane)
        self.core.unpark()
        self._woken.set()

    def lanes_out_of_sight(self) -> frozenset[str]:
        """Neighbours that cannot be seen now."""
        return frozenset(self._out_of_sight)

    @property
    def scarce(self) -> bool:
        """The disk is full and the reserve is being written: what is under way goes on, nothing new is begun."""
        return isinstance(self.store, HasReserve) and self.store.scarce

    def wake(self) -> None:
        """Something was put into the outbox or the core by hand."""
        self._woken.set()

    # --- life --------------------------------------------------------------------------------------------------

    async def open(
        self, blocked_lanes: Iterable[str] = (), before_stamps: Callable[["Engine"], None] = lambda _: None
    ) -> list[Order]:
        """Open the store and take in what was under way. Returns orders that may have been sent before the end.

        The lanes named stay out of sight until `in_sight` is called for each. `before_stamps` is called when the live
        chains are known and no instant has been used: the clock may still be set by it.
        """
        await passing(OPEN, self.store.open())
        for lane in blocked_lanes:
            self.out_of_sight(lane)
        return await self._recover(before_stamps)

    async def _recover(self, before_stamps: Callable[["Engine"], None]) -> list[Order]:
        for digest, body in await passing(RECOVER_CONTENTS, self.store.contents()):
            self.core.contents.loaded(digest, body)
        chains = await passing(RECOVER_CHAINS, self.store.load_live())
        self.core.warm((), chains)
        for chain, why in self.core.foreign.items():
            log.error("chain_set_aside", chain=chain, error=why)
        before_stamps(self)
        self.core.restore_claims(await passing(RECOVER_CLAIMS, self.store.claims()))
        recovered: list[Order] = []
        now = self.clock.now()
        for stored in await passing(RECOVER_ORDERS, self.store.orders()):
            if stored.aside is not None:
                self.aside[stored.id] = stored.aside
            else:
                order = self.order_of(stored)
                if order is None:
                    continue
                self.outbox.add(order, now)
                if order.delivery.urgency is Urgency.NOW_OR_NEVER:
                    recovered.append(order)
        return recovered

    def order_of(self, stored: StoredOrder) -> Order | None:
        """An order as it is performed; None for one that this release cannot read, which stays in the store."""
        try:
            machine = self.core.machine(stored.kind, stored.machine_version)
            effect = self.core.codec.effects(machine, stored.outcome, stored.schema)[stored.id[2]]
            return Order(stored.id, effect, machine.delivery(effect), stored.ordered)
        except Exception as error:  # noqa: BLE001 - whatever a form of another release makes of ours
            self.foreign_orders.add(stored.id)
            log.error(
                "order_set_aside", chain=stored.id[0], kind=stored.kind, version=stored.machine_version,
                schema=stored.schema, error=f"{type(error).__name__}: {error}",
            )  # fmt: skip
            return None

    async def _take_up(self, wanted: Callable[[EffectId], bool]) -> None:
        """Orders that are in the journal and not on their way."""
        for stored in await passing(RELOAD_ORDERS, self.store.orders()):
            if stored.aside is None and wanted(stored.id) and not self.outbox.knows(stored.id):
                order = self.order_of(stored)
                if order is not None:
                    self.outbox.add(order, self.clock.now())

    async def run(self) -> None:
        """Take turns until `stop`."""
        try:
            while not self._stopping:
                self._woken.clear()
                await self._gather()
                busy = await self.turn()
                await passing(BETWEEN, asyncio.sleep(0))
                if not busy:
                    self._arm()
                    await passing(WAIT, self._woken.wait())
            await self.turn()  # what the last effects reported
        finally:
            self._ended = True
            self._refuse_queue("the engine has stopped")

    async def _gather(self) -> None:
        """Let those who are about to deliver do so: a lone event leaves at once, several are seldom all that come."""
        for _ in range(PASSES):
            if not 1 < len(self._queue) < BATCH:
                return
            await passing(GATHER, asyncio.sleep(0))

    async def stop(self) -> None:
        """Start no more effects, let those under way be noted as sent (2 s at most), end after the turn under way."""
        self._draining = True
        if self._performing:
            await passing(STOP, asyncio.wait(self._performing, timeout=2))
        self._stopping = True
        self._woken.set()
        if self._handle:
            self._handle.cancel()
        for task in self._performing:
            task.cancel()

    async def turn(self) -> bool:
        """One turn; True if more is waiting already."""
        now = self.clock.now()
        if self._reload and not await self._load_again():
            self._start_effects(now)  # what was committed goes on
            return False
        requests = self._take_requests()
        due = self.core.due(now, self._held_back, OWN)
        if requests or due or self.outbox.tally.urgent() or self._marks_are_due(now):
            tally = self.outbox.collect(OWN)
            self._marks_since = None
            await self._write(requests, due + tally.admissions, tally, now)
        self._start_effects(self.clock.now())
        self._turns += 1
        if self._turns % 1_000 == 0:
            self.core.evict(KEEP_FINALS)
        # While the journal cannot be written our own facts wait for the next try; whoever delivers is told at once.
        return bool(self._queue or (self.writable and self.outbox.tally.admissions))

    def _marks_are_due(self, now: Instant) -> bool:
        """Whether marks of effects that were sent have waited long enough for a batch to ride along with.

        A commit of their own for each would double the number of commits; a mark that is lost with the process only
        makes an idempotent effect be sent again.
        """
        if not self.outbox.tally.done:
            return False
        if self._marks_since is None:
            self._marks_since = now
        return self._stopping or now - self._marks_since >= MARKS_WAIT

    # --- writing -----------------------------------------------------------------------------------------------

    def _take_requests(self) -> list[_Request]:
        taken: list[_Request] = []
        size = 0
        while self._queue and (not taken or size + len(self._queue[0].admissions) <= BATCH):
            request = self._queue.popleft()
            if not request.future.cancelled():
                taken.append(request)
                size += len(request.admissions)
        return taken

    async def _write(self, requests: list[_Request], own: list[Admission], tally: Tally, now: Instant) -> None:
        admissions = [admission for request in requests for admission in request.admissions] + own
        refusals: dict[int, int] = {}
        failed: dict[int, Answer] = {}
        try:
            await self._load_needed(admissions)
            while True:
                active = [index for index in range(len(admissions)) if index not in failed]
                draft = self.core.prepare([admissions[index] for index in active], now)
                if draft.missing:
                    await self._load(sorted(draft.missing))
                    continue
                draft.batch.done, draft.batch.aside = tally.done + self.outbox.ended_by(draft), tally.aside
                self.in_flight = frozenset(draft.touched)
                try:
                    if not draft.batch.empty():
                        await passing(COMMIT, self.store.commit(draft.batch))
                except Refused as refused:
                    self.core.revoke(draft)
                    guilty = {active[draft.owners[index]] for index in refused.reasons}
                    for index in guilty:
                        refusals[index] = refusals.get(index, 0) + 1
                        if refusals[index] >= TRIES:
                            failed[index] = Answer(admissions[index], error=refused)
                    touched = {draft.batch.records[index].chain for index in refused.reasons}
                    self.core.forget(touched)
                    await self._load_refused(sorted(touched))
                    await self._load_needed(admissions)  # another engine may have been first with a token
                    continue
                except BaseException:
                    self.core.revoke(draft)
                    self._reload |= draft.touched
                    self.core.forget(draft.touched)
                    raise
                break
        except StoreUnavailable as error:
            self.in_flight = frozenset()
            self._unwritten(requests, own, tally, error)
            return
        except BaseException as error:
            self._tell(requests, f"the engine ended: {type(error).__name__}")
            raise
        self.writable = True
        self.aside.update(tally.aside)
        answers: list[Answer] = list(draft.answers)
        for index in sorted(failed):
            answers.insert(index, failed[index])
        self._settle(draft, requests, answers, now)
        self.in_flight = frozenset()

    def _settle(self, draft: Draft, requests: list[_Request], answers: list[Answer], now: Instant) -> None:
        orders = self.core.settle(draft)
        self.outbox.take_in(draft, now)
        for observer in self.observers:
            observer(draft, orders)
        for answer in answers:
            if answer.error is not None:
                self._trouble(answer.admission, answer.error)
        for unheard in draft.unheard:
            self._trouble(unheard, Foreign(unheard.chain, self.core.foreign.get(unheard.chain, "")))
        position = 0
        for request in requests:
            part = answers[position : position + len(request.admissions)]
            position += len(request.admissions)
            if not request.future.done():
                request.future.set_result(part)

    def _unwritten(self, requests: list[_Request], own: list[Admission], tally: Tally, error: StoreUnavailable) -> None:
        """Nothing happened: whoever delivered is told, what is our own comes again."""
        self.writable = False
        log.error("journal_unavailable", error=str(error), requests=len(requests))
        known = set(map(id, tally.admissions))
        tally.admissions = [admission for admission in own if id(admission) in known]
        self.outbox.give_back(tally)
        for admission in own:
            live = self.core.live.get(admission.chain)
            if live is not None and live.deadline is not None:
                self.core.timer.set(admission.chain, Instant(max(live.deadline, self.clock.now() + 200 * MILLISECOND)))
        self._tell(requests, str(error))
        asyncio.get_running_loop().call_later(RETRY_WRITE, self._woken.set)

    def _tell(self, requests: Iterable[_Request], why: str) -> None:
        for request in requests:
            if not request.future.done():
                request.future.set_exception(StoreUnavailable(why))

    def _refuse_queue(self, why: str) -> None:
        self._tell(self._queue, why)
        self._queue.clear()

    def _trouble(self, admission: Admission, error: Exception) -> None:
        log.error(
            "admission_failed",
            chain=admission.chain,
            event_type=type(admission.event).__name__,
            source=admission.source,
            error=f"{type(error).__name__}: {error}",
            exc_info=error,
        )
        for trouble in self.troubles:
            trouble(admission, error)

    # --- reading -----------------------------------------------------------------------------------------------

    async def _load_needed(self, admissions: list[Admission]) -> None:
        cold = self.core.cold({admission.chain for admission in admissions})
        if cold:
            await self._load(cold)
        values = {pair for admission in admissions for pair in admission.secrets() if storable(pair[1])}
        unknown = self.core.vault.unknown(values) if values else []
        if unknown:
            self.core.vault.learn(await passing(TOKENS, self.store.tokens(unknown)))

    async def _load(self, chains: Sequence[ChainId]) -> None:
        self.core.warm(chains, await passing(LOAD, self.store.load(chains)))

    async def _load_refused(self, chains: Sequence[ChainId]) -> None:
        """Somebody else wrote to these chains or holds a key: see what is true now."""
        await self._load(chains)
        self.core.restore_claims(await passing(RELOAD, self.store.claims()))

    async def _load_again(self) -> bool:
        chains = sorted(self._reload)
        try:
            await self._load_refused(chains)
            await self._take_up(lambda order: order[0] in self._reload)  # the failed commit may hold after all
        except StoreUnavailable as error:
            log.error("journal_unreadable", error=str(error))
            self._refuse_queue(str(error))
            asyncio.get_running_loop().call_later(RETRY_WRITE, self._woken.set)
            return False
        self._reload.clear()
        return True

    def _held_back(self, live: Live) -> bool:
        if not self._out_of_sight:
            return False
        neighbour = live.machine.neighbour(live.state)
        return neighbour is not None and neighbour in self._out_of_sight

    # --- effects -----------------------------------------------------------------------------------------------

    def _start_effects(self, now: Instant) -> None:
        ready = [] if self._draining else self.outbox.start_ready(now)
        if not ready:
            return
        reach(STARTED)
        for order in ready:
            self._performing.add(asyncio.create_task(self._perform_in_task(order)))

    async def _perform_in_task(self, order: Order) -> None:
        """Its end is noted here and not by a callback, which would be a step of the loop of its own."""
        try:
            await self._perform(order)
        finally:
            task = asyncio.current_task()
            assert task is not None
            self._performing.discard(task)

    async def _perform(self, order: Order) -> None:
        perform = self.performers.get(order.delivery.lane)
        try:
            if perform is None:
                raise Permanent("no_performer", order.delivery.lane)
            facts = await passing(PERFORM, perform(order))
        except Failure as failure:
            self.outbox.failed(order.id, failure, self.clock.now())
            log.warning("effect_failed", effect=type(order.effect).__name__, order=order.key, code=failure.code)
        except Exception as error:
            self.outbox.failed(order.id, Temporary("adapter_error", type(error).__name__), self.clock.now())
            log.error("effect_crashed", effect=type(order.effect).__name__, order=order.key, exc_info=error)
        else:
            if facts:
                source = order.delivery.lane
                await self.admit_surely([Admission(order.id[0], fact, source) for fact in facts])
            self.outbox.performed(order.id, self.clock.now())
        self._woken.set()

    def _arm(self) -> None:
        marks = None if self._marks_since is None else Instant(self._marks_since + MARKS_WAIT)
        wakes = [wake for wake in (self.core.timer.next(), self.outbox.next_wake(), marks) if wake is not None]
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if not wakes or self._reload:
            return  # while chains cannot be read nothing can be done for them: the next try is under way already
        loop = asyncio.get_running_loop()
        delay = max(0, min(wakes) - self.clock.now()) / 1_000_000
        self._handle = loop.call_at(loop.time() + delay, self._woken.set)
