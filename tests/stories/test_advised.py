"""Adviser: the PBX asks whom to ring now, the reply is the advice. Nobody is ordered anything."""

from typing import Any

from router.chains.call_states import Ended, Followed, HandedOver, Stranger, Talking
from router.chains.effects import AdviseFallback, AdviseHangUp, AdviseRing, AdviseWait
from router.chains.enquiry import Outcome
from router.chains.events import AdviceAsked, CallerHungUp, Disposition, Party
from tests.stories.play import Play, office

ADVISER = {"style": "adviser"}


def adviser(heads: str = "anna boris clara dima elena", *, can_wait: bool = True, **terms: Any) -> Play:
    return office(heads, timers="pbx", able={**ADVISER, "can_wait": can_wait}, **terms)


def test_each_question_moves_the_chain_to_the_next_head_until_the_window_is_over() -> None:
    (
        adviser()
        .asks().is_told_to_ring("anna", 8).holds("anna").is_now(Followed)
        .until(8).asks("anna", Disposition.NO_ANSWER).is_told_to_ring("boris", 8).holds("boris")
        .until(16).asks("boris").is_told_to_ring("clara", 8)
        .until(18).asks("clara", Disposition.DECLINED).is_told_to_ring("dima", 8)
        .until(26).asks("dima").is_told_to_ring("elena", 8)
        .until(34).asks("elena").is_told_to_ring("anna", 6)  # the window cuts it
        .until(40).asks("anna").is_told(AdviseFallback()).is_now(HandedOver).holds()
        .hops("anna", "boris", "clara", "dima", "elena", "anna")
    )  # fmt: skip


def test_a_question_that_is_delivered_twice_gets_the_same_words_and_moves_nothing() -> None:
    play = adviser().asks(origin="q1").is_told_to_ring("anna", 8)
    said = play.reply
    records = len(play.stage.records)
    play.waits(3).asks(origin="q1")
    assert play.reply == said
    assert len(play.stage.records) == records
    play.waits(5).asks("anna", origin="q2").is_told_to_ring("boris", 8)
    play.waits(1).asks(origin="q1")  # late, and after another question
    assert play.reply == said
    play.hops("anna", "boris").holds("boris")


def test_a_question_about_a_leg_that_was_over_before_gets_the_present_advice() -> None:
    play = adviser().asks().until(8).asks("anna").is_told_to_ring("boris", 8)
    said = play.reply
    play.waits(0.3).asks("anna")
    assert play.reply == said
    play.hops("anna", "boris")


def test_a_pbx_that_names_no_leg_asks_about_the_one_it_was_told() -> None:
    (
        adviser()
        .asks().is_told_to_ring("anna", 8)
        .until(8).asks().is_told_to_ring("boris", 8)
        .until(9).asks(how=Disposition.BUSY).is_told_to_ring("clara", 8)
    )  # fmt: skip


def test_who_picks_up_is_in_talk_and_marks_the_call() -> None:
    (
        adviser()
        .asks()
        .until(8).asks("anna").phone_rings("boris").asks_nothing()
        .waits(2).answers("boris").is_now(Talking).shows("verdict_asked", to="boris", person="boris")
        .talks("boris").holds("boris").shows_nothing()
        .waits(30).talk_ends(Party.CALLER).ends("boris", Disposition.COMPLETED).hangs_up()
        .is_over(Outcome.ANSWERED, Party.CALLER, "boris").owes_nothing().holds().is_final()
        .marks("boris", "real").says("marked").asks_nothing()
    )  # fmt: skip


def test_a_question_after_the_window_is_answered_like_the_one_at_its_end() -> None:
    (
        adviser("anna boris")
        .asks()
        .until(41).asks("anna").is_told(AdviseFallback())
        .waits(2).asks("anna").is_told(AdviseFallback()).is_now(HandedOver)
        .fallback_took().record("").is_over(Outcome.FALLBACK_MISSED).owes()
        .asks().is_told(AdviseFallback())
    )  # fmt: skip


def test_after_the_window_the_terms_may_say_hang_up() -> None:
    (
        adviser("anna", after_window="release")
        .asks()
        .until(40.5).asks("anna").is_told(AdviseHangUp()).is_over(Outcome.NOBODY, Party.PBX).owes()
        .waits(1).asks("anna").is_told(AdviseHangUp())
        .hangs_up().is_over(Outcome.NOBODY).asks_nothing()
    )  # fmt: skip


def test_nobody_free_the_pbx_waits_and_the_longest_waiter_gets_the_head_who_becomes_free() -> None:
    play = (
        adviser("anna", ring_s=20)
        .asks(call="c1").is_told_to_ring("anna", 20)
        .waits(1).asks(call="c2").is_told(AdviseWait(2000)).waits_for("anna")
        .waits(1).asks(call="c3").is_told(AdviseWait(2000))
        .on("c1").hangs_up().is_over(Outcome.CALLER_LEFT)
        .on("c2").holds("anna")  # kept for the next question of the call that waited longest
        .asks(call="c3").is_told(AdviseWait(2000))
        .asks(call="c2").is_told_to_ring("anna", 20).holds("anna")
    )  # fmt: skip
    assert play.advice() == AdviseRing(play.advice().legs, 20_000)  # type: ignore[union-attr]


def test_a_head_kept_for_a_question_that_never_comes_goes_to_the_next() -> None:
    (
        adviser("anna", ring_s=20, window_s=60)
        .asks(call="c1").waits(1).asks(call="c2").waits(1).asks(call="c3")
        .on("c1").hangs_up()
        .on("c2").holds("anna").waits(5).holds()
        .on("c3").holds("anna").asks().is_told_to_ring("anna", 20)
    )  # fmt: skip


def test_a_pbx_that_cannot_wait_is_given_its_own_plan_where_nobody_is_free() -> None:
    (
        adviser("anna", can_wait=False)
        .asks(call="c1").is_told_to_ring("anna", 8)
        .asks(call="c2").is_told(AdviseFallback()).is_now(HandedOver)
    )  # fmt: skip


def test_a_pbx_that_never_asks_again_keeps_a_head_only_until_his_leg_must_be_over() -> None:
    (
        adviser("anna boris")
        .asks().holds("anna")
        .until(9).hops("anna").holds("anna")  # not told: his phone may still ring
        .until(44.1).holds().is_now(Followed)
        .until(610).is_over(Outcome.INCOMPLETE).owes().is_final()
    )  # fmt: skip


def test_the_end_of_a_ring_told_before_the_question_frees_the_head_at_once() -> None:
    (
        adviser("anna boris")
        .asks().phone_rings("anna").waits(3).ends("anna", Disposition.BUSY).holds()
        .waits(0.1).asks("anna", Disposition.BUSY).is_told_to_ring("boris", 8).hops("anna", "boris")
    )  # fmt: skip


def test_a_head_whose_ring_fades_is_lost_to_the_call_in_which_he_talks() -> None:
    play = adviser("anna boris").asks(call="c1").is_told_to_ring("anna", 8).until(9.5).holds("anna")
    play.calls("c2").picks_up_at("101", "x").holds("anna")
    play.on("c1").holds().asks().is_told_to_ring("boris", 8).holds("boris")


def test_a_head_lost_while_he_rings_is_not_taken_back_when_the_ring_is_over() -> None:
    play = adviser("anna boris").asks(call="c1").is_told_to_ring("anna", 8)
    play.calls("c2").picks_up_at("101", "x").holds("anna").on("c1").holds()
    play.until(9).holds().on("c2").holds("anna")


def test_an_arrival_told_before_the_question_rings_nobody_by_itself() -> None:
    adviser().calls().is_now(Followed).holds().waits(1).asks().is_told_to_ring("anna", 8)


def test_a_question_about_a_stranger_brings_his_papers() -> None:
    (
        adviser()
        .fact(CallerHungUp()).is_now(Stranger)
        .asks().is_told(AdviseFallback()).is_over(Outcome.CALLER_LEFT).owes()
    )  # fmt: skip


def test_asked_while_they_talk_nothing_changes_and_no_client_is_left_in_silence() -> None:
    (
        adviser()
        .asks().answers("anna").shows("verdict_asked", to="anna")
        .asks("anna").is_told(AdviseFallback()).is_now(Talking).holds("anna")
    )  # fmt: skip


def test_two_who_picked_up_are_a_contradiction() -> None:
    (
        adviser()
        .asks().answers("anna").shows("verdict_asked", to="anna")
        .picks_up_at("103", "x-7").shows("two_answerers", people="anna,clara")
    )  # fmt: skip


def test_a_pbx_that_is_conducted_is_told_to_wait_for_its_orders() -> None:
    (
        office()
        .asks().is_told(AdviseWait(2000)).rings("anna", until=8)
        .waits(1).asks().is_told(AdviseWait(2000)).asks_nothing()
    )  # fmt: skip


def test_a_head_away_is_not_advised() -> None:
    adviser().goes_away("anna").asks().is_told_to_ring("boris", 8)


def test_the_log_folds_to_the_same_state() -> None:
    play = (
        adviser()
        .asks(origin="a").until(8).asks("anna", origin="b").waits(1).asks("anna", origin="c")
        .answers("boris").waits(5).talk_ends().hangs_up()
    )  # fmt: skip
    refolded(play)


def refolded(play: Play) -> None:
    """Every record of the call again, by the machine alone: the same outcome and state, byte for byte."""
    machine, codec = play.stage.core.machine("call", 1), play.stage.core.codec
    state = None
    for record in play.stage.records:
        if not record.chain.startswith("call:"):
            continue
        event, seen = codec.event(machine, record.event, 1), codec.seen(machine, record.seen, 1)
        step = machine.step(state, event, seen, record.at) if state else machine.start(event, seen, record.at)
        state = step.state
        assert codec.encode(state) == record.state
        assert step.reply == record.reply
    assert isinstance(state, Ended)
    assert any(
        isinstance(codec.event(machine, r.event, 1), AdviceAsked) for r in play.stage.records if r.kind == "call"
    )


def test_a_group_is_one_advice_and_who_picks_up_first_has_the_client() -> None:
    play = adviser("anna boris", spread="ring_all").asks().holds("anna", "boris")
    advice = play.advice()
    assert isinstance(advice, AdviseRing)
    assert [leg.extension for leg in advice.legs] == ["101", "102"]
    assert advice.ring_ms == 40_000  # a group rings until the window ends
    (
        play.phone_rings("anna").phone_rings("boris")
        .waits(3).ends("anna", Disposition.DECLINED).holds("boris")
        .waits(1).answers("boris").shows("verdict_asked", to="boris").holds("boris").asks_nothing()
    )  # fmt: skip


def test_last_seconds_all_the_ring_before_is_cut_and_asked_for_anew() -> None:
    play = adviser("anna boris clara", all_in_last_s=8)
    play.asks().until(8).asks("anna").until(16).asks("boris").until(24).asks("clara").is_told_to_ring("anna", 8)
    advice = play.until(32).asks("anna").advice()
    assert isinstance(advice, AdviseRing)
    assert sorted(leg.extension for leg in advice.legs) == ["101", "102", "103"]
    assert advice.ring_ms == 8_000
    play.until(40).asks().is_told(AdviseFallback())
