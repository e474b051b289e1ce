"""Heads who do not take the call at once: busy, declined, unreachable, failed; who is offered it again and when."""

import pytest

from router.chains.call_states import Ringing, Waiting
from router.chains.enquiry import Outcome
from router.chains.events import Disposition
from tests.stories.play import filed, office


@pytest.mark.parametrize(
    "how", [Disposition.BUSY, Disposition.DECLINED, Disposition.UNREACHABLE, Disposition.FAILED, Disposition.NO_ANSWER]
)
def test_whose_offer_ends_at_once_is_followed_by_the_next_at_once(how: Disposition) -> None:
    office().calls().rings("anna").waits(0.7).ends("anna", how).rings("boris", until=8.7).holds("boris")


def test_the_busy_one_rests_ten_seconds_in_this_call() -> None:
    (
        office("anna boris")
        .calls().rings("anna").waits(1).ends("anna", Disposition.BUSY).rings("boris", until=9)
        .waits(1).ends("boris", Disposition.BUSY).is_now(Waiting).wakes_at(11)
        .until(11).rings("anna", until=19)
        .until(12).ends("anna", Disposition.BUSY).rings("boris")
    )  # fmt: skip


def test_who_rang_his_time_does_not_rest() -> None:
    office("anna").calls().rings("anna").until(8).stops("anna").rings("anna", until=16)


def test_a_phone_that_gives_up_by_itself_rests() -> None:
    office("anna").calls().rings("anna").until(6.9).ends("anna").is_now(Waiting).wakes_at(16.9)


def test_a_phone_that_gives_up_within_the_last_second_had_its_time() -> None:
    office("anna").calls().rings("anna").until(7.1).ends("anna").rings("anna", until=15.1)


def test_a_ring_of_one_second_that_ends_at_once_rests_too() -> None:
    """Found by reading: with rings no longer than `at_once` a refusing phone was rung again without end."""
    office("anna", ring_s=1, min_offer_s=1).calls().rings("anna").waits(0.01).ends("anna").is_now(Waiting)


def test_who_declined_comes_after_all_others() -> None:
    (
        office("anna boris clara")
        .calls().rings("anna").waits(1).declines("anna").rings("boris", until=9)
        .until(9).stops("boris").rings("clara", until=17)
        .until(17).stops("clara").rings("boris", until=25)  # not anna, though it would be her turn
        .until(25).stops("boris").rings("clara", until=33)
    )  # fmt: skip


def test_who_declined_is_offered_it_again_where_nobody_else_can() -> None:
    (
        office("anna boris")
        .calls().rings("anna").waits(1).declines("anna").rings("boris")
        .waits(1).ends("boris", Disposition.UNREACHABLE).is_now(Waiting).wakes_at(11)
        .until(11).rings("anna", until=19)
    )  # fmt: skip


def test_all_decline_and_the_first_to_have_rested_is_asked_again() -> None:
    (
        office("anna boris")
        .calls().rings("anna").waits(1).declines("anna").rings("boris").waits(1).declines("boris").wakes_at(11)
        .until(11).rings("anna").until(12).declines("anna").rings("boris").until(13).declines("boris").wakes_at(22)
    )  # fmt: skip


def test_an_unreachable_one_is_not_tried_again_while_nothing_changes() -> None:
    (
        office("anna")
        .calls().rings("anna").ends("anna", Disposition.UNREACHABLE).is_now(Waiting).wakes_at(40)
        .until(40).hands_over()
    )  # fmt: skip


def test_an_unreachable_one_is_tried_again_when_his_phone_comes_back_while_the_call_waits() -> None:
    (
        office("anna")
        .device("anna", reachable=False)
        .calls().is_now(Waiting).waits(5).device("anna", reachable=True).rings("anna", until=13)
    )  # fmt: skip


def test_an_unreachable_one_whose_phone_comes_back_while_another_rings_is_tried_again() -> None:
    """Found by reading: only a waiting call heard of the change; one that rang somebody never tried him again."""
    (
        office("anna boris")
        .calls().rings("anna").ends("anna", Disposition.UNREACHABLE).rings("boris", until=8)
        .device("anna", reachable=False).waits(3).device("anna", reachable=True)
        .until(8).stops("boris").rings("anna", until=16)
        .ends("anna", Disposition.UNREACHABLE).rings("boris", until=16)
        .until(16).stops("boris").rings("boris", until=24)  # her state has not changed since
    )  # fmt: skip


def test_who_talks_and_has_gone_away_is_not_waited_for() -> None:
    (
        office("anna")
        .calls("c0").rings("anna").answers("anna").connects("anna").talks("anna").goes_away("anna")
        .calls("c1").hands_over()
    )  # fmt: skip


def test_away_people_are_passed_over_and_taken_when_they_come_back() -> None:
    (
        office("anna boris")
        .goes_away("anna").goes_away("boris", until=3)
        .device("boris", reachable=False)  # one is away, the other both away and off line
        .calls().hands_over()
    )  # fmt: skip
    (
        office("anna boris")
        .goes_away("anna").device("boris", reachable=False)
        .calls().is_now(Waiting).waits(3).comes_back("anna").rings("anna", until=11)
    )  # fmt: skip


def test_an_absence_with_an_end_ends_by_itself() -> None:
    (
        office("anna boris")
        .goes_away("anna", until=4).device("boris", reachable=False)
        .calls().is_now(Waiting).until(4).rings("anna", until=12)
    )  # fmt: skip


def test_who_goes_away_while_he_is_rung_is_rung_on() -> None:
    office().calls().rings("anna").goes_away("anna").waits(2).answers("anna").connects("anna")


def test_the_list_goes_on_after_the_head_who_was_offered_last() -> None:
    (
        office("anna boris clara")
        .goes_away("boris")
        .calls().rings("anna").until(8).stops("anna").rings("clara")
        .comes_back("boris").until(16).stops("clara").rings("anna").until(24).stops("anna").rings("boris")
    )  # fmt: skip


def test_a_refusal_read_after_the_window_does_not_open_it_again() -> None:
    play = office("anna boris", window_s=8).calls().rings("anna", until=8).until(7)
    play.stage.now += 1_100_000  # type: ignore[assignment]
    play.declines("anna").hands_over().waits(1).asks_nothing()


def test_the_disposition_is_kept_for_the_explanation() -> None:
    play = office().calls().rings("anna").declines("anna").rings("boris").ends("boris", Disposition.BUSY).rings("clara")
    assert [hop.how for hop in filed(play).hops] == [Disposition.DECLINED, Disposition.BUSY]


def test_nobody_left_waits_inside_the_window_and_no_longer() -> None:
    (
        office("anna", after_window="release")
        .device("anna", reachable=False)
        .calls().is_now(Waiting).until(39).is_now(Waiting)
        .until(40).releases().is_over(Outcome.NOBODY).owes()
    )  # fmt: skip


def test_somebody_free_too_late_is_not_rung_for_two_seconds() -> None:
    (
        office("anna")
        .device("anna", reachable=False)
        .calls().until(38).device("anna", reachable=True).is_now(Waiting).until(40).hands_over()
    )  # fmt: skip


def test_a_second_report_of_the_same_end_changes_nothing() -> None:
    (
        office().calls().rings("anna").declines("anna").rings("boris")
        .ends("anna", Disposition.BUSY).asks_nothing().is_now(Ringing).hops("anna", "boris")
    )  # fmt: skip
