"""Several heads ring at once: all from the start, one more every eight seconds, or everybody in the last seconds."""

import pytest

from router.chains.call_states import HandedOver, Ringing, Waiting
from router.chains.enquiry import Outcome
from router.chains.events import Disposition, LegAnswered
from tests.chains.history import english
from tests.stories.play import Play, office


def all_ring(heads: str = "anna boris clara") -> Play:
    """c1 rings everybody until second 40."""
    play = office(heads, spread="ring_all").calls()
    for head in heads.split():
        play.rings(head, until=40)
    return play


# --- ring all ----------------------------------------------------------------------------------------------------


def test_whoever_picks_up_first_has_the_call_and_the_others_fall_silent() -> None:
    (
        all_ring().holds("anna", "boris", "clara").waits(5)
        .answers("boris").connects("boris").stops("anna", "elsewhere").stops("clara", "elsewhere")
        .talks("boris").holds("boris").shows("verdict_asked", to="boris")
    )  # fmt: skip


def test_the_second_who_picks_up_a_moment_later_is_not_joined() -> None:
    play = all_ring("anna boris")
    play.stage.toy.confirms = False
    leg = play.leg("anna")
    (
        play.waits(5).answers("boris").connects("boris").stops("anna")
        .fact(LegAnswered(leg)).stops("anna", "elsewhere").talks("boris").holds("anna", "boris")
    )  # fmt: skip


def test_who_declines_is_let_alone_and_the_others_ring_on() -> None:
    all_ring().waits(2).declines("anna").asks_nothing().is_now(Ringing).holds("boris", "clara").hops(
        "anna", "boris", "clara"
    )


def test_nobody_picks_up() -> None:
    (
        all_ring("anna boris").until(39.999999).asks_nothing()
        .until(40).stops("anna").stops("boris").hands_over().is_now(HandedOver).holds()
    )  # fmt: skip


def test_the_caller_leaves() -> None:
    all_ring("anna boris").waits(3).hangs_up().stops("anna", "caller_gone").stops("boris", "caller_gone").is_over(
        Outcome.CALLER_LEFT
    ).owes()


def test_a_head_who_becomes_free_joins() -> None:
    (
        office("anna boris", spread="ring_all").calls("c0").rings("anna").rings("boris")
        .answers("anna").connects("anna").stops("boris").talks("anna")
        .waits(1).calls("c1").rings("boris", until=41).waits_for("anna")
        .on("c0").waits(2).talk_ends().stops("anna").releases()
        .on("c1").rings("anna", until=41).holds("anna", "boris")
    )  # fmt: skip


def test_who_was_busy_is_tried_again_after_his_rest() -> None:
    (
        all_ring("anna boris").waits(1).ends("anna", Disposition.BUSY).asks_nothing()
        .until(10.999999).asks_nothing().until(11).rings("anna", until=40)
    )  # fmt: skip


def test_a_silent_phone_is_given_up_alone() -> None:
    play = office("anna boris", spread="ring_all")
    play.stage.toy.silent = {"101"}
    play.calls().rings("anna").rings("boris").until(2).stops("anna").is_now(Ringing).holds("boris").until(30)


def test_all_are_given_up_and_one_is_waited_for() -> None:
    all_ring("anna boris").waits(1).ends("anna", Disposition.BUSY).ends("boris", Disposition.UNREACHABLE).is_now(
        Waiting
    )


def test_a_head_lost_to_another_call_leaves_the_others_ringing() -> None:
    (
        all_ring("anna boris").waits(1)
        .calls("c2").is_now(Waiting).waits_for("anna", "boris").talks("anna", "101")
        .on("c1").stops("anna", "elsewhere").is_now(Ringing).holds("boris")
    )  # fmt: skip


def test_the_talk_may_be_told_before_the_answer() -> None:
    all_ring("anna boris").talks("boris").stops("anna", "elsewhere").holds("boris")


def test_who_hangs_up_before_he_is_joined_gives_the_others_another_ring() -> None:
    (
        all_ring("anna boris clara").waits(2).answers("boris").connects("boris").stops("anna").stops("clara")
        .ends("boris", Disposition.COMPLETED).is_now(Waiting).until(12).rings("anna", until=40).rings("clara", until=40)
        .rings("boris", until=40)
    )  # fmt: skip


# --- progressive ---------------------------------------------------------------------------------------------------


def test_one_more_every_eight_seconds() -> None:
    (
        office("anna boris clara", spread="progressive").calls().rings("anna", until=40)
        .until(7.999999).asks_nothing().until(8).rings("boris", until=40)
        .until(16).rings("clara", until=40).holds("anna", "boris", "clara").until(39.9).asks_nothing()
        .until(40).stops("anna").stops("boris").stops("clara").hands_over()
    )  # fmt: skip


def test_who_declines_is_replaced_at_once() -> None:
    (
        office("anna boris clara", spread="progressive").calls().rings("anna").waits(2).declines("anna")
        .rings("boris", until=40).until(8).rings("clara", until=40).hops("anna", "boris", "clara")
    )  # fmt: skip


def test_a_late_timer_does_not_move_those_after_it() -> None:
    (
        office("anna boris clara", spread="progressive").calls().rings("anna").until(7)
        .oversleeps(1.5).rings("boris").until(16).rings("clara")
    )  # fmt: skip


# --- everybody in the last seconds -----------------------------------------------------------------------------------


@pytest.mark.parametrize("timers", ["server", "pbx"])
def test_the_last_eight_seconds_are_everybodys(timers: str) -> None:
    play = office("anna boris clara", all_in_last_s=8, timers=timers).calls()  # type: ignore[arg-type]
    for index, head in enumerate(("anna", "boris", "clara", "anna")):
        play.rings(head, until=8 * index + 8).until(8 * index + 8)
        if timers == "server":
            play.stops(head)
    (
        play.rings("boris", until=40).rings("clara", until=40).rings("anna", until=40)
        .until(40).stops("anna").stops("boris").stops("clara").hands_over()
    )  # fmt: skip


def test_they_join_whoever_rings_at_that_moment() -> None:
    (
        office("anna boris clara", all_in_last_s=10).calls().rings("anna", until=8).waits(8).stops("anna")
        .rings("boris", until=16).waits(6).declines("boris").rings("clara", until=22).until(22).stops("clara")
        .rings("anna", until=30).until(25).asks_nothing().until(30).stops("anna")
        .rings("clara", until=40).rings("anna", until=40).is_now(Ringing)
    )  # fmt: skip


def test_why_they_ring_is_told() -> None:
    said = english(all_ring("anna boris"))
    assert said[1] == "1. anna, from 0 s: ringing (start of the list)."
    assert said[2] == "2. boris, from 0 s: ringing (together with the others)."
