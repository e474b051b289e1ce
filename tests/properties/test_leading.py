"""Random histories of a PBX that leads: whatever it asks and tells, in whatever order and however often.

The laws: nobody is ordered anything; every question is answered with lawful advice, a repeat word for word; an advised
head is free; a live call has a deadline; a head is held by one call; who answered is somebody whom the PBX named; a
call that nobody is known to have served owes a call-back; the log folds to the same bytes. At the end, with nothing
more told, every call comes to rest.
"""

import os
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.basis.instants import SECOND, Instant
from router.basis.machine import Event
from router.chains import effects as ask
from router.chains.call import CALL
from router.chains.call_states import CallState, Ended, Followed, HandedOver, Stranger, Talking, Transferring
from router.chains.callback import Open
from router.chains.enquiry import MISSED
from router.chains.events import (
    AdviceAsked,
    CallArrived,
    CallerHungUp,
    Disposition,
    FallbackServed,
    FallbackTook,
    LegAnswered,
    LegEnded,
    LegRinging,
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
from router.office import call_chain
from tests.stories.stage import HEADS, LINE, PBX, T0, Stage

SEARCH = settings(max_examples=2000 if os.environ.get("HOPLINE_DEEP") == "1" else 150)
ORDERS = ask.RingBack | ask.RingLeg | ask.StopLeg | ask.Connect | ask.Release | ask.SendToFallback
EXTENSIONS = ("101", "102", "103", "777", "")

_leg = st.sampled_from(["", "own-1", "own-2", "@0", "@1", "@2"])
"""`@n`: the n-th leg that was advised in this call, if there is one."""
_extension = st.sampled_from(EXTENSIONS)
_how = st.sampled_from(Disposition)
EVENT: st.SearchStrategy[Event] = st.one_of(
    st.just(CallArrived(LINE)),
    st.builds(AdviceAsked, st.sampled_from(["", LINE]), st.none(), _leg, st.none() | _how),
    st.builds(AdviceAsked, st.just(LINE), st.none(), _leg, st.none() | _how),
    st.builds(LegRinging, _leg, _extension),
    st.builds(LegAnswered, _leg, _extension),
    st.builds(LegEnded, _leg, _how, st.just(0), _extension),
    st.builds(TalkStarted, _leg, _extension),
    st.builds(TalkConfirmed, _leg, _extension),
    st.builds(TalkTransferred, st.sampled_from(Transfer), _leg, _extension, st.sampled_from([None, "t_outside"])),
    st.builds(TalkTransferred, st.sampled_from(Transfer), _leg, _extension),
    st.builds(TalkHeld, _leg),
    st.builds(TalkResumed, _leg),
    st.just(TalkEnded()),
    st.just(CallerHungUp()),
    st.just(FallbackTook()),
    st.builds(FallbackServed, st.just(LINE), st.none(), st.just(T0), st.sampled_from(["", "200"])),
    st.builds(VerdictGiven, st.sampled_from(HEADS), st.sampled_from(["real", "spam"])),
    st.builds(TakePressed, st.sampled_from(HEADS)),
)
STEP = st.one_of(
    st.tuples(st.sampled_from(["a", "b", "c"]), EVENT, st.none() | st.integers(0, 3)),
    st.tuples(st.sampled_from(["a", "b", "c"]), EVENT, st.none()),
    st.tuples(st.sampled_from(["a", "b", "c"]), st.just(AdviceAsked(LINE)), st.none()),
    st.tuples(st.sampled_from(["a", "b", "c"]), st.just(AdviceAsked(LINE)), st.none()),
    st.sampled_from([0.0, 0.2, 2.0, 5.0, 8.0, 9.0, 40.0, 61.0]),
)


@pytest.mark.slow
@SEARCH
@given(
    st.sampled_from(["adviser", "adviser", "witness"]), st.booleans(), st.booleans(), st.sampled_from([1, 1, 0]),
    st.sampled_from(["fallback", "release"]), st.sampled_from([1, 1, 2, 3]), st.lists(STEP, min_size=1, max_size=40),
)  # fmt: skip
def test_the_laws_of_a_pbx_that_leads(
    style: str, can_wait: bool, can_look: bool, offers: int, after: str, heads: int, history: list[Any]
) -> None:
    able: dict[str, Any] = {"style": style, "can_wait": can_wait, "can_look": can_look}
    terms = {"offers_per_person": offers, "after_window": after}
    stage = Stage(HEADS[:heads], terms, timers="pbx", **able)
    said: dict[tuple[str, str], str | None] = {}
    for step in history:
        if isinstance(step, float):
            stage.run_to(Instant(stage.now + round(step * SECOND)))
        else:
            _tell(stage, said, *step, style=style)
        _laws(stage, exclusive=offers == 1)
    stage.run_to(Instant(stage.now + 15 * 3600 * SECOND))
    _laws(stage, exclusive=offers == 1)
    for chain, live in stage.core.live.items():
        if chain.startswith("call:"):
            assert isinstance(live.state, Ended), f"{chain} is {live.state}"
    _folds(stage)


def _tell(
    stage: Stage, said: dict[tuple[str, str], str | None], call: str, event: Any, number: int | None, *, style: str
) -> None:
    chain = call_chain(PBX, call)
    if getattr(event, "leg", "").startswith("@"):
        event = msgspec.structs.replace(event, leg=f"{call}.h{int(event.leg[1:]) + 1}")
    origin = None if number is None else f"{type(event).__name__}-{number}"
    held = {person for person, holder in stage.holders().items() if holder != chain}
    live = stage.core.live.get(chain)
    followed = live is not None and isinstance(live.state, Followed)
    reply = stage.admit(chain, event, origin=origin).reply
    if origin is not None and (chain, origin) in said:
        assert reply == said[chain, origin], "a repeated question has another answer"
        return
    if origin is not None:
        said[chain, origin] = reply
    if followed and isinstance(event, LegAnswered | TalkStarted | TalkConfirmed | TalkEnded):
        assert isinstance(stage.core.live[chain].state, Ended if isinstance(event, TalkEnded) else Talking)
    if followed and isinstance(event, TalkTransferred):
        assert isinstance(stage.core.live[chain].state, Talking | Transferring)
    if isinstance(event, AdviceAsked):
        assert reply is not None
        advice: ask.Advice = msgspec.json.decode(reply, type=ask.Advice)
        if isinstance(advice, ask.AdviseRing):
            assert style == "adviser"
            assert advice.ring_ms >= 3000
            heads = {HEADS[int(leg.extension) - 101] for leg in advice.legs}
            assert not heads & held, "a head of another call was advised"


def _laws(stage: Stage, *, exclusive: bool) -> None:
    assert not [effect for _, effect in stage.ordered if isinstance(effect, ORDERS)]
    if exclusive:
        followed = [live.state for live in stage.core.live.values() if isinstance(live.state, Followed)]
        advised = [hop.person for state in followed for hop in state.rings if hop.timed_by_pbx]
        assert len(advised) == len(set(advised)), "a head has two offers"
    for chain, live in stage.core.live.items():
        if not chain.startswith("call:"):
            continue
        state: CallState = live.state  # type: ignore[assignment]
        assert isinstance(state, Followed | Talking | Transferring | HandedOver | Ended | Stranger)
        assert live.final or live.deadline is not None, f"{chain} sleeps for ever in {state}"
        if isinstance(state, Followed) and state.holds and not state.rings:
            assert stage.now < state.free_at <= stage.now + 5 * SECOND, "a head is kept for a question that never comes"
        if isinstance(state, Ended):
            debt = stage.core.live.get(chain.replace("call:", "callback:", 1))
            assert (state.end.outcome in MISSED) == (debt is not None and isinstance(debt.state, Open))
            named = {record.event for record in stage.records if record.chain == chain}
            if state.end.person:
                extension = str(101 + HEADS.index(state.end.person)).encode()
                legs = {hop.leg.encode() for hop in state.file.hops if hop.person == state.end.person}
                assert any(word in event for event in named for word in (extension, *legs)), "nobody named him"


def _folds(stage: Stage) -> None:
    codec, machine = stage.core.codec, CALL
    states: dict[str, CallState] = {}
    for record in stage.records:
        if record.kind != "call":
            continue
        event: Any = codec.event(machine, record.event, 1)
        seen = codec.seen(machine, record.seen, 1)
        before = states.get(record.chain)
        step = machine.step(before, event, seen, record.at) if before else machine.start(event, seen, record.at)
        assert codec.encode(step.state) == record.state
        assert step.reply == record.reply
        states[record.chain] = step.state
