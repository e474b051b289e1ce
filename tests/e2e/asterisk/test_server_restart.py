"""kill -9 against a server with calls on a real Asterisk: in a ring, in a talk, and between a ring and its note.

Three offices beside one another, each killed for its own reason; the capture and the journal judge.
"""

from collections.abc import Iterator

import pytest

from router.chains.callback import Open
from router.chains.enquiry import Outcome
from router.chains.events import FallbackServed, LegAsked
from tests.e2e.asterisk.office import Line, Office, eventually
from tests.e2e.asterisk.plays import Evening, Stage
from tests.e2e.asterisk.rig import Rig, answers, busy, cancels, never_answers, talks

pytestmark = [pytest.mark.asterisk, pytest.mark.slow]

RUNG_TWICE = "hopline_maybe_rung_twice_total"
WINDOW = {"window_s": 30, "min_offer_s": 1}
WHILE_DOWN = {"gap_s": 60.0, "dead_air_s": 60.0, "window_s": 60.0, "overlap_s": 0.25}
"""Nobody acts while the server is dead: phones fall silent, a head who picked up waits."""

RINGS_ON = Line("9421", (101, 102), {"ring_s": 8, **WINDOW})
RING_ENDS = Line("9422", (103, 104), {"ring_s": 2, **WINDOW})
PICKED_UP = Line("9423", (105, 114), {"ring_s": 12, **WINDOW})
CALLER_LEFT = Line("9424", (106, 107), {"ring_s": 4, **WINDOW})
TALKS_ON = Line("9425", (108,), {"ring_s": 8, **WINDOW})
TALK_ENDS = Line("9426", (109,), {"ring_s": 8, **WINDOW})
NOT_THERE = Line("9427", (110,), {"ring_s": 8, **WINDOW})
NOBODY_THERE = Line("9428", (111,), {"ring_s": 8, **WINDOW})
LINES = (RINGS_ON, RING_ENDS, PICKED_UP, CALLER_LEFT, TALKS_ON, TALK_ENDS, NOT_THERE, NOBODY_THERE)


def killed_and_restarted(office: Office) -> None:
    """One kill for calls in every position. All callers are served; what happened meanwhile is understood."""
    rig = office.rig
    stage = {line: Stage(office, line) for line in LINES}
    rig.line(NOT_THERE.number, HOPLINE_HEADS="PJSIP/112", HOPLINE_FALLBACK_RING="6")
    rig.line(NOBODY_THERE.number, HOPLINE_HEADS="PJSIP/113", HOPLINE_FALLBACK_RING="1")
    scripts = {head: never_answers() for head in (101, 103, 106, 107, 113)}
    scripts |= {head: answers(after_ms=300) for head in (102, 104, 108, 109, 112, 114)}
    with stage[RINGS_ON].cast(scripts | {105: answers(after_ms=2500)}):
        talk_on = stage[TALKS_ON].call(talks(12_000))
        talk_ends = stage[TALK_ENDS].call(talks(2500))
        rings_on, ring_ends = stage[RINGS_ON].call(talks(500)), stage[RING_ENDS].call(talks(500))
        picked_up, left = stage[PICKED_UP].call(talks(500)), stage[CALLER_LEFT].call(cancels(2500))
        for dialled in (talk_on, talk_ends):
            office.entry_once(dialled.numbers[0], "talking", lambda entry: type(entry.state).__name__ == "Talking")
        for dialled in (rings_on, ring_ends, picked_up, left):
            office.entry_once(dialled.numbers[0], "rung", lambda entry: "LegRinging" in str(entry.events))
        office.kill()
        not_there, nobody_there = stage[NOT_THERE].call(talks(500)), stage[NOBODY_THERE].call()
        for dialled in (talk_ends, left, not_there, nobody_there):
            dialled.wait()
        eventually(lambda: not rings(office, "105"), "105 still rings")
        office.start()
        for dialled in (talk_on, rings_on, ring_ends, picked_up):
            dialled.wait()
        entries = {
            line: office.over(dialled.numbers[0])
            for line, dialled in (
                (RINGS_ON, rings_on),
                (RING_ENDS, ring_ends),
                (PICKED_UP, picked_up),
                (CALLER_LEFT, left),
                (TALKS_ON, talk_on),
                (TALK_ENDS, talk_ends),
                (NOT_THERE, not_there),
                (NOBODY_THERE, nobody_there),
            )
        }
    ends = {line: (entry.end.outcome, entry.end.person or entry.end.extension) for line, entry in entries.items()}
    assert ends == {
        RINGS_ON: (Outcome.ANSWERED, "h102"),
        RING_ENDS: (Outcome.ANSWERED, "h104"),
        PICKED_UP: (Outcome.ANSWERED, "h114"),
        CALLER_LEFT: (Outcome.CALLER_LEFT, ""),
        TALKS_ON: (Outcome.ANSWERED, "h108"),
        TALK_ENDS: (Outcome.ANSWERED, "h109"),
        NOT_THERE: (Outcome.FALLBACK_SERVED, "112"),
        NOBODY_THERE: (Outcome.FALLBACK_MISSED, ""),
    }
    owed = {chain for chain, state in office.books.callbacks().items() if isinstance(state, Open)}
    assert owed == {entries[CALLER_LEFT].chain, entries[NOBODY_THERE].chain}
    assert office.metric(RUNG_TWICE) == 0, "every ring was noted long before the kill"

    seen = {
        line: stage[line].judged(dialled, line.rules(order=(), **WHILE_DOWN))
        for line, dialled in (
            (RINGS_ON, rings_on),
            (RING_ENDS, ring_ends),
            (TALKS_ON, talk_on),
        )
    }
    assert seen[RINGS_ON].heads == ["101", "102"], "the ring that was under way was adopted"
    assert seen[RINGS_ON].legs[0].offered_s == pytest.approx(8.0, abs=0.5)
    assert seen[RING_ENDS].heads == ["103", "104"]
    assert seen[TALKS_ON].bye_by == "caller"
    assert ((seen[TALKS_ON].ended_us or 0) - (seen[TALKS_ON].answered_us or 0)) / 1e6 > 11.5, "the talk went on"
    # Who picks up while the server is dead is let go by Asterisk at once; after the restart the next head is rung.
    lost = rig.verdict(
        PICKED_UP.rules(order=(), **WHILE_DOWN | {"dead_air_s": 0.3}), picked_up.numbers, PICKED_UP.heads
    )
    assert lost.kinds() <= {"two_answered", "rings_after_answer"}, lost
    assert lost.calls[0].heads == ["105", "114"]
    fallback = stage[NOT_THERE].judged(not_there, NOT_THERE.rules(order=()))
    assert (fallback.legs[0].started_us - fallback.arrived_us) / 1e6 < 0.5, "at once"


def rings(office: Office, head: str) -> bool:
    """Whether Asterisk has a channel to this head."""
    return any(channel["name"].startswith(f"PJSIP/{head}-") for channel in office.rig.asterisk.ari.channels())


# --- killed for good --------------------------------------------------------------------------------------------

FOR_GOOD = Line("9431", (121,), {"ring_s": 2, **WINDOW})


def killed_for_good(office: Office) -> None:
    """The dialplan's own limit brings the caller to the fallback; a late restart reads its record, once."""
    rig, stage = office.rig, Stage(office, FOR_GOOD)
    rig.line(FOR_GOOD.number, HOPLINE_ABSOLUTE="4", HOPLINE_HEADS="PJSIP/122", HOPLINE_FALLBACK_RING="6")
    with stage.cast({121: never_answers(), 122: answers(after_ms=300)}):
        dialled = stage.call(talks(1500))
        (caller,) = dialled.numbers
        office.entry_once(caller, "rung", lambda entry: "LegRinging" in str(entry.events))
        office.kill()
        dialled.wait()
        seen = stage.judged(dialled, FOR_GOOD.rules(order=("121", "122"), gap_s=5.0))
    assert (seen.legs[1].started_us - seen.arrived_us) / 1e6 == pytest.approx(4.0, abs=0.5)
    assert seen.legs[0].offered_s == pytest.approx(2.0, abs=0.5), "its own timeout ends the ring that was left behind"
    assert seen.final == 200
    for _ in range(2):
        office.start()
        entry = office.over(caller)
        assert (entry.end.outcome, entry.end.extension) == (Outcome.FALLBACK_SERVED, "122")
        assert len(entry.of(FallbackServed)) == 1, "read once"
        assert entry.of(FallbackServed)[0].why == "absolute_timeout"
        assert entry.chain not in office.books.callbacks()
        assert len([found for found in office.books.entries() if found.caller == caller]) == 1
        office.stop()
    office.start()


# --- between a ring and its note --------------------------------------------------------------------------------

STILL_THERE = Line("9441", (131, 132), {"ring_s": 12, **WINDOW})
ALREADY_OVER = Line("9442", (133, 134), {"ring_s": 4, **WINDOW})
NEVER_SENT = Line("9443", (135, 138), {"ring_s": 4, **WINDOW})
AFTER_RING, BEFORE_RING = "outbox.perform:after#2", "outbox.perform:before#2"
"""The first effect of a call lets the caller hear ringing, the second rings the first head."""


def killed_between_a_ring_and_its_note(office: Office) -> None:
    """A ring that may have been sent: adopted where it is to be seen; else sent (again) and counted."""
    for line, point, script, counted in (
        (STILL_THERE, AFTER_RING, answers(after_ms=9000), 0),
        (ALREADY_OVER, AFTER_RING, busy(), 1),
        (NEVER_SENT, BEFORE_RING, answers(after_ms=300), 1),
    ):
        first, second = line.heads
        stage = Stage(office, line)
        office.stop()
        office.start(crash_at=point)
        with stage.cast({first: script, second: answers(after_ms=300)}):
            dialled = stage.call(talks(500))
            assert office.wait() == 137, "the crash point was reached"
            if line is ALREADY_OVER:
                eventually(lambda: not rings(office, "133"), "133 still rings")
            office.start()
            seen, entry = stage.seen(dialled, line.rules(order=(), **WHILE_DOWN))
        assert office.metric(RUNG_TWICE) == counted, line
        assert len(entry.of(LegAsked)) == counted
        assert entry.end.outcome is Outcome.ANSWERED
        rung = {STILL_THERE: ["131"], ALREADY_OVER: ["133", "133", "134"], NEVER_SENT: ["135"]}[line]
        assert seen.heads == rung, line


# --- the evening ------------------------------------------------------------------------------------------------

PLAYS = {
    "restart": (killed_and_restarted, LINES),
    "for-good": (killed_for_good, (FOR_GOOD,)),
    "unnoted": (killed_between_a_ring_and_its_note, (STILL_THERE, ALREADY_OVER, NEVER_SENT)),
}


@pytest.fixture(scope="module")
def offices(asterisk_rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Office]:
    """One for each play; started there."""
    folder = tmp_path_factory.mktemp("restart")
    return {name: Office(asterisk_rig, folder / name, name, lines) for name, (_, lines) in PLAYS.items()}


@pytest.fixture(scope="module")
def evening(asterisk_rig: Rig, offices: dict[str, Office]) -> Iterator[Evening]:
    """All of them, begun at once."""

    def give(name: str) -> None:
        with offices[name] as office:
            PLAYS[name][0](office)

    plays = Evening()
    for name in PLAYS:
        plays.begin(name, lambda name=name: give(name))  # type: ignore[misc]
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
