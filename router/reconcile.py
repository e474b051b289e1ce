"""What a look at the PBX tells us that we did not know: pure, called after each (re)connect and now and then.

Law 11: after a restart nothing of a PBX's calls goes on before this has been admitted. The differences become ordinary
facts; a ring whose sending was not noted before the end is decided by the leg's id:

    the leg is there           adopted: it is not sent again
    it has ended               adopted, and its end is admitted: next head
    it was never asked for     it is sent now, while that is useful (LegAsked tells the call)
    nobody can tell            as never asked for, and counted as `maybe_rung_twice`
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from router.basis.instants import SECOND, Instant
from router.basis.machine import ChainId, Event
from router.basis.phone import normal
from router.chains.call_states import (
    CallState,
    Connecting,
    Ended,
    Followed,
    HandedOver,
    Ringing,
    Stranger,
    Talking,
    Transferring,
    Waiting,
)
from router.chains.effects import RingLeg
from router.chains.enquiry import Hop
from router.chains.events import (
    CallArrived,
    CallerHungUp,
    Disposition,
    FallbackTook,
    LegAnswered,
    LegAsked,
    LegEnded,
    LegRinging,
    Party,
    TalkConfirmed,
    TalkEnded,
    TalkStarted,
    TalkTransferred,
    Transfer,
)
from router.engine.core import Admission
from router.engine.journal import EffectId, Order
from router.telephony_adapter.port import CallSight, LegSight, Sighting

_DIALS_WITHIN = 2 * SECOND
"""A phone that a PBX was advised to ring may be missing in its list for so long: the advice is on its way."""


@dataclass(frozen=True, slots=True)
class LiveCall:
    """A call of this PBX as we know it."""

    chain: ChainId
    call: str
    state: CallState
    at: Instant
    """Its last event."""


@dataclass(slots=True)
class Findings:
    """What is to be admitted and what of the outbox is settled."""

    admissions: list[Admission] = field(default_factory=list)
    adopted: list[EffectId] = field(default_factory=list)
    """Rings that the PBX has had: not to be sent again."""
    maybe_rung_twice: int = 0


def reconcile(  # noqa: PLR0913 - all that a comparison compares
    pbx: str,
    known: Iterable[LiveCall],
    rings: Iterable[Order],
    recovered: frozenset[EffectId],
    sighting: Sighting,
    looked: Instant,
    now: Instant,
    region: str = "RU",
) -> Findings:
    """Compare. `rings` are ring orders still in the outbox, `recovered` those that may have been sent before a restart.

    Chains that had an event since the look began (`looked`) are left alone: the look is older than what they know.
    """
    findings = Findings()
    comparison = _Comparison(pbx, sighting, findings, recovered, now, region)
    orders = {order.effect.leg: order for order in rings if isinstance(order.effect, RingLeg)}
    seen: set[str] = set()
    for live in known:
        seen.add(live.call)
        if live.at < looked:
            comparison.compare(live, orders)
    for sight in sighting.calls:
        if sight.call not in seen:
            comparison.adopt(sight)
    return findings


class _Comparison:
    def __init__(
        self,
        pbx: str,
        sighting: Sighting,
        findings: Findings,
        recovered: frozenset[EffectId],
        now: Instant,
        region: str,
    ) -> None:
        self._region = region
        self._pbx = pbx
        self._sighting = sighting
        self._calls = {sight.call: sight for sight in sighting.calls}
        self._recent = {sight.leg: sight for sight in sighting.recent}
        self._findings = findings
        self._recovered = recovered
        self._now = now

    def compare(self, live: LiveCall, orders: dict[str, Order]) -> None:
        """One call of ours."""
        sight = self._calls.get(live.call)
        if sight is None:
            self._gone(live, orders)
            return
        state = live.state
        legs = {leg.leg: leg for leg in sight.legs}
        if isinstance(state, Ringing):
            self._compare_rings(live, state, legs, sight, orders)
        elif isinstance(state, Connecting):
            self._compare_connecting(live, state.hop, legs, sight)
        elif isinstance(state, Talking):
            self._compare_talk(live, state, legs, sight)
        elif isinstance(state, Followed):
            self._compare_followed(live, state, legs, sight)
        elif isinstance(state, Transferring):
            self._compare_transfer(live, state, legs, sight)
        elif isinstance(state, Waiting | HandedOver | Stranger) and sight.talking_leg:
            self._admit(live, TalkStarted(sight.talking_leg, sight.talking_extension))
        if not isinstance(state, Stranger):
            self._compare_fading(live, [entry.leg for entry in state.file.fading], legs)

    def adopt(self, sight: CallSight) -> None:
        """A call that we do not know of: it arrived while we were away."""
        chain = f"call:{self._pbx}:{sight.call}"
        number = normal(sight.caller, self._region)
        personal = {"caller": ("phone", number)} if number is not None else {}
        # A talk first: a call that is known to talk when its arrival is told rings nobody.
        if sight.talking_leg:
            event = TalkStarted(sight.talking_leg, sight.talking_extension)
            self._findings.admissions.append(Admission(chain, event, f"pbx:{self._pbx}"))
        self._findings.admissions.append(
            Admission(chain, CallArrived(sight.line), f"pbx:{self._pbx}", "arrived", personal)
        )
        for leg in sight.legs:
            if leg.extension and leg.state == "ringing":  # by its own plan
                ringing = LegRinging(leg.leg, leg.extension)
                self._findings.admissions.append(Admission(chain, ringing, f"pbx:{self._pbx}"))

    # --- inside ------------------------------------------------------------------------------------------------

    def _gone(self, live: LiveCall, orders: dict[str, Order]) -> None:
        state = live.state
        if not isinstance(state, Stranger):
            hops = [hop.leg for hop in state.hops] if isinstance(state, Ringing) else []
            for leg in (*hops, *(entry.leg for entry in state.file.fading)):
                if leg in orders:
                    self._findings.adopted.append(orders[leg].id)
            self._compare_fading(live, [entry.leg for entry in state.file.fading], {})
        if live.call in self._sighting.handed:
            if not isinstance(state, HandedOver | Ended):
                self._admit(live, FallbackTook())
            return
        if isinstance(state, HandedOver | Ended):
            return
        if isinstance(state, Talking):
            self._admit(live, TalkEnded(Party.UNKNOWN))
        elif not isinstance(state, Stranger | Transferring):
            self._talked_unseen(live, state)
        self._admit(live, CallerHungUp())

    def _talked_unseen(self, live: LiveCall, state: Ringing | Waiting | Connecting | Followed) -> None:
        """The caller is gone, and the PBX remembers that he spoke with a head while nobody listened: without this he
        would be called back for nothing."""
        present: tuple[Hop, ...] = ()
        if isinstance(state, Ringing):
            present = state.hops
        elif isinstance(state, Connecting):
            present = (state.hop,)
        rings = state.rings if isinstance(state, Followed) else ()
        hops = (*state.file.hops, *present, *rings)
        leg = next((hop.leg for hop in hops if (seen := self._recent.get(hop.leg)) and seen.talked), "")
        if not leg:
            return
        current = any(leg == hop.leg for hop in present)
        if current and isinstance(state, Ringing):
            self._admit(live, LegAnswered(leg))
        elif not current:
            self._admit(live, TalkStarted(leg))
        self._admit(live, TalkEnded(Party.UNKNOWN))

    def _compare_rings(
        self, live: LiveCall, state: Ringing, legs: dict[str, LegSight], sight: CallSight, orders: dict[str, Order]
    ) -> None:
        talking = sight.talking_leg
        if talking and all(hop.leg != talking for hop in state.hops):
            for hop in state.hops:
                self._adopt_order(orders.get(hop.leg))
            self._admit(live, TalkStarted(talking, sight.talking_extension))
            return
        # Who talks first: the others are then stopped by that, whatever became of them.
        for hop in sorted(state.hops, key=lambda hop: hop.leg != talking):
            self._compare_ring(live, hop, legs, sight, orders.get(hop.leg))

    def _compare_ring(
        self, live: LiveCall, hop: Hop, legs: dict[str, LegSight], sight: CallSight, order: Order | None
    ) -> None:
        found = legs.get(hop.leg) or self._recent.get(hop.leg)
        if found is None:
            self._absent_ring(live, hop, order)
            return
        self._adopt_order(order)
        if found.state == "ringing" and hop.rang is None:
            self._admit(live, LegRinging(hop.leg))
        elif found.state == "up":
            self._admit(live, LegAnswered(hop.leg))
            if sight.talking_leg == hop.leg:
                self._admit(live, TalkStarted(hop.leg, sight.talking_extension))
        elif found.state == "ended":
            self._admit(live, LegEnded(hop.leg, _disposition(found, Disposition.NO_ANSWER)))

    def _absent_ring(self, live: LiveCall, hop: Hop, order: Order | None) -> None:
        if order is None:
            # It was sent and is no more: it ended while nobody listened.
            self._admit(live, LegEnded(hop.leg, Disposition.NO_ANSWER))
            return
        if order.id in self._recovered and not self._sighting.remembers_legs:
            self._findings.maybe_rung_twice += 1
        self._admit(live, LegAsked(hop.leg))

    def _compare_connecting(self, live: LiveCall, hop: Hop, legs: dict[str, LegSight], sight: CallSight) -> None:
        found = legs.get(hop.leg) or self._recent.get(hop.leg)
        if sight.talking_leg:
            self._admit(live, TalkStarted(sight.talking_leg, sight.talking_extension))
        elif found is None or found.state == "ended":
            self._admit(live, LegEnded(hop.leg, Disposition.COMPLETED))

    def _compare_talk(self, live: LiveCall, state: Talking, legs: dict[str, LegSight], sight: CallSight) -> None:
        if sight.talking_leg:
            self._admit(live, self._who_talks(state, sight))
            return
        found = legs.get(state.end.leg)
        if found is None or found.state == "ended":
            self._admit(live, TalkEnded(Party.UNKNOWN))

    def _compare_followed(self, live: LiveCall, state: Followed, legs: dict[str, LegSight], sight: CallSight) -> None:
        """The PBX leads: who rings there and who talks is taken over as it is."""
        if sight.talking_leg:
            self._admit(live, TalkStarted(sight.talking_leg, sight.talking_extension))
            return
        phones = {leg.extension: leg for leg in sight.legs if leg.extension}
        known = {hop.leg for hop in (*state.rings, *state.file.hops)}
        for hop in state.rings:
            found = legs.get(hop.leg) or phones.get(hop.extension) or self._recent.get(hop.leg)
            begun = hop.rang is not None or self._now - hop.start >= _DIALS_WITHIN
            if (found is None and begun) or (found is not None and found.state == "ended"):
                how = _disposition(found, Disposition.NO_ANSWER) if found else Disposition.NO_ANSWER
                self._admit(live, LegEnded(hop.leg, how))
        at_phones = {hop.extension for hop in state.rings}
        for leg in sight.legs:
            if leg.state == "up":
                self._admit(live, LegAnswered(leg.leg, leg.extension))
            elif leg.state == "ringing" and leg.leg not in known and leg.extension not in at_phones:
                self._admit(live, LegRinging(leg.leg, leg.extension))

    @staticmethod
    def _who_talks(state: Talking, sight: CallSight) -> Event:
        """The same one still talks; or another one does now: he was transferred while nobody listened."""
        leg, extension = sight.talking_leg, sight.talking_extension
        told = state.end
        # A PBX that leads may not name its legs: then the phone says that it is the same talk.
        here = bool(extension) and extension == told.extension
        if here or (leg == told.leg and not (extension and told.extension)):
            return TalkConfirmed(leg, extension)
        if not told.leg:
            return TalkStarted(leg, extension)
        return TalkTransferred(Transfer.UNKNOWN, leg, extension)

    def _compare_transfer(
        self, live: LiveCall, state: Transferring, legs: dict[str, LegSight], sight: CallSight
    ) -> None:
        """A transfer under way: the new one talks, his phone still rings, or it is over."""
        pending = state.file.passed[-1].to_leg
        if sight.talking_leg:
            self._admit(live, TalkStarted(sight.talking_leg, sight.talking_extension))
            return
        found = legs.get(pending)
        if pending and (found is None or found.state == "ended"):
            self._admit(live, LegEnded(pending, Disposition.NO_ANSWER))

    def _compare_fading(self, live: LiveCall, fading: list[str], legs: dict[str, LegSight]) -> None:
        for leg in fading:
            found = legs.get(leg)
            if found is None or found.state == "ended":
                self._admit(live, LegEnded(leg, Disposition.CANCELLED))

    def _adopt_order(self, order: Order | None) -> None:
        if order is not None:
            self._findings.adopted.append(order.id)

    def _admit(self, live: LiveCall, event: Event) -> None:
        self._findings.admissions.append(Admission(live.chain, event, f"pbx:{self._pbx}"))


def _disposition(sight: LegSight, otherwise: Disposition) -> Disposition:
    try:
        return Disposition(sight.how)
    except ValueError:
        return otherwise
