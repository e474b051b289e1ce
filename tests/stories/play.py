"""The language of the plays.

    (office("anna boris clara")
        .calls()                              a client dials; everything is told of this call until `.on("c2")`
        .rings("anna", until=8)               asserts: her phone was ordered to ring, until second 8 of the play
        .waits(8).stops("anna")               time goes by, all timers fire; asserts: she was told to stop
        .rings("boris", until=16)
        .waits(3).answers("boris")            a fact: boris picks up
        .connects("boris").talks("boris")     asserts the order; then the fact that they talk
        .shows("verdict_asked", to="boris"))

Facts: calls, answers, declines, ends, phone_rings, talks, talk_confirmed, talk_ends, hangs_up, held, resumed,
passes, passes_after_asking, takes, foreign_leg_ends, fallback_took, record,
presses, marks, goes_away, comes_back, device, fact. Everything else asserts. Every order to the PBX has to be named by
the play before time goes on, else it fails: nothing happens unseen. Seconds count from the beginning of the play.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, Self, TypeVar

import msgspec

from router.basis.instants import NEVER, SECOND, Instant, seconds
from router.basis.machine import Effect, Event
from router.basis.people import Directory
from router.chains import effects as ask
from router.chains import events as fact
from router.chains.call import CALL
from router.chains.call_states import Connecting, Ended, Filed, Followed, Ringing, Talking
from router.chains.callback import Closed, Open
from router.chains.choice import person_key
from router.chains.effects import ShowCard
from router.chains.enquiry import Hop, Outcome
from router.chains.events import Disposition, Party, Transfer
from router.chains.roster import ROSTER
from router.engine.core import Admission
from router.office import call_chain
from tests.stories.stage import HEADS, LINE, PBX, T0, Stage, Timers, extension_of

E = TypeVar("E", bound=Effect)


def office(
    heads: str = " ".join(HEADS),
    *,
    timers: Timers = "server",
    can_connect_late: bool = False,
    reports_ringing: bool = True,
    company: Callable[[Directory], Directory] = lambda directory: directory,
    able: Mapping[str, Any] | None = None,
    can_record: bool = True,
    **terms: float | str,
) -> "Play":
    """A play over these heads; terms as people write them (`ring_s=8`, `on_list_end="stop"`); `able`: other abilities
    of the PBX."""
    stage = Stage(
        tuple(heads.split()),
        terms,
        timers=timers,
        can_connect_late=can_connect_late,
        reports_ringing=reports_ringing,
        company=company,
        can_record=can_record,
        **(able or {}),
    )
    return Play(stage)


class Play:
    """See the module's docstring. Every method returns the play."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.call = "c1"
        self.reply: str | None = None
        self._seen = len(stage.ordered)
        self._fresh: list[Effect] = []

    # --- time ---------------------------------------------------------------------------------------------------

    def waits(self, duration_s: float) -> Self:
        """Time goes by."""
        return self.until(self._second() + duration_s)

    def until(self, second: float) -> Self:
        """Time goes by until that second of the play."""
        self._nothing_unseen()
        self.stage.run_to(_at(second))
        return self

    def oversleeps(self, duration_s: float) -> Self:
        """The server stands still for so long."""
        self._nothing_unseen()
        self.stage.oversleep_to(_at(self._second() + duration_s))
        return self

    # --- facts --------------------------------------------------------------------------------------------------

    def on(self, call: str) -> Self:
        """From here on the play tells of this call."""
        self.call = call
        return self

    def calls(self, call: str = "c1", line: str = LINE, caller: str = "+79990001122") -> Self:
        """A client is on the line."""
        self.call = call
        personal = {"caller": ("phone", caller)} if caller else {}
        self.reply = self.stage.admit(self._chain(), fact.CallArrived(line), personal=personal).reply
        return self

    def fact(self, event: Event, source: str = "pbx:pbx") -> Self:
        """Any fact about the call."""
        self.reply = self.stage.admit(self._chain(), event, source).reply
        return self

    def together(self, *events: Event) -> Self:
        """Facts in one transaction, in this order."""
        self.stage.take(*(Admission(self._chain(), event, "pbx:pbx") for event in events))
        self.stage.work()
        return self

    def phone_rings(self, head: str) -> Self:
        """His phone is reported ringing."""
        return self.fact(fact.LegRinging(self.leg(head)))

    def answers(self, head: str, extension: str = "") -> Self:
        """He picks up."""
        return self.fact(fact.LegAnswered(self.leg(head), extension))

    def ends(self, head: str, how: Disposition = Disposition.NO_ANSWER) -> Self:
        """His leg is over."""
        return self.fact(fact.LegEnded(self.leg(head), how))

    def declines(self, head: str) -> Self:
        """He presses the red button."""
        return self.ends(head, Disposition.DECLINED)

    def talks(self, head: str, extension: str | None = None) -> Self:
        """The PBX says that client and head talk."""
        return self.fact(fact.TalkStarted(self.leg(head), extension_of(head) if extension is None else extension))

    def talk_confirmed(self, head: str) -> Self:
        """Asked, the PBX says that they still talk."""
        return self.fact(fact.TalkConfirmed(self.leg(head)))

    def held(self, head: str = "") -> Self:
        """The client is put on hold."""
        return self.fact(fact.TalkHeld(self.leg(head) if head else ""))

    def resumed(self, head: str = "") -> Self:
        """The client is taken back."""
        return self.fact(fact.TalkResumed(self.leg(head) if head else ""))

    def passes(self, to: str, leg: str = "x1", how: Transfer = Transfer.BLIND) -> Self:
        """Whoever talks transfers the client, blindly, to a head or an extension; `leg`: the new one's id."""
        return self.fact(fact.TalkTransferred(how, leg, extension_of(to) if to in HEADS else to))

    def passes_after_asking(self, to: str, leg: str = "x1") -> Self:
        """The same after he asked the other one."""
        return self.passes(to, leg, Transfer.ATTENDED)

    def takes(self, head: str, leg: str = "x1") -> Self:
        """The new one talks with the client."""
        return self.fact(fact.TalkStarted(leg, extension_of(head) if head in HEADS else head))

    def foreign_leg_ends(self, leg: str = "x1", how: Disposition = Disposition.NO_ANSWER) -> Self:
        """A leg that a transfer made is over."""
        return self.fact(fact.LegEnded(leg, how))

    def stops_leg(self, leg: str = "x1") -> Self:
        """A leg that a transfer made is told to stop."""
        self._take(ask.StopLeg, lambda effect: effect.leg == leg, f"a stop of {leg}")
        return self

    def talk_ends(self, by: Party = Party.UNKNOWN) -> Self:
        """The talk is over."""
        return self.fact(fact.TalkEnded(by))

    def hangs_up(self) -> Self:
        """The client is gone."""
        return self.fact(fact.CallerHungUp())

    def fallback_took(self) -> Self:
        """The PBX's own plan has the client."""
        return self.fact(fact.FallbackTook())

    def record(self, answered_by: str = "", call: str | None = None) -> Self:
        """The record of the PBX's own plan is read."""
        self.call = call or self.call
        return self.fact(fact.FallbackServed(LINE, "t_record", T0, answered_by, 30 if answered_by else 0, "no_server"))

    def presses_take(self, head: str) -> Self:
        """A head presses Take."""
        return self.fact(fact.TakePressed(head), f"person:{head}")

    def marks(self, head: str, verdict: Literal["real", "spam"]) -> Self:
        """A head marks the call."""
        return self.fact(fact.VerdictGiven(head, verdict), f"person:{head}")

    def goes_away(self, head: str, until: float | None = None) -> Self:
        """A head is not there."""
        self.stage.admit(ROSTER, fact.WentAway(head, head, None if until is None else _at(until)))
        return self

    def comes_back(self, head: str) -> Self:
        """A head is there again."""
        self.stage.admit(ROSTER, fact.CameBack(head, head))
        return self

    def device(self, head: str, *, reachable: bool) -> Self:
        """The PBX says whether his phone can be reached."""
        self.stage.admit(ROSTER, fact.DeviceSeen(extension_of(head), reachable))
        return self

    def closes_callback(self, by: str, reason: str = "called") -> Self:
        """A person closes the call-back."""
        self.reply = self.stage.admit(f"callback:{PBX}:{self.call}", fact.PressedClose(by, reason)).reply
        return self

    # --- a PBX that leads ---------------------------------------------------------------------------------------

    def asks(self, after: str = "", how: Disposition | None = None, origin: str | None = None, call: str = "") -> Self:
        """The PBX asks whom to ring; `after`: the leg (or the head's latest leg) that is over."""
        self.call = call or self.call
        leg = self.leg(after) if after in HEADS else after
        asked = fact.AdviceAsked(LINE, None, leg, how)
        personal = {"caller": ("phone", "+79990001122")}
        self.reply = self.stage.admit(self._chain(), asked, origin=origin, personal=personal).reply
        return self

    def is_told_to_ring(self, head: str, ring_s: float) -> Self:
        """The advice: this head, for so long."""
        advice = self.advice()
        assert isinstance(advice, ask.AdviseRing), f"the advice was {advice}"
        legs = [(leg.extension, leg.leg) for leg in advice.legs]
        assert legs == [(extension_of(head), self.leg(head))], f"the advice was {advice}"
        assert advice.ring_ms == ring_s * 1000, f"for {advice.ring_ms} ms"
        return self

    def is_told(self, advice: ask.Advice) -> Self:
        """The advice, in full."""
        assert self.advice() == advice, f"the advice was {self.advice()}"
        return self

    def advice(self) -> ask.Advice:
        """What the last question was answered."""
        assert self.reply is not None, "no advice"
        return msgspec.json.decode(self.reply, type=ask.Advice)  # type: ignore[no-any-return]

    def pbx_rings(self, extension: str, leg: str = "") -> Self:
        """The PBX rings a phone by its own plan."""
        return self.fact(fact.LegRinging(leg, extension))

    def pbx_says_over(self, extension: str, how: Disposition = Disposition.NO_ANSWER, leg: str = "") -> Self:
        """Such a ring is over."""
        return self.fact(fact.LegEnded(leg, how, 0, extension))

    def picks_up_at(self, extension: str, leg: str = "") -> Self:
        """Somebody picks up there."""
        return self.fact(fact.LegAnswered(leg, extension))

    # --- orders -------------------------------------------------------------------------------------------------

    def rings(self, head: str, until: float | None = None, **fields: Any) -> Self:
        """His phone is ordered to ring, until that second; `fields` of RingLeg may be named besides."""
        ring = self._take(ask.RingLeg, lambda effect: effect.extension == extension_of(head), f"a ring for {head}")
        state = self._state()
        if until is not None:
            assert isinstance(state, Ringing)
            hop = state.with_leg(ring.leg)
            assert hop is not None
            assert _second(hop.end) == until, f"{head} rings until {_second(hop.end)}"
        for name, value in fields.items():
            assert getattr(ring, name) == value, f"{name} is {getattr(ring, name)!r}"
        return self

    def rings_at(self, extension: str, until: float) -> Self:
        """This phone is ordered to ring, at most until that second."""
        ring = self._take(ask.RingLeg, lambda effect: effect.extension == extension, f"a ring at {extension}")
        hop = next(hop for hop in self._hops() if hop.leg == ring.leg)
        assert _second(hop.end) == until, f"{extension} rings until {_second(hop.end)}"
        return self

    def answers_at(self, leg: str) -> Self:
        """This leg is picked up."""
        return self.fact(fact.LegAnswered(leg))

    def ends_leg(self, leg: str, how: Disposition) -> Self:
        """This leg is over."""
        return self.fact(fact.LegEnded(leg, how))

    def connects_leg(self, leg: str) -> Self:
        """This leg is joined with the client."""
        self._take(ask.Connect, lambda effect: effect.leg == leg, f"a connection with {leg}")
        return self

    def stops(self, head: str, why: str | None = None) -> Self:
        """His leg is told to stop."""
        legs = {hop.leg for hop in self._hops() if hop.person == head}
        stop = self._take(ask.StopLeg, lambda effect: effect.leg in legs, f"a stop for {head}")
        assert why is None or stop.why == why, f"{head} is stopped because {stop.why}"
        return self

    def connects(self, head: str) -> Self:
        """He is joined with the client."""
        self._take(ask.Connect, lambda effect: effect.leg == self.leg(head), f"a connection with {head}")
        return self

    def announces(self, sound: str) -> Self:
        """The client is told that he is recorded."""
        self._take(ask.Announce, lambda effect: effect.sound == sound, f"{sound} to be played")
        return self

    def records(self) -> Self:
        """The recording is to begin."""
        self._take(ask.StartRecording, _any, "a recording")
        return self

    def fetches(self) -> Self:
        """The recording is to be fetched."""
        self._take(ask.KeepRecording, _any, "the recording to be fetched")
        return self

    def releases(self, why: str | None = None) -> Self:
        """The client is hung up."""
        release = self._take(ask.Release, _any, "a release")
        assert why is None or release.why == why
        return self

    def hands_over(self) -> Self:
        """The client is given to the PBX's own plan."""
        self._take(ask.SendToFallback, _any, "the fallback")
        return self

    def looks(self) -> Self:
        """The PBX is asked what is true."""
        self._take(ask.LookAtCall, _any, "a look")
        return self

    def shows(self, code: str, to: str = "duty", **params: str) -> Self:
        """A card is shown to a head or to the duty channel."""
        audience = to if to == "duty" else f"person:{to}"
        card = self._take(
            ShowCard, lambda effect: (effect.face.code, effect.audience) == (code, audience), f"card {code} for {to}"
        )
        for name, value in params.items():
            assert card.face.params.get(name) == value, f"{name} is {card.face.params.get(name)!r}"
        return self

    def shows_nothing(self) -> Self:
        """No card was shown that the play has not named."""
        self._look()
        cards = [effect for effect in self._fresh if isinstance(effect, ShowCard)]
        assert not cards, f"shown besides: {cards}"
        return self

    def shows_nothing_for(self, head: str, but: str = "") -> Self:
        """No card was shown to a head that the play has not named, besides one kind."""
        self._look()
        cards = [effect for effect in self._fresh if isinstance(effect, ShowCard)]
        his = [card for card in cards if card.audience == f"person:{head}" and card.face.code != but]
        assert not his, f"shown besides: {his}"
        return self

    def asks_nothing(self) -> Self:
        """Nothing was ordered that the play has not named."""
        self._nothing_unseen()
        return self

    # --- what is true -------------------------------------------------------------------------------------------

    def is_now(self, kind: type[Any], **fields: Any) -> Self:
        """The call's state."""
        state = self._state()
        assert isinstance(state, kind), f"{type(state).__name__} instead of {kind.__name__}"
        for name, value in fields.items():
            assert getattr(state, name) == value, f"{name} is {getattr(state, name)!r}"
        return self

    def wakes_at(self, second: float) -> Self:
        """The soonest instant at which the call wants to be woken."""
        deadline = CALL.deadline(self._state())
        assert deadline is not None
        assert _second(deadline) == second, f"it wakes at {_second(deadline)}"
        return self

    def holds(self, *heads: str) -> Self:
        """The heads whom this call keeps from others: these and no others."""
        held = {person for person, chain in self.stage.holders().items() if chain == self._chain()}
        assert held == set(heads), f"held: {sorted(held)}"
        return self

    def is_over(self, outcome: Outcome, by: Party | None = None, person: str | None = None) -> Self:
        """The call has ended so."""
        state = self._state()
        assert isinstance(state, Ended), f"it is {type(state).__name__}"
        assert state.end.outcome is outcome, f"it ended as {state.end.outcome}"
        assert by is None or state.end.by is by, f"ended by {state.end.by}"
        assert person is None or state.end.person == person, f"answered by {state.end.person!r}"
        return self

    def owes(self, why: Outcome | None = None, since: float | None = None) -> Self:
        """A call-back is open for this call."""
        self._shown_by_callback()
        entry = self.stage.core.live[f"callback:{PBX}:{self.call}"].state
        assert isinstance(entry, Open), f"the call-back is {type(entry).__name__}"
        assert why is None or entry.debt.why == why.value, f"owed because {entry.debt.why}"
        assert since is None or entry.debt.arrived == _at(since)
        return self

    def owes_nothing(self) -> Self:
        """No call-back is open for this call."""
        self._shown_by_callback()
        live = self.stage.core.live.get(f"callback:{PBX}:{self.call}")
        assert live is None or isinstance(live.state, Closed)
        return self

    def says(self, reply: str | None) -> Self:
        """What the last press was answered."""
        assert self.reply == reply, f"the answer was {self.reply!r}"
        return self

    def is_final(self) -> Self:
        """Nothing of the call is to be waited for any more."""
        live = self.stage.core.live[self._chain()]
        assert live.final, f"{live.state} is live"
        assert self.stage.core.timer._own.get(self._chain()) is None
        return self

    def waits_for(self, *heads: str) -> Self:
        """The heads for whom the call waits because others hold them."""
        wait = CALL.wait(self._state())
        keys = {key for key in wait.keys if key.startswith("person:")} if wait else set()
        assert keys == {person_key(head) for head in heads}, f"waits for {sorted(keys)}"
        return self

    def hops(self, *heads: str) -> Self:
        """Who was offered the call, in order, the present offer included."""
        offered = tuple(hop.person for hop in self._hops())
        assert offered == heads, f"offered: {offered}"
        return self

    # --- inside -------------------------------------------------------------------------------------------------

    def leg(self, head: str) -> str:
        """The latest leg of a head in this call."""
        return next((hop.leg for hop in reversed(self._hops()) if hop.person == head), f"{self.call}.unknown-{head}")

    def _hops(self) -> list[Hop]:
        live = self.stage.core.live.get(self._chain())
        if live is None or not isinstance(live.state, Filed):
            return []
        match live.state:
            case Ringing(_, hops):
                return [*live.state.file.hops, *hops]
            case Followed():
                return [*live.state.file.hops, *live.state.rings]
            case Connecting(_, hop):
                return [*live.state.file.hops, hop]
            case _:
                return [*live.state.file.hops]

    def _chain(self) -> str:
        return call_chain(PBX, self.call)

    def _state(self) -> Any:
        return self.stage.state(self._chain())

    def _second(self) -> float:
        return _second(self.stage.now)

    def _look(self) -> None:
        self._fresh += [
            effect for _, effect in self.stage.ordered[self._seen :] if not isinstance(effect, ask.RingBack)
        ]
        self._seen = len(self.stage.ordered)

    def _take(self, kind: type[E], fits: Callable[[E], bool], what: str) -> E:
        self._look()
        for index, effect in enumerate(self._fresh):
            if isinstance(effect, kind) and fits(effect):
                del self._fresh[index]
                return effect
        message = f"{what} was not ordered; there are {self._fresh}"
        raise AssertionError(message)

    def _shown_by_callback(self) -> None:
        self._look()
        self._fresh = [
            effect
            for effect in self._fresh
            if not (isinstance(effect, ShowCard) and effect.chain.startswith("callback:"))
        ]

    def _nothing_unseen(self) -> None:
        """Cards may go unnamed; orders to the PBX may not."""
        self._look()
        orders = [effect for effect in self._fresh if not isinstance(effect, ShowCard)]
        assert not orders, f"ordered besides: {orders}"
        self._fresh.clear()


def _any(effect: Effect) -> bool:
    return True


def _at(second: float) -> Instant:
    return Instant(T0 + seconds(second))


def _second(instant: Instant) -> float:
    return NEVER if instant >= NEVER else (instant - T0) / SECOND


def talking(play: Play) -> Talking:
    """The state of a call in talk."""
    state = play.stage.state(call_chain(PBX, play.call))
    assert isinstance(state, Talking)
    return state


def filed(play: Play) -> Any:
    """The file of the call."""
    state = play.stage.state(call_chain(PBX, play.call))
    assert isinstance(state, msgspec.Struct)
    return state.file  # type: ignore[attr-defined]
