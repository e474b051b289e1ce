"""What a person in charge can do to the running server: emergency orders, effects put aside, the quarantine, drain.

One place for the control socket (`hopline do`, `aside`, `quarantine`, `drain`) and the duty page. Every act is an event
that says who: of the call, call-back or roster it concerns, else of the chain of `router.chains.operations`.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import structlog

from router.basis.instants import Instant
from router.basis.machine import ChainId, Event
from router.chains.call_states import Connecting, HandedOver, Ringing, Waiting
from router.chains.choice import person_key
from router.chains.events import (
    CLOSING_REASONS,
    CallClosed,
    CameBack,
    FallbackOrdered,
    HeadFreed,
    PressedClose,
    WentAway,
)
from router.chains.operations import (
    OPERATIONS,
    DrainBegan,
    DrainEnded,
    EffectGivenUp,
    EffectSentAgain,
    UnreadDropped,
)
from router.chains.roster import ROSTER
from router.chat_notify.buttons import CLOSE_REASONS
from router.engine.core import Admission
from router.engine.journal import Batch, EffectId, StoredOrder
from router.engine.quarantine import Kept, Quarantine
from router.engine.shell import Engine
from router.office import Office, roster_of

log = structlog.get_logger(__name__)

Verb = Literal["free", "pause", "resume", "end", "fallback", "send_again", "drop", "drop_unread", "drain", "undrain"]
"""What can be done; the last two without a target."""

VERBS: tuple[Verb, ...] = (
    "free", "pause", "resume", "end", "fallback", "send_again", "drop", "drop_unread", "drain", "undrain",
)  # fmt: skip

DONE = frozenset({"freed", "away", "back", "closed", "sent", "sent_again", "dropped", "draining", "taking_calls"})
"""Answers that say that it was done."""

REFUSED = frozenset({
    "no_such_person", "no_such_call", "several_such_calls", "no_such_effect", "no_such_row", "not_held", "not_away",
    "over", "already", "in_talk", "pbx_leads", "reason_missing", "not_stored", "unknown",
})  # fmt: skip
"""Answers that say why it was not."""

DROP_REASONS = ("done_otherwise", "obsolete", "other")
"""Why an effect is not performed after all. Codes, as everywhere in the log."""

LONGEST_ID = 300
"""Characters of a target: effect ids hold a chain id, which holds the PBX's own id of a call (up to 200)."""


@dataclass(frozen=True, slots=True)
class Act:
    """One thing to be done."""

    verb: str
    by: str
    target: str = ""
    reason: str = ""
    until: Instant | None = None
    press: str = ""
    """Identity of the press: a second one with the same changes nothing and gets the same answer."""


@dataclass(frozen=True, slots=True)
class Aside:
    """An effect that was put aside."""

    id: str
    """Its idempotency key."""
    chain: ChainId
    effect: str
    lane: str
    why: str
    ordered: Instant


class Operations:
    """See the module's docstring."""

    def __init__(self, engine: Engine, office: Office, quarantine: Quarantine) -> None:
        self._engine = engine
        self._office = office
        self.quarantine = quarantine

    # --- what there is -----------------------------------------------------------------------------------------

    @property
    def draining(self) -> bool:
        """Whether new calls are given to the PBX's own plan."""
        return self._office.draining

    def under_way(self) -> list[ChainId]:
        """Calls that a stop would leave in the middle: a phone rings or is about to, or the caller is on his way to
        the reserve line. Talks are not among them: they go on in the PBX."""
        return sorted(
            live.id
            for live in self._engine.core.live.values()
            if isinstance(live.state, Ringing | Waiting | Connecting)
            or (isinstance(live.state, HandedOver) and not live.state.took)
        )

    async def asides(self) -> list[Aside]:
        """Effects put aside, oldest first. Raises StoreUnavailable."""
        return [self._shown(stored) for stored in await self._engine.store.orders() if stored.aside is not None]

    async def unread(self, row: str) -> Kept | str:
        """One row of the quarantine, by its id or the first characters of it; else an answer's code."""
        found = [kept for kept in await self.quarantine.rows() if row and kept.id.startswith(row)]
        return found[0] if len(found) == 1 else "no_such_row"

    def _shown(self, stored: StoredOrder) -> Aside:
        chain, sequence, number = stored.id
        order = self._engine.order_of(stored)
        effect, lane = ("", "") if order is None else (type(order.effect).__name__, order.delivery.lane)
        return Aside(f"{chain}/{sequence}/{number}", chain, effect, lane, stored.aside or "", stored.ordered)

    # --- what can be done --------------------------------------------------------------------------------------

    async def do(self, act: Act) -> str:
        """Do it; the answer is one of `DONE` or `REFUSED`. Raises StoreUnavailable where nothing could be written."""
        said = await self._do(act)
        log.info("operation", verb=act.verb, target=act.target[:LONGEST_ID], by=act.by, said=said)
        return said

    async def _do(self, act: Act) -> str:
        match act.verb:
            case "free":
                return await self._free(act)
            case "pause" | "resume":
                return await self._presence(act)
            case "end":
                return await self._end(act)
            case "fallback":
                return await self._on_call(act, FallbackOrdered(act.by))
            case "send_again":
                return await self._send_again(act)
            case "drop":
                return await self._drop(act)
            case "drop_unread":
                return await self._drop_unread(act)
            case "drain" | "undrain":
                return await self._drain(act, begins=act.verb == "drain")
            case _:
                return "unknown"

    async def _free(self, act: Act) -> str:
        if not self._knows(act.target):
            return "no_such_person"
        holder = self._engine.core.claims.holder(person_key(act.target))
        if holder is None or not holder.startswith("call:"):
            return "not_held"
        return await self._admit(holder, HeadFreed(act.target, act.by), act)

    async def _presence(self, act: Act) -> str:
        if not self._knows(act.target):
            return "no_such_person"
        away = any(entry.person == act.target for entry in roster_of(self._engine.core).away)
        if act.verb == "resume":
            return await self._admit(ROSTER, CameBack(act.target, act.by), act) if away else "not_away"
        return await self._admit(ROSTER, WentAway(act.target, act.by, act.until), act)

    async def _end(self, act: Act) -> str:
        chain = self._chain(act.target)
        if chain is not None and chain.startswith("callback:"):
            # The words of the duty page: who closes an entry there chooses among them too.
            if act.reason not in CLOSE_REASONS:
                return "reason_missing"
            return await self._admit(chain, PressedClose(act.by, act.reason), act)
        if act.reason not in CLOSING_REASONS:
            return "reason_missing"
        return await self._on_call(act, CallClosed(act.by, act.reason))

    async def _on_call(self, act: Act, event: Event) -> str:
        chain = self._chain(act.target)
        if chain is None or not chain.startswith("call:"):
            return "several_such_calls" if len(list(self._calls_named(act.target))) > 1 else "no_such_call"
        return await self._admit(chain, event, act)

    async def _send_again(self, act: Act) -> str:
        effect = self._aside(act.target)
        if effect is None:
            return "no_such_effect"
        await self._admit(OPERATIONS, EffectSentAgain(act.target, act.by), act)
        return "sent_again" if await self._engine.send_again(effect) else "no_such_effect"

    async def _drop(self, act: Act) -> str:
        effect = self._aside(act.target)
        if effect is None:
            return "no_such_effect"
        if act.reason not in DROP_REASONS:
            return "reason_missing"
        await self._admit(OPERATIONS, EffectGivenUp(act.target, act.by, act.reason), act)
        await self._engine.store.commit(Batch(done=[(effect, "given_up")]))
        self._engine.aside.pop(effect, None)
        return "dropped"

    async def _drop_unread(self, act: Act) -> str:
        found = await self.unread(act.target)
        if isinstance(found, str):
            return found
        await self._admit(OPERATIONS, UnreadDropped(found.id, act.by), act)
        return "dropped" if await self.quarantine.drop(found.id) else "no_such_row"

    async def _drain(self, act: Act, *, begins: bool) -> str:
        """First the deed, then the note: a journal that cannot be written must not keep a server from being drained."""
        if begins == self._office.draining:
            return "already"
        self._office.draining = begins
        await self._admit(OPERATIONS, DrainBegan(act.by) if begins else DrainEnded(act.by), act)
        return "draining" if begins else "taking_calls"

    # --- inside ------------------------------------------------------------------------------------------------

    async def _admit(self, chain: ChainId, event: Event, act: Act) -> str:
        origin = f"press/{act.by}/{act.press or secrets.token_urlsafe(12)}"
        [answer] = await self._engine.admit([Admission(chain, event, f"person:{act.by}", origin)])
        if answer.error is not None:
            return "not_stored"
        return answer.reply or "unknown"

    def _knows(self, person: str) -> bool:
        directory = roster_of(self._engine.core).directory
        return directory is not None and directory.value.person(person) is not None

    def _chain(self, name: str) -> ChainId | None:
        """The chain of that id, or the one live call whose PBX calls it so."""
        if name in self._engine.core.live:
            return name
        found = list(self._calls_named(name))
        return found[0] if len(found) == 1 else None

    def _calls_named(self, name: str) -> Iterator[ChainId]:
        for chain in self._engine.core.live:
            kind, _, rest = chain.partition(":")
            if kind == "call" and name and rest.partition(":")[2] == name:
                yield chain

    def _aside(self, name: str) -> EffectId | None:
        return next((effect for effect in self._engine.aside if f"{effect[0]}/{effect[1]}/{effect[2]}" == name), None)
