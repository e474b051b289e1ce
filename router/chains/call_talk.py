"""What a call does about a talk: who picked up, who talks by the evidence, its end, the verdict on it.

Who answered is evidence: it is put together from what the PBX names (an extension, a leg) and what we ordered. Where
these contradict each other or name nobody, the file says so and a person is asked. It is never guessed.
"""

import msgspec

from router.basis.instants import Instant
from router.basis.machine import Effect, Step
from router.chains import call_cards as cards
from router.chains import call_recording as recording
from router.chains.call_ends import end, misses, settled
from router.chains.call_states import (
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
    Transferring,
    Waiting,
)
from router.chains.delivery import Keys
from router.chains.effects import Connect, Release, StopLeg
from router.chains.enquiry import (
    UNSERVED,
    End,
    File,
    Hop,
    Outcome,
    Verdict,
    asked,
    is_fading,
    is_passed_leg,
    owner,
    with_fading,
    with_hop,
    without_fading,
)
from router.chains.events import (
    Disposition,
    LegAnswered,
    LegEnded,
    Party,
    TalkConfirmed,
    TalkEnded,
    TalkStarted,
    VerdictGiven,
)
from router.chains.stops import leg_key, stopped_all

TalkFact = TalkStarted | TalkConfirmed

# --- the beginning of a talk ------------------------------------------------------------------------------------


def picked_up_in_ring(state: Ringing, hop: Hop, event: LegAnswered, seen: CallSeen, at: Instant) -> CallStep:
    """One of the phones that ring is picked up: it is joined with the caller, the others fall silent."""
    others = tuple(other for other in state.hops if other.leg != hop.leg)
    file, effects = stopped_all(state.file, others, Disposition.ELSEWHERE, "elsewhere", at)
    step = picked_up(file, hop, event, seen, at)
    return msgspec.structs.replace(step, effects=(*step.effects, *effects))


def picked_up(file: File, hop: Hop, event: LegAnswered, seen: CallSeen, at: Instant) -> CallStep:
    """Join the head with the caller."""
    hop = msgspec.structs.replace(hop, answered=at, rang=hop.rang or at)
    if event.extension:
        hop = msgspec.structs.replace(hop, picked_at=event.extension, picked_by=_owner_of(hop, event.extension, seen))
    check = Instant(at + file.terms.connect_within)
    return Step(Connecting(file, hop, check), (Connect(file.pbx, file.call, hop.leg),))


def talk_while_offered(state: Ringing | Connecting, event: TalkFact, seen: CallSeen, at: Instant) -> CallStep:
    """They talk. If it is not the head who is rung, his phone stops."""
    file = state.file
    hops = state.hops if isinstance(state, Ringing) else (state.hop,)
    nameless = not event.leg and not event.extension
    his = next((hop for hop in hops if _names(event, hop)), None)
    if nameless and isinstance(state, Connecting):
        his = state.hop
    if his is not None:
        others = tuple(hop for hop in hops if hop.leg != his.leg)
        file, effects = stopped_all(file, others, Disposition.ELSEWHERE, "elsewhere", at)
        said = _said(his, his.leg, event.extension, seen, at)
        return _begin_talk(_hop_answered(file, his, at), said, at, effects)
    if nameless:
        # It may be a leg that rings: to stop it might cut the talk. They fade and end with the call.
        for hop in hops:
            file = with_fading(with_hop(file, hop, Disposition.ELSEWHERE, at), hop.leg, hop.person, at)
        return talk(file, event, seen, at)
    holds = state.holds if isinstance(state, Connecting) else True
    file, effects = stopped_all(file, hops, Disposition.ELSEWHERE, "elsewhere", at, holds=holds)
    return talk(file, event, seen, at, effects)


def _names(event: TalkFact, hop: Hop) -> bool:
    return event.leg == hop.leg or (not event.leg and bool(event.extension) and event.extension == hop.extension)


def talk(file: File, event: TalkFact, seen: CallSeen, at: Instant, effects: tuple[Effect, ...] = ()) -> CallStep:
    """The PBX says that they talk."""
    said = _said(owner(file, event.leg), event.leg, event.extension, seen, at)
    return _begin_talk(file, said, at, effects)


def _begin_talk(file: File, said: End, at: Instant, effects: tuple[Effect, ...] = ()) -> CallStep:
    closed = Keys.whole_call(file.pbx, file.call)
    if said.leg:
        # Whatever was asked of this leg or of the caller before: they talk, and nothing may cut them.
        file = without_fading(file, said.leg)
        closed = (*closed, leg_key(file, said.leg))
    file, over = cards.late_cards_over(file, Outcome.ANSWERED)
    file, shown = cards.talk_cards(file, said, None)
    file, messages = settled(file, said.person)
    file, missed = misses(file, said.person)
    messages = (*messages, *missed)
    file, tape = recording.begin(file, at)
    state = Talking(file, said, at, Instant(at + file.terms.talk_check))
    return Step(state, (*effects, *over, *shown, *tape), messages, closed)


def _hop_answered(file: File, hop: Hop, at: Instant) -> File:
    hop = msgspec.structs.replace(hop, answered=hop.answered or at, rang=hop.rang or at)
    return msgspec.structs.replace(file, hops=(*file.hops, hop))


def _said(hop: Hop | None, leg: str, extension: str, seen: CallSeen, at: Instant) -> End:
    """Who talks, by the evidence: the phones that the PBX names, for the talk and where our leg was picked up; where it
    names none, the head whose leg it is."""
    if hop is None:
        return End(Outcome.ANSWERED, at, seen.answerer if extension else "", extension, leg, at)
    if not extension and not hop.picked_at:
        return End(Outcome.ANSWERED, at, hop.person, hop.extension, leg, at, by_order=True)
    if not extension:
        return End(Outcome.ANSWERED, at, hop.picked_by, hop.picked_at, leg, at)
    person = _owner_of(hop, extension, seen)
    picked = hop.picked_by or hop.picked_at
    others = (picked,) if hop.picked_at and picked != (person or extension) else ()
    return End(Outcome.ANSWERED, at, person, extension, leg, at, others=others)


def _owner_of(hop: Hop, extension: str, seen: CallSeen) -> str:
    """Whose phone the PBX names: it is the head's whom we rang, or another's."""
    return hop.person if extension == hop.extension else seen.answerer


def picked_up_at(state: CallState, event: LegAnswered, seen: CallSeen) -> CallState:
    """Whoever picked up an earlier leg is kept as evidence, whenever it is told: that leg may prove to be the talk."""
    if isinstance(state, Stranger) or not event.extension:
        return state
    hop = owner(state.file, event.leg)
    if hop is None or hop.picked_at:
        return state
    known = msgspec.structs.replace(hop, picked_at=event.extension, picked_by=_owner_of(hop, event.extension, seen))
    hops = tuple(known if entry.leg == hop.leg else entry for entry in state.file.hops)
    return msgspec.structs.replace(state, file=msgspec.structs.replace(state.file, hops=hops))


# --- while they talk --------------------------------------------------------------------------------------------


def more_evidence(state: Talking | Ended, event: TalkFact | LegAnswered, seen: CallSeen, at: Instant) -> CallStep:
    """Another word about who talks or talked: the same, the first that names anybody, or a contradiction."""
    said = _said(owner(state.file, event.leg), event.leg, event.extension, seen, at)
    named = state.end
    if said.by_order and named.leg == said.leg and (named.person or named.extension):
        said = msgspec.structs.replace(said, person=named.person, extension=named.extension)  # the same leg: no news
    if isinstance(state, Talking) and isinstance(event, TalkConfirmed):
        # Whoever it is: the client talks. That his head is the one we hold is confirmed only by the same name or none.
        same = said.person == named.person or not (said.person or said.extension)
        check = Instant(at + state.file.terms.talk_check)
        state = msgspec.structs.replace(
            state, check=check, confirmed=at if same else state.confirmed, holds=state.holds or same
        )
    name = said.person or said.extension
    before = {known for entry in state.file.passed for known in (entry.person, entry.extension)}
    if not name or name in {named.person, named.extension, *named.others, *before}:
        return Step(state)
    if (named.person or named.extension) and not (named.by_order and named.leg == said.leg):
        named = msgspec.structs.replace(named, others=(*named.others, name))
    else:
        named = msgspec.structs.replace(
            named,
            person=said.person,
            extension=said.extension,
            leg=named.leg or said.leg,
            others=tuple(
                other for other in (*named.others, *said.others) if other not in {said.person, said.extension}
            ),
            by_order=said.by_order,
        )
    papers = _told_of_target(without_fading(state.file, named.leg), named)
    papers, shown = cards.talk_cards(papers, named, None if isinstance(state, Talking) else named.at)
    closed = (leg_key(papers, named.leg),) if isinstance(state, Talking) and named.leg != state.end.leg else ()
    return Step(msgspec.structs.replace(state, file=papers, end=named), shown, closed=closed)


def _told_of_target(file: File, named: End) -> File:
    """To whom the client was transferred is known only now."""
    if not file.passed or file.passed[-1].to_leg != named.leg or file.passed[-1].to_person:
        return file
    target = {"to_person": named.person, "to_extension": named.extension}
    entry = msgspec.structs.replace(file.passed[-1], **target)
    return msgspec.structs.replace(file, passed=(*file.passed[:-1], entry))


def looked_after(state: Talking, at: Instant, look: Effect) -> CallStep:
    """An instant of a talk has come: nobody has confirmed it for long, or it is time to ask the PBX."""
    file = state.file
    if at >= state.confirmed + file.terms.forgotten_talk:
        return end(file, msgspec.structs.replace(state.end, at=at), at)
    if at >= state.confirmed + file.terms.unconfirmed_talk:
        state = msgspec.structs.replace(state, holds=False)
    if at < state.check:
        return Step(state)
    return Step(msgspec.structs.replace(state, check=Instant(at + file.terms.talk_check)), (look,))


def late_answer(state: Filed, event: LegAnswered, seen: CallSeen, at: Instant) -> CallStep:
    """A head picks up after his ring was told to stop. Only a PBX that can still connect him does; else he may Take."""
    papers, leg = state.file, event.leg
    hop = owner(papers, leg)
    if hop is None or not is_fading(papers, leg):
        return Step(state)  # not ours, or over already: if they talk, the PBX will say so
    if isinstance(state, Ringing | Waiting) and papers.terms.can_connect_late:
        return _connected_late(state, hop, event, seen, at)
    stop = StopLeg(papers.pbx, papers.call, leg, "elsewhere")
    waits = isinstance(state, Ringing | Waiting) and papers.window_end - at >= papers.terms.min_offer
    if not waits or hop.person in papers.late:
        return Step(state, (stop,))
    papers = msgspec.structs.replace(papers, late=(*papers.late, hop.person))
    papers, card = cards.late_card(papers, hop.person)
    return Step(msgspec.structs.replace(state, file=papers), (stop, card))


def _connected_late(state: Ringing | Waiting, hop: Hop, event: LegAnswered, seen: CallSeen, at: Instant) -> CallStep:
    papers = state.file
    effects: tuple[Effect, ...] = ()
    if isinstance(state, Ringing):
        papers, effects = stopped_all(papers, state.hops, Disposition.ELSEWHERE, "elsewhere", at)
    others = tuple(entry for entry in papers.hops if entry.leg != hop.leg)
    papers = msgspec.structs.replace(without_fading(papers, hop.leg), hops=others)
    step = picked_up(papers, msgspec.structs.replace(hop, ended=None, how=None), event, seen, at)
    # The stop is not repeated any more: it would cut the connection.
    return Step(step.state, (*effects, *step.effects), closed=(leg_key(papers, hop.leg),))


# --- the end of a talk ------------------------------------------------------------------------------------------


def is_over(event: LegEnded, leg: str, extension: str) -> bool:
    """Whether this leg is over; that of a PBX which names no legs is known by its phone."""
    if event.leg or leg:
        return event.leg == leg
    return bool(extension) and event.extension == extension


def talk_over(state: Talking, by: Party, at: Instant, effects: tuple[Effect, ...] = ()) -> CallStep:
    """Somebody hung up: whatever is left of the call is released, the head is free when his leg is gone."""
    file, leg = state.file, state.end.leg
    release = Release(file.pbx, file.call, "talk_over")
    return _over(state, by, at, (*effects, release), (), leg_left=_is_of_call(file, leg))


def caller_gone(state: Talking, at: Instant) -> CallStep:
    """The caller hung up: nothing of him is to be released, but the head's leg may be left alone."""
    closed = Keys.whole_call(state.file.pbx, state.file.call)
    leg_left = _is_of_call(state.file, state.end.leg)
    return _over(state, Party.CALLER, at, (), closed, leg_left=leg_left)


def head_gone(state: Talking, at: Instant) -> CallStep:
    """The head's leg is over; who ended it is told by TalkEnded, if at all."""
    file = state.file
    release = Release(file.pbx, file.call, "talk_over")
    return _over(state, Party.UNKNOWN, at, (release,), (leg_key(file, state.end.leg),), leg_left=False)


def _is_of_call(file: File, leg: str) -> bool:
    """A leg that we ordered or that a transfer made: it must not be left alone."""
    return owner(file, leg) is not None or is_passed_leg(file, leg)


def _over(
    state: Talking, by: Party, at: Instant, effects: tuple[Effect, ...], closed: tuple[str, ...], *, leg_left: bool
) -> CallStep:
    file, how = state.file, msgspec.structs.replace(state.end, at=at, by=by)
    if leg_left:
        file = with_fading(file, how.leg, how.person, at, holds=state.holds and bool(how.person))
        effects = (*effects, StopLeg(file.pbx, file.call, how.leg, "talk_over"))
    return end(file, how, at, effects, closed, wrap_up=state.holds)


def ended_unseen(
    state: Ringing | Waiting | Connecting | HandedOver, by: Party, seen: CallSeen, at: Instant
) -> CallStep:
    """A talk is over whose beginning was not told. It was answered: by the head who picked up, if one alone did."""
    file, effects = state.file, tuple[Effect, ...]()
    if isinstance(state, Connecting):
        said = msgspec.structs.replace(_said(state.hop, state.hop.leg, "", seen, at), talk_from=state.hop.answered)
        return talk_over(Talking(_hop_answered(file, state.hop, at), said, at, at, state.holds), by, at)
    if isinstance(state, Ringing):
        file, effects = stopped_all(file, state.hops, Disposition.ELSEWHERE, "elsewhere", at)
    return talk_over(Talking(file, _who_picked_up(file, seen, at), at, at, holds=False), by, at, effects)


def _who_picked_up(file: File, seen: CallSeen, at: Instant) -> End:
    answered = [hop for hop in file.hops if hop.answered is not None]
    if len(answered) != 1:
        return End(Outcome.ANSWERED, at)
    said = _said(answered[0], answered[0].leg, "", seen, at)
    return msgspec.structs.replace(said, talk_from=answered[0].answered)


def talk_after_the_end(state: Ended, event: TalkFact | TalkEnded, seen: CallSeen, at: Instant) -> CallStep:
    """A call thought missed was answered: they talk now, or, where the caller is known to be gone, they did."""
    end_ = state.end
    before = {name for entry in state.file.passed for name in (entry.leg, entry.person, entry.extension) if name}
    if before and (isinstance(event, TalkEnded) or event.leg in before or event.extension in before):
        return Step(state)  # about the talk before he was transferred
    gone = end_.by is Party.CALLER or end_.outcome in {Outcome.FALLBACK_SERVED, Outcome.FALLBACK_MISSED}
    if not gone and not isinstance(event, TalkEnded):
        return talk(state.file, event, seen, at)
    if isinstance(event, TalkEnded):
        if end_.outcome not in UNSERVED:
            return Step(state)
        said = _who_picked_up(state.file, seen, at)
    else:
        said = _said(owner(state.file, event.leg), event.leg, event.extension, seen, at)
    said = msgspec.structs.replace(said, at=end_.at, by=end_.by)
    papers, shown = cards.talk_cards(state.file, said, said.at)
    papers, messages = settled(papers, said.person)
    return Step(msgspec.structs.replace(state, file=papers, end=said), shown, messages)


def stranger_talked(file: File, event: TalkFact | TalkEnded, seen: CallSeen, at: Instant, *, over: bool) -> CallStep:
    """A talk of a call whose arrival was not reported."""
    if isinstance(event, TalkEnded):
        return talk_over(Talking(file, End(Outcome.ANSWERED, at), at, at, holds=False), event.by, at)
    begun = talk(file, event, seen, at)
    assert isinstance(begun.state, Talking)
    if not over:
        return begun
    return end(begun.state.file, msgspec.structs.replace(begun.state.end, by=Party.CALLER), at, closed=begun.closed)


def marked(state: Talking | Transferring | Ended, event: VerdictGiven, at: Instant) -> CallStep:
    """A person marks the call: the answerer his own, anybody a call whose answerer is not known."""
    papers, how = state.file, state.end
    if how.outcome is not Outcome.ANSWERED and not papers.passed:
        return Step(state, reply="not_answered")
    whose = asked(papers, how)
    if whose and not how.others and event.by != whose:
        return Step(state, reply="not_yours")
    if papers.verdicts and papers.verdicts[-1].verdict == event.verdict:
        return Step(state, reply="already")
    verdict = Verdict(event.by, event.verdict, at)
    papers = msgspec.structs.replace(papers, verdicts=(*papers.verdicts, verdict))
    papers, shown = cards.talk_cards(papers, how, how.at if isinstance(state, Ended) else None)
    return Step(msgspec.structs.replace(state, file=papers), shown, reply="marked")
