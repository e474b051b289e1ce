"""The recording of a talk: announced first, one for the whole call, fetched when it is over."""

from typing import Any

import pytest

from router.basis.machine import EffectAside, EffectDropped
from router.chains.call_states import Ended, Talking
from router.chains.enquiry import Outcome
from router.chains.events import (
    Announced,
    Party,
    RecordingFailed,
    RecordingFinished,
    RecordingKept,
    RecordingStarted,
)
from router.chains.terms import RecordWhat, Terms, with_deviations
from tests.stories.play import Play, filed, office

NAME = "hopline-c1"
SOUND = "sound:custom/recorded"


def picked_up(**terms: Any) -> Play:
    """Anna talks with the client; the chain records talks."""
    play = office(record="talk", **terms).calls().rings("anna").waits(3).answers("anna").connects("anna").talks("anna")
    return play.shows("verdict_asked", to="anna")


def recorded() -> Play:
    """The announcement was heard, the recording runs."""
    play = picked_up(announcement=SOUND).announces(SOUND).waits(2).fact(Announced(ok=True)).records()
    return play.fact(RecordingStarted(NAME))


def tape(play: Play) -> tuple[str, str]:
    """State of the recording, and why."""
    kept = filed(play).tape
    return (kept.state, kept.why) if kept else ("", "")


def test_by_default_nothing_is_recorded() -> None:
    play = office().calls().rings("anna").answers("anna").connects("anna").talks("anna").waits(1).asks_nothing()
    assert tape(play) == ("", "")
    assert Terms().record is RecordWhat.OFF


def test_a_pbx_that_cannot_record_is_not_asked() -> None:
    play = office(record="talk", can_record=False).calls().rings("anna").answers("anna").connects("anna").talks("anna")
    play.waits(1).asks_nothing()


def test_without_an_announcement_it_begins_with_the_talk() -> None:
    assert tape(picked_up().records().fact(RecordingStarted(NAME))) == ("runs", "")


def test_announced_recorded_fetched_and_shown() -> None:
    play = recorded().waits(60).talk_ends(Party.CALLER).releases().stops("anna").fetches().hangs_up()
    play.shows("verdict_asked", to="anna").fact(RecordingFinished(NAME, 60_000)).fetches().fact(
        RecordingKept(NAME, 960_044)
    )
    play.shows("verdict_asked", to="anna", recording=f"pbx/{NAME}").is_over(Outcome.ANSWERED)
    assert tape(play) == ("kept", "")
    assert (filed(play).tape.duration_ms, filed(play).tape.size) == (60_000, 960_044)


def test_one_recording_over_a_transfer_and_both_may_listen() -> None:
    play = recorded().passes_after_asking("clara").stops("anna").waits(9).asks_nothing()
    play.talk_ends(Party.HEAD).releases().stops_leg("x1").fetches()
    play.shows("verdict_asked", to="clara").shows("passed_on", to="anna").fact(RecordingKept(NAME, 99))
    play.shows("verdict_asked", to="clara", recording=f"pbx/{NAME}")
    play.shows("passed_on", to="anna", recording=f"pbx/{NAME}")


def test_nobody_is_recorded_who_was_not_told() -> None:
    play = picked_up(announcement=SOUND).announces(SOUND).fact(Announced(ok=False)).waits(1).asks_nothing()
    assert tape(play) == ("failed", "announcement_failed")
    play.is_now(Talking).fact(Announced(ok=True)).asks_nothing()


def test_recorded_all_the_same_where_the_chain_says_so() -> None:
    play = picked_up(announcement=SOUND, unannounced="record").announces(SOUND).fact(Announced(ok=False)).records()
    assert tape(play) == ("asked_to_run", "")


def test_an_announcement_that_came_too_late_to_be_played() -> None:
    play = picked_up(announcement=SOUND).announces(SOUND).fact(EffectDropped("pbx/call/c1/record", "stale"), "outbox")
    assert tape(play) == ("failed", "too_late")


def test_the_talk_ends_during_the_announcement() -> None:
    play = picked_up(announcement=SOUND).announces(SOUND).hangs_up().stops("anna").fact(Announced(ok=True))
    assert tape(play.asks_nothing()) == ("failed", "talk_over")


def test_the_pbx_refuses() -> None:
    play = picked_up().records().fact(RecordingFailed(NAME, "pbx_refused_500"))
    assert tape(play) == ("failed", "pbx_refused_500")
    play.is_now(Talking).talk_ends().releases().stops("anna").is_over(Outcome.ANSWERED)


def test_the_end_of_the_recording_was_not_heard() -> None:
    """The server was away: the end of the call alone has it fetched."""
    play = recorded().hangs_up().stops("anna").fetches().fact(RecordingKept(NAME, 99)).is_now(Ended)
    assert tape(play) == ("kept", "")


def test_what_is_said_late_and_twice_changes_nothing() -> None:
    play = recorded().hangs_up().stops("anna").fetches().fact(RecordingKept(NAME, 99))
    play.fact(RecordingStarted(NAME)).fact(RecordingFinished(NAME, 5)).fact(RecordingFailed(NAME, "x")).asks_nothing()
    assert tape(play) == ("kept", "")


def test_a_file_that_is_not_there_is_a_failure_that_is_seen() -> None:
    play = recorded().hangs_up().stops("anna").fetches()
    play.fact(EffectAside("pbx/call/c1/keep", "recording_missing"), "outbox")
    assert tape(play) == ("failed", "recording_missing")


@pytest.mark.parametrize(("name", "value"), [("record", "always"), ("unannounced", "maybe"), ("announcement", 7)])
def test_a_term_that_cannot_be_meant(name: str, value: object) -> None:
    _, mistakes = with_deviations(Terms(), {name: value}, "chain.sales")
    assert [mistake.key for mistake in mistakes] == [f"chain.sales.{name}"]
