"""Answers around a hop's end: in time, too late, and what a head who was too late may still do."""

from typing import Any

from router.chains.call_states import Connecting, HandedOver, Ringing, Talking, Waiting
from router.chains.effects import StopLeg
from router.chains.enquiry import Outcome
from router.chains.events import Disposition
from tests.stories.play import Play, filed, office


def slow(heads: str = "anna boris clara dima elena", *, can_connect_late: bool = False, **terms: Any) -> Play:
    """A PBX that takes its time to confirm a stop: heads can pick up after it."""
    play = office(heads, can_connect_late=can_connect_late, **terms)
    play.stage.toy.confirms = False
    return play


def test_an_answer_read_before_the_deadline_wins() -> None:
    play = office().calls().rings("anna").until(7)
    play.stage.now += 1_000_000  # type: ignore[assignment]
    play.answers("anna").connects("anna").waits(3).is_now(Connecting).hops("anna")


def test_an_answer_read_after_the_deadline_is_late() -> None:
    (
        slow().calls().rings("anna").until(8).stops("anna", "no_answer").rings("boris")
        .answers("anna").stops("anna", "elsewhere").shows("late", to="anna").is_now(Ringing).hops("anna", "boris")
    )  # fmt: skip


def test_an_answer_of_a_leg_that_is_confirmed_over_means_nothing() -> None:
    office().calls().rings("anna").until(8).stops("anna").rings("boris").waits(0.1).answers("anna").shows_nothing()


def test_a_pbx_that_can_connect_late_does() -> None:
    (
        slow(can_connect_late=True)
        .calls().rings("anna").until(8).stops("anna").rings("boris").waits(0.05)
        .answers("anna").stops("boris", "elsewhere").connects("anna").is_now(Connecting)
        .talks("anna").shows("verdict_asked", to="anna").ends("boris", Disposition.ELSEWHERE).holds("anna")
        .hops("boris", "anna")
    )  # fmt: skip


def test_the_stop_is_not_repeated_to_who_is_connected_late() -> None:
    """Found by reading: it was, every 200 ms, and would have cut the connection."""
    play = slow(can_connect_late=True).calls().rings("anna").until(8).stops("anna").rings("boris").waits(0.05)
    play.answers("anna").stops("boris").connects("anna").waits(3)
    stops = [at for at, effect in play.stage.sent if isinstance(effect, StopLeg) and effect.leg == "c1.h1"]
    assert len(stops) == 1


def test_who_is_connected_late_and_hangs_up_again_hands_the_caller_on() -> None:
    play = (
        slow(can_connect_late=True)
        .calls().rings("anna").until(8).stops("anna").rings("boris").waits(0.05).answers("anna").stops("boris").connects("anna")
        .ends("boris").ends("anna", Disposition.COMPLETED)
    )  # fmt: skip
    legs = [hop.leg for hop in filed(play).hops]
    assert len(set(legs)) == len(legs)
    play.rings("clara", until=16.05)  # boris, whose ring was cut, rests


def test_a_late_head_takes_the_caller_who_waits() -> None:
    (
        slow()
        .calls().rings("anna").until(8).stops("anna").rings("boris").waits(0.1).answers("anna").stops("anna")
        .shows("late", to="anna").ends("anna").until(10).presses_take("anna").says("next")
        .presses_take("anna").says("already")
        .until(16).stops("boris").rings("anna", until=24).ends("boris")
        .until(24).stops("anna").rings("clara", until=32)  # the list goes on where it was
    )  # fmt: skip


def test_while_the_call_waits_take_rings_at_once() -> None:
    (
        slow("anna boris")
        .calls().rings("anna").until(8).stops("anna").rings("boris").waits(0.1).answers("anna").stops("anna")
        .ends("anna").declines("boris").rings("anna")
        .until(9).declines("anna").is_now(Waiting).waits(1).presses_take("boris").says("next").rings("boris", until=18)
    )  # fmt: skip


def test_those_who_pressed_first_are_first() -> None:
    (
        office("anna boris clara")
        .calls().rings("anna").waits(1).presses_take("clara").waits(1).presses_take("boris").says("next")
        .until(8).stops("anna").rings("clara").until(16).stops("clara").rings("boris")
        .until(24).stops("boris").rings("boris")  # after anna, who was the last in turn
    )  # fmt: skip


def test_take_from_somebody_who_is_not_on_the_list() -> None:
    office("anna boris").calls().rings("anna").presses_take("elena").says("not_on_the_list")


def test_take_after_the_end() -> None:
    office().calls().rings("anna").hangs_up().stops("anna").presses_take("anna").says("too_late")


def test_take_when_no_offer_fits_into_the_window_any_more() -> None:
    """Found by reading: it was promised and could not be kept."""
    office().calls().rings("anna").waits(7).ends("anna").rings("boris").until(15).stops("boris").rings("clara").until(
        23
    ).stops("clara").rings("dima").until(31).stops("dima").rings("elena", until=39).until(37.5).presses_take(
        "anna"
    ).says("too_late")


def test_take_of_a_head_who_is_in_another_call_waits_for_him() -> None:
    (
        office("anna boris")
        .calls("c0").rings("anna").answers("anna").connects("anna").talks("anna")
        .calls("c1").rings("boris").declines("boris").is_now(Waiting).presses_take("anna").says("next").waits_for("anna")
        .on("c0").waits(1).talk_ends().stops("anna").releases().on("c1").rings("anna", until=9)
    )  # fmt: skip


def test_take_of_a_busy_head_whom_the_list_has_passed_for_good() -> None:
    """Found by a random history (seed 804): he was promised to be next and never waited for."""
    (
        office("anna boris", on_list_end="stop")
        .calls("c1").rings("anna").declines("anna").rings("boris")
        .calls("c0").rings("anna").answers("anna").connects("anna").talks("anna")
        .on("c1").presses_take("anna").says("next").declines("boris").is_now(Waiting).waits_for("anna")
        .on("c0").waits(2).talk_ends().stops("anna").releases().on("c1").rings("anna", until=10)
        .declines("anna").hands_over()
    )  # fmt: skip


def test_the_button_goes_when_the_caller_no_longer_waits() -> None:
    late = slow().calls().rings("anna").until(8).stops("anna").rings("boris").answers("anna").stops("anna")
    late.shows("late", to="anna").hangs_up().stops("boris").shows("late_over", to="anna", outcome="caller_left")


def test_the_button_goes_when_he_is_given_to_the_fallback() -> None:
    """Found by reading: it stayed until the fallback's record came."""
    play = slow("anna boris", window_s=16).calls().rings("anna").until(8).stops("anna").rings("boris").answers("anna")
    play.stops("anna").shows("late", to="anna").until(16).stops("boris").hands_over().is_now(HandedOver)
    play.shows("late_over", to="anna")


def test_no_button_that_could_not_be_kept() -> None:
    play = slow("anna boris", window_s=10).calls().rings("anna").until(8).stops("anna").is_now(Waiting)
    play.answers("anna").stops("anna").shows_nothing()


def test_late_while_others_talk() -> None:
    (
        slow()
        .calls().rings("anna").until(8).stops("anna").rings("boris").answers("boris").connects("boris").talks("boris")
        .answers("anna").stops("anna", "elsewhere").is_now(Talking).asks_nothing()
    )  # fmt: skip


def test_late_after_the_end() -> None:
    play = slow().calls().rings("anna").hangs_up().stops("anna").is_over(Outcome.CALLER_LEFT)
    play.answers("anna").stops("anna", "elsewhere").is_over(Outcome.CALLER_LEFT)
