"""What a person in charge orders: free this head, end this call, to the reserve line now. And calls to a server that is
about to be stopped."""

from typing import Any

import pytest

from router.chains.call_states import Ended, HandedOver, Ringing, Stranger, Talking, Waiting
from router.chains.enquiry import Outcome
from router.chains.events import (
    CallClosed,
    FallbackOrdered,
    FallbackServed,
    HeadFreed,
    LegRinging,
    Party,
    TalkConfirmed,
    TalkStarted,
)
from tests.chains.history import english, russian
from tests.stories.play import Play, office
from tests.stories.stage import LINE, T0

FREE_ANNA = HeadFreed("anna", "duty")
CLOSE = CallClosed("duty", "stuck")
FALLBACK = FallbackOrdered("duty")


def in_talk(heads: str, **terms: Any) -> Play:
    """The first head talks with the client."""
    return office(heads, **terms).calls().rings("anna").answers("anna").connects("anna").talks("anna")


# --- free this head ---------------------------------------------------------------------------------------------


def test_who_is_kept_by_a_talk_that_is_none_is_freed_and_offered_the_next_call() -> None:
    play = in_talk("anna boris")
    play.holds("anna").fact(FREE_ANNA, "person:duty").says("freed").holds().is_now(Talking)
    play.waits(1).calls("c2").rings("anna").holds("anna")


def test_the_next_fact_of_the_pbx_wins() -> None:
    play = in_talk("anna boris")
    play.fact(FREE_ANNA).holds().fact(TalkConfirmed("c1.h1")).holds("anna")


def test_who_waits_longest_gets_who_was_freed() -> None:
    play = in_talk("anna")
    play.calls("c2").is_now(Waiting).waits(3).calls("c3").is_now(Waiting)
    play.on("c1").fact(FREE_ANNA).on("c2").rings("anna").on("c3").is_now(Waiting)


def test_a_phone_that_rings_is_told_to_stop_and_the_next_head_is_rung() -> None:
    play = office("anna boris").calls().rings("anna").waits(2)
    play.fact(FREE_ANNA).says("freed").stops("anna", "elsewhere").rings("boris").holds("boris")


def test_a_pause_after_a_talk_is_over() -> None:
    play = in_talk("anna", wrap_up_s=60)
    play.talk_ends(Party.CALLER).releases().stops("anna").waits(1).holds("anna")
    play.fact(FREE_ANNA).says("freed").holds().is_final()


def test_who_is_not_held_cannot_be_freed() -> None:
    play = office("anna boris").calls().rings("anna")
    play.fact(HeadFreed("boris", "duty")).says("not_held").is_now(Ringing).holds("anna")
    office().fact(LegRinging("x")).fact(FREE_ANNA).says("not_held").is_now(Stranger)


# --- end this call ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("waits", [False, True])
def test_a_call_that_is_ended_by_hand_owes_nobody_a_call(waits: bool) -> None:
    play = office("anna").calls().rings("anna")
    if waits:
        play.goes_away("anna").declines("anna")
    play.fact(CLOSE, "person:duty").says("closed").releases("no_answer")
    if not waits:
        play.stops("anna")
    play.is_over(Outcome.CLOSED, Party.PBX).owes_nothing().is_final().holds()


def test_while_he_is_being_joined_the_connection_is_given_up() -> None:
    play = office("anna boris").calls().rings("anna").answers("anna").connects("anna")
    play.fact(CLOSE).says("closed").stops("anna").releases().is_over(Outcome.CLOSED)
    assert not [order for order in play.stage.outbox.waiting() if order.key.endswith("connect")]


def test_a_talk_that_is_ended_by_hand_was_answered() -> None:
    play = in_talk("anna boris")
    play.waits(30).fact(CLOSE).says("closed").stops("anna").releases("talk_over")
    play.is_over(Outcome.ANSWERED, Party.PBX, "anna").owes_nothing()


def test_a_call_that_is_over_stays_as_it_is() -> None:
    play = office("anna").calls().rings("anna").hangs_up().stops("anna").is_over(Outcome.CALLER_LEFT)
    play.fact(CLOSE).says("over").fact(FALLBACK).says("over").is_over(Outcome.CALLER_LEFT).owes()


def test_a_call_on_the_reserve_line_is_ended_and_its_record_is_believed_all_the_same() -> None:
    play = office("anna", window_s=5, ring_s=5).calls().rings("anna").waits(5).stops("anna").hands_over()
    play.fact(CLOSE).says("closed").releases().is_over(Outcome.CLOSED).owes_nothing()
    play.record("9").is_over(Outcome.FALLBACK_SERVED)


def test_they_talk_after_all_and_the_fact_wins() -> None:
    play = office("anna").calls().rings("anna").fact(CLOSE).stops("anna").releases()
    play.fact(TalkStarted("c1.h1", "101")).is_now(Talking).holds("anna")


def test_a_call_without_a_beginning_can_be_ended() -> None:
    office().fact(LegRinging("x")).fact(CLOSE).says("closed").releases().is_over(Outcome.CLOSED).owes_nothing()


# --- to the reserve line now ------------------------------------------------------------------------------------


def test_the_client_is_given_to_the_reserve_line_at_once() -> None:
    play = office("anna boris").calls().rings("anna").waits(3)
    play.fact(FALLBACK, "person:duty").says("sent").stops("anna", "elsewhere").hands_over().is_now(HandedOver).holds()
    play.fact(FALLBACK).says("already").fallback_took().record("9").is_over(Outcome.FALLBACK_SERVED)


def test_even_where_the_terms_would_release_him() -> None:
    play = office("anna", after_window="release").calls().rings("anna").fact(FALLBACK).stops("anna").hands_over()
    play.is_now(HandedOver)


def test_who_talks_is_not_torn_away() -> None:
    in_talk("anna").fact(FALLBACK).says("in_talk").is_now(Talking).asks_nothing()


def test_a_call_without_a_beginning_goes_there_too() -> None:
    office().fact(LegRinging("x")).fact(FALLBACK).says("sent").hands_over().is_now(HandedOver)


# --- a server that takes no new calls ---------------------------------------------------------------------------


def draining(play: Play) -> Play:
    """From here on no new call is taken."""
    play.stage.office.draining = True
    return play


def test_a_new_call_goes_to_the_reserve_line_and_the_others_go_on() -> None:
    play = office("anna boris").calls("c1").rings("anna").waits(1)
    draining(play).calls("c2").hands_over().is_now(HandedOver).on("c1").waits(7).stops("anna").rings("boris")
    play.answers("boris").connects("boris").talks("boris").is_now(Talking)
    play.on("c2").fallback_took().record().is_over(Outcome.FALLBACK_MISSED).owes()


def test_what_is_told_of_a_call_that_is_under_way_is_no_new_call() -> None:
    play = draining(office("anna").calls("c1").rings("anna"))
    play.calls("c1").is_now(Ringing).asks_nothing()


def test_a_record_of_the_reserve_line_is_taken_at_any_time() -> None:
    draining(office("anna")).fact(FallbackServed(LINE, None, T0, "9", 30, "no_server")).is_over(Outcome.FALLBACK_SERVED)


# --- in sentences -----------------------------------------------------------------------------------------------


def test_every_order_is_told_with_who_gave_it() -> None:
    play = office("anna boris").calls().rings("anna").waits(2).fact(FREE_ANNA).stops("anna").rings("boris")
    play.waits(1.5).fact(FALLBACK).stops("boris").hands_over().waits(1).fact(CallClosed("boris", "test")).releases()
    play.is_now(Ended)
    assert [line for line in russian(play) if "вручную" in line or "распоряжение" in line] == [
        "В 2 с Анна отпущен(а) с этого звонка вручную (duty).",
        "В 3,5 с отдано распоряжение передать клиента запасному плану АТС (duty).",
        "В 4,5 с отдано распоряжение завершить звонок (Борис), причина: проверочный звонок.",
        "Звонок завершён вручную в 4,5 с.",
    ]
    assert [line for line in english(play) if "hand" in line or "ordered" in line] == [
        "At 2 s anna was freed from this call by hand (duty).",
        "At 3.5 s the client was ordered to be given to the PBX's own plan (duty).",
        "At 4.5 s the call was ordered to end (boris), reason: a trial call.",
        "The call was ended by hand at 4.5 s.",
    ]


def test_a_call_that_came_while_the_server_was_about_to_stop_says_so() -> None:
    play = draining(office("anna")).calls().hands_over()
    assert "Сервер готовился к остановке: клиент сразу передан запасному плану АТС." in russian(play)
