"""The PBX's own plan: sent there, gone there by itself, what its records say; calls whose beginning was not told."""

from typing import Any

import pytest

from router.basis.machine import EffectAside, Event
from router.chains.call_states import Ended, HandedOver, Ringing, Stranger, Talking, Waiting
from router.chains.enquiry import Outcome
from router.chains.events import (
    CallArrived,
    CallerHungUp,
    DirectoryApplied,
    Disposition,
    FallbackServed,
    FallbackTook,
    LegAnswered,
    LegEnded,
    LegRinging,
    Party,
    TalkConfirmed,
    TalkEnded,
    TalkStarted,
)
from router.chains.roster import ROSTER
from tests.stories.play import Play, filed, office
from tests.stories.stage import LINE, T0, directory


def handed_over(**terms: Any) -> Play:
    """A call that nobody took within eight seconds, given to the PBX's own plan."""
    return office("anna", window_s=8, **terms).calls().rings("anna").until(8).stops("anna").hands_over()


# --- sent there -------------------------------------------------------------------------------------------------


def test_the_fallback_takes_him_and_its_record_says_who_answered() -> None:
    (
        handed_over().is_now(HandedOver, took=False).fallback_took().is_now(HandedOver, took=True)
        .waits(20).hangs_up().is_now(HandedOver).record("9")
        .is_over(Outcome.FALLBACK_SERVED).owes_nothing().is_final()
    )  # fmt: skip


def test_its_record_says_that_nobody_did() -> None:
    handed_over().fallback_took().record().is_over(Outcome.FALLBACK_MISSED).owes(Outcome.FALLBACK_MISSED).is_final()


def test_no_record_comes_and_a_call_back_is_owed() -> None:
    play = handed_over().fallback_took().until(607.9).is_now(HandedOver).until(608).is_over(Outcome.FALLBACK_UNKNOWN)
    play.owes(Outcome.FALLBACK_UNKNOWN)


def test_a_record_that_comes_very_late_settles_the_call_back() -> None:
    """Found by reading: the call-back of a client who had been served stayed open."""
    handed_over().until(608).owes().record("9").is_over(Outcome.FALLBACK_SERVED).owes_nothing()
    handed_over().until(608).owes().record().is_over(Outcome.FALLBACK_MISSED).owes()


def test_he_hangs_up_before_the_fallback_has_him() -> None:
    """Found by reading: his call-back was opened ten minutes later."""
    handed_over().waits(0.1).hangs_up().is_over(Outcome.CALLER_LEFT).owes(Outcome.CALLER_LEFT).is_final()


def test_it_had_him_all_the_same() -> None:
    handed_over().hangs_up().owes().fallback_took().record("9").is_over(Outcome.FALLBACK_SERVED).owes_nothing()


def test_a_pbx_without_such_a_plan_releases_him() -> None:
    """Found by reading: he was left in silence."""
    (
        handed_over().fact(EffectAside("pbx/call/c1/fallback", "http_400"), "outbox")
        .releases().is_over(Outcome.NOBODY).owes()
    )  # fmt: skip


def test_they_talk_while_he_is_handed_over() -> None:
    """Found by reading: the order to hand him over was repeated into the talk."""
    play = handed_over().waits(0.1).talks("anna").is_now(Talking).holds("anna").waits(3)
    sent = [at for at, effect in play.stage.sent if type(effect).__name__ == "SendToFallback"]
    assert (max(sent) - T0) / 1e6 <= 8.1


# --- gone there by itself ---------------------------------------------------------------------------------------


def test_the_pbx_takes_him_while_a_phone_rings() -> None:
    (
        office()
        .calls().rings("anna").waits(3).fallback_took().stops("anna", "elsewhere").is_now(HandedOver, took=True)
        .waits(1).holds().record("9").is_over(Outcome.FALLBACK_SERVED)
    )  # fmt: skip


def test_the_pbx_takes_him_while_he_waits_or_is_connected() -> None:
    office("anna").device("anna", reachable=False).calls().fallback_took().is_now(HandedOver)
    office().calls().rings("anna").answers("anna").connects("anna").fallback_took().stops("anna").is_now(HandedOver)


@pytest.mark.parametrize("answered_by", ["", "9"])
def test_the_record_comes_while_we_think_that_the_call_is_ours(answered_by: str) -> None:
    outcome = Outcome.FALLBACK_SERVED if answered_by else Outcome.FALLBACK_MISSED
    office().calls().rings("anna").record(answered_by).stops("anna").is_over(outcome).waits(1).holds().is_final()


def test_the_record_of_a_call_never_seen() -> None:
    play = office().record(call="c7").is_over(Outcome.FALLBACK_MISSED).owes(Outcome.FALLBACK_MISSED, since=0).is_final()
    assert filed(play).caller == "t_record"
    assert filed(play).line == LINE
    office().record("9", call="c7").is_over(Outcome.FALLBACK_SERVED).owes_nothing().is_final()


def test_the_same_record_twice() -> None:
    play = office().record("9", call="c7")
    play.record("9", call="c7").is_over(Outcome.FALLBACK_SERVED).owes_nothing().asks_nothing()


def test_a_head_is_said_to_have_talked_in_a_call_that_the_fallback_served() -> None:
    office().record("9", call="c7").fact(TalkStarted("x", "101")).is_over(
        Outcome.ANSWERED, person="anna"
    ).owes_nothing()


# --- calls whose beginning was not told -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first",
    [LegRinging("x"), LegAnswered("x"), LegEnded("x", Disposition.BUSY)],
    ids=lambda event: type(event).__name__,
)
def test_after_a_leg_the_arrival_comes_and_he_is_served(first: Event) -> None:
    office().fact(first).is_now(Stranger).waits(5).calls().rings("anna", until=13)


def test_after_a_talk_the_arrival_completes_the_papers() -> None:
    play = (
        office().fact(TalkStarted("x", "101")).is_now(Talking).holds("anna").shows("verdict_asked", to="anna", line="")
    )
    play.waits(1).calls().is_now(Talking).shows("verdict_asked", to="anna", line=LINE, channel="site").asks_nothing()
    assert filed(play).caller == "t_1"
    play.talk_ends().releases().is_over(Outcome.ANSWERED, person="anna")


def test_a_talk_seen_after_a_restart_counts_like_its_beginning() -> None:
    """Found by reading: a confirmed talk of an unknown call was ignored, and a minute later a call-back was owed."""
    office().fact(TalkConfirmed("x", "101")).is_now(Talking).holds("anna").until(60).looks().owes_nothing()


def test_a_second_arrival_of_a_call_without_line_and_number_changes_nothing() -> None:
    """It must not be taken for one whose papers are missing: its pinned plan would be replaced."""
    play = office().calls(line="", caller="").rings("anna")
    plan = filed(play).plan
    play.stage.admit(ROSTER, DirectoryApplied(play.stage.core.contents.pin(directory(("boris",))), "admin"))
    play.calls(line="", caller="").asks_nothing().is_now(Ringing)
    assert filed(play).plan is plan


def test_after_the_talks_end_the_arrival_rings_nobody() -> None:
    play = office().fact(TalkEnded(Party.CALLER)).releases().is_over(Outcome.ANSWERED, person="")
    play.calls().asks_nothing().is_over(Outcome.ANSWERED).owes_nothing().hangs_up().is_final()
    assert filed(play).line == LINE


def test_the_talk_is_told_backwards() -> None:
    (
        office().fact(TalkEnded(Party.HEAD)).releases().fact(TalkStarted("x", "102"))
        .is_over(Outcome.ANSWERED, Party.HEAD, "boris").calls().asks_nothing().owes_nothing()
    )  # fmt: skip


def test_after_the_hangup_the_arrival_rings_nobody_and_a_call_back_is_owed() -> None:
    play = office().hangs_up().is_now(Stranger).waits(2).calls().asks_nothing()
    play.is_over(Outcome.CALLER_LEFT).owes(Outcome.CALLER_LEFT)
    assert play.stage.core.vault.value(filed(play).caller) == "+79990001122"


def test_after_the_hangup_a_talk_is_told() -> None:
    office().hangs_up().fact(TalkStarted("x", "101")).is_over(Outcome.ANSWERED, Party.CALLER, "anna").owes_nothing()


def test_after_the_fallback_took_him_the_arrival_rings_nobody() -> None:
    """Found by reading: five phones rang for a caller who was on the reserve line."""
    play = office().fallback_took().is_now(HandedOver, took=True).calls().asks_nothing().is_now(HandedOver)
    play.record().owes(Outcome.FALLBACK_MISSED)
    assert filed(play).caller == "t_1"


def test_after_the_record_the_arrival_changes_nothing() -> None:
    office().record("9", call="c1").calls().asks_nothing().is_over(Outcome.FALLBACK_SERVED)


def test_after_a_record_of_a_stranger_the_record_is_his_papers() -> None:
    play = office().fact(LegRinging("x")).fact(FallbackServed(LINE, "t_9", T0, "", 0, "no_server"))
    play.is_over(Outcome.FALLBACK_MISSED).owes(since=0)
    assert filed(play).caller == "t_9"


def test_a_stranger_who_never_arrives_is_owed_a_call_back() -> None:
    office().fact(LegRinging("x")).until(59.9).is_now(Stranger).until(60).is_over(Outcome.INCOMPLETE).owes().is_final()


def test_a_stranger_who_arrives_after_all_is_served() -> None:
    play = office().fact(LegRinging("x")).until(60).owes().until(90).calls().rings("anna", until=98)
    play.answers("anna").connects("anna").talks("anna").owes_nothing().talk_ends().releases().stops("anna")
    play.is_over(Outcome.ANSWERED).owes_nothing()


def test_a_stranger_who_arrives_after_all_and_is_missed_again_is_owed_one_call_back() -> None:
    play = office().fact(LegRinging("x")).until(60).owes(Outcome.INCOMPLETE).until(90).calls().rings("anna")
    play.hangs_up().stops("anna").owes(Outcome.CALLER_LEFT, since=90)
    entry = play.stage.core.live["callback:pbx:c1"].state
    assert entry.debt.caller == "t_1"  # type: ignore[attr-defined]


def test_a_stranger_who_hung_up_and_whose_arrival_is_told_very_late() -> None:
    """Found by reading: the call-back never learned whom to call."""
    play = office().hangs_up().until(60).is_over(Outcome.INCOMPLETE, Party.CALLER).owes().until(90).calls()
    play.asks_nothing().is_now(Ended).owes()
    entry = play.stage.core.live["callback:pbx:c1"].state
    assert entry.debt.caller == "t_1"  # type: ignore[attr-defined]


def test_pressing_a_button_of_a_stranger_is_too_early() -> None:
    office().fact(LegRinging("x")).marks("anna", "real").says("too_early").presses_take("anna").says("too_early")


@pytest.mark.parametrize(
    "fact",
    [
        LegRinging("zz"), LegAnswered("zz"), LegEnded("zz", Disposition.FAILED), CallArrived(LINE),
    ],
    ids=lambda event: type(event).__name__,
)  # fmt: skip
def test_facts_about_strange_legs_move_nobody(fact: Event) -> None:
    office().calls().rings("anna").fact(fact).asks_nothing().is_now(Ringing).answers("anna").connects("anna").fact(
        fact
    ).asks_nothing().talks("anna").fact(fact).is_now(Talking).asks_nothing()
    office("anna").device("anna", reachable=False).calls().fact(fact).is_now(Waiting).asks_nothing()


def test_a_fallback_that_took_a_released_caller_is_believed_by_its_record() -> None:
    play = office("", after_window="release").calls().releases().owes().fact(FallbackTook()).record("9").owes_nothing()
    play.is_over(Outcome.FALLBACK_SERVED)


def test_a_hangup_of_nobody() -> None:
    office().fact(CallerHungUp()).fact(CallerHungUp()).is_now(Stranger).until(60).is_over(Outcome.INCOMPLETE).owes()
