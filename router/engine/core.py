"""The core: admit, step, claim, make records. Synchronous, no I/O, no clock of its own.

One batch is under way at a time:

    draft = core.prepare(admissions, now)     steps are taken, in memory, with an undo list
    store.commit(draft.batch)                 the edge does this, and only this waits
    core.settle(draft)                        they hold: orders and answers may leave
    core.revoke(draft)                        or they never happened

An admission that a machine cannot take (a bug) or that the store refuses fails alone: its traces are undone and the
rest is prepared again. Messages, lost claims and grants that follow from a step are admitted in the same draft, so that
they share its transaction.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import msgspec

from router.basis.instants import SECOND, Duration, Instant
from router.basis.machine import (
    ChainId,
    Claim,
    ClaimLost,
    DeadlineReached,
    Event,
    Granted,
    Machine,
    State,
    Step,
)
from router.engine.claims import Claims, Undo
from router.engine.codec import Codec
from router.engine.contents import Contents
from router.engine.journal import UNSTORABLE, Batch, Order, Record, StoredChain, Taken, storable
from router.engine.timer import Timer
from router.engine.vault import Vault

FOLLOW_UPS = 10_000
"""More events than this from one admission is a loop between machines, not work."""

T = TypeVar("T")

GRANT_EXPIRES = Duration(10 * SECOND)
"""A granted key is held for its chain until its step, in the same transaction, says what it wants; never longer than
this."""

Look = Callable[[ChainId, Event, "Core", Instant], Any]
"""Looks up what a step needs to know about others: called at admission, its result is stored with the event."""


class Admission(msgspec.Struct, frozen=True, gc=False):
    """One fact on its way into a chain."""

    chain: ChainId
    event: Event
    source: str
    """Who says so: `pbx:asterisk`, `timer`, `person:anna`, `chain:…`, `auditor`."""
    origin: str | None = None
    """Identity of the delivery; a second one with the same origin changes nothing and gets the first one's reply."""
    personal: Mapping[str, tuple[str, str]] = {}
    """Field of the event -> (kind, value) of personal data to be replaced by a token."""
    raw: bytes | None = None
    personal_lists: Mapping[str, tuple[tuple[str, str], ...]] = {}
    """As `personal`, for fields that hold several tokens."""

    def secrets(self) -> Iterable[tuple[str, str]]:
        """All personal data it brings, as (kind, value)."""
        yield from self.personal.values()
        for pairs in self.personal_lists.values():
            yield from pairs


class Live(msgspec.Struct, frozen=True, gc=False):
    """A chain in memory."""

    id: ChainId
    machine: Machine[Any, Any, Any]
    state: State
    sequence: int
    at: Instant
    final: bool
    deadline: Instant | None
    origins: dict[str, str | None]


class Answer(msgspec.Struct, frozen=True):
    """What became of an admission."""

    admission: Admission
    reply: str | None = None
    twin: bool = False
    error: Exception | None = None


@dataclass(slots=True)
class Draft:
    """Steps that have been taken but not written."""

    now: Instant
    batch: Batch = field(default_factory=Batch)
    answers: list[Answer] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    """For each record the index of the admission it follows from."""
    touched: set[ChainId] = field(default_factory=set)
    closed: list[str] = field(default_factory=list)
    closers: list[int] = field(default_factory=list)
    """For each closed key the index of the record that closed it."""
    undo: Undo = field(default_factory=list)
    unheard: list["Admission"] = field(default_factory=list)
    """What followed for chains that this release cannot read."""
    missing: set[ChainId] = field(default_factory=set)
    """Chains that must be loaded before this can be prepared (they got a message); if any, nothing else counts."""


class _Missing(Exception):
    """A follow-up concerns a chain that is not in memory."""

    def __init__(self, chain: ChainId) -> None:
        super().__init__(chain)
        self.chain = chain


class Foreign(Exception):
    """A chain of a machine, version or form that this release does not have. It stays in the store as it is; the
    release that knows it takes it up again."""

    def __init__(self, chain: ChainId, why: str) -> None:
        super().__init__(f"{chain} cannot be read by this release: {why}")
        self.chain = chain
        self.why = why


class Core:
    """All live chains, claims, waits and deadlines of one engine."""

    def __init__(
        self,
        machines: Iterable[Machine[Any, Any, Any]],
        looks: Mapping[str, Look],
        vault: Vault,
        contents: Contents | None = None,
    ) -> None:
        self.contents = contents or Contents()
        self.codec = Codec(self.contents)
        self.vault = vault
        self.claims = Claims()
        self.timer = Timer()
        self.live: dict[ChainId, Live] = {}
        self.foreign: dict[ChainId, str] = {}
        """Live chains of the store that were set aside because this release cannot read them, and why."""
        self._absent: set[ChainId] = set()
        self._parked: set[ChainId] = set()
        self._orphaned: dict[str, ChainId] = {}
        """Key -> foreign chain that still has its row in the store."""
        self._looks = looks
        self._machines: dict[tuple[str, int], Machine[Any, Any, Any]] = {}
        self._newest: dict[str, Machine[Any, Any, Any]] = {}
        for machine in machines:
            self._machines[machine.kind, machine.version] = machine
            if machine.kind not in self._newest or self._newest[machine.kind].version < machine.version:
                self._newest[machine.kind] = machine

    # --- what is in memory -------------------------------------------------------------------------------------

    def machine(self, kind: str, version: int) -> Machine[Any, Any, Any]:
        """The machine of a kind at a version. Raises KeyError for one this release does not have."""
        return self._machines[kind, version]

    def machines(self) -> list[Machine[Any, Any, Any]]:
        """All machines."""
        return list(self._machines.values())

    def cold(self, chains: Iterable[ChainId]) -> list[ChainId]:
        """The chains among these that must be looked for in the store before an event can be admitted to them."""
        known = (self.live, self._absent, self.foreign)
        return [chain for chain in chains if not any(chain in those for those in known) and storable(chain)]

    def read(self, stored: StoredChain) -> tuple[Machine[Any, Any, Any], State]:
        """Machine and state of a chain as the store has it. Raises Foreign where this release cannot read it."""
        machine = self._machines.get((stored.kind, stored.machine_version))
        if machine is None:
            raise Foreign(stored.chain, f"no machine {stored.kind} of version {stored.machine_version}")
        try:
            return machine, self.codec.state(machine, stored.state, stored.schema)
        except (msgspec.MsgspecError, LookupError, TypeError, ValueError) as error:
            raise Foreign(stored.chain, f"{type(error).__name__}: {error}") from error

    def warm(self, asked: Iterable[ChainId], found: Iterable[StoredChain]) -> None:
        """Take in what the store has of the chains that were asked for; the others do not exist yet."""
        self._absent.update(asked)
        for stored in found:
            self._absent.discard(stored.chain)
            try:
                machine, state = self.read(stored)
            except Foreign as foreign:
                self.foreign[stored.chain] = foreign.why
                continue
            live = Live(
                stored.chain, machine, state, stored.sequence, stored.at, stored.final, stored.deadline, stored.origins
            )
            self.live[stored.chain] = live
            if not stored.final:
                self.claims.set_wait(stored.chain, machine.wait(state), [])
                self.timer.set(stored.chain, machine.deadline(state))

    def restore_claims(self, held: Mapping[str, tuple[ChainId, Instant]]) -> None:
        """The claims are as the store has them, and no others."""
        self.claims.reset({key: found for key, found in held.items() if self._orphaned.get(key) != found[0]})
        self._orphaned = {key: chain for key, chain in self._orphaned.items() if held.get(key, ("",))[0] == chain}

    def orphan(self, key: str, holder: ChainId) -> None:
        """The claim of a foreign chain has expired, and nobody can tell it: whoever wants the key takes it over."""
        self.claims.release(key, [])
        self._orphaned[key] = holder

    def evict(self, keep: int) -> None:
        """Forget final chains beyond the newest `keep`, and which chains do not exist."""
        finals = [chain for chain, live in self.live.items() if live.final]
        for chain in finals[: max(0, len(finals) - keep)]:
            del self.live[chain]
        self._absent.clear()

    def due(self, now: Instant, held_back: Callable[[Live], bool], most: int = 1_000) -> list[Admission]:
        """Deadlines that have come, as admissions, `most` at once; those of chains whose neighbour is out of sight wait
        for `unpark`."""
        found: list[Admission] = []
        for chain, _ in self.timer.due(now, most):
            live = self.live.get(chain)
            if live is not None and held_back(live):
                self._parked.add(chain)
            elif live is not None and live.deadline is not None:
                # Not the timer's own instant: after a failed write the timer is set later than the deadline.
                found.append(Admission(chain, DeadlineReached(live.deadline), "timer"))
        return found

    def unpark(self) -> None:
        """Arm again what was held back: a neighbour came into sight."""
        for chain in self._parked:
            live = self.live.get(chain)
            if live is not None and not live.final:
                self.timer.set(chain, live.deadline)
        self._parked.clear()

    # --- one batch ---------------------------------------------------------------------------------------------

    def prepare(self, admissions: list[Admission], now: Instant) -> Draft:
        """Take the steps of these admissions. A failing one is answered with its error and leaves no trace."""
        draft = Draft(now)
        for index, admission in enumerate(admissions):
            batch = draft.batch
            marks = (len(draft.undo), len(batch.records), len(batch.secrets), len(draft.closed), len(draft.unheard))
            try:
                answer = self._admit(admission, index, draft)
            except _Missing as missing:
                draft.missing.add(missing.chain)
                answer = Answer(admission)
                self._rewind(draft, marks)
            except Exception as error:  # noqa: BLE001 - whatever a machine raises, the others go on
                answer = Answer(admission, error=error)
                self._rewind(draft, marks)
            draft.answers.append(answer)
        if draft.missing:
            self.revoke(draft)
        else:
            draft.batch.contents = self.contents.unsaved()
        return draft

    def settle(self, draft: Draft) -> list[Order]:
        """The store has it: what was in the draft is true now. Returns the orders that may leave."""
        draft.undo.clear()
        self.contents.saved([digest for digest, _ in draft.batch.contents])
        self._absent.difference_update(draft.touched)
        # Only chains with a record: a deadline whose step failed would be due again at once, for ever; such a chain is
        # left to the auditor.
        for chain in {record.chain for record in draft.batch.records}:
            live = self.live.get(chain)
            self.timer.set(chain, live.deadline if live and not live.final else None)
        return [order for record in draft.batch.records for order in record.orders]

    def revoke(self, draft: Draft) -> None:
        """It never happened."""
        for undo in reversed(draft.undo):
            undo()
        draft.undo.clear()
        for chain in draft.touched:
            live = self.live.get(chain)
            self.timer.set(chain, live.deadline if live and not live.final else None)

    def forget(self, chains: Iterable[ChainId]) -> None:
        """Drop chains from memory, to be read again from the store: a commit failed and may or may not hold."""
        for chain in chains:
            self.live.pop(chain, None)
            self._absent.discard(chain)
            self.foreign.pop(chain, None)
            self.claims.set_wait(chain, None, [])
            self.timer.set(chain, None)

    def _rewind(self, draft: Draft, marks: tuple[int, int, int, int, int]) -> None:
        undo, records, secrets, closed, unheard = marks
        del draft.unheard[unheard:]
        for entry in reversed(draft.undo[undo:]):
            entry()
        del draft.undo[undo:]
        del draft.batch.records[records:], draft.owners[records:]
        del draft.batch.secrets[secrets:]
        del draft.closed[closed:], draft.closers[closed:]

    # --- one admission -----------------------------------------------------------------------------------------

    def _admit(self, admission: Admission, index: int, draft: Draft) -> Answer:
        live = self.live.get(admission.chain)
        if admission.origin is not None and live is not None and admission.origin in live.origins:
            return Answer(admission, reply=live.origins[admission.origin], twin=True)
        has_secrets = admission.personal or admission.personal_lists
        event = self._with_tokens(admission, draft) if has_secrets else admission.event
        follow_ups: deque[tuple[ChainId, Event, str, str | None]] = deque()
        passed_over: dict[str, set[ChainId]] = {}
        reply = self._take_step(
            admission.chain,
            event,
            admission.source,
            admission.origin,
            admission.raw,
            index,
            draft,
            follow_ups,
            passed_over,
        )
        for _ in range(FOLLOW_UPS):
            if not follow_ups:
                return Answer(admission, reply=reply)
            chain, following, source, origin = follow_ups.popleft()
            known = self.live.get(chain)
            if origin is not None and known is not None and origin in known.origins:
                continue
            if chain in self.foreign:
                draft.unheard.append(Admission(chain, following, source, origin))
                continue  # who tells must not fail because nobody can listen
            if isinstance(following, Granted) and self.claims.holder(following.key) != chain:
                continue  # an event in between made the chain let go of it; it was handed on then
            self._take_step(chain, following, source, origin, None, index, draft, follow_ups, passed_over)
        message = f"more than {FOLLOW_UPS} events follow from one {type(event).__name__} in {admission.chain}"
        raise RuntimeError(message)

    def _with_tokens(self, admission: Admission, draft: Draft) -> Event:
        if not all(storable(value) for _, value in admission.secrets()):
            raise ValueError(UNSTORABLE)
        tokens: dict[str, Any] = {
            name: self.vault.token(kind, value, draft.batch.secrets, draft.undo)
            for name, (kind, value) in admission.personal.items()
        }
        for name, pairs in admission.personal_lists.items():
            tokens[name] = tuple(
                self.vault.token(kind, value, draft.batch.secrets, draft.undo) for kind, value in pairs
            )
        return msgspec.structs.replace(admission.event, **tokens)

    def _take_step(  # noqa: PLR0913 - the parts of one admission, passed on unpacked because this is the hot path
        self,
        chain: ChainId,
        event: Event,
        source: str,
        origin: str | None,
        raw: bytes | None,
        index: int,
        draft: Draft,
        follow_ups: deque[tuple[ChainId, Event, str, str | None]],
        passed_over: dict[str, set[ChainId]],
    ) -> str | None:
        before = self.live.get(chain)
        if not storable(source, origin or "") or (before is None and not storable(chain)):
            raise ValueError(UNSTORABLE)
        kind = chain.partition(":")[0]
        look = self._looks.get(kind)
        if before is None:
            if chain not in self._absent:
                if chain in self.foreign:
                    raise Foreign(chain, self.foreign[chain])
                raise _Missing(chain)
            machine, at, sequence, origins = self._newest[kind], draft.now, 1, dict[str, str | None]()
            seen = look(chain, event, self, at) if look else None
            step: Step[Any] = machine.start(event, seen, at)
        else:
            machine, sequence, origins = before.machine, before.sequence + 1, before.origins
            at = max(before.at, draft.now)
            seen = look(chain, event, self, at) if look else None
            step = machine.step(before.state, event, seen, at)
        state, final = step.state, machine.standing(step.state).final
        claims = () if final else machine.claims(state)
        deadline = None if final else machine.deadline(state)
        self.live[chain] = Live(chain, machine, state, sequence, at, final, deadline, origins)
        draft.touched.add(chain)
        draft.undo.append(partial(_put_back, self.live, chain, before))
        if origin is not None:
            origins[origin] = step.reply
            draft.undo.append(partial(_take_out, origins, origin))
        granted = event.key if isinstance(event, Granted) else None
        taken, released = self._settle_claims(chain, claims, granted, draft, follow_ups)
        self.claims.set_wait(chain, None if final else machine.wait(state), draft.undo)
        encode = self.codec.encode
        outcome = self.codec.outcome(step, claims)
        orders: tuple[Order, ...] = ()
        if step.effects:
            orders = tuple(
                [
                    Order((chain, sequence, number), effect, machine.delivery(effect), at)
                    for number, effect in enumerate(step.effects)
                ]
            )
        record = Record(
            chain, kind, machine.version, machine.schema, sequence, at, source, origin,
            encode(event), b"null" if seen is None else encode(seen), outcome, encode(state),
            final, deadline, step.reply, orders, taken, released, raw,
        )  # fmt: skip
        if step.closed:
            draft.closers.extend([len(draft.batch.records)] * len(step.closed))
            draft.closed.extend(step.closed)
        draft.batch.records.append(record)
        draft.owners.append(index)
        for number, message in enumerate(step.messages):
            follow_ups.append((message.to, message.event, f"chain:{chain}", f"{chain}/{sequence}/m{number}"))
        if granted is not None and granted not in self.claims.held_by(chain):
            passed_over.setdefault(granted, set()).add(chain)
        for key in (*released, *step.freed):
            self._hand_on(key, chain, passed_over, draft, follow_ups)
        return step.reply

    def _settle_claims(
        self,
        chain: ChainId,
        wanted: tuple[Claim, ...],
        granted: str | None,
        draft: Draft,
        follow_ups: deque[tuple[ChainId, Event, str, str | None]],
    ) -> tuple[tuple[Taken, ...], tuple[str, ...]]:
        had = self.claims.held_by(chain)
        if not wanted and not had:
            return (), ()
        released: tuple[str, ...] = ()
        if had and (let_go := had.difference([claim.key for claim in wanted])):
            released = tuple(sorted(let_go))
            for key in released:
                self.claims.release(key, draft.undo)
        taken: list[Taken] = []
        for claim in wanted:
            held = self.claims.held(claim.key)
            seized = self._orphaned.get(claim.key, "") if held is None else ""
            if held and held.chain != chain:
                if not claim.seize:
                    message = f"{chain} claims {claim.key}, which {held.chain} holds"
                    raise ClaimConflict(message)
                seized = held.chain
                follow_ups.append((held.chain, ClaimLost(claim.key, chain), f"chain:{chain}", None))
            # A granted key is the chain's in memory already; the row is written with the step that keeps it.
            if held is None or held.chain != chain or held.expires != claim.expires or claim.key == granted:
                self.claims.take(claim.key, chain, claim.expires, draft.undo)
                taken.append(Taken(claim.key, claim.expires, seized))
        return tuple(taken), released

    def _hand_on(
        self,
        key: str,
        giver: ChainId,
        passed_over: dict[str, set[ChainId]],
        draft: Draft,
        follow_ups: deque[tuple[ChainId, Event, str, str | None]],
    ) -> None:
        """A key became free: the first waiter holds it from this moment on, and hears of it. Who has just let go of it
        and waits for it again comes after all others."""
        if self.claims.held(key) is not None:
            return
        passed = passed_over.get(key, set())
        waiter = self.claims.next_waiter(key, passed | {giver}) or self.claims.next_waiter(key, passed)
        if waiter is None:
            return
        self.claims.take(key, waiter, Instant(draft.now + GRANT_EXPIRES), draft.undo)
        follow_ups.append((waiter, Granted(key), "claims", None))


def _put_back(table: dict[str, T], key: str, before: T | None) -> None:
    """Undo an entry of a table."""
    if before is None:
        table.pop(key, None)
    else:
        table[key] = before


def _take_out(table: dict[str, str | None], key: str) -> None:
    """Undo a new entry whose value may be None."""
    table.pop(key, None)


class ClaimConflict(Exception):
    """A machine claimed a key that its own look showed as held: a mistake in the machine, told to whoever admitted."""
