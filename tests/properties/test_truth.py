"""Who answered is evidence: the same facts lead to the same name, in whatever order they come.

A call rings at boris's phone after anna's; eight facts follow. All 40,320 orders of them are played on the machine;
then Hypothesis doubles, drops and delays them on a stage where time goes by and the other heads are rung meanwhile.
"""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.basis.instants import MILLISECOND, after
from router.basis.machine import Event
from router.chains.call import CALL
from router.chains.call_states import CallEvent, CallSeen, CallState, Ended, Ringing, Talking
from router.chains.enquiry import Outcome
from router.chains.events import (
    CallerHungUp,
    Disposition,
    LegAnswered,
    LegEnded,
    LegRinging,
    Party,
    TalkConfirmed,
    TalkEnded,
    TalkStarted,
)
from router.office import call_chain
from tests.stories.play import office
from tests.stories.stage import PBX, Stage

OWNERS = {"101": "anna", "102": "boris", "103": "clara", "104": "dima", "105": "elena"}
LEG = "c1.h2"
"""Boris's leg."""


def facts(picked_at: str, talks_at: str) -> tuple[CallEvent, ...]:
    """What the PBX tells of an answered call; the phones it names, if it names any."""
    return (
        LegRinging(LEG),
        LegAnswered(LEG, picked_at),
        TalkStarted(LEG, talks_at),
        TalkConfirmed(LEG, talks_at),
        TalkEnded(Party.CALLER),
        LegEnded(LEG, Disposition.COMPLETED),
        CallerHungUp(),
        LegEnded("c1.h1", Disposition.CANCELLED),
    )


def answer(state: CallState) -> frozenset[str]:
    """Who is said to have answered: one name, several in a contradiction, nobody known, or `missed`."""
    if not isinstance(state, Talking | Ended) or state.end.outcome is not Outcome.ANSWERED:
        return frozenset({"missed"})
    return frozenset({state.end.person or state.end.extension, *state.end.others} - {""})


def rung_at_boris() -> tuple[Stage, Ringing]:
    """Anna let it ring out, boris's phone rings."""
    play = office().calls("c1").rings("anna").until(8).stops("anna").rings("boris")
    state = play.stage.state(call_chain(PBX, "c1"))
    assert isinstance(state, Ringing)
    return play.stage, state


def seen_with(event: Event) -> CallSeen:
    """What the step sees: whose the phone is that the event names."""
    return CallSeen(answerer=OWNERS.get(getattr(event, "extension", ""), ""))


def outcomes(begun: Ringing, told: Sequence[CallEvent]) -> Iterator[tuple[tuple[CallEvent, ...], frozenset[str]]]:
    """Every order of these facts, and who answered by it."""
    at = begun.hop.start

    def further(
        state: CallState, left: tuple[CallEvent, ...], said: tuple[CallEvent, ...]
    ) -> Iterator[tuple[tuple[CallEvent, ...], frozenset[str]]]:
        if not left:
            yield said, answer(state)
        for index, event in enumerate(left):
            step = CALL.step(state, event, seen_with(event), after(at, len(said)))
            yield from further(step.state, (*left[:index], *left[index + 1 :]), (*said, event))

    yield from further(begun, tuple(told), ())


CASES = {
    "the phone is named": (("102", "102"), {"boris"}),
    "only the leg is named": (("", ""), {"boris"}),
    "named when picked up": (("102", ""), {"boris"}),
    "picked up at another phone": (("103", "103"), {"clara"}),
    "the talk is elsewhere": (("102", "103"), {"boris", "clara"}),
    "a phone that is nobody's": (("102", "777"), {"boris", "777"}),
}
"""What the PBX names, and who is said to have answered, whatever the order. Phones that are named weigh more than the
leg that was ordered; two that are named are a contradiction."""


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_all_orders_of_eight_facts_lead_to_one_answer(case: str) -> None:
    (picked_at, talks_at), wanted = CASES[case]
    _, begun = rung_at_boris()
    found: dict[frozenset[str], tuple[CallEvent, ...]] = {}
    count = 0
    for order, who in outcomes(begun, facts(picked_at, talks_at)):
        count += 1
        found.setdefault(who, order)
    assert count == 40_320
    assert found.keys() == {frozenset(wanted)}, {tuple(who): order for who, order in found.items()}


@pytest.mark.slow
@given(
    named=st.sampled_from([("102", "102"), ("", ""), ("102", ""), ("", "102")]),
    told=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 12_000)), max_size=14),
)
@settings(max_examples=300, deadline=None)
def test_facts_that_are_lost_doubled_or_late_never_lead_to_another_name(
    named: tuple[str, str], told: list[tuple[int, int]]
) -> None:
    """Meanwhile time goes by (milliseconds before each fact), and the heads after boris are rung."""
    stage, _ = rung_at_boris()
    stage.toy.deaf = True
    every, chain = facts(*named), call_chain(PBX, "c1")
    for which, delay in told:
        stage.run_to(after(stage.now, delay * MILLISECOND))
        stage.admit(chain, every[which])
    state: CallState = stage.state(chain)  # type: ignore[assignment]
    assert answer(state) in ({"boris"}, {"missed"}, set()), answer(state)
