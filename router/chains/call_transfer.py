"""What a call does about hold and transfer: the talk goes on, with another one.

A blind transfer rings another phone first (`Transferring`); an attended one is a talk at once. Whoever passed the
client on is free as soon as his own leg is over, whoever takes him is seized by the fact. The history of talkers is
`File.passed` and, behind it, the call's end. If the new one does not take the client, he is not left in silence: what
the terms have for the end of the window follows.
"""

import msgspec

from router.basis.instants import Instant
from router.basis.machine import Effect, Step
from router.chains import call_cards as cards
from router.chains.call_ends import end
from router.chains.call_states import CallSeen, CallStep, Ended, HandedOver, Talking, Transferring
from router.chains.delivery import Keys
from router.chains.effects import LookAtCall, Release, SendToFallback, StopLeg
from router.chains.enquiry import (
    End,
    File,
    Outcome,
    Passed,
    faded,
    is_passed_leg,
    owner,
    talker_since,
    with_fading,
    without_fading,
)
from router.chains.events import (
    Party,
    TalkConfirmed,
    TalkHeld,
    TalkResumed,
    TalkStarted,
    TalkTransferred,
    Transfer,
)
from router.chains.stops import leg_key
from router.chains.terms import AfterWindow

# --- hold -------------------------------------------------------------------------------------------------------


def on_hold(state: Talking, event: TalkHeld | TalkResumed, at: Instant) -> CallStep:
    """The client is put on hold, or taken back; said twice, the first counts."""
    if event.leg and state.end.leg and event.leg != state.end.leg:
        return Step(state)  # another leg of the call: his own hold music is no concern of the client
    if isinstance(event, TalkResumed):
        return Step(msgspec.structs.replace(state, held=None))
    return Step(state if state.held else msgspec.structs.replace(state, held=at))


# --- a transfer -------------------------------------------------------------------------------------------------


def transferred(state: Talking, event: TalkTransferred, seen: CallSeen, at: Instant) -> CallStep:
    """The talker passes the client on."""
    old = state.end
    if _is_told(old.leg, old.extension, event):
        return Step(state)
    file, effects = _let_go(state.file, old, event, at, holds=state.holds)
    entry = _entry(file, old, event, seen, at)
    if event.how is Transfer.BLIND:
        file = msgspec.structs.replace(file, passed=(*file.passed, entry))
        file, shown = cards.talk_cards(file, old, None)
        return Step(_transferring(file, old, at), (*effects, *shown))
    return _taken(file, old, msgspec.structs.replace(entry, taken=at), at, effects)


def passed_again(state: Transferring, event: TalkTransferred, seen: CallSeen, at: Instant) -> CallStep:
    """While the new phone rings, he is transferred elsewhere, or the transfer turns out to be another than was told."""
    last = state.file.passed[-1]
    if event.how is Transfer.BLIND and _is_told(last.to_leg, last.to_extension, event):
        return Step(state)
    entry = msgspec.structs.replace(
        last, how=event.how, to_leg=event.leg, to_extension=event.extension, to_person=seen.answerer,
        to_number=event.number,
    )  # fmt: skip
    file = msgspec.structs.replace(state.file, passed=(*state.file.passed[:-1], entry))
    effects: tuple[Effect, ...] = ()
    if last.to_leg and last.to_leg != event.leg:
        file, effects = _stop(file, last.to_leg, last.to_person, at)
    if event.how is Transfer.BLIND:
        file, shown = cards.talk_cards(file, state.end, None)
        return Step(_transferring(file, state.end, at), (*effects, *shown))
    file = msgspec.structs.replace(file, passed=file.passed[:-1])
    return _taken(file, state.end, msgspec.structs.replace(entry, taken=at), at, effects)


def taken(state: Transferring, event: TalkStarted | TalkConfirmed, seen: CallSeen, at: Instant) -> CallStep:
    """The new one picked up: they talk."""
    *before, last = state.file.passed
    if event.leg and event.leg in {state.end.leg, last.leg} and event.leg != last.to_leg:
        return Step(state)  # an old word about the talk before the transfer
    told: dict[str, object] = {"taken": at}
    if event.leg:
        told["to_leg"] = event.leg
    if event.extension and event.extension != last.to_extension:
        told |= {"to_extension": event.extension, "to_person": seen.answerer}
    file = msgspec.structs.replace(state.file, passed=tuple(before))
    effects: tuple[Effect, ...] = ()
    if last.to_leg and event.leg and last.to_leg != event.leg:
        file, effects = _stop(file, last.to_leg, last.to_person, at)
    return _taken(file, state.end, msgspec.structs.replace(last, **told), at, effects)


def after_a_talk_untold(begun: CallStep, event: TalkTransferred, seen: CallSeen, at: Instant) -> CallStep:
    """He passes the client on before his own talk was reported: both are true, one after the other."""
    assert isinstance(begun.state, Talking)
    further = transferred(begun.state, event, seen, at)
    # His leg, which the talk freed of older orders, is told to end by the transfer.
    ends = {leg_key(begun.state.file, effect.leg) for effect in further.effects if isinstance(effect, StopLeg)}
    return Step(
        further.state, (*begun.effects, *further.effects), (*begun.messages, *further.messages),
        (*(key for key in begun.closed if key not in ends), *further.closed),
    )  # fmt: skip


def transferred_before_the_end(state: Ended, event: TalkTransferred, seen: CallSeen) -> CallStep:
    """Told after the call is over: who talked last is known only now."""
    old = state.end
    if _is_told(old.leg, old.extension, event) or any(
        _is_told(entry.to_leg, entry.to_extension, event) for entry in state.file.passed
    ):
        return Step(state)
    entry = _entry(state.file, old, event, seen, old.at)
    file = state.file
    if event.how is not Transfer.BLIND:
        entry = msgspec.structs.replace(entry, taken=old.at)
        old = msgspec.structs.replace(_end_of(entry, old, old.at), by=old.by)
    file = msgspec.structs.replace(file, passed=(*file.passed, entry))
    file, shown = cards.talk_cards(file, old, old.at)
    # The pause after the talk was the other one's: the one who is named now was never kept for it.
    wrap_until = state.wrap_until if old.person == state.end.person else Instant(0)
    return Step(msgspec.structs.replace(state, file=file, end=old, wrap_until=wrap_until), shown)


# --- nobody takes him -------------------------------------------------------------------------------------------


def not_taken(state: Transferring, at: Instant) -> CallStep:
    """The new one is not there, refused, or let it ring: the client is not left in silence."""
    *before, last = state.file.passed
    file = msgspec.structs.replace(state.file, passed=(*before, msgspec.structs.replace(last, lost=True)))
    file = without_fading(file, last.to_leg)
    file, shown = cards.talk_cards(file, state.end, at)
    if file.terms.after_window is AfterWindow.RELEASE:
        release = Release(file.pbx, file.call, "no_answer")
        how = End(Outcome.LOST_IN_TRANSFER, at, by=Party.PBX, talk_from=state.end.talk_from)
        return end(file, how, at, (*shown, release))
    send = SendToFallback(file.pbx, file.call)
    return Step(HandedOver(file, Instant(at + file.terms.handover_within)), (*shown, send))


def caller_gone(state: Transferring, at: Instant) -> CallStep:
    """The client hangs up while the new phone rings: it must not ring on."""
    *before, last = state.file.passed
    file = msgspec.structs.replace(state.file, passed=(*before, msgspec.structs.replace(last, lost=True)))
    effects: tuple[Effect, ...] = ()
    if last.to_leg:
        file, effects = _stop(file, last.to_leg, "", at)
    closed = Keys.whole_call(file.pbx, file.call)
    return end(file, msgspec.structs.replace(state.end, at=at, by=Party.CALLER), at, effects, closed)


def in_fallback(state: Transferring, at: Instant) -> HandedOver:
    """He was transferred into the PBX's own plan: its record will tell the rest."""
    return HandedOver(state.file, Instant(at + state.file.terms.handover_within), took=True)


def transfer_time(state: Transferring, at: Instant) -> CallStep:
    """An instant of a transfer has come: the PBX is asked, or nothing was heard of it for too long."""
    file = faded(state.file, at)
    last = file.passed[-1]
    if at >= last.at + file.terms.unconfirmed_talk:
        # Its end was not told. Nobody is hung up: they may well talk.
        return end(file, msgspec.structs.replace(state.end, at=at), at)
    state = msgspec.structs.replace(state, file=file)
    if at < state.check:
        return Step(state)
    check = Instant(at + file.terms.talk_check)
    look = LookAtCall(file.pbx, file.call, last.to_leg, check)
    return Step(msgspec.structs.replace(state, check=check), (look,))


# --- parts ------------------------------------------------------------------------------------------------------


def _is_told(leg: str, extension: str, event: TalkTransferred) -> bool:
    """Whether this is where the client is already: the same fact once more."""
    if not event.leg and not event.extension:
        return False
    return event.leg in {"", leg} and event.extension in {"", extension}


def _let_go(
    file: File, old: End, event: TalkTransferred, at: Instant, *, holds: bool
) -> tuple[File, tuple[StopLeg, ...]]:
    """Whoever passed him on keeps his phone busy until his own leg is over: it is told to end."""
    leg = old.leg
    if not leg or leg == event.leg or (owner(file, leg) is None and not is_passed_leg(file, leg)):
        return file, ()
    file = with_fading(file, leg, old.person, at, holds=holds and bool(old.person))
    return file, (StopLeg(file.pbx, file.call, leg, "talk_over"),)


def _stop(file: File, leg: str, person: str, at: Instant) -> tuple[File, tuple[StopLeg, ...]]:
    """A phone that rang for a transfer rings no more. It was never claimed, so it keeps nobody."""
    file = with_fading(file, leg, person, at, holds=False)
    return file, (StopLeg(file.pbx, file.call, leg, "caller_gone"),)


def _entry(file: File, old: End, event: TalkTransferred, seen: CallSeen, at: Instant) -> Passed:
    since = talker_since(file, old)
    person = seen.answerer if event.extension else ""
    return Passed(
        old.person, old.extension, old.leg, since, at, event.how, person, event.extension, event.leg, event.number
    )


def _end_of(entry: Passed, old: End, at: Instant) -> End:
    """Who talks now. What contradicted the old talker may have been the new one; that is no contradiction any more."""
    others = tuple(name for name in old.others if name not in {entry.to_person, entry.to_extension})
    return End(
        Outcome.ANSWERED, at, entry.to_person, entry.to_extension, entry.to_leg, old.talk_from or at, others=others
    )


def _taken(file: File, old: End, entry: Passed, at: Instant, effects: tuple[Effect, ...]) -> CallStep:
    file = msgspec.structs.replace(without_fading(file, entry.to_leg), passed=(*file.passed, entry))
    named = _end_of(entry, old, at)
    file, shown = cards.talk_cards(file, named, None)
    state = Talking(file, named, at, Instant(at + file.terms.talk_check))
    closed = (leg_key(file, entry.to_leg),) if entry.to_leg else ()
    return Step(state, (*effects, *shown), closed=closed)


def _transferring(file: File, old: End, at: Instant) -> Transferring:
    return Transferring(file, old, Instant(at + file.terms.talk_check))
