"""The PBX as the server meets it: the switchboard at the other end of a line on which things go wrong.

Both directions speak the contract of `docs/webhook-pbx.md` through the webhook adapter's own pure half (`wire`,
`answers`), only the HTTP between them is played: facts are told until they are taken, in order within one call;
commands are answered, late or never.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from router.basis.failures import Failure, Temporary
from router.basis.instants import MILLISECOND, SECOND, Instant
from router.basis.machine import Event
from router.chains.effects import TelephonyEffect
from router.telephony_adapter.port import NotSent, Report, Sighting
from router.telephony_adapter.webhook import answers, commands, wire
from router.telephony_adapter.webhook.config import WebhookSettings
from simulators.faults import ANSWER_WITHIN, Faults
from simulators.pbx import Switchboard, Told
from simulators.scripted import Later, Promise
from simulators.world import World

LOOK_EVERY = 2 * SECOND
"""How often the adapter reads the list of calls to see that the PBX is there (default of `look_every_s`)."""

LOST_AFTER = 2
"""How many readings must fail in a row (default of `lost_after`)."""

FIRST_PAUSE, LONGEST_PAUSE = 50 * MILLISECOND, 5 * SECOND
"""Between two tries to deliver (`docs/webhook-pbx.md`, Deliveries)."""

ENDINGS = frozenset({"call.arrived", "call.ended", "fallback.served"})

Taken = Callable[[bool], None]
Deliver = Callable[[list[Report], Taken], None]


@dataclass(slots=True)
class _Post:
    """What is to be told of one call, in order."""

    waiting: deque[Told] = field(default_factory=deque)
    under_way: bool = False
    unheard: bool = False
    """One of its telling facts was lost for good already."""


class PlayedPbx:
    """`port.Telephony` for the server, a member of the world for the simulation."""

    def __init__(self, name: str, board: Switchboard, world: World, faults: Faults, settings: WebhookSettings) -> None:
        self.name = name
        self.board = board
        self.abilities = settings.abilities()
        self.deliver: Deliver | None = None
        """Where reports go; None while no server is there."""
        self.outage = False
        self.never_told: list[Told] = []
        self._world = world
        self._faults = faults
        self._settings = settings
        self._posts: dict[str, _Post] = {}

    # --- the world ----------------------------------------------------------------------------------------------

    def next_due(self) -> int | None:
        """See `world.Member`."""
        return self.board.next_due()

    def move(self, now: Instant) -> bool:
        """See `world.Member`."""
        told = self.board.advance(now)
        for fact in told:
            self._tell(fact)
        return bool(told)

    # --- facts ---------------------------------------------------------------------------------------------------

    def _tell(self, fact: Told) -> None:
        faults, chance = self._faults, self._world.chance
        post = self._posts.setdefault(fact.call, _Post())
        if chance.hits(faults.never) and self._may_be_lost(fact, post):
            self.never_told.append(fact)
            return
        if chance.hits(faults.doubled):
            delay = chance.between(*faults.held_up)
            self._world.after(delay, lambda: self._attempt([fact], 0, lambda _: None, insist=False))
        if chance.hits(faults.overtaken):
            delay = chance.between(*faults.held_up)
            self._world.after(delay, lambda: self._attempt([fact], 0, lambda _: None))
            return
        post.waiting.append(fact)
        self._pump(fact.call, post)

    def _may_be_lost(self, fact: Told, post: _Post) -> bool:
        kind = fact.body["type"]
        if kind in ("device.state", "line.state"):
            return False  # nobody would ever tell again: until he is rung, the head would be off line
        if kind in ENDINGS:
            if post.unheard:
                return False
            post.unheard = True
        return True

    def _pump(self, call: str, post: _Post) -> None:
        if post.under_way:
            return
        if not post.waiting:
            self._posts.pop(call, None) if self._over(call) else None
            return
        batch = list(post.waiting)
        post.waiting.clear()
        post.under_way = True

        def taken(_: bool) -> None:
            post.under_way = False
            self._pump(call, post)

        if self._faults.quiet:
            self._attempt(batch, 0, taken)
        else:
            self._world.after(0, lambda: self._attempt(batch, 0, taken))

    def _over(self, call: str) -> bool:
        known = self.board.calls.get(call)
        return known is None or known.state == "over"

    def _attempt(self, facts: list[Told], tries: int, taken: Taken, *, insist: bool = True) -> None:
        chance, faults = self._world.chance, self._faults

        def again() -> None:
            if insist:
                pause = min(FIRST_PAUSE << min(tries, 10), LONGEST_PAUSE)
                self._world.after(pause, lambda: self._attempt(facts, tries + 1, taken))

        def arrives() -> None:
            if self.outage or self.deliver is None:
                again()
            else:
                self.deliver(reports(facts), answered)

        def answered(ok: bool) -> None:
            if not ok or chance.hits(faults.unanswered):
                again()
                return
            for fact in facts:
                self.board.taken(fact)
            taken(True)

        if chance.hits(faults.lost):
            again()
        elif faults.travel == (0, 0):
            arrives()
        else:
            self._world.after(chance.between(*faults.travel), arrives)

    # --- what the server asks ------------------------------------------------------------------------------------

    def perform(self, effect: TelephonyEffect, caller: str | None) -> Later[Sequence[Event]]:
        """See `port.Telephony`."""
        return Later(lambda: self._perform(effect, caller))

    def _perform(self, effect: TelephonyEffect, caller: str | None) -> Sequence[Event] | Promise[Sequence[Event]]:
        order = commands.order(effect, caller, self._settings.net_s * SECOND)
        if order is None:
            return ()
        chance, faults = self._world.chance, self._faults
        if faults.quiet and not self.outage:
            return self._carried_out(effect, order)
        promise: Promise[Sequence[Event]] = Promise()
        if self.outage:
            self._fails(promise, chance.between(*faults.travel), NotSent("not_reached"))
            return promise
        if chance.hits(faults.command_lost):
            self._fails(promise, ANSWER_WITHIN, Temporary("no_answer"))
            return promise
        if chance.hits(faults.command_refused):
            self._fails(promise, chance.between(*faults.travel), NotSent("http_503"))
            return promise
        there = chance.between(*faults.travel)
        if chance.hits(faults.command_late):
            there += chance.between(*faults.late_by)
        self._world.after(there, lambda: self._reaches(effect, order, promise))
        return promise

    def _reaches(self, effect: TelephonyEffect, order: dict[str, Any], promise: Promise[Sequence[Event]]) -> None:
        chance, faults = self._world.chance, self._faults
        outcome: Sequence[Event] | Failure
        try:
            outcome = self._carried_out(effect, order)
        except Failure as failure:
            outcome = failure
        if chance.hits(faults.answer_lost) or self.outage:
            self._fails(promise, ANSWER_WITHIN, Temporary("no_answer"))
        elif isinstance(outcome, Failure):
            self._fails(promise, chance.between(*faults.travel), outcome)
        else:
            facts = outcome
            self._world.after(chance.between(*faults.travel), lambda: promise.set_result(facts))

    def _fails(self, promise: Promise[Any], delay: int, failure: Failure) -> None:
        self._world.after(delay, lambda: promise.set_exception(failure))

    def _carried_out(self, effect: TelephonyEffect, order: dict[str, Any]) -> Sequence[Event]:
        said = self.board.command(order, self._world.now)
        return answers.facts(effect, said.status, msgspec.json.encode(said.body), "", 0)

    def look(self) -> Later[Sighting]:
        """See `port.Telephony`."""
        return Later(self._look)

    def _look(self) -> Sighting | Promise[Sighting]:
        if self._faults.travel == (0, 0):
            if self.outage:
                raise Temporary("no_answer")
            return self._shown()
        promise: Promise[Sighting] = Promise()
        chance, travel = self._world.chance, self._faults.travel

        def reads() -> None:
            if self.outage:
                promise.set_exception(Temporary("no_answer"))
                return
            shown = self._shown()
            self._world.after(chance.between(*travel), lambda: promise.set_result(shown))

        self._world.after(chance.between(*travel), reads)
        return promise

    def _shown(self) -> Sighting:
        body = msgspec.json.encode(self.board.sight(self._world.now))
        return wire.sighting(body, remembers_legs=self._settings.remembers_legs)


def reports(facts: list[Told]) -> list[Report]:
    """The facts as the adapter reads them."""
    found: list[Report] = []
    for fact in facts:
        read, unknown = wire.read(msgspec.json.encode(fact.body), fact.id)
        assert not unknown, f"the played PBX does not keep the contract: {unknown}"
        found += read
    return found
