"""Who rings when: exact instants, both kinds of timer, lateness, the window."""

import pytest

from router.chains.call_states import Connecting, Ended, HandedOver, Ringing, Waiting
from router.chains.effects import RingBack, RingLeg, StopLeg
from router.chains.enquiry import Outcome
from router.chains.events import Disposition, LegAsked, Party
from tests.stories.play import filed, office
from tests.stories.stage import T0


def test_five_heads_nobody_answers_and_the_window_ends_at_forty_sharp() -> None:
    play = (
        office(after_window="release")
        .calls()
        .rings("anna", until=8, timed_by_pbx=False, ring=8_000_000)
        .holds("anna")
        .until(8).stops("anna", "no_answer").rings("boris", until=16)
        .until(16).stops("boris").rings("clara", until=24)
        .until(24).stops("clara").rings("dima", until=32)
        .until(32).stops("dima").rings("elena", until=40)
        .until(39.999999).is_now(Ringing)
        .until(40).stops("elena").releases("no_answer")
        .is_over(Outcome.NOBODY, Party.PBX).owes(Outcome.NOBODY)
        .holds().is_final()
    )  # fmt: skip
    rings = [(at - T0) / 1e6 for at, effect in play.stage.ordered if isinstance(effect, RingLeg)]
    assert rings == [0, 8, 16, 24, 32]
    ended = [(hop.ended - T0) / 1e6 for hop in filed(play).hops]
    assert ended == [8, 16, 24, 32, 40]


def test_the_caller_hears_ringing_before_the_first_phone_does() -> None:
    play = office().calls().rings("anna")
    ring_back, ring = [effect for _, effect in play.stage.ordered][-2:]
    assert isinstance(ring_back, RingBack)
    assert isinstance(ring, RingLeg)


def test_the_third_answers() -> None:
    (
        office()
        .calls().rings("anna", until=8)
        .until(8).stops("anna").rings("boris", until=16)
        .waits(2.2).declines("boris").rings("clara", until=18.2)
        .waits(3.2).answers("clara").connects("clara").is_now(Connecting)
        .talks("clara").shows("verdict_asked", to="clara", person="clara", extension="103").holds("clara")
        .waits(30).asks_nothing()
    )  # fmt: skip


def test_a_pbx_that_times_the_ring_itself_is_only_watched() -> None:
    (
        office(timers="pbx")
        .calls().rings("anna", until=8, timed_by_pbx=True).wakes_at(9)
        .until(8).rings("boris", until=16).hops("anna", "boris")  # the toy PBX ended the ring at 8.0: no stop is needed
    )  # fmt: skip


def test_a_ring_that_the_pbx_ends_counts_from_the_stamp_of_its_end() -> None:
    play = office(timers="pbx")
    play.stage.toy.ends_rings = False
    (
        play.calls().rings("anna", until=8)
        .until(8.046).ends("anna").rings("boris", until=16.046, timed_by_pbx=True)
        .until(16.09).ends("boris").rings("clara", until=24.09)
        .until(24.1).ends("clara").rings("dima", until=32.1)
        # The window cuts this one: the server ends it to the microsecond, and the window has not moved.
        .until(32.2).ends("dima").rings("elena", until=40, timed_by_pbx=False, ring=7_800_000)
        .until(40).stops("elena").hands_over().is_now(HandedOver)
    )  # fmt: skip


def test_the_watchdog_steps_in_where_the_pbx_forgets_its_own_timer() -> None:
    play = office(timers="pbx")
    play.stage.toy.ends_rings = False
    (
        play.calls().rings("anna", until=8)
        .until(9).stops("anna").rings("boris", until=17)  # counted from the handling: whose timer failed is not trusted
    )  # fmt: skip


def test_rings_that_are_not_whole_seconds_are_timed_by_the_server() -> None:
    office(timers="pbx", ring_s=7.5).calls().rings("anna", until=7.5, timed_by_pbx=False)


def test_handled_up_to_a_second_late_the_planned_start_is_kept() -> None:
    (
        office()
        .calls().rings("anna", until=8)
        .waits(7).oversleeps(2).stops("anna").rings("boris", until=16, ring=8_000_000)
        .until(16).stops("boris").rings("clara", until=24)
    )  # fmt: skip


def test_handled_more_than_a_second_late_the_next_counts_from_the_handling() -> None:
    (
        office()
        .calls().rings("anna", until=8)
        .waits(7).oversleeps(2.000001).stops("anna").rings("boris", until=17.000001)
        .until(17.000001).stops("boris").rings("clara")
        .until(25.000001).stops("clara").rings("dima")
        .until(33.000001).stops("dima").rings("elena", until=40)
    )  # fmt: skip


def test_a_long_pause_of_the_server_does_not_move_the_windows_end() -> None:
    (
        office()
        .calls().rings("anna")
        .waits(5).oversleeps(50).stops("anna").hands_over().is_now(HandedOver)
        .waits(1).hops("anna")
    )  # fmt: skip


def test_a_ring_handled_late_is_not_taken_for_silent_before_it_could_ring() -> None:
    """Found by reading: no-ringing was counted from the planned start, which may lie a second before the order."""
    play = office()
    play.stage.toy.silent = {"102"}
    (
        play.calls().rings("anna")
        .waits(7).oversleeps(2).stops("anna").rings("boris", until=16).wakes_at(11)
    )  # fmt: skip


def test_a_head_whose_phone_is_silent_is_passed_over_after_two_seconds() -> None:
    play = office()
    play.stage.toy.silent = {"101"}
    (
        play.calls().rings("anna", until=8).wakes_at(2)
        .until(2).stops("anna").rings("boris", until=10).hops("anna", "boris")
    )  # fmt: skip
    assert filed(play).hops[0].how is Disposition.UNREACHABLE


def test_a_phone_that_rings_late_but_in_time_keeps_its_offer() -> None:
    play = office()
    play.stage.toy.silent = {"101"}
    play.calls().rings("anna").waits(1.9).phone_rings("anna").wakes_at(8).until(8).stops("anna").rings("boris")


def test_a_ring_sent_only_after_a_restart_has_its_two_seconds_from_then() -> None:
    play = office()
    play.stage.toy.silent = {"101"}
    (
        play.calls().rings("anna")
        .waits(1.5).fact(LegAsked("c1.h1")).wakes_at(3.5)
        .until(3.5).stops("anna").rings("boris", until=11.5)
    )  # fmt: skip


def test_a_pbx_that_does_not_report_ringing_is_not_asked_to() -> None:
    play = office(reports_ringing=False)
    play.stage.toy.silent = {"101"}
    play.calls().rings("anna").wakes_at(8).until(8).stops("anna").rings("boris")


def test_no_wish_of_the_list_makes_a_pbx_report_ringing() -> None:
    """Found by reading: the list's own `no_ringing_after_s` overrode the ability, and everybody was unreachable."""
    play = office(reports_ringing=False, no_ringing_after_s=2)
    play.stage.toy.silent = {"101"}
    play.calls().rings("anna").wakes_at(8)


def test_no_offer_is_shorter_than_three_seconds() -> None:
    (
        office("anna boris", window_s=18)
        .calls().rings("anna").until(8).stops("anna").rings("boris", until=16)
        .until(16).stops("boris").is_now(Waiting).wakes_at(18)  # two seconds are left: noise, not an offer
        .until(18).hands_over()
    )  # fmt: skip


def test_an_offer_of_exactly_three_seconds_is_made() -> None:
    (
        office("anna boris clara", window_s=19)
        .calls().rings("anna").until(8).stops("anna").rings("boris", until=16)
        .until(16).stops("boris").rings("clara", until=19, ring=3_000_000)
        .until(19).stops("clara").hands_over()
    )  # fmt: skip


def test_rings_as_short_as_the_shortest_offer_still_leave() -> None:
    """Found by reading: such a ring was stale a microsecond after its order, so that nobody was ever rung."""
    play = office("anna boris", ring_s=3, min_offer_s=3).calls().rings("anna", until=3)
    play.until(2).oversleeps(1.2).stops("anna").rings("boris", until=6)
    sent = [effect.extension for _, effect in play.stage.sent if isinstance(effect, RingLeg)]
    assert sent == ["101", "102"]


def test_fewer_heads_than_hops_begin_again() -> None:
    (
        office("anna boris")
        .calls().rings("anna").until(8).stops("anna").rings("boris").until(16).stops("boris").rings("anna")
        .until(24).stops("anna").rings("boris").until(32).stops("boris").rings("anna", until=40)
        .until(40).stops("anna").hands_over().hops("anna", "boris", "anna", "boris", "anna")
    )  # fmt: skip


def test_one_head_alone_is_rung_five_times() -> None:
    play = office("anna").calls().rings("anna")
    for second in (8, 16, 24, 32):
        play.until(second).stops("anna").rings("anna", until=second + 8)
    play.until(40).stops("anna").hands_over()


def test_a_list_that_stops_at_its_end_gives_the_caller_up_there() -> None:
    (
        office("anna boris", on_list_end="stop")
        .calls().rings("anna").until(8).stops("anna").rings("boris", until=16)
        .until(16).stops("boris").hands_over()
    )  # fmt: skip


def test_a_list_that_stops_still_offers_who_was_passed_over() -> None:
    (
        office("anna boris", on_list_end="stop")
        .calls("c0").rings("anna").answers("anna").connects("anna").talks("anna")
        .calls("c1").rings("boris", until=8)
        .until(8).stops("boris").is_now(Waiting).waits_for("anna")
        .on("c0").waits(2).talk_ends().stops("anna").releases()
        .on("c1").rings("anna", until=18)
        .until(18).stops("anna").hands_over()
    )  # fmt: skip


def test_an_empty_list_is_given_up_at_once() -> None:
    play = office("").calls().hands_over().is_now(HandedOver)
    assert filed(play).hops == ()


def test_nobody_on_duty_the_stated_plan_follows_at_once() -> None:
    """All are away when the call comes: forty seconds of ringing for an empty room would be silence."""
    (
        office("anna boris", after_window="release")
        .goes_away("anna").goes_away("boris")
        .calls().releases().is_over(Outcome.NOBODY).owes(Outcome.NOBODY)
    )  # fmt: skip


def test_a_line_that_nobody_entered_is_served_by_the_first_list() -> None:
    office("anna").calls(line="+70000000000").rings("anna", line="+70000000000")


def test_the_ring_waits_for_the_confirmed_end_of_the_previous_leg() -> None:
    play = office()
    play.stage.toy.confirms = False
    play.calls().rings("anna").until(8).stops("anna").rings("boris", until=16, after="c1.h1")
    play.waits(0.4)
    assert _rung(play) == [("101", 0.0)]
    play.ends("anna", Disposition.CANCELLED).waits(0.1)
    assert _rung(play) == [("101", 0.0), ("102", 8.4)]


def test_it_waits_a_second_at_most_and_for_that_leg_only() -> None:
    """Found by reading: a leg that was never confirmed cost every later ring of the call another second."""
    play = office()
    play.stage.toy.confirms = False
    play.calls().rings("anna").until(8).stops("anna").rings("boris").until(9.5)
    assert _rung(play)[-1] == ("102", 9.0)
    play.until(12).declines("boris").rings("clara", until=20, after=None).holds("anna", "clara")
    play.waits(0.1)
    assert _rung(play)[-1] == ("103", 12.0)


def test_a_stop_is_repeated_until_the_pbx_confirms_it() -> None:
    play = office()
    play.stage.toy.confirms = False
    play.calls().rings("anna").until(8).stops("anna").rings("boris").until(8.9).ends("anna").until(12)
    stops = [(at - T0) / 1e6 for at, effect in play.stage.sent if isinstance(effect, StopLeg)]
    assert stops == [8.0, 8.2, 8.4, 8.6, 8.8]


def test_an_unconfirmed_leg_keeps_its_head_until_it_fades() -> None:
    play = office(after_window="release")
    play.stage.toy.confirms = False
    play.calls().rings("anna").waits(1).hangs_up().stops("anna", "caller_gone").is_over(Outcome.CALLER_LEFT).owes()
    play.holds("anna").until(35.9).holds("anna").until(36.1).holds().is_final()


@pytest.mark.parametrize("second", [0.0, 3.0, 7.999999, 8.0])
def test_the_caller_hangs_up_while_a_phone_rings(second: float) -> None:
    play = office().calls().rings("anna")
    if second < 8:
        play.until(second).hangs_up().stops("anna", "caller_gone")
    else:
        play.until(8).stops("anna").rings("boris").hangs_up().stops("boris", "caller_gone")
    play.is_over(Outcome.CALLER_LEFT, Party.CALLER).owes(Outcome.CALLER_LEFT, since=0).holds().is_final()
    play.waits(60).asks_nothing()


def test_exactly_at_a_hops_end_the_next_phone_never_rings_if_the_hangup_is_read_first() -> None:
    play = office().calls().rings("anna").until(7)
    play.stage.now = T0 + 8_000_000  # type: ignore[assignment]
    play.hangs_up().stops("anna", "caller_gone").is_over(Outcome.CALLER_LEFT).waits(1).asks_nothing()


def test_a_ring_that_was_never_sent_is_not_sent_after_its_time() -> None:
    play = office()
    play.stage.outbox.block("pbx:pbx")
    play.stage.toy.silent = set()
    (
        play.calls().rings("anna", best_before=T0 + 5_000_000).until(2).stops("anna")
        .rings("boris")  # her phone did not ring in two seconds
        .until(4).stops("boris").rings("clara").until(6).stops("clara").rings("dima").until(6.5)
    )  # fmt: skip
    play.stage.outbox.unblock("pbx:pbx")
    play.waits(0.1)
    assert _rung(play) == [("104", 6.5)]
    # Found by reading: who was never asked is not unreachable; he is tried again after his rest.
    assert {hop.how for hop in filed(play).hops} == {Disposition.FAILED}


def test_a_waiting_call_hears_that_its_only_head_was_never_asked() -> None:
    """Found by a random history (seed 272): it waited for a change of his state and never tried him again."""
    play = office("boris")
    play.stage.outbox.block("pbx:pbx")
    play.calls().rings("boris").until(2).stops("boris").is_now(Waiting).wakes_at(12)
    play.stage.outbox.unblock("pbx:pbx")
    play.until(12).rings("boris", until=20)


def test_a_ring_that_goes_stale_counts_as_failed_and_the_next_is_rung() -> None:
    play = office(no_ringing_after_s=0)
    play.stage.outbox.block("pbx:pbx")
    play.calls().rings("anna").until(6)
    play.stage.outbox.unblock("pbx:pbx")
    play.waits(0).stops("anna").rings("boris", until=14)
    assert filed(play).hops[0].how is Disposition.FAILED


def test_a_call_that_is_reported_twice_is_one_call() -> None:
    office().calls().rings("anna").waits(1).calls().asks_nothing().is_now(Ringing)


def test_two_heads_end_in_ended_states_only_once() -> None:
    play = office(after_window="release").calls().rings("anna").hangs_up().stops("anna").hangs_up().asks_nothing()
    assert isinstance(play.stage.state("call:pbx:c1"), Ended)


def _rung(play: object) -> list[tuple[str, float]]:
    return [
        (effect.extension, (at - T0) / 1e6)
        for at, effect in play.stage.sent  # type: ignore[attr-defined]
        if isinstance(effect, RingLeg)
    ]
