"""The second machine: approval in two steps. It proves that the engine is generic, and knows nothing of calls.

The timeline of one request, as `Terms` has it:

    0 s      it is filed; the first free clerk gets it (a claim: one request at a time), his bell rings (useful for 3 s)
             and a letter goes out; with no clerk free it waits, by rank, then by age
    60 s     the clerk is reminded by letter (a newer letter replaces an unsent older one)
    180 s    he is let go: his lamp is switched off (until that is confirmed), another free clerk is asked
             he says no: it is rejected; he says yes: it goes to the manager, who is reminded every 120 s
             the manager says yes: the ledger gets a message and answers with the number of the entry
    900 s    nobody decided: it expires

What people do is a fact: a clerk who is seen at work on a request has it, whoever held him before.
"""

from typing import Any, ClassVar, assert_never

from msgspec.structs import replace

from router.basis.instants import SECOND, Duration, Instant, after
from router.basis.machine import (
    ChainId,
    Claim,
    ClaimLost,
    DeadlineReached,
    Delivery,
    Effect,
    EffectAside,
    EffectDropped,
    Event,
    Granted,
    Machine,
    Message,
    Nudged,
    Standing,
    State,
    Step,
    Urgency,
    Wait,
)
from router.basis.pinned import Pinned
from tests.engine.ledger import LEDGER, Booked, Entry
from tests.engine.values import Terms

BELL_USEFUL = Duration(3 * SECOND)
CLAIM_MARGIN = Duration(10 * SECOND)


# --- events ---------------------------------------------------------------------------------------------------------


class Filed(Event, frozen=True):
    """Somebody wants money."""

    request: ChainId
    amount: int
    terms: Pinned[Terms]
    asker: str = ""
    """Token of his name."""
    rank: int = 0
    shy: int = 0
    """So many grants it declines: a request that has second thoughts."""


class ClerkAnswered(Event, frozen=True):
    clerk: str
    yes: bool


class ClerkSeenWorking(Event, frozen=True):
    clerk: str


class ManagerAnswered(Event, frozen=True):
    yes: bool


class Withdrawn(Event, frozen=True):
    pass


class LightIsOff(Event, frozen=True):
    """The desk confirms that bell and lamp of an offer are off."""

    offer: int


# --- effects --------------------------------------------------------------------------------------------------------


class RingBell(Effect, frozen=True):
    request: ChainId
    offer: int
    clerk: str
    best_before: Instant
    behind: int = 0
    """The offer whose lamp must be off before."""


class SwitchOff(Effect, frozen=True):
    request: ChainId
    offer: int


class SendLetter(Effect, frozen=True):
    request: ChainId
    revision: int
    text: str


# --- what is seen ---------------------------------------------------------------------------------------------------


class Free(Event, frozen=True):
    """The clerks nobody holds, in the order in which they are asked."""

    clerks: tuple[str, ...] = ()


# --- states ---------------------------------------------------------------------------------------------------------


class Paper(State, frozen=True, kw_only=True):
    """What every live state knows."""

    request: ChainId
    amount: int
    terms: Pinned[Terms]
    asker: str
    expires: Instant
    offer: int = 0
    lit: int = 0
    """The offer whose lamp is not yet confirmed to be off; 0: none."""
    revision: int = 0
    bells_missed: int = 0


class WaitingForClerk(Paper, frozen=True, kw_only=True):
    since: Instant
    rank: int
    shy: int
    without: str = ""


class WithClerk(Paper, frozen=True, kw_only=True):
    clerk: str
    since: Instant
    rank: int
    reminded: bool = False
    by_fact: bool = False


class WithManager(Paper, frozen=True, kw_only=True):
    remind: Instant


class Booking(Paper, frozen=True, kw_only=True):
    pass


class Over(State, frozen=True):
    request: ChainId
    how: str
    amount: int = 0
    number: int = 0


Live = WaitingForClerk | WithClerk | WithManager | Booking
States = Live | Over
Events = (
    Filed | ClerkAnswered | ClerkSeenWorking | ManagerAnswered | Withdrawn | LightIsOff | Booked | DeadlineReached
    | Granted | ClaimLost | EffectDropped | EffectAside | Nudged
)  # fmt: skip


class Approval(Machine[Any, Any, Free]):
    """Requests."""

    kind: ClassVar[str] = "request"
    version: ClassVar[int] = 1
    schema: ClassVar[int] = 2
    states: ClassVar[Any] = States
    events: ClassVar[Any] = Events
    effects: ClassVar[Any] = RingBell | SwitchOff | SendLetter
    seen: ClassVar[Any] = Free

    def start(self, event: Events, seen: Free, at: Instant) -> Step[Any]:
        if not isinstance(event, Filed):
            return Step(Over("", "unknown"))
        expires = after(at, event.terms.value.expire)
        waiting = WaitingForClerk(
            request=event.request, amount=event.amount, terms=event.terms, asker=event.asker, expires=expires,
            since=at, rank=event.rank, shy=event.shy,
        )  # fmt: skip
        return _reply(_ask_somebody(waiting, seen, at), "filed")

    def step(self, state: States, event: Events, seen: Free, at: Instant) -> Step[Any]:
        match state:
            case WaitingForClerk():
                return _while_waiting(state, event, seen, at)
            case WithClerk():
                return _with_clerk(state, event, seen, at)
            case WithManager():
                return _with_manager(state, event, at)
            case Booking():
                return _while_booking(state, event)
            case Over():
                return Step(state, closed=_lamp_off(state, event), reply=_too_late(event))
            case _:
                assert_never(state)

    def deadline(self, state: States) -> Instant | None:
        match state:
            case WaitingForClerk():
                return state.expires
            case WithClerk():
                terms = state.terms.value
                return min(state.expires, after(state.since, terms.let_go if state.reminded else terms.remind))
            case WithManager():
                return min(state.expires, state.remind)
            case Booking() | Over():
                return None
            case _:
                assert_never(state)

    def standing(self, state: States) -> Standing:
        return Standing(isinstance(state, Over), "the ledger answers" if isinstance(state, Booking) else "")

    def claims(self, state: States) -> tuple[Claim, ...]:
        if not isinstance(state, WithClerk):
            return ()
        expires = after(state.since, state.terms.value.let_go + CLAIM_MARGIN)
        return (Claim(state.clerk, expires, seize=state.by_fact),)

    def wait(self, state: States) -> Wait | None:
        if not isinstance(state, WaitingForClerk):
            return None
        keys = tuple(clerk for clerk in state.terms.value.clerks if clerk != state.without)
        return Wait(keys, state.rank, state.since) if keys else None

    def neighbour(self, state: States) -> str | None:
        return "desk" if isinstance(state, WithClerk) else None

    def delivery(self, effect: Effect) -> Delivery:
        match effect:
            case RingBell():
                behind = lamp(effect.request, effect.behind) if effect.behind else None
                key = lamp(effect.request, effect.offer)
                return Delivery("desk", Urgency.NOW_OR_NEVER, key, best_before=effect.best_before, after=behind)
            case SwitchOff():
                return Delivery("desk", Urgency.UNTIL_TRUE, lamp(effect.request, effect.offer))
            case SendLetter():
                return Delivery("post", Urgency.SOONER_OR_LATER, f"{effect.request}/letter", supersedes=True)
            case _:
                raise TypeError(effect)

    def upcast(self, what: str, version: int, raw: Any) -> Any:
        """Schema 1 counted in whole roubles under another name and knew no rank."""
        if version == 1 and "roubles" in raw:
            raw = {**raw, "amount": raw["roubles"] * 100, "rank": 0}
            del raw["roubles"]
        return raw


def lamp(request: ChainId, offer: int) -> str:
    """The key of bell and lamp of one offer."""
    return f"{request}/lamp/{offer}"


# --- one function per state -----------------------------------------------------------------------------------------


def _while_waiting(state: WaitingForClerk, event: Events, seen: Free, at: Instant) -> Step[Any]:
    match event:
        case Granted(key) if state.shy > 0:
            return Step(replace(state, shy=state.shy - 1))
        case Granted(key):
            return _ask(state, key, at)
        case DeadlineReached(passed) if passed == state.expires:
            return _end(state, "expired")
        case Nudged():
            return _ask_somebody(state, seen, at)
        case _:
            return _in_any_state(state, event, at)


def _with_clerk(state: WithClerk, event: Events, seen: Free, at: Instant) -> Step[Any]:
    match event:
        case ClerkAnswered(clerk, yes) if clerk == state.clerk:
            if not yes:
                return _reply(_end(state, "rejected"), "noted")
            remind = after(at, state.terms.value.remind_manager)
            following = WithManager(**_paper(state), remind=remind)
            return _reply(_letter(Step(following, _off(state)), "for the manager"), "noted")
        case DeadlineReached(passed) if passed == state.expires:
            return _end(state, "expired")
        case DeadlineReached(passed) if passed == Approval().deadline(state):
            if not state.reminded:
                return _letter(Step(replace(state, reminded=True)), "clerk, please")
            return _to_another(state, seen, at, without=state.clerk)
        case ClaimLost(key, _) if key == state.clerk:
            return _to_another(state, seen, at, without=state.clerk)
        case EffectDropped(key, _) if key == lamp(state.request, state.offer):
            return Step(replace(state, bells_missed=state.bells_missed + 1))
        case _:
            return _in_any_state(state, event, at)


def _with_manager(state: WithManager, event: Events, at: Instant) -> Step[Any]:
    match event:
        case ManagerAnswered(True):
            message = Message(LEDGER, Entry(state.request, state.amount))
            return Step(Booking(**_paper(state)), messages=(message,), reply="noted")
        case ManagerAnswered(False):
            return _reply(_end(state, "rejected"), "noted")
        case DeadlineReached(passed) if passed == state.expires:
            return _end(state, "expired")
        case DeadlineReached(passed) if passed == state.remind:
            remind = after(state.remind, state.terms.value.remind_manager)
            return _letter(Step(replace(state, remind=remind)), "manager, please")
        case _:
            return _in_any_state(state, event, at)


def _while_booking(state: Booking, event: Events) -> Step[Any]:
    match event:
        case Booked(number):
            return Step(Over(state.request, "approved", state.amount, number))
        case LightIsOff():
            return _lamp_is_off(state, event)
        case _:
            return Step(state, reply=_too_late(event))


def _in_any_state(state: WaitingForClerk | WithClerk | WithManager, event: Events, at: Instant) -> Step[Any]:
    match event:
        case ClerkSeenWorking(clerk) if not (isinstance(state, WithClerk) and state.clerk == clerk):
            rank = 0 if isinstance(state, WithManager) else state.rank
            following = WithClerk(**_paper(state), clerk=clerk, since=at, rank=rank, by_fact=True)
            return Step(following, _off(state))
        case Withdrawn():
            return _end(state, "withdrawn")
        case LightIsOff():
            return _lamp_is_off(state, event)
        case _:
            return Step(state, reply=_too_late(event))


# --- helpers --------------------------------------------------------------------------------------------------------


def _paper(state: Paper) -> dict[str, Any]:
    return {name: getattr(state, name) for name in Paper.__struct_fields__}


def _ask_somebody(state: WaitingForClerk, seen: Free, at: Instant) -> Step[Any]:
    for clerk in seen.clerks:
        if clerk in state.terms.value.clerks and clerk != state.without:
            return _ask(state, clerk, at)
    return Step(state)


def _ask(state: WaitingForClerk, clerk: str, at: Instant) -> Step[Any]:
    offer = state.offer + 1
    paper = _paper(state) | {"offer": offer, "lit": offer}
    following = WithClerk(**paper, clerk=clerk, since=at, rank=state.rank)
    bell = RingBell(state.request, offer, clerk, after(at, BELL_USEFUL), state.lit)
    return _letter(Step(following, (bell,)), f"asked {clerk}")


def _to_another(state: WithClerk, seen: Free, at: Instant, without: str) -> Step[Any]:
    waiting = WaitingForClerk(**_paper(state), since=at, rank=state.rank, shy=0, without=without)
    step = _ask_somebody(waiting, seen, at)
    return Step(step.state, (*_off(state), *step.effects))


def _off(state: Paper) -> tuple[Effect, ...]:
    return (SwitchOff(state.request, state.lit),) if state.lit else ()


def _end(state: Paper, how: str) -> Step[Any]:
    off = _off(state) if isinstance(state, WithClerk) else ()
    return Step(Over(state.request, how, state.amount), off)


def _letter(step: Step[Any], text: str) -> Step[Any]:
    revision = step.state.revision + 1
    letter = SendLetter(step.state.request, revision, text)
    return Step(replace(step.state, revision=revision), (*step.effects, letter), step.messages, reply=step.reply)


def _reply(step: Step[Any], word: str) -> Step[Any]:
    return Step(step.state, step.effects, step.messages, step.closed, step.freed, word)


def _lamp_is_off(state: Any, event: LightIsOff) -> Step[Any]:
    lit = 0 if state.lit == event.offer else state.lit
    return Step(replace(state, lit=lit), closed=(lamp(state.request, event.offer),))


def _lamp_off(state: Over, event: Events) -> tuple[str, ...]:
    return (lamp(state.request, event.offer),) if isinstance(event, LightIsOff) else ()


def _too_late(event: Events) -> str | None:
    return "too late" if isinstance(event, ClerkAnswered | ManagerAnswered) else None
