"""The call-back: opened with the miss, reminded of, closed by a person or by proof."""

from router.basis.machine import Nudged
from router.chains.callback import Closed, Open
from router.chains.events import CallMissed, CallProvedAnswered, PressedClose
from router.chains.roster import ROSTER
from tests.stories.play import Play, office

CHAIN = "callback:pbx:c1"
MISSED = CallMissed("call:pbx:c1", "+74950000001", "site", "t_1", 0, "nobody")  # type: ignore[arg-type]


def missed() -> Play:
    """A caller who hung up while a phone rang."""
    return office().calls().rings("anna").waits(3).hangs_up().stops("anna")


def test_it_is_opened_in_the_calls_own_transaction() -> None:
    play = missed()
    mine = [record for record in play.stage.records if record.chain == CHAIN]
    assert [record.sequence for record in mine] == [1]
    before = play.stage.records[play.stage.records.index(mine[0]) - 1]
    assert before.chain == "call:pbx:c1"
    assert b"CallerHungUp" in before.event
    assert before.at == mine[0].at
    assert mine[0].source == "chain:call:pbx:c1"
    play.shows("callback_open", to="duty", why="caller_left", line="+74950000001", channel="site")


def test_it_reminds_every_hour_until_a_person_closes_it() -> None:
    play = missed()
    for hour in (1, 2, 3):
        play.until(3 + 3600 * hour).shows("callback_open", reminders=str(hour))
    play.closes_callback("dima", "called_back").says("closed").shows("callback_closed", by="dima", reason="called_back")
    play.until(3 + 3600 * 5).shows_nothing()
    assert play.stage.core.live[CHAIN].final


def test_it_is_closed_once() -> None:
    play = missed().closes_callback("dima").closes_callback("anna").says("already")
    state = play.stage.core.live[CHAIN].state
    assert isinstance(state, Closed)
    assert state.by == "dima"


def test_proof_closes_it_by_itself_and_only_once() -> None:
    play = (
        missed()
        .waits(0)
        .talks("anna")
        .shows("callback_closed", reason="answered", by="anna")
        .waits(0)
        .talks("anna")
        .shows_nothing()
    )
    play.closes_callback("dima").says("already")


def test_proof_after_a_person_closed_it_changes_nothing() -> None:
    play = missed().closes_callback("dima").talks("anna")
    state = play.stage.core.live[CHAIN].state
    assert isinstance(state, Closed)
    assert state.by == "dima"


def test_the_proof_comes_before_the_miss() -> None:
    play = office()
    play.stage.admit(CHAIN, CallProvedAnswered("call:pbx:c1", "anna"))
    play.stage.admit(CHAIN, MISSED)
    assert isinstance(play.stage.core.live[CHAIN].state, Closed)


def test_a_button_of_an_entry_that_does_not_exist_does_not_swallow_the_miss() -> None:
    """Found by reading: whoever pressed it before the miss lost the client for ever."""
    play = office()
    assert play.stage.admit(CHAIN, PressedClose("anna", "called")).reply == "unknown"
    play.stage.admit(CHAIN, MISSED)
    assert isinstance(play.stage.core.live[CHAIN].state, Open)


def test_the_same_miss_twice_is_one_debt() -> None:
    play = missed()
    before = play.stage.core.live[CHAIN].state
    assert isinstance(before, Open)
    debt = before.debt
    play.stage.admit(
        CHAIN, CallMissed(debt.call, debt.line, debt.channel, debt.caller, debt.arrived, debt.why), "chain:call:pbx:c1"
    )
    play.stage.admit(CHAIN, Nudged("overdue"), "auditor")
    assert play.stage.core.live[CHAIN].state == before


def test_the_roster_answers_in_words_and_ignores_what_is_not_its_business() -> None:
    play = office()
    assert play.stage.admit(ROSTER, Nudged("x"), "auditor").reply is None
    play.goes_away("anna").goes_away("anna", until=50).comes_back("anna").comes_back("anna")
    assert play.stage.core.live[ROSTER].deadline is None
