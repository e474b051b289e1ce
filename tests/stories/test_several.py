"""Several calls over the same heads: one offer per head, who waits and who is served, heads lost to facts."""

from typing import Any

import pytest

from router.basis.machine import ClaimLost, DeadlineReached
from router.chains.call_states import Connecting, Ended, HandedOver, Ringing, Talking, Waiting
from router.chains.enquiry import Outcome
from router.chains.events import Disposition, TalkStarted
from tests.stories.play import Play, office, talking


def two_calls(heads: str = "anna boris clara dima elena", **terms: Any) -> Play:
    """c1 rings anna, c2 rings boris."""
    return office(heads, **terms).calls("c1").rings("anna").waits(1).calls("c2").rings("boris", until=9).on("c1")


# --- one offer per head -----------------------------------------------------------------------------------------


def test_the_second_call_passes_over_who_is_rung_already() -> None:
    two_calls().holds("anna").on("c2").holds("boris")


def test_all_heads_busy_the_third_call_waits() -> None:
    (
        two_calls("anna boris").waits(1).calls("c3").is_now(Waiting).waits_for("anna", "boris").holds()
        .on("c1").answers("anna").connects("anna").talks("anna")
        # boris is free when his leg of c2 is over, and c3 has him in the same transaction
        .on("c2").hangs_up().stops("boris").on("c3").rings("boris", until=10).holds("boris")
    )  # fmt: skip


def test_the_freed_head_goes_to_who_has_waited_longest() -> None:
    (
        office("anna")
        .calls("c1").rings("anna").answers("anna").connects("anna").talks("anna")
        .waits(1).calls("c3").is_now(Waiting).waits(1).calls("c2").is_now(Waiting)
        .on("c1").waits(1).talk_ends().stops("anna").releases()
        .on("c3").rings("anna", until=11).on("c2").is_now(Waiting).waits_for("anna")
        .on("c3").declines("anna").is_now(Waiting).on("c2").rings("anna", until=11)
    )  # fmt: skip


def test_an_unanswered_head_is_freed_by_the_confirmation_and_not_by_the_deadline() -> None:
    play = office("anna boris")
    play.stage.toy.confirms = False
    (
        play.calls("c1").rings("anna").waits(1).calls("c2").rings("boris", until=9).declines("boris").waits_for("anna")
        .on("c1").until(8).stops("anna").rings("boris").holds("anna", "boris").on("c2").is_now(Waiting)
        .on("c1").waits(0.3).ends("anna", Disposition.CANCELLED).on("c2").rings("anna", until=16.3)
    )  # fmt: skip


def test_a_grant_that_does_not_suit_goes_to_the_next_who_waits() -> None:
    """c2 waits for anybody, but anna has just declined it: she rests there, and c3 has her."""
    (
        office("anna boris")
        .calls("c0").rings("anna").answers("anna").connects("anna").talks("anna")
        .calls("c1").rings("boris").answers("boris").connects("boris").talks("boris")
        .calls("c2").is_now(Waiting).waits(1).calls("c3").is_now(Waiting)
        .on("c0").talk_ends().stops("anna").releases().on("c2").rings("anna").declines("anna")
        .on("c3").rings("anna", until=9)
    )  # fmt: skip


def test_who_waits_and_is_past_his_last_offer_lets_the_others_go_first() -> None:
    (
        office("anna")
        .calls("c1").rings("anna").answers("anna").connects("anna").talks("anna")
        .calls("c2").is_now(Waiting).until(30).calls("c3").is_now(Waiting)
        .until(38).on("c1").talk_ends().stops("anna").releases()
        .on("c2").is_now(Waiting).on("c3").rings("anna", until=46).on("c2").until(40).hands_over()
    )  # fmt: skip


def test_a_resting_head_who_is_taken_meanwhile_is_waited_for() -> None:
    (
        office("anna")
        .calls("c1").rings("anna").declines("anna").is_now(Waiting).wakes_at(10)
        .calls("c2").rings("anna").answers("anna").connects("anna").talks("anna")
        .until(10).on("c1").waits_for("anna").wakes_at(40)
        .until(12).on("c2").talk_ends().stops("anna").releases().on("c1").rings("anna", until=20)
    )  # fmt: skip


def test_a_caller_who_leaves_while_he_waits_is_owed_a_call_back() -> None:
    (
        office("anna")
        .calls("c1").rings("anna").calls("c2").is_now(Waiting).waits(2)
        .hangs_up().is_over(Outcome.CALLER_LEFT).owes(Outcome.CALLER_LEFT).is_final()
    )  # fmt: skip


def test_without_the_limit_both_calls_ring_the_same_head_and_hold_nobody() -> None:
    (
        office("anna boris", offers_per_person=0)
        .calls("c1").rings("anna").holds().calls("c2").rings("anna").holds()
        .answers("anna").connects("anna").talks("anna").holds().on("c1").is_now(Ringing)
        .waits(1).talks("anna").is_now(Talking).holds()
    )  # fmt: skip


def test_ten_calls_over_five_heads_never_ring_one_head_twice() -> None:
    play = office()
    for number in range(10):
        play.calls(f"c{number}")
    states = [type(play.stage.state(f"call:pbx:c{number}")) for number in range(10)]
    assert states == [Ringing] * 5 + [Waiting] * 5
    assert len(play.stage.holders()) == 5


# --- heads lost to facts ----------------------------------------------------------------------------------------


def test_a_fact_takes_the_head_from_the_call_that_rings_him() -> None:
    """Found by reading: the fact was refused, because the ring that was stopped went on claiming its head."""
    (
        two_calls()
        .on("c2").fact(TalkStarted("c2.h9", "101")).stops("boris", "elsewhere").shows("verdict_asked", to="anna")
        .on("c1").stops("anna", "elsewhere").rings("clara", until=9).hops("anna", "clara").holds("clara")
        .on("c2").holds("anna")
    )  # fmt: skip


def test_a_fact_takes_the_head_whose_leg_fades() -> None:
    """Found by reading: as above, for a leg that was told to stop before."""
    play = two_calls()
    play.stage.toy.confirms = False
    (
        play.until(8).stops("anna").rings("clara").holds("anna", "clara")
        .on("c2").fact(TalkStarted("x", "101")).stops("boris").holds("anna", "boris")
        .on("c1").is_now(Ringing).holds("clara")
        .answers("anna").stops("anna")  # her late answer is still known for one
    )  # fmt: skip


def test_a_fact_takes_the_head_from_the_call_that_connects_him() -> None:
    """Found by reading: the connecting call took him back at once, and the talk lost him."""
    (
        two_calls()
        .answers("anna").connects("anna").on("c2").fact(TalkStarted("x", "101")).stops("boris").holds("anna")
        .on("c1").is_now(Connecting).holds()
        .talks("anna").holds("anna").on("c2").is_now(Talking).holds()
    )  # fmt: skip


def test_two_calls_that_connect_one_head_do_not_fight_for_ever() -> None:
    """Found by reading: each took him back from the other until the admission failed after 10,000 events."""
    play = office("anna boris", can_connect_late=True)
    play.stage.toy.confirms = False
    (
        play.calls("c1").rings("anna").until(8).stops("anna").rings("boris").until(8 + 35.1)
    )  # fmt: skip
    play = office("anna", can_connect_late=True)
    play.stage.toy.confirms = False
    play.calls("c1").rings("anna").until(8).stops("anna").rings("anna")
    play.fact(ClaimLost("person:anna", "call:pbx:zz"), "auditor").stops("anna").is_now(Waiting)
    play.calls("c2").rings("anna").answers("anna").connects("anna").holds("anna")
    play.on("c1").answers("anna").connects("anna").holds("anna").on("c2").is_now(Connecting).holds()


def test_a_fact_takes_the_head_from_a_running_talk() -> None:
    (
        two_calls(wrap_up_s=15)
        .answers("anna").connects("anna").talks("anna").holds("anna")
        .on("c2").fact(TalkStarted("x", "101")).stops("boris").holds("anna").on("c1").is_now(Talking).holds()
        # Found by reading: the pause after this talk claimed him from the other call, and the end was refused.
        .waits(5).talk_ends().releases().stops("anna").is_over(Outcome.ANSWERED).holds().on("c2").holds("anna")
    )  # fmt: skip


def test_a_fact_takes_the_head_from_his_pause() -> None:
    (
        two_calls(wrap_up_s=15)
        .answers("anna").connects("anna").talks("anna").talk_ends().releases().stops("anna").hangs_up().holds("anna")
        .on("c2").fact(TalkStarted("x", "101")).stops("boris").holds("anna").on("c1").holds().is_now(Ended).is_final()
    )  # fmt: skip


def test_a_fact_takes_the_head_whose_leg_fades_after_the_end() -> None:
    """Found by reading: a call that was over refused to let go of him, and the other call's fact failed."""
    play = two_calls()
    play.stage.toy.confirms = False
    (
        play.hangs_up().stops("anna").holds("anna")
        .on("c2").fact(TalkStarted("x", "101")).stops("boris").holds("anna", "boris").on("c1").holds()
    )  # fmt: skip


@pytest.mark.parametrize("event", [ClaimLost("person:elena", "call:pbx:c9")])
def test_the_loss_of_somebody_else_means_nothing(event: ClaimLost) -> None:
    two_calls().fact(event).is_now(Ringing).holds("anna").answers("anna").connects("anna").fact(event).holds("anna")


def test_a_confirmed_talk_takes_its_head_back() -> None:
    (
        two_calls()
        .answers("anna").connects("anna").talks("anna").on("c2").fact(TalkStarted("x", "101")).stops("boris")
        .on("c1").holds().talk_confirmed("anna").holds("anna").on("c2").holds()
    )  # fmt: skip


# --- deadlines --------------------------------------------------------------------------------------------------


def test_a_deadline_that_is_no_longer_its_own_means_nothing() -> None:
    play = office().calls().rings("anna").waits(3).answers("anna").connects("anna")
    play.fact(DeadlineReached(play.stage.now), "timer").asks_nothing().is_now(Connecting)


def test_an_early_deadline_waits_for_the_rest() -> None:
    play = office().calls().rings("anna").waits(3)
    deadline = play.stage.core.live["call:pbx:c1"].deadline
    assert deadline is not None
    play.fact(DeadlineReached(deadline), "timer").asks_nothing().is_now(Ringing).wakes_at(8)
    play.until(8).stops("anna").rings("boris", until=16)


def test_a_windows_end_while_others_are_served() -> None:
    play = two_calls("anna boris", window_s=9)
    play.until(8).stops("anna").is_now(Waiting)
    play.until(9).hands_over().is_now(HandedOver).on("c2").stops("boris").is_now(Waiting)
    assert play.stage.holders() == {}


def test_the_talk_of_one_call_is_not_the_talk_of_the_other() -> None:
    play = two_calls().answers("anna").connects("anna").talks("anna")
    assert talking(play).end.person == "anna"
    play.on("c2").is_now(Ringing)
