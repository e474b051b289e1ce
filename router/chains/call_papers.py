"""The beginning of a call: its file, and the papers that come later."""

import msgspec

from router.basis.instants import Instant
from router.basis.machine import Step
from router.chains import call_cards as cards
from router.chains.call_ends import end, owe, window_over
from router.chains.call_offers import offer_next
from router.chains.call_states import CallSeen, CallStep, Ended, Filed, Followed, Opening, Stranger, Talking
from router.chains.effects import RingBack
from router.chains.enquiry import MISSED, End, File, Outcome
from router.chains.events import CallArrived, FallbackServed, Party
from router.chains.terms import Style


def file(opening: Opening, event: CallArrived, at: Instant) -> File:
    """The file of a call whose arrival was reported."""
    line = event.line or opening.line
    return File(
        opening.call, opening.pbx, line, opening.channel, event.caller, at, opening.plan, known=opening.known
    )  # fmt: skip


def file_of_record(opening: Opening, event: FallbackServed) -> File:
    """The file of a call of which only the fallback's record is known."""
    return File(opening.call, opening.pbx, event.line, opening.channel, event.caller, event.arrived, opening.plan)


def file_of_stranger(state: Stranger) -> File:
    """The file of a call whose arrival was not reported (yet)."""
    return File(state.call, state.pbx, state.line, state.channel, None, state.first, state.plan, reported=False)


def arrived(file: File, seen: CallSeen, at: Instant) -> CallStep:
    """The caller hears ringing; the first head is rung, unless the PBX leads. Out of hours, or with nobody on duty,
    nobody is."""
    if file.terms.style is Style.WITNESS:
        return Step(Followed(file, Instant(at + file.terms.handover_within)))  # whatever our hours, it hunts
    if file.known.closed:
        return window_over(file, (), at)
    if file.terms.style is Style.ADVISER:
        return Step(Followed(file, Instant(at + file.terms.handover_within)))
    return offer_next(file, seen, at, at, effects=(RingBack(file.pbx, file.call, file.window_end),))


def stranger_arrived(state: Stranger, event: CallArrived, seen: CallSeen, at: Instant) -> CallStep:
    """The arrival comes after other facts of the call: they decide whether anybody is still to be rung."""
    papers = _papers(file_of_stranger(state), event, seen, at)
    if state.over:
        return end(papers, End(Outcome.CALLER_LEFT, at, by=Party.CALLER), at)
    return arrived(papers, seen, at)


def arrived_late(state: Filed, event: CallArrived, seen: CallSeen, at: Instant) -> CallStep:
    """The arrival of a call that is filed already: said twice, or the papers that were missing."""
    if state.file.reported:
        return Step(state)
    papers = _papers(state.file, event, seen, state.file.arrived)
    if not isinstance(state, Ended) or state.end.outcome not in MISSED:
        return _with_papers(state, papers)
    if state.end.outcome is Outcome.INCOMPLETE and state.end.by is not Party.CALLER:
        # Given up for want of an arrival, and nothing says that he is gone: he is served as if he came now.
        return arrived(msgspec.structs.replace(papers, arrived=at), seen, at)
    return Step(msgspec.structs.replace(state, file=papers), messages=(owe(papers, state.end.outcome),))


def _with_papers(state: Filed, papers: File) -> CallStep:
    if not isinstance(state, Talking | Ended) or state.end.outcome is not Outcome.ANSWERED:
        return Step(msgspec.structs.replace(state, file=papers))
    papers, shown = cards.talk_cards(papers, state.end, state.end.at if isinstance(state, Ended) else None)
    return Step(msgspec.structs.replace(state, file=papers), shown)


def _papers(file: File, event: CallArrived, seen: CallSeen, arrived_at: Instant) -> File:
    papers = msgspec.structs.replace(file, line=event.line, caller=event.caller, arrived=arrived_at, reported=True)
    if seen.opening is not None:
        opening = seen.opening
        papers = msgspec.structs.replace(papers, plan=opening.plan, channel=opening.channel, known=opening.known)
    return papers
