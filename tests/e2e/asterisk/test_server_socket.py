"""The server lives and its connection to Asterisk does not: cut and mended under calls, or taken over by another."""

from collections.abc import Iterator

import pytest

from router.chains.callback import Open
from router.chains.enquiry import Outcome
from tests.e2e.asterisk.office import Line, Office, eventually
from tests.e2e.asterisk.plays import Evening, Stage
from tests.e2e.asterisk.relay import Relay
from tests.e2e.asterisk.rig import Application, Rig, answers, cancels, never_answers, talks

pytestmark = [pytest.mark.asterisk, pytest.mark.slow]

WINDOW = {"window_s": 25, "min_offer_s": 1}
DEAF = {"gap_s": 20.0, "dead_air_s": 20.0}
"""While the wire is cut nobody can act; how long that lasts is the test's affair."""

RINGS_ON = Line("9451", (151, 152), {"ring_s": 7, **WINDOW})
RING_ENDS = Line("9452", (153, 154), {"ring_s": 2, **WINDOW})
CALLER_LEFT = Line("9453", (155,), {"ring_s": 6, **WINDOW})
TALKS_ON = Line("9454", (156,), {"ring_s": 6, **WINDOW})
TALK_ENDS = Line("9455", (157,), {"ring_s": 6, **WINDOW})
NOT_THERE = Line("9456", (158,), {"ring_s": 6, **WINDOW})
LINES = (RINGS_ON, RING_ENDS, CALLER_LEFT, TALKS_ON, TALK_ENDS, NOT_THERE)


def cut_and_mended(office: Office, relay: Relay) -> None:
    """Calls in every position go on; what happened in the gap is read from Asterisk; nothing is left."""
    rig = office.rig
    stage = {line: Stage(office, line) for line in LINES}
    rig.line(NOT_THERE.number, HOPLINE_HEADS="PJSIP/159", HOPLINE_FALLBACK_RING="6")
    scripts = {head: never_answers() for head in (151, 153, 155)}
    scripts |= {head: answers(after_ms=300) for head in (152, 154, 156, 157, 159)}
    with stage[RINGS_ON].cast(scripts):
        calls = {
            TALKS_ON: stage[TALKS_ON].call(talks(7000)),
            TALK_ENDS: stage[TALK_ENDS].call(talks(1500)),
            RINGS_ON: stage[RINGS_ON].call(talks(400)),
            RING_ENDS: stage[RING_ENDS].call(talks(400)),
            CALLER_LEFT: stage[CALLER_LEFT].call(cancels(2000)),
        }
        for line in (TALKS_ON, TALK_ENDS):
            caller = calls[line].numbers[0]
            office.entry_once(caller, "talking", lambda entry: type(entry.state).__name__ == "Talking")
        relay.cut()
        eventually(lambda: not office.ready(), "the server did not notice")
        calls[NOT_THERE] = stage[NOT_THERE].call(talks(400))
        for line in (TALK_ENDS, CALLER_LEFT, NOT_THERE):
            calls[line].wait()
        relay.mend()
        for dialled in calls.values():
            dialled.wait()
        entries = {line: office.over(dialled.numbers[0]) for line, dialled in calls.items()}
    ends = {line: (entry.end.outcome, entry.end.person or entry.end.extension) for line, entry in entries.items()}
    assert ends == {
        RINGS_ON: (Outcome.ANSWERED, "h152"),
        RING_ENDS: (Outcome.ANSWERED, "h154"),
        CALLER_LEFT: (Outcome.CALLER_LEFT, ""),
        TALKS_ON: (Outcome.ANSWERED, "h156"),
        TALK_ENDS: (Outcome.ANSWERED, "h157"),
        NOT_THERE: (Outcome.FALLBACK_SERVED, "159"),
    }
    assert isinstance(office.books.callbacks()[entries[CALLER_LEFT].chain], Open)
    for line in (RINGS_ON, RING_ENDS, TALKS_ON):
        seen = stage[line].judged(calls[line], line.rules(order=(), **DEAF))
        assert seen.heads == list(line.order), "nobody was rung twice"
        assert seen.final == 200
        assert seen.bye_by == "caller", "the server did not end it"
    assert stage[RINGS_ON].judged(calls[RINGS_ON]).legs[0].offered_s == pytest.approx(7.0, abs=0.5)
    assert office.metric("hopline_maybe_rung_twice_total") == 0


# --- two servers under one name ---------------------------------------------------------------------------------

TAKEN = Line("9461", (161, 162), {"ring_s": 4, **WINDOW})


def taken_over(office: Office) -> None:
    """The server whose application another connection takes over stops loudly, and rings nobody any more."""
    stage = Stage(office, TAKEN)
    with stage.cast({161: never_answers(), 162: answers(after_ms=300)}):
        dialled = stage.call(talks(400))
        (caller,) = dialled.numbers
        office.entry_once(caller, "rung", lambda entry: "LegRinging" in str(entry.events))
        with Application(office.rig.asterisk.ari, office.application):
            assert office.wait() != 0
            assert "application_replaced" in office.log()
            eventually(lambda: not _rung(office, "161"), "161 still rings")
            assert not _rung(office, "162"), "two servers ring the same heads"
        office.start()  # as a supervisor would
        seen, entry = stage.seen(dialled, TAKEN.rules(order=TAKEN.order, **DEAF))
    assert seen.heads == ["161", "162"]
    assert entry.end.person == "h162"


def _rung(office: Office, head: str) -> bool:
    channels = office.rig.asterisk.ari.channels()
    return any(channel["name"].startswith(f"PJSIP/{head}-") for channel in channels)


# --- the evening ------------------------------------------------------------------------------------------------

PLAYS = ("cut", "taken-over")


@pytest.fixture(scope="module")
def relay(asterisk_rig: Rig) -> Iterator[Relay]:
    """The wire of the office that is cut off."""
    with Relay(asterisk_rig.ports.http) as wire:
        yield wire


@pytest.fixture(scope="module")
def offices(asterisk_rig: Rig, relay: Relay, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Office]:
    """One for each play; started there."""
    folder = tmp_path_factory.mktemp("socket")
    return {
        "cut": Office(asterisk_rig, folder / "cut", "cut", LINES, url=relay.url),
        "taken-over": Office(asterisk_rig, folder / "taken", "taken-over", (TAKEN,)),
    }


@pytest.fixture(scope="module")
def evening(asterisk_rig: Rig, relay: Relay, offices: dict[str, Office]) -> Iterator[Evening]:
    """Both, begun at once."""

    def cut() -> None:
        with offices["cut"] as office:
            cut_and_mended(office, relay)

    def taken() -> None:
        with offices["taken-over"] as office:
            taken_over(office)

    plays = Evening()
    plays.begin("cut", cut)
    plays.begin("taken-over", taken)
    yield plays
    plays.close()
    asterisk_rig.rest()


@pytest.mark.parametrize("name", PLAYS)
def test_play(evening: Evening, name: str) -> None:
    evening.ends_well(name)


def test_afterwards_nothing_is_left_and_the_books_are_right(
    asterisk_rig: Rig, evening: Evening, offices: dict[str, Office]
) -> None:
    evening.close()
    asterisk_rig.wait_until_idle()
    for office in offices.values():
        audit = office.books.audit()
        assert audit.clean, audit.problems
        assert audit.counts["live"] == 0
        assert office.books.differences() == []
