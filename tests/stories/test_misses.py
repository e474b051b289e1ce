"""Heads who let calls ring out: asked after three in a row, then paused; the duty channel knows."""

from typing import Any

from router.chains.events import LineSeen, SaidAway, SaidHere
from router.chains.roster import ROSTER
from tests.stories.play import Play, office


def rings_out(play: Play, call: str, head: str) -> Play:
    """A call that rings out at anna's phones; then the client hangs up while boris is rung."""
    return (
        play.calls(call, caller="").rings(head).waits(8).stops(head).rings("boris").hangs_up().stops("boris")
    )  # fmt: skip


def says(play: Play, event: Any) -> Play:
    play.reply = play.stage.admit(ROSTER, event, f"person:{event.by}").reply
    return play


def missed_three() -> Play:
    play = office("anna boris")
    for call in ("c1", "c2", "c3"):
        rings_out(play, call, "anna")
    return play


def test_three_in_a_row_and_he_is_asked() -> None:
    play = rings_out(office("anna boris"), "c1", "anna")
    rings_out(play, "c2", "anna").shows_nothing_for("anna")
    rings_out(play, "c3", "anna").shows("are_you_here", to="anna", misses="3")


def test_he_says_that_he_is_there() -> None:
    play = says(missed_three().shows("are_you_here", to="anna"), SaidHere("anna")).says("back")
    play.shows("here_again", to="anna").calls("c4", caller="").rings("anna").hangs_up().stops("anna")


def test_he_says_nothing_and_is_paused_after_two_minutes() -> None:
    play = missed_three().shows("are_you_here", to="anna").waits(119).shows_nothing_for("anna")
    play.waits(1).shows("paused", to="anna").shows("head_paused", person="anna")
    play.calls("c4", caller="").rings("boris").hangs_up().stops("boris")
    says(play, SaidHere("anna")).shows("here_again", to="anna").shows("head_back")
    play.calls("c5", caller="").rings("anna")


def test_a_fourth_call_rings_out_and_he_is_paused_at_once() -> None:
    rings_out(missed_three().shows("are_you_here", to="anna"), "c4", "anna").shows("paused", to="anna").shows(
        "head_paused"
    )


def test_he_says_that_he_is_away() -> None:
    play = says(missed_three().shows("are_you_here", to="anna"), SaidAway("anna")).says("away")
    play.shows("paused", to="anna").shows("head_away", person="anna")
    play.calls("c4", caller="").rings("boris")


def test_a_talk_in_between_begins_the_count_anew() -> None:
    play = rings_out(rings_out(office("anna boris"), "c1", "anna"), "c2", "anna")
    play.calls("c3", caller="").rings("anna").answers("anna").connects("anna").talks("anna").talk_ends()
    play.stops("anna").releases()
    rings_out(rings_out(play.waits(1), "c4", "anna"), "c5", "anna").shows_nothing_for("anna", but="verdict_asked")
    rings_out(play, "c6", "anna").shows("are_you_here", to="anna", misses="3")


def test_declining_is_no_miss() -> None:
    play = office("anna boris")
    for call in ("c1", "c2", "c3", "c4"):
        play.calls(call, caller="").rings("anna").waits(1).declines("anna").rings("boris").hangs_up().stops("boris")
    play.shows_nothing_for("anna")


def test_never_asked_where_the_terms_say_so() -> None:
    play = office("anna boris", misses_asked=0)
    for call in ("c1", "c2", "c3", "c4"):
        rings_out(play, call, "anna")
    play.shows_nothing_for("anna")


def test_a_talk_that_begins_tells_who_did_not_pick_up_before() -> None:
    play = office("anna boris", misses_asked=1).calls("c1").rings("anna").waits(8).stops("anna").rings("boris")
    play.answers("boris").connects("boris").talks("boris").shows("are_you_here", to="anna", misses="1")


# --- calls of their own ---------------------------------------------------------------------------------------------


def line(play: Play, head: str, *, busy: bool) -> Play:
    play.stage.admit(ROSTER, LineSeen({"anna": "101", "boris": "102"}[head], busy))
    return play


def test_a_head_in_a_call_of_his_own_is_passed_over_and_comes_back() -> None:
    play = line(office("anna boris"), "anna", busy=True).calls("c1").rings("boris").declines("boris")
    line(play.waits(1), "anna", busy=False).rings("anna", until=9)


def test_nobody_else_is_there_he_is_waited_for() -> None:
    play = line(office("anna"), "anna", busy=True).calls("c1").asks_nothing().waits(5)
    line(play, "anna", busy=False).rings("anna", until=13)
