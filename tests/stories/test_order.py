"""In which order the heads are offered a call, and who comes first for a caller who is known."""

from router.basis.instants import DAY, Instant
from router.chains.call_states import Waiting
from router.chains.events import TalkEnded, TalkStarted
from tests.chains.history import english
from tests.stories.play import Play, office

OTHER = "+79990003344"


def served(play: Play, call: str, head: str, *before: str, talk_s: float = 10, caller: str = OTHER) -> Play:
    """One call, from the ring to the end of the talk; `before` let it ring out."""
    play.calls(call, caller=caller)
    for silent in before:
        play.rings(silent).waits(8).stops(silent)
    return (
        play.rings(head).waits(2).answers(head).connects(head).talks(head).waits(talk_s).talk_ends()
        .stops(head).releases()
    )  # fmt: skip


def test_fixed() -> None:
    served(served(office("anna boris clara"), "c1", "anna"), "c2", "anna", caller="").calls("c3").rings("anna")


def test_rotate_goes_on_from_the_head_with_whom_the_last_call_began() -> None:
    play = served(office("anna boris clara", order="rotate"), "c1", "boris", "anna", caller="")
    play.calls("c2", caller="").rings("boris").waits(8).stops("boris").rings("clara").hangs_up().stops("clara")
    play.calls("c3", caller="").rings("clara").waits(8).stops("clara").rings("anna")


def test_longest_idle_is_first_and_who_never_talked_before_him() -> None:
    play = office("anna boris clara", order="longest_idle")
    served(play, "c1", "anna", caller="")
    served(play, "c2", "boris", caller="")
    play.calls("c3", caller="").rings("clara").waits(8).stops("clara").rings("anna").waits(8).stops("anna").rings(
        "boris"
    )


def test_fewest_calls_of_today() -> None:
    play = office("anna boris", order="fewest_calls")
    served(play, "c1", "anna", caller="")
    served(play, "c2", "boris", talk_s=1, caller="")
    served(play, "c3", "anna", talk_s=1, caller="")
    play.calls("c4", caller="").rings("boris").hangs_up().stops("boris")
    # 2026-01-02, 00:00 in Moscow: a new day for everybody
    play.until(21 * 3600).calls("c5", caller="").rings("anna")


def test_the_order_is_pinned_when_the_call_begins() -> None:
    play = office("anna boris clara", order="longest_idle").calls("c1", caller="").rings("anna")
    served(play.waits(1), "c2", "boris", talk_s=3, caller="")
    play.on("c1").until(8).stops("anna").rings("boris")


# --- a caller who is known -------------------------------------------------------------------------------------------


def test_who_talked_with_the_caller_last_is_first_and_the_list_follows() -> None:
    play = served(office("anna boris clara"), "c1", "boris", "anna")
    play.waits(60).calls("c2", caller=OTHER).rings("boris").waits(8).stops("boris").rings("anna").waits(8)
    play.stops("anna").rings("clara")
    assert "boris, from 0 s: 8 s, no answer (the last one who talked with the client)." in english(play, "c2")[1]


def test_he_is_not_waited_for() -> None:
    play = served(office("anna boris clara"), "c1", "boris", "anna")
    play.goes_away("boris").calls("c2", caller=OTHER).rings("anna").waits(8).stops("anna").rings("clara")


def test_thirty_days_later_he_is_forgotten() -> None:
    play = served(office("anna boris"), "c1", "boris", "anna")
    play.stage.run_to(Instant(play.stage.now + 31 * DAY))
    play.calls("c2", caller=OTHER).rings("anna")


def test_switched_off() -> None:
    served(office("anna boris", returning_first=False), "c1", "boris", "anna").calls("c2", caller=OTHER).rings("anna")


def test_somebody_who_is_not_on_the_list_but_talked_with_him() -> None:
    """Transferred to elena, who is no head of this list: she knows the client."""
    play = office("anna boris").calls("c1", caller=OTHER).rings("anna").answers("anna").connects("anna")
    play.fact(TalkStarted("somewhere", "105")).stops("anna").fact(TalkEnded()).releases()
    play.waits(60).calls("c2", caller=OTHER).rings("elena").waits(8).stops("elena").rings("anna")


def test_spam_is_served_after_the_others_and_not_by_its_last_talker() -> None:
    play = served(office("anna"), "c1", "anna").marks("anna", "spam")
    play.calls("c2", caller="").rings("anna").answers("anna").connects("anna").talks("anna")
    play.waits(1).calls("c3", caller=OTHER).is_now(Waiting).waits(1).calls("c4", caller="").is_now(Waiting)
    play.on("c2").talk_ends().stops("anna").releases().on("c4").rings("anna").on("c3").is_now(Waiting)


def test_who_hung_up_and_calls_again_keeps_his_place() -> None:
    play = office("anna", fade_s=1).calls("c0", caller="").rings("anna").answers("anna").connects("anna").talks("anna")
    play.waits(1).calls("c1", caller=OTHER).is_now(Waiting).waits(1).calls("c2", caller="").is_now(Waiting)
    play.on("c1").waits(1).hangs_up().calls("c3", caller=OTHER).is_now(Waiting)
    play.on("c0").waits(1).talk_ends().stops("anna").releases().on("c3").rings("anna").on("c2").is_now(Waiting)


def test_after_five_minutes_he_begins_anew() -> None:
    play = office("anna").calls("c1", caller=OTHER).rings("anna").hangs_up().stops("anna").waits(301)
    play.calls("c0", caller="").rings("anna").answers("anna").connects("anna").talks("anna")
    play.waits(1).calls("c2", caller="").is_now(Waiting).waits(1).calls("c3", caller=OTHER).is_now(Waiting)
    play.on("c0").talk_ends().stops("anna").releases().on("c2").rings("anna")


def test_more_callers_than_heads_a_head_who_let_one_ring_out_is_left_to_the_next() -> None:
    """Two calls hold both heads, a third waits: every call is offered to both heads."""
    play = office("anna boris").calls("c1", caller="").rings("anna").waits(1).calls("c2", caller="").rings("boris")
    play.waits(1).calls("c3", caller="").is_now(Waiting)
    play.on("c1").until(8).stops("anna").is_now(Waiting).on("c3").rings("anna", until=16)
    play.on("c2").until(9).stops("boris").is_now(Waiting).on("c1").rings("boris", until=17)
    play.on("c3").until(16).stops("anna").is_now(Waiting).on("c2").rings("anna", until=24)


def test_one_head_and_two_callers_take_turns() -> None:
    play = office("anna").calls("c1", caller="").rings("anna", until=8).waits(1).calls("c2", caller="").is_now(Waiting)
    play.on("c1").until(8).stops("anna").on("c2").rings("anna", until=16)
    play.until(16).stops("anna").on("c1").rings("anna", until=24)
    play.on("c2").hangs_up().on("c1").until(24).stops("anna").rings("anna", until=32)
