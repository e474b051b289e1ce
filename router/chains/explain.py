"""Why a call went as it did: its log, folded again, in sentences for people.

One sentence for each offer, with the reason for this head and against those before him on the list, as the call saw
them at that moment (`seen`, stored with the event); one for each wait; one for the end. Texts are rendered from codes
and parameters by the templates of `explain_words`, Russian and English side by side.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from zoneinfo import ZoneInfo

from router.basis.instants import SECOND, Instant, as_datetime
from router.chains.call import CALL
from router.chains.call_offers import width
from router.chains.call_states import (
    CallEvent,
    CallSeen,
    CallState,
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
from router.chains.choice import Obstacle, in_order, obstacle
from router.chains.enquiry import MISSED, End, File, Hop, Outcome, Passed
from router.chains.events import AdviceAsked, CallArrived, CallClosed, Disposition, FallbackOrdered, HeadFreed
from router.chains.explain_words import TEXTS, Language

MOSCOW = ZoneInfo("Europe/Moscow")


@dataclass(frozen=True, slots=True)
class Told:
    """One line of a call's log, decoded."""

    at: Instant
    event: CallEvent
    seen: CallSeen


def explain(
    history: Sequence[Told],
    language: Language = "ru",
    names: Mapping[str, str] | None = None,
    zone: tzinfo = MOSCOW,
) -> list[str]:
    """Sentences about the call; `names`: what people's ids stand for (an id without a name is shown itself); `zone`: in
    which days are named."""
    states: list[CallState] = []
    for line in history:
        step = CALL.step(states[-1], line.event, line.seen, line.at) if states else CALL.start(*_parts(line))
        states.append(step.state)
    if not states:
        return []
    return _Narrator(language, names or {}, history, states, zone).tell()


def _parts(line: Told) -> tuple[CallEvent, CallSeen, Instant]:
    return line.event, line.seen, line.at


class _Narrator:
    def __init__(
        self,
        language: Language,
        names: Mapping[str, str],
        history: Sequence[Told],
        states: Sequence[CallState],
        zone: tzinfo,
    ) -> None:
        self._zone = zone
        self._words = TEXTS[language]
        self._comma = "," if language == "ru" else "."
        self._names = names
        self._history = history
        self._states = states
        last = states[-1]
        self._since = last.file.arrived if isinstance(last, Filed) else last.first
        self._hops = {hop.leg: hop for state in states for hop in _hops(state)}

    def tell(self) -> list[str]:
        sentences = [self._opening(self._states[-1])]
        before: CallState | None = None
        for line, state in zip(self._history, self._states, strict=True):
            if isinstance(state, Talking | Transferring) or (isinstance(state, Filed) and _passes(before, state)):
                sentences += self._talking(before, state, line)
            if isinstance(state, Ringing):
                known = {hop.leg for hop in before.hops} if isinstance(before, Ringing) else set()
                sentences += [self._offer(state, hop, line) for hop in state.hops if hop.leg not in known]
            elif isinstance(state, Followed):
                sentences += self._followed(state, before, line)
            elif isinstance(state, Waiting) and not isinstance(before, Waiting):
                sentences.append(self._wait(state, line))
            elif isinstance(state, HandedOver) and not isinstance(before, HandedOver):
                sentences.append(self._say("handed_over", at=self._second(line.at)))
            sentences += self._order(line)
            before = state
        sentences += self._ending(self._states[-1])
        return sentences

    def _order(self, line: Told) -> list[str]:
        """What a person in charge did, or the server because it was about to be stopped."""
        at = self._second(line.at)
        match line.event:
            case HeadFreed(person, by):
                return [self._say("order_freed", at=at, who=self._name(person), by=self._name(by))]
            case CallClosed(by, reason):
                return [self._say("order_closed", at=at, by=self._name(by), reason=self._words[f"reason_{reason}"])]
            case FallbackOrdered(by):
                return [self._say("order_fallback", at=at, by=self._name(by))]
            case CallArrived() if line.seen.draining:
                return [self._words["order_draining"]]
            case _:
                return []

    def _talking(self, before: CallState | None, state: Filed, line: Told) -> list[str]:
        """The beginning of a talk, holds and transfers."""
        said: list[str] = []
        known = _passed(before)
        if isinstance(state, Talking) and not isinstance(before, Talking | Transferring):
            said.append(self._talk(self._last_word(state), "talk"))
        held = before.held if isinstance(before, Talking) else None
        if isinstance(state, Talking) and state.held != held and len(state.file.passed) == len(known):
            said.append(self._say("held" if state.held else "resumed", at=self._second(line.at)))
        for number, entry in enumerate(state.file.passed):
            if number >= len(known) or (known[number].to_leg, known[number].to_extension) != (
                entry.to_leg, entry.to_extension
            ):  # fmt: skip
                said.append(self._transfer(entry))
            if entry.taken is not None and (number >= len(known) or known[number].taken is None):
                said.append(self._say("taken", who=self._target(entry), at=self._second(entry.taken)))
            if entry.lost and (number >= len(known) or not known[number].lost):
                said.append(self._say("not_taken", who=self._target(entry), at=self._second(line.at)))
        return said

    def _transfer(self, entry: Passed) -> str:
        who = self._name(entry.person) if entry.person else entry.extension or self._words["unknown"]
        return self._say(f"passed_{entry.how.value}", who=who, to=self._target(entry), at=self._second(entry.at))

    def _target(self, entry: Passed) -> str:
        if entry.to_person:
            return self._name(entry.to_person)
        if entry.to_extension:
            return self._say("unknown_at", extension=entry.to_extension)
        return self._words["outside" if entry.to_number is not None else "unknown"]

    def _last_word(self, state: Talking) -> End:
        """Who talks as it is known now: evidence may have come after the talk began."""
        last = self._states[-1]
        if isinstance(last, Filed) and last.file.passed:
            return state.end
        return last.end if isinstance(last, Talking | Ended) and last.end.outcome is Outcome.ANSWERED else state.end

    # --- sentences ----------------------------------------------------------------------------------------------

    def _opening(self, state: CallState) -> str:
        if isinstance(state, Stranger):
            return self._say("stranger")
        plan = state.file.plan.value
        window = self._seconds(plan.terms.window)
        opening = self._say("call", line=state.file.line or "—", chain=plan.chain or "—", window=window)
        closed = state.file.known.closed
        return f"{opening} {self._words[f'closed_{closed}']}" if closed else opening

    def _followed(self, state: Followed, before: CallState | None, line: Told) -> list[str]:
        """The PBX leads: whom it was advised to ring, with the reason; whom it rang by itself, without one."""
        known = before.rings if isinstance(before, Followed) else ()
        new = [hop for hop in state.rings if all(hop.leg != earlier.leg for earlier in known)]
        ringing = Ringing(state.file, state.rings)
        sentences = [self._offer(ringing, hop, line) if hop.timed_by_pbx else self._rung_by_pbx(hop) for hop in new]
        if isinstance(line.event, AdviceAsked) and not state.rings and state.keys:
            sentences.append(self._wait(state, line))
        return sentences

    def _rung_by_pbx(self, hop: Hop) -> str:
        hop = self._hops[hop.leg]
        who = self._name(hop.person) if hop.person else self._say("unknown_at", extension=hop.extension)
        start = self._second(hop.start)
        return self._say("rung_by_pbx", **{"number": str(hop.number), "who": who, "from": start}, end=self._end_of(hop))

    def _offer(self, state: Ringing, now: Hop, line: Told) -> str:
        hop = self._hops[now.leg]
        reason = _reason(state, now)
        parts = [self._words[f"why_{reason}"], *self._others(state, now, line)]
        if now.extension != _first_phone(state.file, now.person):
            parts.append(self._say("phone", extension=now.extension))
        fields = {"number": str(hop.number), "who": self._name(hop.person), "from": self._second(hop.start)}
        return self._say("offer", **fields, end=self._end_of(hop), why="; ".join(parts))

    def _others(self, state: Ringing, hop: Hop, line: Told) -> list[str]:
        """Those who stand before him on the list and were passed over."""
        found: list[str] = []
        if _is_beside(hop):
            return found  # a further phone of his: the first one's sentence says it
        ringing = {other.person for other in state.hops}
        for seat in in_order(state.file):
            if seat.person == hop.person and hop.in_turn:
                break
            stands = obstacle(state.file, seat.person, line.seen.sights, line.at)
            if stands is not None and seat.person not in ringing:
                found.append(self._obstacle(seat.person, stands))
        return found

    def _wait(self, state: Waiting | Followed, line: Told) -> str:
        at = self._second(line.at)
        if state.file.window_end - line.at < state.file.terms.min_offer:
            return self._say("too_short", at=at, least=self._seconds(state.file.terms.min_offer))
        reasons = [
            self._obstacle(seat.person, stands)
            for seat in in_order(state.file)
            if (stands := obstacle(state.file, seat.person, line.seen.sights, line.at)) is not None
        ]
        return self._say("wait", at=at, why="; ".join(reasons))

    def _obstacle(self, person: str, stands: Obstacle) -> str:
        if stands.code == "off":
            return self._off(person, stands)
        until = "" if stands.until is None else self._second(stands.until)
        call = stands.by.rsplit(":", 1)[-1] or "—"
        return self._say(f"not_{stands.code}", who=self._name(person), call=call, until=until)

    def _off(self, person: str, stands: Obstacle) -> str:
        why = self._words[f"off_{stands.by or 'other'}"]
        if stands.until is None:
            return self._say("not_off", who=self._name(person), why=why)
        back = as_datetime(stands.until).astimezone(self._zone)
        return self._say("not_off_until", who=self._name(person), why=why, until=f"{back:%d.%m. %H:%M}")

    def _end_of(self, hop: Hop) -> str:
        if hop.ended is None:
            code = "picked" if hop.answered is not None else "rings"
            return self._say(f"end_{code}", after=self._seconds((hop.answered or hop.start) - hop.start))
        after = self._seconds(hop.ended - hop.start)
        if hop.answered is not None:
            return self._say("end_lost", after=after)
        return self._say("lasted", after=after, how=self._words[f"how_{(hop.how or Disposition.FAILED).value}"])

    def _talk(self, end: End, code: str) -> str:
        who = self._name(end.person) if end.person else self._nobody(end)
        text = self._say(code, who=who, at=self._second(end.talk_from or end.at))
        if not end.others:
            return text
        others = ", ".join(self._name(other) for other in end.others)
        return f"{text} {self._say('contradiction', others=others)}"

    def _nobody(self, end: End) -> str:
        return self._say("unknown_at", extension=end.extension) if end.extension else self._words["unknown"]

    def _ending(self, state: CallState) -> list[str]:
        if not isinstance(state, Ended):
            return [self._words["live"]]
        end = state.end
        if end.outcome is Outcome.ANSWERED:
            by = self._words[f"by_{end.by.value}"]
            length = self._seconds(end.at - (end.talk_from or end.at))
            sentences = [self._say("talk_over", at=self._second(end.at), length=length, by=by)]
            if not any(isinstance(earlier, Talking) for earlier in self._states):
                sentences.insert(0, self._talk(end, "talk_proved"))
        else:
            sentences = [self._say(f"outcome_{end.outcome.value}", at=self._second(end.at), extension=end.extension)]
        if end.outcome in MISSED:
            sentences.append(self._words["owed"])
        for mark in state.file.verdicts:
            sentences.append(self._say(f"mark_{mark.verdict}", who=self._name(mark.by), at=self._second(mark.at)))
        return sentences

    # --- words --------------------------------------------------------------------------------------------------

    def _say(self, code: str, **fields: str) -> str:
        return self._words[code].format(**fields)

    def _name(self, person: str) -> str:
        return self._names.get(person, person)

    def _second(self, instant: Instant) -> str:
        """Seconds since the arrival."""
        return self._seconds(instant - self._since)

    def _seconds(self, duration: int) -> str:
        """Seconds to the tenth, without a tenth that is none."""
        tenths = (duration * 10 + SECOND // 2) // SECOND
        return f"{tenths // 10}" if tenths % 10 == 0 else f"{tenths // 10}{self._comma}{tenths % 10}"


def _passed(state: CallState | None) -> tuple[Passed, ...]:
    return () if state is None or isinstance(state, Stranger) else state.file.passed


def _passes(before: CallState | None, state: Filed) -> bool:
    return _passed(before) != state.file.passed


def _hops(state: CallState) -> tuple[Hop, ...]:
    if isinstance(state, Stranger):
        return ()
    if isinstance(state, Followed):
        return (*state.file.hops, *state.rings)
    if isinstance(state, Ringing):
        return (*state.file.hops, *state.hops)
    return (*state.file.hops, state.hop) if isinstance(state, Connecting) else state.file.hops


def _is_beside(hop: Hop) -> bool:
    """Whether it is a further phone of a head whose first one is rung in the same offer."""
    return bool(hop.offer) and hop.offer != hop.number


def _first_phone(file: File, person: str) -> str:
    return next((seat.extension for seat in file.seats if seat.person == person), "")


def _reason(state: Ringing, hop: Hop) -> str:
    """Why it is his turn."""
    file = state.file
    if _is_beside(hop):
        return "beside"
    if not hop.in_turn:
        return "take"
    if state.hops[0].leg != hop.leg and width(file, hop.ordered) > 1:
        return "together"
    if not file.hops and file.known.first and file.seats[0].person == hop.person:
        return file.known.first
    last = next((earlier for earlier in reversed(file.hops) if earlier.person == hop.person), None)
    if last is None:
        return "next" if file.hops else "first"
    if last.how is Disposition.DECLINED:
        return "reluctant"
    return "back" if last.how is Disposition.UNREACHABLE else "again"
