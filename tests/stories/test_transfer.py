"""Hold and transfer: the talk goes on, the new talker is recorded, the old one is free, one end per call."""

from typing import Any

import pytest

from router.basis.machine import ClaimLost
from router.chains.call_states import Ended, HandedOver, Ringing, Talking, Transferring, Waiting
from router.chains.effects import AdviseFallback, AdviseHangUp, ShowCard
from router.chains.enquiry import Outcome
from router.chains.events import (
    Disposition,
    FallbackServed,
    LegEnded,
    Party,
    TalkConfirmed,
    TalkStarted,
    TalkTransferred,
    Transfer,
)
from router.office import call_chain
from router.recall import Recall
from tests.stories.play import Play, filed, office, talking
from tests.stories.stage import LINE, PBX, T0


def in_talk(**terms: Any) -> Play:
    """Anna picked up after three seconds and talks."""
    return (
        office(**terms).calls().rings("anna").waits(3).answers("anna").connects("anna").talks("anna")
        .shows("verdict_asked", to="anna")
    )  # fmt: skip


def passed_to_clara() -> Play:
    """Anna passed the client on blindly, and Clara has taken him."""
    return in_talk().waits(7).passes("clara").stops("anna").waits(4).takes("clara")


# --- hold -------------------------------------------------------------------------------------------------------


def test_a_client_on_hold_is_still_in_talk() -> None:
    play = in_talk().waits(2).held("anna").is_now(Talking).holds("anna").waits(5).asks_nothing()
    assert talking(play).held == T0 + 5_000_000
    play.resumed("anna").is_now(Talking, held=None)


def test_a_hold_that_is_told_twice_began_the_first_time() -> None:
    play = in_talk().waits(2).held("anna").waits(3).held("anna")
    assert talking(play).held == T0 + 5_000_000


def test_the_client_hangs_up_while_he_is_on_hold() -> None:
    in_talk().held("anna").waits(1).hangs_up().stops("anna").is_over(Outcome.ANSWERED, Party.CALLER, "anna")


def test_the_hold_of_another_leg_is_not_his() -> None:
    play = in_talk().fact(TalkTransferred(Transfer.ATTENDED, "x1", "103")).stops("anna").held("anna")
    assert talking(play).held is None


def test_a_consultation_that_is_given_up_changes_nothing() -> None:
    """He holds the client, asks a colleague (the PBX reports nothing of that) and takes the client back."""
    (
        in_talk().held("anna").waits(9).resumed("anna").holds("anna").waits(1).asks_nothing()
        .talk_ends(Party.HEAD).releases().stops("anna").is_over(Outcome.ANSWERED, Party.HEAD, "anna")
    )  # fmt: skip


# --- blind ------------------------------------------------------------------------------------------------------


def test_blind_transfer_the_talk_goes_on_with_the_new_one() -> None:
    play = in_talk().waits(7).passes("clara").stops("anna", "talk_over").is_now(Transferring).holds()
    play.waits(4).takes("clara").is_now(Talking).holds("clara").waits(1).asks_nothing()
    end = talking(play).end
    assert (end.person, end.extension, end.leg) == ("clara", "103", "x1")
    assert end.talk_from == T0 + 3_000_000, "the client's talk is one talk"
    (entry,) = filed(play).passed
    assert (entry.person, entry.since, entry.at, entry.to_person, entry.taken) == (
        "anna", T0 + 3_000_000, T0 + 10_000_000, "clara", T0 + 14_000_000,
    )  # fmt: skip


def test_whoever_passed_him_on_is_free_when_his_own_leg_is_over() -> None:
    play = in_talk()
    play.stage.toy.confirms = False
    play.passes("clara").stops("anna").holds("anna").ends("anna", Disposition.COMPLETED).holds()


def test_whoever_takes_him_is_no_longer_offered_another_call() -> None:
    """Clara's phone rings for another client when she takes Anna's: that offer is lost, the next head is rung."""
    play = in_talk().waits(1).passes("clara").stops("anna")
    play.calls("c2").rings("anna").waits(1).declines("anna").rings("boris").declines("boris").rings("clara")
    play.on("c1").takes("clara").holds("clara")
    play.on("c2").stops("clara", "elsewhere").rings("dima").is_now(Ringing).holds("dima")


def test_a_head_whom_the_transfer_rings_is_not_kept_from_others() -> None:
    """Only a talk is a fact about him; the PBX rings his phone, or his other line, as it likes."""
    play = in_talk().passes("boris").stops("anna")
    play.calls("c2").rings("anna").waits(1).declines("anna").rings("boris").holds("boris")


def test_the_new_one_hangs_up() -> None:
    (
        passed_to_clara().waits(30).talk_ends(Party.HEAD).releases("talk_over").stops_leg("x1")
        .is_over(Outcome.ANSWERED, Party.HEAD, "clara").holds().waits(1).asks_nothing().is_final()
    )  # fmt: skip


def test_the_client_hangs_up_after_the_transfer() -> None:
    (
        passed_to_clara().waits(30).hangs_up().stops_leg("x1").is_over(Outcome.ANSWERED, Party.CALLER, "clara")
        .foreign_leg_ends().holds().is_final().owes_nothing()
    )  # fmt: skip


def test_the_new_leg_alone_tells_the_end() -> None:
    passed_to_clara().foreign_leg_ends(how=Disposition.COMPLETED).releases().is_over(Outcome.ANSWERED).is_final()


def test_the_end_of_the_old_leg_is_no_end_of_the_talk() -> None:
    """Planted once: it was taken for the end, and the client was hung up in the middle of a talk."""
    play = in_talk()
    play.stage.toy.confirms = False
    play.passes("clara").stops("anna").takes("clara").ends("anna", Disposition.COMPLETED)
    play.is_now(Talking).holds("clara").waits(1).asks_nothing()


def test_who_really_picked_up_goes_before_whom_it_was_meant_for() -> None:
    play = in_talk().passes("500").stops("anna").takes("dima")
    assert talking(play).end.person == "dima"
    assert filed(play).passed[0].to_person == "dima"


def test_an_old_word_about_the_first_talk_is_no_contradiction() -> None:
    play = passed_to_clara().fact(TalkStarted("c1.h1", "101")).is_now(Talking)
    assert talking(play).end.person == "clara"
    assert not talking(play).end.others
    play = in_talk().passes("clara").stops("anna").fact(TalkStarted("c1.h1", "101")).is_now(Transferring)


def test_the_same_transfer_told_twice_is_one() -> None:
    play = in_talk().passes("clara").stops("anna").passes("clara").takes("clara").passes("clara").is_now(Talking)
    assert len(filed(play).passed) == 1


def test_the_new_talk_was_told_before_the_transfer() -> None:
    """At first it looks like a contradiction; the transfer explains it."""
    play = in_talk().fact(TalkStarted("x1", "103")).shows("two_answerers").passes_after_asking("clara").stops("anna")
    play.shows("verdict_asked", to="clara")
    assert (talking(play).end.person, talking(play).end.others) == ("clara", ())


# --- attended, back, outside ------------------------------------------------------------------------------------


def test_attended_transfer_they_talk_at_once() -> None:
    play = in_talk().held("anna").waits(5).passes_after_asking("clara").stops("anna").is_now(Talking, held=None)
    play.holds("clara").waits(1).asks_nothing()
    assert filed(play).passed[0].taken == T0 + 8_000_000


def test_to_whom_is_told_a_moment_later() -> None:
    """Found on the wire: it was taken for a second transfer."""
    play = in_talk().fact(TalkTransferred(Transfer.ATTENDED, "x1")).stops("anna").takes("clara").holds("clara")
    play.shows("verdict_asked", to="clara")
    (entry,) = filed(play).passed
    assert (entry.to_person, entry.to_extension, talking(play).end.person) == ("clara", "103", "clara")


def test_transfer_back() -> None:
    """The PBX goes on with the same leg: only who is behind it has changed."""
    play = passed_to_clara().waits(5).passes_after_asking("anna").is_now(Talking).holds("anna").waits(1).asks_nothing()
    assert [entry.person for entry in filed(play).passed] == ["anna", "clara"]
    assert talking(play).end.person == "anna"
    play.talk_ends(Party.HEAD).releases().stops_leg("x1").shows("passed_on", to="clara", passed_to="anna")
    play.is_over(Outcome.ANSWERED, Party.HEAD, "anna")


def test_transferred_on_while_the_phone_rings() -> None:
    play = in_talk().passes("clara", "x1").stops("anna").passes("dima", "x2").stops_leg("x1").takes("dima", "x2")
    assert talking(play).end.person == "dima"
    assert len(filed(play).passed) == 1


def test_a_number_outside_keeps_the_question_with_who_passed_him_on() -> None:
    play = in_talk().fact(TalkTransferred(Transfer.BLIND, "x1", "", "t_outside")).stops("anna").waits(4)
    play.fact(TalkStarted("x1")).is_now(Talking).holds()
    play.shows("verdict_asked", to="anna", passed_token="t_outside").shows("transferred_to_nobody")
    play.talk_ends(Party.CALLER).releases().stops_leg("x1").is_over(Outcome.ANSWERED, Party.CALLER, "")
    play.marks("anna", "real").says("marked")


def test_an_unknown_extension_is_shown_to_duty() -> None:
    play = in_talk().passes("777").stops("anna").shows("transferred_to_nobody", passed_extension="777")
    play.takes("777").is_now(Talking).holds()
    assert talking(play).end.extension == "777"


# --- nobody takes him -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [Disposition.NO_ANSWER, Disposition.BUSY, Disposition.UNREACHABLE])
def test_nobody_takes_him_and_the_reserve_line_does(how: Disposition) -> None:
    play = in_talk().passes("clara").stops("anna").waits(20).foreign_leg_ends("x1", how).hands_over()
    play.shows("verdict_asked", to="anna", lost="1").is_now(HandedOver).fallback_took().record("9")
    play.is_over(Outcome.FALLBACK_SERVED).owes_nothing()


def test_nobody_takes_him_at_all_and_he_is_owed_a_call() -> None:
    play = in_talk().passes("clara").stops("anna").foreign_leg_ends().hands_over().fallback_took().record()
    play.is_over(Outcome.FALLBACK_MISSED).owes(Outcome.FALLBACK_MISSED)
    play.marks("anna", "real").says("marked").marks("boris", "spam").says("not_yours")


def test_nobody_takes_him_and_he_is_released() -> None:
    play = in_talk(after_window="release").passes("clara").stops("anna").foreign_leg_ends().releases("no_answer")
    play.is_over(Outcome.LOST_IN_TRANSFER, Party.PBX).owes(Outcome.LOST_IN_TRANSFER)


def test_the_client_hangs_up_while_the_new_phone_rings() -> None:
    play = in_talk().passes("clara").stops("anna").waits(3).hangs_up().stops_leg("x1")
    play.is_over(Outcome.ANSWERED, Party.CALLER, "anna").foreign_leg_ends().holds().is_final()
    assert filed(play).passed[0].lost


def test_the_end_of_a_talk_that_never_was_is_the_client_gone() -> None:
    """Some PBXs tell the client's hanging up as the end of the talk first. Found on the wire."""
    play = in_talk().passes("clara").stops("anna").talk_ends(Party.CALLER).stops_leg("x1")
    play.is_over(Outcome.ANSWERED, Party.CALLER, "anna").hangs_up().is_over(Outcome.ANSWERED, Party.CALLER, "anna")


def test_an_old_end_told_when_the_reserve_line_has_him() -> None:
    """Found on the wire: the talk with Anna was taken for his answer there."""
    play = in_talk().passes("clara").stops("anna").foreign_leg_ends().hands_over().talk_ends().is_now(HandedOver)
    play.hangs_up().is_over(Outcome.CALLER_LEFT).owes(Outcome.CALLER_LEFT)


def test_a_transfer_into_the_reserve_line() -> None:
    """The PBX's own plan has him now: its record tells the rest."""
    play = in_talk().passes("500").stops("anna").fallback_took().is_now(HandedOver, took=True).record("9")
    play.is_over(Outcome.FALLBACK_SERVED)


def test_the_pbx_is_asked_while_a_phone_rings_long() -> None:
    play = in_talk().passes("clara").stops("anna").waits(60).looks().waits(60).looks().talk_confirmed("anna")
    play.is_now(Transferring).fact(TalkConfirmed("x1", "103")).is_now(Talking).holds("clara")


def test_a_transfer_of_which_nothing_is_heard_hangs_nobody_up() -> None:
    play = in_talk().passes("clara").stops("anna")
    for _ in range(9):
        play.waits(60).looks()
    play.waits(60).is_over(Outcome.ANSWERED, person="anna").asks_nothing().is_final()


# --- late, early ------------------------------------------------------------------------------------------------


def test_told_after_the_end_it_corrects_who_talked_last() -> None:
    play = in_talk().waits(9).talk_ends(Party.CALLER).releases().stops("anna").passes_after_asking("clara")
    play.is_over(Outcome.ANSWERED, Party.CALLER, "clara").shows("verdict_asked", to="clara").shows(
        "passed_on", to="anna"
    ).asks_nothing()


def test_told_before_the_talk_itself() -> None:
    play = office().calls().rings("anna").waits(3).answers("anna").connects("anna").passes_after_asking("clara")
    play.stops("anna").is_now(Talking).holds("clara")
    assert [entry.person for entry in filed(play).passed] == ["anna"]


def test_told_of_a_head_who_was_lost_to_another_call_meanwhile() -> None:
    """Found by a random history: his leg, told to end, claimed him although another call held him."""
    play = office().calls().rings("anna").answers("anna").connects("anna")
    play.calls("c2").rings("boris").fact(TalkStarted("f1", "101")).stops("boris").holds("anna")
    play.on("c1").passes("clara").stops("anna").is_now(Transferring).holds().on("c2").holds("anna")


def test_told_of_a_call_that_still_rings_it_is_a_talk_elsewhere() -> None:
    play = office().calls().rings("anna").passes_after_asking("clara").stops("anna", "elsewhere").is_now(Talking)
    assert talking(play).end.person == "clara"
    play = office().calls().rings("anna").passes("clara").stops("anna", "elsewhere").is_now(Transferring)
    play.takes("clara").is_now(Talking).holds("clara").waits(1).asks_nothing()


def test_of_a_call_that_waits_or_is_not_known() -> None:
    play = office("anna").calls().rings("anna").declines("anna").is_now(Waiting).passes_after_asking("clara")
    play.is_now(Talking).holds("clara")
    office().fact(TalkTransferred(Transfer.BLIND, "x1", "103")).is_now(Transferring).calls().is_now(Transferring)


def test_the_new_one_is_lost_to_another_call() -> None:
    play = passed_to_clara().fact(ClaimLost("person:clara", "call:pbx:other"), "engine").is_now(Talking).holds()
    play.talk_ends().releases().stops_leg("x1").is_over(Outcome.ANSWERED, person="clara")


def test_an_old_word_does_not_make_a_lost_client_a_served_one() -> None:
    """The talk before the transfer is no answer to what became of him after it."""
    play = in_talk(after_window="release").passes("clara").stops("anna").foreign_leg_ends().releases()
    play.talk_ends().talks("anna").is_over(Outcome.LOST_IN_TRANSFER).owes(Outcome.LOST_IN_TRANSFER)
    play.takes("clara").is_now(Talking).holds("clara").owes_nothing()


# --- cards ------------------------------------------------------------------------------------------------------


def cards(play: Play) -> dict[str, ShowCard]:
    """Every card as it is shown now."""
    return {effect.card: effect for _, effect in play.stage.ordered if isinstance(effect, ShowCard)}


def test_who_talked_last_is_asked_and_who_passed_him_on_sees_what_became_of_it() -> None:
    play = passed_to_clara().shows("verdict_asked", to="clara", passed_by="anna")
    play.shows("passed_on", to="anna", passed_to="clara")
    play.waits(20).talk_ends(Party.HEAD).releases().stops_leg("x1").shows("passed_on", to="anna")
    play.marks("anna", "spam").says("not_yours").marks("clara", "real").says("marked")
    play.shows("marked", to="clara").shows("passed_on", to="anna", verdict="real")
    shown = cards(play)
    assert shown["call:pbx:c1/verdict"].audience == "person:clara"
    assert shown["call:pbx:c1/passed-anna"].face.buttons == ()


def test_a_mark_given_before_the_transfer_stands_with_who_gave_it() -> None:
    play = in_talk().marks("anna", "real").says("marked").passes("clara").stops("anna").takes("clara")
    play.shows("marked", to="clara", by="anna").marks("clara", "spam").says("marked")


def test_while_the_new_phone_rings_the_question_is_still_his() -> None:
    in_talk().passes("clara").stops("anna").marks("anna", "real").says("marked").is_now(Transferring)


def test_a_record_of_the_reserve_line_that_comes_while_he_is_transferred() -> None:
    play = in_talk().passes("500").stops("anna")
    play.fact(FallbackServed(LINE, None, T0, "9", 20, "sent")).is_now(Ended).is_over(Outcome.FALLBACK_SERVED)


def test_a_leg_that_was_never_taken_ends_late() -> None:
    play = in_talk().passes("clara", "x1").stops("anna").passes("dima", "x2").stops_leg("x1")
    play.fact(LegEnded("x1", Disposition.CANCELLED)).is_now(Transferring).takes("dima", "x2").holds("dima")


# --- with groups, earlier calls and PBXs that lead ----------------------------------------------------------------


def test_told_while_a_group_rings_every_phone_of_it_falls_silent() -> None:
    play = office("anna boris clara", spread="ring_all").calls().rings("anna").rings("boris").rings("clara").waits(2)
    play.fact(TalkTransferred(Transfer.BLIND, "x1", "104")).is_now(Transferring)
    play.stops("anna", "elsewhere").stops("boris", "elsewhere").stops("clara", "elsewhere")
    play.takes("dima").is_now(Talking).holds("dima")


def test_picked_up_in_a_group_and_passed_to_one_of_it() -> None:
    play = office("anna boris", spread="ring_all").calls().rings("anna").rings("boris").waits(2)
    play.answers("boris").connects("boris").stops("anna", "elsewhere").talks("boris").holds("boris")
    play.waits(5).passes("anna").stops("boris", "talk_over").waits(1).takes("anna").holds("anna")
    play.talk_ends().releases().stops_leg().is_over(Outcome.ANSWERED, person="anna").owes_nothing()


def test_a_returning_client_is_first_offered_to_who_took_him_over() -> None:
    play = passed_to_clara().hangs_up().stops_leg().waits(60)
    play.calls("c2").rings("clara")


def test_passed_outside_he_is_still_a_client_of_who_passed_him_on() -> None:
    play = office("anna boris").calls().rings("anna").declines("anna").rings("boris").answers("boris").connects("boris")
    play.talks("boris").fact(TalkTransferred(Transfer.ATTENDED, "x1", "", "t_outside")).stops("boris").hangs_up()
    play.stops_leg().waits(60).calls("c2").rings("boris")


def test_both_who_talked_count_it_among_their_calls_and_a_journal_read_again_counts_the_same() -> None:
    play = passed_to_clara().waits(9).hangs_up().stops_leg()
    again = Recall()
    again.note(play.stage.state(call_chain(PBX, play.call)))  # type: ignore[arg-type] # a call's
    for recall in (play.stage.office.recall, again):
        assert [recall.taken_today(head, T0) for head in ("anna", "boris", "clara")] == [1, 0, 1]
        assert recall.last_talk("anna") == T0 + 10_000_000
        assert recall.last_talk("clara") == T0 + 23_000_000


LEADS: list[dict[str, Any]] = [{"style": "witness"}, {"style": "adviser"}]


@pytest.mark.parametrize("able", LEADS, ids=["witness", "adviser"])
def test_a_pbx_that_leads_names_no_leg_and_nobody_takes_him(able: dict[str, Any]) -> None:
    play = office(timers="pbx", able=able).calls().pbx_rings("101").waits(3).picks_up_at("101").holds("anna")
    play.waits(5).passes("clara", "").is_now(Transferring).holds("anna").pbx_says_over("101", Disposition.COMPLETED)
    play.is_now(Transferring).holds().pbx_rings("103").waits(9).pbx_says_over("103").is_now(HandedOver).record().owes()


@pytest.mark.parametrize("able", LEADS, ids=["witness", "adviser"])
def test_a_pbx_that_leads_names_no_leg_and_he_is_taken(able: dict[str, Any]) -> None:
    play = office(timers="pbx", able=able).calls().pbx_rings("101").waits(3).picks_up_at("101").waits(5)
    play.passes("clara", "").pbx_says_over("101", Disposition.COMPLETED).waits(4).picks_up_at("103")
    play.is_now(Talking).holds("clara").waits(5)
    play.fact(TalkTransferred(Transfer.ATTENDED, "", "102")).is_now(Talking).holds("boris").waits(5)
    play.pbx_says_over("103", Disposition.COMPLETED).is_now(Talking)
    play.pbx_says_over("102", Disposition.COMPLETED).is_over(Outcome.ANSWERED, person="boris").holds()
    assert [(entry.person, entry.to_person) for entry in filed(play).passed] == [("anna", "clara"), ("clara", "boris")]


def test_passed_back_to_a_phone_whose_first_leg_ends_late() -> None:
    play = office(timers="pbx", able={"style": "witness"}).calls().pbx_rings("101").waits(3).picks_up_at("101")
    play.waits(5).fact(TalkTransferred(Transfer.ATTENDED, "", "102")).waits(1)
    play.fact(TalkTransferred(Transfer.ATTENDED, "", "101")).pbx_says_over("101", Disposition.COMPLETED)
    play.is_now(Talking).waits(3).pbx_says_over("101", Disposition.COMPLETED).is_over(Outcome.ANSWERED, person="anna")


def test_told_of_a_call_that_a_pbx_rings_by_itself_it_is_a_talk() -> None:
    play = office(timers="pbx", able={"style": "witness"}).calls().pbx_rings("101", "w1").waits(2)
    play.passes("clara").is_now(Transferring).takes("clara").is_now(Talking).holds("clara")


def test_asked_about_a_client_who_is_passed_on_the_advice_is_the_pbxs_own_plan() -> None:
    play = office(timers="pbx", able={"style": "adviser"}).asks().is_told_to_ring("anna", 8).waits(2)
    play.picks_up_at("101", "c1.h1").passes("clara").waits(1).asks("x1").is_told(AdviseFallback()).is_now(Transferring)


def test_asked_about_a_client_who_was_lost_in_a_transfer_the_advice_is_to_hang_up() -> None:
    play = office(timers="pbx", able={"style": "adviser"}, after_window="release").asks().waits(2)
    play.picks_up_at("101", "c1.h1").passes("clara").waits(9).foreign_leg_ends().is_over(Outcome.LOST_IN_TRANSFER)
    play.owes().asks("x1").is_told(AdviseHangUp())
