"""The call machine: one inbound call, offered to the heads of sales one after another.

The timeline of one call under the default terms, five heads, nobody hurried:

     0.0 s  The PBX reports the call (CallArrived). Terms and list order are pinned. The caller hears ringing
            (RingBack); the first head's phone rings (RingLeg h1, until 8.0 s).
     8.0 s  No answer. The PBX ended the ring by its own timer (LegEnded), or ours did (DeadlineReached -> StopLeg h1).
            The second head's phone rings, after the end of the first is confirmed (RingLeg h2, until 16.0 s).
    10.2 s  The second declines (LegEnded declined): the third rings at once, until 18.2 s.
    13.4 s  The third picks up (LegAnswered): Connect. Nobody else rings.
    13.5 s  The PBX says that they talk (TalkStarted): the verdict card goes to the third head.
   190.0 s  Somebody hangs up (TalkEnded): Release and StopLeg clean up; when the leg is gone (LegEnded), the
            head is free for other calls.
   201.7 s  The head presses Real (VerdictGiven): an event of the same chain, however much later.

Had nobody picked up, the window would have ended at 40.0 s sharp: the ring under way is stopped, the caller is given to
the PBX's fallback or released, and a call-back entry is opened by a message in the same transaction.

States: `Ringing` (one phone rings), `Waiting` (no head is free), `Connecting` (picked up, not yet in talk), `Talking`,
`Followed` (the PBX leads: `call_witnessed`, `call_advised`), `Transferring` (the client is passed on, another phone
rings), `HandedOver` (the PBX's fallback has it), `Ended`, and
`Stranger` (facts came before the arrival was reported; one that says where the call is, a talk or the fallback, leads
on to that state at once, and the papers follow with the arrival).
"""

from typing import ClassVar, assert_never

import msgspec

from router.basis.instants import Instant
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
from router.chains import call_advised as advised
from router.chains import call_emergency as emergency
from router.chains import call_ends as ends
from router.chains import call_keeps as keeps
from router.chains import call_offers as offers
from router.chains import call_papers as papers
from router.chains import call_recording as recording
from router.chains import call_talk as talk
from router.chains import call_transfer as transfer
from router.chains import call_witnessed as witnessed
from router.chains.call_orders import possible
from router.chains.call_states import (
    CallEffect,
    CallEvent,
    CallSeen,
    CallState,
    CallStep,
    Connecting,
    Ended,
    Filed,
    Followed,
    HandedOver,
    Ringing,
    Stranger,
    Talking,
    Transferring,
    Waiting,
)
from router.chains.choice import person_key
from router.chains.delivery import Keys, delivery_of
from router.chains.effects import LookAtCall, StopLeg
from router.chains.enquiry import (
    UNSERVED,
    End,
    File,
    Hop,
    Outcome,
    faded,
    is_fading,
    owner,
    unheld,
    with_hop,
    without_fading,
)
from router.chains.events import (
    AdviceAsked,
    Announced,
    CallArrived,
    CallClosed,
    CallerHungUp,
    Disposition,
    FallbackOrdered,
    FallbackServed,
    FallbackTook,
    HeadFreed,
    LegAnswered,
    LegAsked,
    LegEnded,
    LegRinging,
    Party,
    RecordingFailed,
    RecordingFinished,
    RecordingKept,
    RecordingStarted,
    TakePressed,
    TalkConfirmed,
    TalkEnded,
    TalkHeld,
    TalkResumed,
    TalkStarted,
    TalkTransferred,
    Transfer,
    VerdictGiven,
)
from router.chains.stops import connect_key, leg_key, stopped, stopped_all
from router.chains.terms import Style

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
        return possible(None, event, self._start(event, seen, at))

    def step(self, state: CallState, event: CallEvent, seen: CallSeen, at: Instant) -> CallStep:
        """Any later fact."""
        event = witnessed.understood(state, event)
        return possible(state, event, self._step(state, event, seen, at))

    def _start(self, event: CallEvent, seen: CallSeen, at: Instant) -> CallStep:
        opening = seen.opening
        assert opening is not None, "a new chain is admitted with its opening"
        if isinstance(event, CallArrived):
            file = papers.file(opening, event, at)
            # A PBX that leads its calls itself cannot be sent anywhere.
            turned_away = seen.draining and file.terms.style is Style.CONDUCTOR
            return emergency.turned_away(file, at) if turned_away else papers.arrived(file, seen, at)
        if isinstance(event, AdviceAsked):
            return advised.first_asked(opening, event, seen, at)
        if isinstance(event, FallbackServed):
            return ends.served(papers.file_of_record(opening, event), event, at)
        until = Instant(at + opening.plan.value.terms.strangers_within)
        stranger = Stranger(opening.call, opening.pbx, opening.line, opening.channel, opening.plan, at, until)
        return _while_stranger(stranger, witnessed.understood(stranger, event), seen, at)

    def _step(self, state: CallState, event: CallEvent, seen: CallSeen, at: Instant) -> CallStep:
        if isinstance(event, AdviceAsked):
            return advised.asked(state, event, seen, at)
        if isinstance(event, LegAnswered):
            state = talk.picked_up_at(state, event, seen)
        match state:
            case Ringing():
                return _while_ringing(state, event, seen, at)
            case Waiting():
                return _while_waiting(state, event, seen, at)
            case Connecting():
                return _while_connecting(state, event, seen, at)
            case Followed():
                if isinstance(event, DeadlineReached):
                    return witnessed.time_passed(state, event, at)
                return witnessed.step(state, event, seen, at) or _in_any_live_state(state, event, seen, at)
            case Talking():
                return _while_talking(state, event, seen, at)
            case Transferring():
                return _while_transferring(state, event, seen, at)
            case HandedOver():
                return _while_handed_over(state, event, seen, at)
            case Ended():
                return _after_the_end(state, event, seen, at)
            case Stranger():
                return _while_stranger(state, event, seen, at)
            case _:
                assert_never(state)

    def deadline(self, state: CallState) -> Instant | None:
        """See `router.chains.call_keeps`."""
        return keeps.deadline(state)

    def standing(self, state: CallState) -> Standing:
        """A call is final when it is over, no leg fades and the pause after the talk is over."""
        if isinstance(state, Ended):
            return Standing(not state.file.fading and not state.wrap_until)
        return Standing(final=False)

    def claims(self, state: CallState) -> tuple[Claim, ...]:
        """See `router.chains.call_keeps`."""
        return keeps.claims(state)

    def wait(self, state: CallState) -> Wait | None:
        """A call that may ring more heads than it can waits for any of them; the client who has waited longest is
        first, among those of the same rank."""
        if isinstance(state, Waiting | Ringing | Followed) and state.keys:
            known = state.file.known
            return Wait(state.keys, known.rank, known.since or state.file.arrived)
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
    file = state.file
    match event:
        case LegAnswered(leg) if hop := state.with_leg(leg):
            return talk.picked_up_in_ring(state, hop, event, seen, at)
        case LegEnded(leg, how) if hop := state.with_leg(leg):
            return offers.leg_over(state, hop, how, seen, at)
        case LegRinging(leg) if hop := state.with_leg(leg):
            return Step(offers.rang(state, hop, at))
        case LegAsked(leg) if hop := state.with_leg(leg):
            return Step(offers.with_changed(state, msgspec.structs.replace(hop, asked=at)))
        case EffectDropped(key, _) if hop := _keyed(state, key):
            return offers.never_left(state, hop, seen, at)
        case ClaimLost(key) if any(key == person_key(hop.person) for hop in state.hops):
            return offers.lost_to_another(state, key.removeprefix(person_key("")), seen, at)
        case Granted(key) if state.keys:
            return offers.offer_next(offers.back(file, key), seen, at, at, ringing=state.hops)
        case DeadlineReached(deadline) if deadline == CALL.deadline(state):
            return offers.ring_time(msgspec.structs.replace(state, file=faded(file, at)), seen, at)
        case CallerHungUp():
            return ends.left(*stopped_all(file, state.hops, Disposition.CANCELLED, "caller_gone", at), at)
        case LegAnswered():
            return talk.late_answer(state, event, seen, at)
        case TalkStarted() | TalkConfirmed():
            return talk.talk_while_offered(state, event, seen, at)
        case _:
            return _in_any_live_state(state, event, seen, at)


def _keyed(state: Ringing, key: str) -> Hop | None:
    return next((hop for hop in state.hops if leg_key(state.file, hop.leg) == key), None)


def _while_waiting(state: Waiting, event: CallEvent, seen: CallSeen, at: Instant) -> CallStep:
    file = state.file
    match event:
        case Granted(key):
            return offers.offer_next(offers.back(file, key), seen, at, at)
        case DeadlineReached(deadline) if deadline == CALL.deadline(state):
            file = faded(file, at)
            if at >= file.window_end:
                return ends.window_over(file, (), at)
            return offers.offer_next(file, seen, at, at)
        case CallerHungUp():
            return ends.left(file, (), at)
        case LegAnswered():
            return talk.late_answer(state, event, seen, at)
        case TalkStarted() | TalkConfirmed():
            return talk.talk(file, event, seen, at)
        case _:
            return _in_any_live_state(state, event, seen, at)


def _while_connecting(state: Connecting, event: CallEvent, seen: CallSeen, at: Instant) -> CallStep:
    file, hop = state.file, state.hop
    match event:
        case TalkStarted() | TalkConfirmed():
            return talk.talk_while_offered(state, event, seen, at)
        case LegEnded(leg, how) if leg == hop.leg:
            # He hung up before he was joined with the caller: the chain goes on as if he had not picked up.
            closed = (leg_key(file, leg), connect_key(file))
            return offers.offer_next(with_hop(file, hop, how, at), seen, at, at, closed=closed)
        case CallerHungUp():
            how = Disposition.CANCELLED
            return ends.left(*stopped(file, hop, how, "caller_gone", at, holds=state.holds), at)
        case EffectAside(key) if key == connect_key(file):
            return offers.not_connected(state, seen, at)
        case DeadlineReached(deadline) if deadline == CALL.deadline(state):
            state = msgspec.structs.replace(state, file=faded(file, at))
            if at < state.check:
                return Step(state)
            if at >= (hop.answered or hop.start) + file.terms.unconfirmed_talk:
                return offers.not_connected(state, seen, at)
            check = Instant(at + file.terms.connect_within)
            look = LookAtCall(file.pbx, file.call, hop.leg, check)
            return Step(msgspec.structs.replace(state, check=check), (look,))
        case ClaimLost(key) if key == person_key(hop.person):
            # He picked up this call's leg: whatever else is true shows in the next facts.
            return Step(msgspec.structs.replace(state, file=unheld(file, hop.person), holds=False))
        case LegAnswered(leg) if leg != hop.leg:
            return talk.late_answer(state, event, seen, at)
        case _:
            return _in_any_live_state(state, event, seen, at)


def _while_talking(state: Talking, event: CallEvent, seen: CallSeen, at: Instant) -> CallStep:
    file, end = state.file, state.end
    match event:
        case TalkTransferred():
            return transfer.transferred(state, event, seen, at)
        case TalkHeld() | TalkResumed():
            return transfer.on_hold(state, event, at)
        case TalkEnded(by):
            return talk.talk_over(state, by, at)
        case CallerHungUp():
            return talk.caller_gone(state, at)
        case LegEnded() if talk.is_over(event, end.leg, end.extension):
            return talk.head_gone(state, at)
        case TalkStarted() | TalkConfirmed():
            return talk.more_evidence(state, event, seen, at)
        case LegAnswered(leg, extension) if owner(file, leg) and (
            not (end.leg or end.extension) or (leg == end.leg and extension)
        ):
            return talk.more_evidence(state, event, seen, at)
        case DeadlineReached(deadline) if deadline == CALL.deadline(state):
            look = LookAtCall(file.pbx, file.call, end.leg, Instant(at + file.terms.talk_check))
            return talk.looked_after(msgspec.structs.replace(state, file=faded(file, at)), at, look)
        case ClaimLost(key) if key == person_key(end.person):
            return Step(msgspec.structs.replace(state, file=unheld(file, end.person), holds=False))
        case VerdictGiven():
            return talk.marked(state, event, at)
        case LegAnswered(leg) if leg != end.leg:
            return talk.late_answer(state, event, seen, at)
        case _:
            return _in_any_live_state(state, event, seen, at)


def _while_transferring(state: Transferring, event: CallEvent, seen: CallSeen, at: Instant) -> CallStep:
    file, pending = state.file, state.file.passed[-1]
    match event:
        case TalkStarted() | TalkConfirmed():
            return transfer.taken(state, event, seen, at)
        case TalkTransferred():
            return transfer.passed_again(state, event, seen, at)
        case LegEnded() if talk.is_over(event, pending.to_leg, pending.to_extension):
            return transfer.not_taken(state, at)
        case CallerHungUp() | TalkEnded(Party.CALLER):
            return transfer.caller_gone(state, at)
        case TalkEnded():
            return transfer.not_taken(state, at)
        case DeadlineReached(deadline) if deadline == CALL.deadline(state):
            return transfer.transfer_time(state, at)
        case FallbackTook():
            return Step(transfer.in_fallback(state, at), closed=Keys.whole_call(file.pbx, file.call))
        case FallbackServed():
            return ends.served(file, event, at)
        case VerdictGiven():
            return talk.marked(state, event, at)
        case LegAnswered(leg) if is_fading(file, leg):
            return talk.late_answer(state, event, seen, at)
        case _:
            return _in_any_live_state(state, event, seen, at)


def _while_handed_over(state: HandedOver, event: CallEvent, seen: CallSeen, at: Instant) -> CallStep:
    file = state.file
    match event:
        case FallbackServed():
            return ends.served(file, event, at)
        case DeadlineReached(deadline) if deadline == CALL.deadline(state):
            state = msgspec.structs.replace(state, file=faded(file, at))
            return Step(state) if at < state.until else ends.end(state.file, End(Outcome.FALLBACK_UNKNOWN, at), at)
        case FallbackTook():
            closed = Keys.whole_call(file.pbx, file.call)
            return Step(msgspec.structs.replace(state, took=True), closed=closed)
        case CallerHungUp() if not state.took:
            return ends.left(file, (), at)
        case CallerHungUp():
            # How the fallback ended is told by its record, not by the caller's hanging up.
            return Step(state, closed=Keys.whole_call(file.pbx, file.call))
        case EffectAside(key) if key == Keys.call(file.pbx, file.call, "fallback") and not state.took:
            return ends.released(file, at)  # this PBX has no such plan: a busy tone is better than silence
        case TalkStarted() | TalkConfirmed():
            return talk.talk(file, event, seen, at)
        case LegAnswered():
            return talk.late_answer(state, event, seen, at)
        case _:
            return _in_any_live_state(state, event, seen, at)


def _after_the_end(state: Ended, event: CallEvent, seen: CallSeen, at: Instant) -> CallStep:
    file, end = state.file, state.end
    match event:
        case VerdictGiven():
            return talk.marked(state, event, at)
        case DeadlineReached(deadline) if deadline == CALL.deadline(state):
            wrap_until = state.wrap_until if at < state.wrap_until else Instant(0)
            return Step(msgspec.structs.replace(state, file=faded(file, at), wrap_until=wrap_until))
        case CallerHungUp() | FallbackTook():
            return Step(state, closed=Keys.whole_call(file.pbx, file.call))
        case FallbackServed() if end.outcome in UNSERVED:
            return ends.served(file, event, at)
        case TalkStarted() | TalkConfirmed() | TalkEnded() if end.outcome is not Outcome.ANSWERED:
            return talk.talk_after_the_end(state, event, seen, at)
        case TalkStarted() | TalkConfirmed():
            return talk.more_evidence(state, event, seen, at)
        case TalkTransferred() if end.outcome is Outcome.ANSWERED:
            return transfer.transferred_before_the_end(state, event, seen)
        case TalkEnded(by) if end.by is Party.UNKNOWN:
            return Step(msgspec.structs.replace(state, end=msgspec.structs.replace(end, by=by)))
        case LegAnswered(leg, extension) if end.outcome is Outcome.ANSWERED and leg == end.leg and extension:
            return talk.more_evidence(state, event, seen, at)
        case LegAnswered(leg) if is_fading(file, leg):
            return Step(state, (StopLeg(file.pbx, file.call, leg, "elsewhere"),))
        case ClaimLost(key) if key == person_key(end.person):
            return Step(msgspec.structs.replace(state, file=unheld(file, end.person), wrap_until=Instant(0)))
        case _:
            return _in_any_live_state(state, event, seen, at)


def _while_stranger(state: Stranger, event: CallEvent, seen: CallSeen, at: Instant) -> CallStep:
    match event:
        case CallArrived():
            return papers.stranger_arrived(state, event, seen, at)
        case TalkStarted() | TalkConfirmed() | TalkEnded():
            return talk.stranger_talked(papers.file_of_stranger(state), event, seen, at, over=state.over)
        case TalkTransferred():
            return _transferred_untold(state, event, seen, at)
        case CallerHungUp():
            return Step(msgspec.structs.replace(state, over=True), closed=Keys.whole_call(state.pbx, state.call))
        case FallbackTook():
            file = papers.file_of_stranger(state)
            return Step(HandedOver(file, Instant(at + file.terms.handover_within), took=True))
        case FallbackServed():
            known = seen.opening
            file = papers.file_of_record(known, event) if known is not None else papers.file_of_stranger(state)
            return ends.served(file, event, at)
        case DeadlineReached(deadline) if deadline == state.until:
            by = Party.CALLER if state.over else Party.UNKNOWN
            return ends.end(papers.file_of_stranger(state), End(Outcome.INCOMPLETE, at, by=by), at)
        case VerdictGiven() | TakePressed():
            return Step(state, reply="too_early")
        case HeadFreed() | CallClosed() | FallbackOrdered():
            return emergency.obeyed_by_stranger(state, event, at)
        case (
            AdviceAsked() | LegRinging() | LegAsked() | LegAnswered() | LegEnded() | DeadlineReached()
            | TalkHeld() | TalkResumed()
            | Announced() | RecordingStarted() | RecordingFinished() | RecordingFailed() | RecordingKept()
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
            return Step(_refiled(state, without_fading(file, leg)), closed=(leg_key(file, leg),))
        case ClaimLost(key):
            return Step(_refiled(state, unheld(file, key.removeprefix(person_key("")))))
        case EffectDropped(key) if file.tape is not None and key == Keys.call(file.pbx, file.call, "record"):
            return recording.heard(state, RecordingFailed(file.tape.name, "too_late"), at)
        case EffectDropped(key):
            return offers.never_asked(state, key, seen, at)
        case TakePressed(by):
            return offers.take_pressed(state, by, seen, at)
        case VerdictGiven():
            return Step(state, reply="too_early")
        case HeadFreed() | CallClosed() | FallbackOrdered():
            return emergency.obeyed(state, event, seen, at)
        case TalkEnded() if isinstance(state, HandedOver) and file.passed:
            return Step(state)  # about the talk before he was passed on: nobody has had him since
        case TalkEnded(by) if isinstance(state, Ringing | Waiting | Connecting | HandedOver):
            return talk.ended_unseen(state, by, seen, at)
        case FallbackTook() if isinstance(state, Ringing | Waiting | Connecting):
            return ends.taken_by_fallback(state, at)
        case Announced() | RecordingStarted() | RecordingFinished() | RecordingFailed() | RecordingKept():
            return recording.heard(state, event, at)
        case EffectAside(key, reason) if file.tape is not None and key == Keys.call(file.pbx, file.call, "keep"):
            return recording.heard(state, RecordingFailed(file.tape.name, reason), at)
        case FallbackServed() if isinstance(state, Ringing | Waiting | Connecting):
            return ends.served_meanwhile(state, event, at)
        case TalkTransferred() if not isinstance(state, Talking | Transferring):
            return _transferred_untold(state, event, seen, at)
        case CallArrived():
            return papers.arrived_late(state, event, seen, at)
        case (
            AdviceAsked() | LegRinging() | LegAsked() | LegAnswered() | TalkStarted() | TalkConfirmed() | TalkEnded()
            | CallerHungUp() | TalkHeld() | TalkResumed() | TalkTransferred() | FallbackTook() | FallbackServed()
            | DeadlineReached() | Granted() | EffectAside() | Nudged()
        ):  # fmt: skip
            return Step(state)
        case _:
            assert_never(event)


def _transferred_untold(state: CallState, event: TalkTransferred, seen: CallSeen, at: Instant) -> CallStep:
    """A talk that was not reported is passed on: it was, and another one has the client, or is about to."""
    blind = event.how is Transfer.BLIND
    if blind and isinstance(state, Ringing):
        # Whoever is rung either was the one who talked, and is done, or rings for nothing.
        file, effects = stopped_all(state.file, state.hops, Disposition.ELSEWHERE, "elsewhere", at)
        begun = talk.talk(file, TalkStarted(""), seen, at, effects)
    elif blind or isinstance(state, Connecting):
        begun = CALL.step(state, TalkStarted(""), seen, at)
    else:
        return CALL.step(state, TalkStarted(event.leg, event.extension), seen, at)
    if not isinstance(begun.state, Talking):
        return begun
    # That talk is over before it could seize anybody: only who was held already stays so until his leg is over.
    held = isinstance(state, Connecting) and state.holds
    begun = msgspec.structs.replace(begun, state=msgspec.structs.replace(begun.state, holds=held))
    return transfer.after_a_talk_untold(begun, event, seen, at)


def _refiled(state: CallState, file: File) -> CallState:
    return state if isinstance(state, Stranger) or file is state.file else msgspec.structs.replace(state, file=file)


CALL = CallMachine()
"""The machine; it has no state of its own."""
