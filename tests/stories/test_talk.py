"""From picking up to the verdict: connecting, who talks by the evidence, the end of a talk, the pause after it."""

from typing import Any

import pytest

from router.basis.machine import EffectAside, Granted, Nudged
from router.chains.call_states import Connecting, Ended, Ringing, Talking, Waiting
from router.chains.effects import Connect, Release, StopLeg
from router.chains.enquiry import Outcome
from router.chains.events import (
    CallerHungUp,
    Disposition,
    LegAnswered,
    LegEnded,
    Party,
    TalkConfirmed,
    TalkEnded,
    TalkStarted,
)
from tests.stories.play import Play, filed, office, talking


def in_talk(**terms: Any) -> Play:
    """Anna has picked up after three seconds and talks."""
    return (
        office(**terms).calls().rings("anna").waits(3).answers("anna").connects("anna").talks("anna")
        .shows("verdict_asked", to="anna")
    )  # fmt: skip


# --- connecting -------------------------------------------------------------------------------------------------


def test_the_connection_is_asked_for_until_they_talk() -> None:
    play = office().calls().rings("anna").answers("anna").connects("anna").waits(0.5).talks("anna").waits(5)
    assert sum(isinstance(effect, Connect) for _, effect in play.stage.sent) == 3


def test_a_head_who_hangs_up_before_he_is_connected_hands_the_caller_on() -> None:
    (
        office()
        .calls().rings("anna").waits(3).answers("anna").connects("anna")
        .waits(0.2).ends("anna", Disposition.COMPLETED).rings("boris", until=11.2).holds("boris")
        .waits(1).asks_nothing()
    )  # fmt: skip


def test_he_rests_then_in_this_call() -> None:
    (
        office("anna")
        .calls().rings("anna").waits(3).answers("anna").connects("anna")
        .ends("anna", Disposition.COMPLETED).is_now(Waiting).wakes_at(13)
    )  # fmt: skip


def test_the_caller_hangs_up_while_they_are_being_connected() -> None:
    (
        office()
        .calls().rings("anna").waits(3).answers("anna").connects("anna")
        .hangs_up().stops("anna", "caller_gone").is_over(Outcome.CALLER_LEFT).owes()
        .waits(2).asks_nothing().holds().is_final()
    )  # fmt: skip


def test_no_word_of_a_talk_and_the_pbx_is_asked() -> None:
    (
        office()
        .calls().rings("anna").answers("anna").connects("anna")
        .until(5).looks().until(10).looks().talk_confirmed("anna").is_now(Talking).holds("anna")
    )  # fmt: skip


def test_connecting_does_not_last_for_ever() -> None:
    """Found by reading: it had a deadline every five seconds and no end."""
    play = office().calls().rings("anna").answers("anna").connects("anna")
    for second in range(5, 600, 5):
        play.until(second).looks()
    play.until(600).stops("anna").hands_over().until(601).asks_nothing()


def test_a_connection_that_the_pbx_refuses_for_good_hands_the_caller_on() -> None:
    """Found by reading: the machine did not listen to effects that were put aside."""
    (
        office()
        .calls().rings("anna").answers("anna").connects("anna")
        .fact(EffectAside("pbx/call/c1/connect", "leg_was_stopped"), "outbox")
        .stops("anna").rings("boris", until=8).waits(1).asks_nothing()
    )  # fmt: skip


def test_the_windows_end_does_not_touch_who_has_picked_up() -> None:
    (
        office("anna", window_s=8)
        .calls().rings("anna").until(7.9).answers("anna").connects("anna").until(9).is_now(Connecting)
        .ends("anna", Disposition.COMPLETED).hands_over()
    )  # fmt: skip


# --- who talks --------------------------------------------------------------------------------------------------


def test_they_talk_though_nobody_was_reported_to_pick_up() -> None:
    office().calls().rings("anna").waits(2).talks("anna").shows("verdict_asked", to="anna").holds("anna").waits(9)


def test_the_rung_head_is_known_by_his_extension_where_the_pbx_names_no_leg() -> None:
    """Found by reading: his own leg was told to stop, which would have cut the talk."""
    play = office().calls().rings("anna").fact(TalkStarted("", "101")).shows("verdict_asked", to="anna").waits(1)
    assert talking(play).end.leg == "c1.h1"


def test_a_talk_without_any_name_stops_no_phone_and_asks_the_duty_channel() -> None:
    """Found by reading: the leg that rang was stopped, and it may be the one that talks."""
    (
        office()
        .calls().rings("anna").fact(TalkStarted("")).shows("unknown_answerer").is_now(Talking).waits(9).asks_nothing()
        .answers("anna").shows("verdict_asked", to="anna").holds("anna").waits(1).asks_nothing()
    )  # fmt: skip


def test_somebody_else_talks_and_the_rung_phone_stops() -> None:
    (
        office()
        .calls().rings("anna").fact(TalkStarted("foreign-7", "103")).stops("anna", "elsewhere")
        .shows("verdict_asked", to="clara").holds("clara").waits(1).asks_nothing()
    )  # fmt: skip


def test_somebody_else_talks_while_a_head_is_being_connected() -> None:
    """Found by reading: the head who had picked up was left in silence, his leg up."""
    (
        office()
        .calls().rings("anna").answers("anna").connects("anna")
        .fact(TalkStarted("foreign-7", "103")).stops("anna", "elsewhere").shows("verdict_asked", to="clara")
        .waits(1).holds("clara")
    )  # fmt: skip


def test_an_extension_that_is_nobodys_is_shown_and_not_guessed() -> None:
    play = (
        office()
        .calls().rings("anna").answers("anna").connects("anna").talks("anna", extension="777")
        .shows("unknown_answerer", extension="777").holds()
    )  # fmt: skip
    assert talking(play).end.person == ""
    play.marks("boris", "spam").says("marked")


def test_two_who_are_both_named_are_a_contradiction() -> None:
    (
        in_talk()
        .fact(TalkStarted("foreign-7", "103")).shows("two_answerers", people="anna,clara")
        .fact(TalkStarted("foreign-7", "103")).shows_nothing()
        .fact(TalkStarted("foreign-8", "777")).shows("two_answerers", people="777,anna,clara")
        .waits(10).talk_ends().releases().stops("anna").is_over(Outcome.ANSWERED)
        .shows("two_answerers", people="777,anna,clara")
        .fact(TalkStarted("foreign-9", "104")).shows("two_answerers", people="777,anna,clara,dima")
    )  # fmt: skip


def test_a_leg_picked_up_at_another_extension_is_evidence() -> None:
    play = (
        office()
        .calls().rings("anna").answers("anna", extension="102").connects("anna").fact(TalkConfirmed("c1.h1"))
        .shows("verdict_asked", to="boris").holds("boris")
    )  # fmt: skip
    assert filed(play).hops[0].picked_by == "boris"


def test_picked_up_here_and_talking_there_is_a_contradiction() -> None:
    (
        office()
        .calls().rings("anna").answers("anna", extension="102").connects("anna").talks("anna")
        .shows("two_answerers", people="anna,boris")
    )  # fmt: skip


def test_a_late_talk_of_an_earlier_leg_stops_the_present_ring() -> None:
    play = office().calls().rings("anna")
    play.stage.toy.confirms = False
    (
        play.until(8).stops("anna").rings("boris").waits(0.1).talks("anna")
        .stops("boris", "elsewhere").shows("verdict_asked", to="anna").waits(2)
    )  # fmt: skip
    # Her own stop is not repeated any more: it would cut the talk.
    assert not [at for at, effect in play.stage.sent if isinstance(effect, StopLeg) and effect.leg == "c1.h1"][2:]


def test_they_talk_while_the_call_waits_for_somebody() -> None:
    office("anna").device("anna", reachable=False).calls().fact(TalkStarted("x", "101")).holds("anna").waits(1)


# --- while they talk --------------------------------------------------------------------------------------------


def test_a_running_talk_is_confirmed_every_minute_and_keeps_its_head() -> None:
    play = in_talk()
    for minute in range(1, 30):
        play.until(3 + 60 * minute).looks().talk_confirmed("anna").holds("anna")


def test_a_talk_that_nobody_confirms_lets_its_head_go_after_ten_minutes() -> None:
    """Found by reading: the claim stayed until the auditor complained of it."""
    play = in_talk()
    for minute in range(1, 10):
        play.until(3 + 60 * minute).looks()
    play.until(602.9).holds("anna").until(603).looks().holds().is_now(Talking)
    play.until(610).talk_confirmed("anna").holds("anna")


def test_a_talk_that_is_never_heard_of_again_is_closed_in_the_end() -> None:
    play = in_talk(talk_check_s=3600)
    for hour in range(1, 12):
        play.until(3 + 3600 * hour).looks()
    play.until(3 + 12 * 3600).is_over(Outcome.ANSWERED, Party.UNKNOWN).is_final().waits(1).asks_nothing()


def test_the_confirmation_of_a_talk_known_by_its_extension_counts() -> None:
    """Found by reading: only a confirmation under the very same leg id renewed the claim."""
    play = office().calls().rings("anna").fact(TalkStarted("foreign-7", "103")).stops("anna")
    play.until(60).looks().fact(TalkConfirmed("foreign-7", "103"))
    assert talking(play).confirmed == play.stage.now
    play.until(120).looks().fact(TalkConfirmed(""))
    assert talking(play).confirmed == play.stage.now


def test_a_talk_reported_twice_shows_one_card() -> None:
    in_talk().talks("anna").shows_nothing().asks_nothing()


def test_who_presses_take_during_a_talk_is_told_that_it_is_too_late() -> None:
    """Found by reading: he was promised to be next."""
    in_talk().presses_take("boris").says("too_late")


def test_a_fallback_record_does_not_undo_a_talk() -> None:
    """Found by reading: an unanswered record turned a running talk into a missed call."""
    in_talk().record().is_now(Talking).record("9").is_now(Talking)


# --- the end of a talk ------------------------------------------------------------------------------------------


def test_the_head_hangs_up() -> None:
    (
        in_talk()
        .waits(60).looks().talk_confirmed("anna").waits(20).talk_ends(Party.HEAD)
        .releases("talk_over").stops("anna", "talk_over")
        .is_over(Outcome.ANSWERED, Party.HEAD, "anna").owes_nothing()
        .hangs_up().asks_nothing().waits(5).asks_nothing().holds().is_final()
    )  # fmt: skip


def test_the_release_is_repeated_until_the_caller_is_gone() -> None:
    play = in_talk().talk_ends().releases().stops("anna").waits(1).hangs_up().waits(5)
    assert sum(isinstance(effect, Release) for _, effect in play.stage.sent) == 6


def test_the_caller_hangs_up_and_the_heads_leg_is_not_left_alone() -> None:
    """Found by reading: the order to clean up was withdrawn in the same transaction that gave it."""
    play = in_talk().hangs_up().stops("anna", "talk_over").is_over(Outcome.ANSWERED, Party.CALLER).owes_nothing()
    play.waits(1).holds().is_final()
    assert any(isinstance(effect, StopLeg) and effect.why == "talk_over" for _, effect in play.stage.sent)


def test_the_legs_end_is_read_before_the_talks_end() -> None:
    (
        in_talk()
        .ends("anna", Disposition.COMPLETED).releases().is_over(Outcome.ANSWERED, Party.UNKNOWN)
        .talk_ends(Party.CALLER).is_over(Outcome.ANSWERED, Party.CALLER).hangs_up().is_final()
    )  # fmt: skip


def test_all_ends_in_one_transaction() -> None:
    play = in_talk().together(TalkEnded(Party.CALLER), LegEnded("c1.h1", Disposition.COMPLETED), CallerHungUp())
    play.releases().stops("anna").is_over(Outcome.ANSWERED, Party.CALLER).is_final()
    # All of it was over when the orders were committed.
    assert not [effect for _, effect in play.stage.sent if isinstance(effect, Release | StopLeg)]


def test_the_end_of_a_nameless_leg_does_not_end_a_talk() -> None:
    """Found by reading: a talk without a leg ended with any leg that had no name either."""
    play = office().calls().rings("anna").fact(TalkStarted("", "777")).stops("anna")
    play.fact(LegEnded("", Disposition.COMPLETED)).is_now(Talking)


def test_the_head_is_free_when_his_leg_is_gone() -> None:
    play = in_talk()
    play.stage.toy.confirms = False
    play.talk_ends().releases().stops("anna").holds("anna").waits(0.1).ends("anna", Disposition.COMPLETED).holds()


def test_the_pause_after_a_talk_keeps_the_head_from_other_calls() -> None:
    (
        in_talk(wrap_up_s=15)
        .until(60).talk_ends().releases().stops("anna").hangs_up().holds("anna").is_now(Ended)
        .until(74.9).holds("anna").calls("c2").rings("boris").hangs_up().stops("boris")
        .on("c1").until(75).holds().is_final()
    )  # fmt: skip


def test_no_pause_follows_a_call_that_nobody_took() -> None:
    office(wrap_up_s=15).calls().rings("anna").hangs_up().stops("anna").holds().is_final()


# --- facts in another order -------------------------------------------------------------------------------------


def test_the_end_of_a_talk_is_all_that_is_told_of_it() -> None:
    """Found by reading: a lost TalkStarted made an answered call a missed one."""
    (
        office()
        .calls().rings("anna").waits(2).answers("anna").connects("anna")
        .waits(60).looks().talk_ends(Party.CALLER).releases().stops("anna")
        .is_over(Outcome.ANSWERED, Party.CALLER, "anna").shows("verdict_asked", to="anna").owes_nothing()
    )  # fmt: skip


def test_the_end_of_the_leg_the_end_of_the_talk_and_last_its_beginning() -> None:
    (
        office()
        .calls().rings("anna").answers("anna").connects("anna")
        .ends("anna", Disposition.COMPLETED).rings("boris")
        .talk_ends().stops("boris", "elsewhere").releases().is_over(Outcome.ANSWERED, person="anna")
        .hangs_up().talks("anna").is_over(Outcome.ANSWERED, person="anna").owes_nothing()
    )  # fmt: skip


def test_the_end_of_a_talk_of_whom_is_not_known() -> None:
    (
        office()
        .calls().rings("anna").talk_ends().stops("anna").releases().is_over(Outcome.ANSWERED, person="")
        .shows("unknown_answerer")
        .talks("anna").is_over(Outcome.ANSWERED, person="anna").shows("verdict_asked", to="anna")
    )  # fmt: skip


def test_a_talk_told_after_the_caller_left_closes_the_call_back() -> None:
    (
        office()
        .calls().rings("anna").hangs_up().stops("anna").is_over(Outcome.CALLER_LEFT).owes()
        .talks("anna").is_over(Outcome.ANSWERED, Party.CALLER, "anna").owes_nothing()
        .shows("verdict_asked", to="anna").is_final()
        .talk_ends().talks("anna").shows_nothing().is_final()
    )  # fmt: skip


def test_a_talk_told_after_the_window_is_a_running_talk() -> None:
    """The release crossed the answer: they talk, so nothing is hung up any more and the head is held."""
    (
        office("anna", window_s=8, after_window="release")
        .calls().rings("anna").until(8).stops("anna").releases().is_over(Outcome.NOBODY).owes()
        .talks("anna").is_now(Talking).owes_nothing().holds("anna")
        .waits(20).asks_nothing().talk_ends().releases().stops("anna").is_over(Outcome.ANSWERED).owes_nothing()
    )  # fmt: skip


def test_only_the_end_of_a_talk_is_told_after_the_caller_left() -> None:
    office().calls().rings("anna").hangs_up().stops("anna").owes().talk_ends().is_over(Outcome.ANSWERED).owes_nothing()


@pytest.mark.parametrize("first", [TalkStarted("c1.h1", "101"), CallerHungUp(), LegAnswered("c1.h1")])
def test_what_is_said_twice_means_the_same(first: TalkStarted | CallerHungUp | LegAnswered) -> None:
    play = office().calls().rings("anna").together(first, first)
    kind = {TalkStarted: Talking, CallerHungUp: Ended, LegAnswered: Connecting}[type(first)]
    play.is_now(kind)


def test_a_grant_or_a_nudge_means_nothing_to_who_does_not_wait() -> None:
    for event in (Granted("person:boris"), Nudged("overdue")):
        office().calls().rings("anna").fact(event, "auditor").asks_nothing().is_now(Ringing)
        in_talk().fact(event, "auditor").asks_nothing().is_now(Talking)


# --- the verdict ------------------------------------------------------------------------------------------------


def test_the_answerer_marks_his_call_and_corrects_himself() -> None:
    play = (
        in_talk()
        .marks("anna", "real").says("marked").shows("marked", to="anna", verdict="real", by="anna")
        .marks("anna", "real").says("already").shows_nothing()
        .waits(30).talk_ends().releases().stops("anna").hangs_up()
        .until(3000).marks("anna", "spam").says("marked").shows("marked", to="anna", verdict="spam").is_final()
    )  # fmt: skip
    assert [mark.verdict for mark in filed(play).verdicts] == ["real", "spam"]


def test_nobody_else_marks_it() -> None:
    in_talk().marks("boris", "spam").says("not_yours").shows_nothing()


def test_before_anybody_talks_it_is_too_early() -> None:
    play = office().calls().rings("anna").marks("anna", "real").says("too_early")
    play.answers("anna").connects("anna").marks("anna", "real").says("too_early")


def test_a_missed_call_is_not_marked() -> None:
    office().calls().rings("anna").hangs_up().stops("anna").marks("anna", "spam").says("not_answered")


def test_where_two_are_named_anybody_may_mark() -> None:
    in_talk().fact(TalkStarted("foreign-7", "103")).marks("dima", "real").says("marked")
