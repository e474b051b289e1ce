"""The call machine: one inbound call, offered to the heads of sales one after another.

The timeline of one call under the default terms, five heads, nobody hurried:

     0.0 s  The PBX reports the call (CallArrived). Terms and list order are pinned. The caller hears ringing (RingBack);
            the first head's phone rings (RingLeg h1, until 8.0 s).
     8.0 s  No answer. The PBX ended the ring by its own timer (LegEnded), or ours did (DeadlineReached -> StopLeg h1).
            The second head's phone rings, after the end of the first is confirmed (RingLeg h2, until 16.0 s).
    10.2 s  The second declines (LegEnded declined): the third rings at once, until 18.2 s.
    13.4 s  The third picks up (LegAnswered): Connect. Nobody else rings.
    13.5 s  The PBX says that they talk (TalkStarted): the verdict card goes to the third head.
   190.0 s  Somebody hangs up (TalkEnded): Release cleans up; the head is free for other calls.
   201.7 s  The head presses Real (VerdictGiven): an event of the same chain, however much later.

Had nobody picked up, the window would have ended at 40.0 s sharp: the ring under way is stopped, the caller is given to
the PBX's fallback or released, and a call-back entry is opened by a message in the same transaction.

States: `Ringing` (one phone rings), `Waiting` (no head is free), `Connecting` (picked up, not yet in talk), `Talking`,
`HandedOver` (the PBX's fallback has it), `Ended`, and `Stranger` (facts came before the arrival was reported).
"""

from typing import ClassVar, assert_never

import msgspec

from router.basis.instants import NEVER, Instant
from router.basis.machine import (
    Claim,
    ClaimLost,
    DeadlineReached,
    Delivery,
    Effect,
    EffectAside,
    EffectDropped,
    Granted,
    Machine,
    Nudged,
    Standing,
    Step,
    Wait,
)
from router.chains import call_moves as move
from router.chains.call_states import (
    CallEffect,
    CallEvent,
    CallSeen,
    CallState,
    CallStep,
    Connecting,
    Ended,
    Filed,
    HandedOver,
    Ringing,
    Stranger,
    Talking,
    Waiting,
)
from router.chains.choice import person_key
from router.chains.delivery import Keys, delivery_of
from router.chains.effects import LookAtCall, StopLeg
from router.chains.enquiry import MISSED, End, Outcome, faded, is_fading, next_fade, with_hop, without_fading
from router.chains.events import (
    CallArrived,
    CallerHungUp,
    Disposition,
    FallbackServed,
    FallbackTook,
    LegAnswered,
    LegAsked,
    LegEnded,
    LegRinging,
    Party,
    TakePressed,
    TalkConfirmed,
    TalkEnded,
    TalkStarted,
    VerdictGiven,
)

# --- the machine ------------------------------------------------------------------------------------------------


class CallMachine(Machine[CallState, CallEvent, CallSeen]):
    """See the module's docstring."""

    kind: ClassVar[str] = "call"
    version: ClassVar[int] = 1
    states = CallState
    events = CallEvent
    effects = CallEffect
    seen = CallSeen

    def start(self, event: CallEvent, seen: CallSeen, at: Instant) -> CallStep:
        """The first fact of a call, which need not be its arrival."""
        opening = seen.opening
        assert opening is not None, "a new chain is admitted with its opening"
        if isinstance(event, CallArrived):
            return move.arrived(move.file(opening, event, at), seen, at)
        if isinstance(event, FallbackServed):
            return move.served(move.file_of_record(opening, event), event, at)
        until = Instant(at + opening.plan.value.terms.strangers_within)
        stranger = Stranger(
            opening.call, opening.pbx, opening.line, opening.channel, opening.plan, at, until
        )  # fmt: skip
        return _while_stranger(stranger, event, seen, at)

    def step(self, state: CallState, event: CallEvent, seen: CallSeen, at: Instant) -> CallStep:
        """Any later fact."""
        match state:
            case Ringing():
                return _while_ringing(state, event, seen, at)
            case Waiting():
                return _while_waiting(state, event, seen, at)
            case Connecting():
                return _while_connecting(state, event, seen, at)
            case Talking():
                return _while_talking(state, event, seen, at)
            case HandedOver():
                return _while_handed_over(state, event, seen, at)
            case Ended():
                return _after_the_end(state, event, seen, at)
            case Stranger():
                return _while_stranger(state, event, seen, at)
            case _:
                assert_never(state)

    def deadline(self, state: CallState) -> Instant | None:
        """The soonest of the state's own instants and of the legs that fade."""
        match state:
            case Ringing(file, hop):
                return min(move.hop_deadline(file, hop), file.window_end, next_fade(file))
            case Waiting(file, wake):
                return min(wake, file.window_end, next_fade(file))
            case Connecting(file, _, check) | Talking(file, _, _, check):
                return min(check, next_fade(file))
            case HandedOver(file, until):
                return min(until, next_fade(file))
            case Ended(file, _, wrap_until):
                soonest = min(next_fade(file), wrap_until or NEVER)
                return None if soonest == NEVER else soonest
            case Stranger():
                return state.until
            case _:
                assert_never(state)

    def standing(self, state: CallState) -> Standing:
        """A call is final when it is over, no leg fades and the pause after the talk is over."""
        if isinstance(state, Ended):
            return Standing(not state.file.fading and not state.wrap_until)
        return Standing(final=False)

    def claims(self, state: CallState) -> tuple[Claim, ...]:
        """The heads this call keeps from others: rung, fading, talking, in the pause after the talk."""
        if isinstance(state, Stranger) or state.file.terms.offers_per_person == 0:
            return ()
        held: dict[str, tuple[Instant, bool]] = {}
        for entry in state.file.fading:
            held[entry.person] = (entry.until, False)
        match state:
            case Ringing(file, hop):
                held[hop.person] = (Instant(hop.end + file.terms.fade), False)
            case Connecting(file, hop):
                held[hop.person] = (Instant((hop.answered or hop.start) + file.terms.unconfirmed_talk), True)
            case Talking(file, end, confirmed) if end.person and state.holds:
                held[end.person] = (Instant(confirmed + file.terms.unconfirmed_talk), True)
            case Ended(_, end, wrap_until) if wrap_until and end.person:
                held[end.person] = (wrap_until, False)
            case _:
                pass
        return tuple(Claim(person_key(person), expires, seize) for person, (expires, seize) in held.items() if person)

    def wait(self, state: CallState) -> Wait | None:
        """A call that rings nobody waits for any of its heads; the client who has waited longest is first."""
        if isinstance(state, Waiting) and state.keys:
            return Wait(state.keys, 0, state.file.arrived)
        return None

    def neighbour(self, state: CallState) -> str | None:
        """A call goes on only while its PBX is in sight."""
        return f"pbx:{state.pbx if isinstance(state, Stranger) else state.file.pbx}"

    def delivery(self, effect: Effect) -> Delivery:
        """See `router.chains.delivery`."""
        assert isinstance(effect, CallEffect)
        return delivery_of(effect)


# --- one function per state -------------------------------------------------------------------------------------


def _while_ringing(state: Ringing, event: CallEvent, seen: CallSeen, at: Instant) -> CallStep:
    file, hop = state.file, state.hop
    match event:
        case LegAnswered(leg) if leg == hop.leg:
            return move.picked_up(file, hop, at)
        case LegEnded(leg, how) if leg == hop.leg:
            return move.offer_next(with_hop(file, hop, how, at), seen, at, at, closed=(move.leg_key(file, leg),))
        case LegRinging(leg) if leg == hop.leg:
            return Step(state if hop.rang else Ringing(file, msgspec.structs.replace(hop, rang=at)))
        case LegAsked(leg) if leg == hop.leg:
            return Step(Ringing(file, msgspec.structs.replace(hop, asked=at)))
        case EffectDropped(key, _) if key == move.leg_key(file, hop.leg):
            return move.offer_next(with_hop(file, hop, Disposition.FAILED, at), seen, at, at)
        case ClaimLost(key) if key == person_key(hop.person):
            return move.pass_on(file, hop, Disposition.ELSEWHERE, seen, at, at)
        case DeadlineReached(deadline) if deadline == CALL.deadline(state):
            return move.ring_time(msgspec.structs.replace(state, file=faded(file, at)), seen, at)
        case CallerHungUp():
            return move.left(*move.stopped(file, hop, Disposition.CANCELLED, "caller_gone", at), at)
        case LegAnswered(leg):
            return move.late_answer(state, leg, seen, at)
        case TalkStarted() | TalkConfirmed():
            return move.talk_from_ringing(file, hop, event, seen, at)
        case _:
            return _in_any_live_state(state, event, seen, at)


def _while_waiting(state: Waiting, event: CallEvent, seen: CallSeen, at: Instant) -> CallStep:
    file = state.file
    match event:
        case Granted(key):
            return move.offer_next(move.back(file, key), seen, at, at)
        case DeadlineReached(deadline) if deadline == CALL.deadline(state):
            file = faded(file, at)
            if at >= file.window_end:
                return move.window_over(file, (), at)
            return move.offer_next(file, seen, at, at)
        case CallerHungUp():
            return move.left(file, (), at)
        case LegAnswered(leg):
            return move.late_answer(state, leg, seen, at)
        case TalkStarted() | TalkConfirmed():
            return move.talk(file, event, seen, at, ())
        case _:
            return _in_any_live_state(state, event, seen, at)


def _while_connecting(state: Connecting, event: CallEvent, seen: CallSeen, at: Instant) -> CallStep:
    file, hop = state.file, state.hop
    match event:
        case TalkStarted() | TalkConfirmed():
            return move.talk(move.hop_answered(file, hop, at), event, seen, at, ())
        case LegEnded(leg, how) if leg == hop.leg:
            # He hung up before he was joined with the caller: the chain goes on as if he had not picked up.
            closed = (move.leg_key(file, leg), Keys.call(file.pbx, file.call, "connect"))
            return move.offer_next(with_hop(file, hop, how, at), seen, at, at, closed=closed)
        case CallerHungUp():
            return move.left(*move.stopped(file, hop, Disposition.CANCELLED, "caller_gone", at), at)
        case DeadlineReached(deadline) if deadline == CALL.deadline(state):
            file = faded(file, at)
            if at < state.check:
                return Step(Connecting(file, hop, state.check))
            check = Instant(at + file.terms.connect_within)
            return Step(Connecting(file, hop, check), (LookAtCall(file.pbx, file.call, hop.leg, check),))
        case ClaimLost():
            return Step(state)  # he picked up this call's leg: whatever else is true shows in the next facts
        case LegAnswered(leg) if leg != hop.leg:
            return move.late_answer(state, leg, seen, at)
        case _:
            return _in_any_live_state(state, event, seen, at)


def _while_talking(state: Talking, event: CallEvent, seen: CallSeen, at: Instant) -> CallStep:
    file, end = state.file, state.end
    match event:
        case TalkEnded(by):
            return move.talk_over(state, by, at)
        case CallerHungUp():
            return move.talk_over(state, Party.CALLER, at, closed=Keys.whole_call(file.pbx, file.call))
        case LegEnded(leg) if leg == end.leg:
            return move.talk_over(state, Party.HEAD, at, closed=(move.leg_key(file, leg),))
        case TalkConfirmed(leg) if leg == end.leg:
            return Step(msgspec.structs.replace(state, confirmed=at, check=Instant(at + file.terms.talk_check)))
        case TalkStarted() | TalkConfirmed():
            return move.another_talker(state, event, seen, at)
        case DeadlineReached(deadline) if deadline == CALL.deadline(state):
            state = msgspec.structs.replace(state, file=faded(file, at))
            if at < state.check:
                return Step(state)
            check = Instant(at + file.terms.talk_check)
            look = LookAtCall(file.pbx, file.call, end.leg, check)
            return Step(msgspec.structs.replace(state, check=check), (look,))
        case ClaimLost(key) if key == person_key(end.person):
            return Step(msgspec.structs.replace(state, holds=False))
        case VerdictGiven():
            return move.marked(state, event, at)
        case LegAnswered(leg) if leg != end.leg:
            return move.late_answer(state, leg, seen, at)
        case _:
            return _in_any_live_state(state, event, seen, at)


def _while_handed_over(state: HandedOver, event: CallEvent, seen: CallSeen, at: Instant) -> CallStep:
    file = state.file
    match event:
        case FallbackServed():
            return move.served(file, event, at)
        case DeadlineReached(deadline) if deadline == CALL.deadline(state):
            file = faded(file, at)
            if at < state.until:
                return Step(HandedOver(file, state.until))
            return move.end(file, End(Outcome.FALLBACK_UNKNOWN, at), at)
        case FallbackTook() | CallerHungUp():
            # How the fallback ended is told by its record, not by the caller's hanging up.
            return Step(state, closed=Keys.whole_call(file.pbx, file.call))
        case TalkStarted() | TalkConfirmed():
            return move.talk(file, event, seen, at, ())
        case LegAnswered(leg):
            return move.late_answer(state, leg, seen, at)
        case _:
            return _in_any_live_state(state, event, seen, at)


def _after_the_end(state: Ended, event: CallEvent, seen: CallSeen, at: Instant) -> CallStep:
    file, end = state.file, state.end
    match event:
        case VerdictGiven():
            return move.marked(state, event, at)
        case DeadlineReached(deadline) if deadline == CALL.deadline(state):
            wrap_until = state.wrap_until if at < state.wrap_until else Instant(0)
            return Step(msgspec.structs.replace(state, file=faded(file, at), wrap_until=wrap_until))
        case CallerHungUp() | FallbackTook():
            return Step(state, closed=Keys.whole_call(file.pbx, file.call))
        case FallbackServed() if end.outcome in MISSED:
            return move.served(file, event, at)
        case TalkStarted() | TalkConfirmed() | TalkEnded() if end.outcome in MISSED:
            return move.proved_answered(state, event, seen, at)
        case TalkStarted() if event.leg and event.leg != end.leg:
            return move.another_answerer(state, event, seen, at)
        case LegAnswered(leg) if is_fading(file, leg):
            return Step(state, (StopLeg(file.pbx, file.call, leg, "elsewhere"),))
        case TakePressed():
            return Step(state, reply="too_late")
        case ClaimLost():
            return Step(msgspec.structs.replace(state, wrap_until=Instant(0)))
        case _:
            return _in_any_live_state(state, event, seen, at)


def _while_stranger(state: Stranger, event: CallEvent, seen: CallSeen, at: Instant) -> CallStep:
    match event:
        case CallArrived():
            return move.stranger_arrived(state, event, seen, at)
        case TalkStarted(leg, extension):
            talk = End(Outcome.ANSWERED, at, seen.answerer, extension, leg, at)
            return Step(msgspec.structs.replace(state, talk=state.talk or talk))
        case TalkEnded(by):
            talk = state.talk or End(Outcome.ANSWERED, at)
            return Step(msgspec.structs.replace(state, talk=msgspec.structs.replace(talk, by=by), over=True))
        case CallerHungUp():
            return Step(
                msgspec.structs.replace(state, over=True), closed=Keys.whole_call(state.pbx, state.call)
            )  # fmt: skip
        case FallbackServed():
            return move.served(move.file_of_stranger(state), event, at)
        case DeadlineReached(deadline) if deadline == state.until:
            return move.end(move.file_of_stranger(state), state.talk or End(Outcome.INCOMPLETE, at), at)
        case VerdictGiven() | TakePressed():
            return Step(state, reply="too_early")
        case (
            LegRinging() | LegAsked() | LegAnswered() | LegEnded() | TalkConfirmed() | FallbackTook() | DeadlineReached()
            | Granted() | ClaimLost() | EffectDropped() | EffectAside() | Nudged()
        ):  # fmt: skip
            return Step(state)  # about legs that this call, for all that is known, never ordered
        case _:
            assert_never(event)


def _in_any_live_state(state: Filed, event: CallEvent, seen: CallSeen, at: Instant) -> CallStep:
    """What means the same wherever the call is; and, last, what is stale or said twice."""
    file = state.file
    match event:
        case LegEnded(leg):
            # A leg that faded is over: its head is free from here on.
            return Step(
                msgspec.structs.replace(state, file=without_fading(file, leg)), closed=(move.leg_key(file, leg),)
            )
        case ClaimLost(key):
            fading = tuple(entry for entry in file.fading if person_key(entry.person) != key)
            return Step(msgspec.structs.replace(state, file=msgspec.structs.replace(file, fading=fading)))
        case TakePressed(by):
            if by not in {seat.person for seat in file.plan.value.seats}:
                return Step(state, reply="not_on_the_list")
            if by in file.wants:
                return Step(state, reply="already")
            wants = msgspec.structs.replace(file, wants=(*file.wants, by))
            waiting = isinstance(state, Waiting)
            return (
                move.offer_next(wants, seen, at, at, reply="next")
                if waiting
                else Step(msgspec.structs.replace(state, file=wants), reply="next")
            )
        case VerdictGiven():
            return Step(state, reply="too_early")
        case FallbackTook() if isinstance(state, Ringing | Waiting | Connecting):
            return move.taken_by_fallback(state, at)
        case FallbackServed() if not isinstance(state, Ended):
            return move.served_meanwhile(state, event, at)
        case (
            CallArrived() | LegRinging() | LegAsked() | LegAnswered() | TalkStarted() | TalkConfirmed() | TalkEnded()
            | CallerHungUp() | FallbackTook() | FallbackServed() | DeadlineReached() | Granted() | EffectDropped()
            | EffectAside() | Nudged()
        ):  # fmt: skip
            return Step(state)
        case _:
            assert_never(event)


CALL = CallMachine()
"""The machine; it has no state of its own."""
