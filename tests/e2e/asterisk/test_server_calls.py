"""The whole server on the wire: `hopline serve` with its journal, Asterisk, SIPp as callers and heads, judged by pcap.

One server; the plays run side by side on disjoint heads. What happens when the server or its socket goes away is in
`test_server_restart` and `test_server_socket`.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from router.chains.callback import Open
from router.chains.enquiry import Outcome
from router.chains.events import Disposition, Party, VerdictGiven
from tests.e2e.asterisk.books import Entry
from tests.e2e.asterisk.office import Line, Office, eventually
from tests.e2e.asterisk.plays import Evening, Stage
from tests.e2e.asterisk.rig import (
    Call,
    HeadLeg,
    Rig,
    answers,
    busy,
    cancels,
    declines,
    never_answers,
    silent,
    talks,
    unavailable,
)
from tests.web.forms import forms

pytestmark = [pytest.mark.asterisk, pytest.mark.slow]

SHORT = {"ring_s": 2, "window_s": 6, "min_offer_s": 1}
ANSWERED_BY_FALLBACK = 109
AROUND_MS = (-50, -30, -10, 10, 30, 50)
AT_HOP_END_MS = (1985, 1995, 2000, 2005, 2015)

Play = Callable[[Stage], None]
PLAYS: dict[str, tuple[Line, Play]] = {}


def on(line: Line) -> Callable[[Play], Play]:
    """This play is given on that line."""

    def note(play: Play) -> Play:
        PLAYS[play.__name__] = (line, play)
        return play

    return note


# --- nobody, somebody -------------------------------------------------------------------------------------------


@on(Line("9401", (101, 102, 103, 104, 105), {"after_window": "release"}))
def nobody_answers_for_forty_seconds(stage: Stage) -> None:
    """Five heads, 8 s each; then the caller is released and a call-back is owed."""
    with stage.cast({head: never_answers() for head in stage.line.heads}):
        dialled = stage.call()
        seen, entry = stage.seen(dialled)
    assert seen.heads == list(stage.line.order)
    assert seen.final == 480
    assert seen.window_s == pytest.approx(40.0, abs=0.5)
    assert [leg.offered_s for leg in seen.legs] == pytest.approx([8.0] * 5, abs=0.3)
    assert [hop.how for hop in entry.file.hops] == [Disposition.NO_ANSWER] * 5
    assert entry.end.outcome is Outcome.NOBODY
    owed(stage.office, entry)


@on(Line("9402", (106, 107, 108), {**SHORT, "after_window": "fallback"}))
def nobody_answers_and_the_fallback_does(stage: Stage) -> None:
    """The PBX's own plan takes the caller when the window ends; its record comes back into the books."""
    stage.rig.line(stage.line.number, HOPLINE_HEADS=f"PJSIP/{ANSWERED_BY_FALLBACK}", HOPLINE_FALLBACK_RING="5")
    scripts = {head: never_answers() for head in stage.line.heads} | {ANSWERED_BY_FALLBACK: answers(after_ms=300)}
    with stage.cast(scripts):
        seen, entry = stage.seen(stage.call(talks(1200)), stage.line.rules(order=()))
    assert seen.heads == [*stage.line.order, str(ANSWERED_BY_FALLBACK)]
    assert (seen.legs[-1].started_us - seen.arrived_us) / 1e6 == pytest.approx(6.0, abs=0.5)
    assert (entry.end.outcome, entry.end.extension) == (Outcome.FALLBACK_SERVED, str(ANSWERED_BY_FALLBACK))
    assert entry.chain not in stage.office.books.callbacks()


@on(Line("9403", (111, 112, 113), SHORT))
def the_third_answers(stage: Stage) -> None:
    """Talk; the journal knows who; his card comes, and what he presses is an event of the same call."""
    office = stage.office
    with stage.cast({111: never_answers(), 112: never_answers(), 113: answers(after_ms=700)}):
        dialled = stage.call(talks(2500))
        (caller,) = dialled.numbers
        entry = office.entry_once(caller, "talking", lambda entry: type(entry.state).__name__ == "Talking")
        (view,) = [view for view in office.api("/api/v1/calls")["calls"] if view["id"] == entry.chain]
        assert (view["state"], view["person"], view["extension"]) == ("talking", "Head 113", "113")
        seen, entry = stage.seen(dialled)
    assert seen.heads == ["111", "112", "113"]
    assert seen.bye_by == "caller"
    assert seen.final == 200
    assert (entry.end.outcome, entry.end.person, entry.end.extension) == (Outcome.ANSWERED, "h113", "113")
    assert entry.end.by is Party.CALLER
    assert press_real(office, 113, entry) == "marked"
    marked = office.entry_once(caller, "marked", lambda entry: entry.of(VerdictGiven))
    assert marked.of(VerdictGiven) == [VerdictGiven("h113", "real")]
    assert office.ended(caller)["verdict"] == "real"
    assert not [form for form in forms(office.page(office.inbox(111))) if entry.chain in form.fields.get("card", "")]


def press_real(office: Office, head: int, entry: Entry) -> str:
    """The head opens his page and presses Real on this call's card; the reply."""
    page = office.inbox(head)

    def card() -> dict[str, str]:
        found = [form for form in forms(office.page(page)) if form.fields.get("button") == "real"]
        return next((form.fields for form in found if entry.chain in form.fields["card"]), {})

    fields = eventually(card, f"no card for {head}")
    return str(office.press(f"{page}/press", fields)["reply"])


@on(Line("9404", (114, 115, 116, 117, 118, 137, 119), {"ring_s": 5, "window_s": 30}))
def who_cannot_be_rung_is_passed_over_at_once(stage: Stage) -> None:
    """Busy, declined, do not disturb, no program, dead network, not registered: each at once to the next."""
    scripts = {114: busy(), 115: declines(), 116: unavailable(), 118: silent(), 119: answers(after_ms=300)}
    with stage.cast(scripts):  # nobody is on 117 and 137; of 137 Asterisk knows it
        dialled = stage.call(talks(500))
        rules = stage.line.rules(order=("114", "115", "116", "117", "118", "119"))
        seen, entry = stage.seen(dialled, rules)
    assert seen.heads == ["114", "115", "116", "117", "118", "119"]
    for before, after in pairwise(seen.legs):
        # A phone that gives no sign of life is given up after 2 s; all others say at once that they do not want it.
        limit = 2.5 if before.head in {"117", "118"} else 0.5
        assert (after.started_us - before.started_us) / 1e6 < limit, (before, after)
    gone = {hop.person: hop.how for hop in entry.file.hops}
    assert gone.pop("h137", Disposition.UNREACHABLE) is Disposition.UNREACHABLE
    assert gone == {
        "h114": Disposition.BUSY, "h115": Disposition.DECLINED, "h116": Disposition.DECLINED,
        "h117": Disposition.UNREACHABLE, "h118": Disposition.UNREACHABLE,
    } | ({"h119": gone["h119"]} if "h119" in gone else {})  # fmt: skip
    assert entry.end.person == "h119"


# --- at the same moment -----------------------------------------------------------------------------------------


@on(Line("9405", (120, 121), SHORT))
def an_answer_around_the_end_of_a_hop_that_the_pbx_times(stage: Stage) -> None:
    """Exactly one of: they talk, or the chain goes on. Nobody listens to nothing for long, and the page says which."""
    first, second = stage.line.heads
    who = set()
    for offset in AROUND_MS:
        with stage.cast({first: answers(after_ms=2000 + offset), second: answers(after_ms=200)}):
            dialled = stage.call(talks(400))
            seen, entry = stage.seen(dialled)
        (taken,) = [leg for leg in seen.legs if leg.answered_us is not None and not leg.answered_late]
        assert taken.head == seen.heads[-1], f"{offset} ms: somebody was rung after an answer"
        assert seen.final == 200
        assert entry.end.person == f"h{taken.head}", f"{offset} ms: the capture saw {taken.head}"
        shown = stage.office.ended(dialled.numbers[0])
        assert (shown["outcome"], shown["person"]) == ("answered", f"Head {taken.head}")
        who.add(taken.head)
    assert who == {str(first), str(second)}, "one way or the other, and both were tried"


@on(Line("9406", (122,), {"ring_s": 3, "window_s": 2, "min_offer_s": 1, "after_window": "release"}))
def an_answer_around_the_end_of_the_window(stage: Stage) -> None:
    """The same where the window cuts the ring, so that the server times it: they talk, or the caller is released."""
    outcomes = set()
    for offset in AROUND_MS:
        with stage.cast({122: answers(after_ms=2000 + offset)}):
            dialled = stage.call(talks(400))
            dialled.wait()
            entry = stage.office.over(dialled.numbers[0])
        verdict = stage.rig.verdict(stage.line.rules(), dialled.numbers, stage.line.heads)
        # A 200 that was on its way while the stop was: he is told at once that nobody is there (`dead_air` is judged).
        assert verdict.kinds() <= {"answer_lost"}, verdict
        seen = verdict.call(dialled.numbers[0])
        (leg,) = seen.legs
        assert seen.final in {200, 480}
        if verdict.anomalies:
            assert leg.answered_us
            assert seen.final_us
            assert abs(seen.final_us - leg.answered_us) < 300_000, "an answer in good time was lost"
        talked = seen.final == 200
        assert (entry.end.outcome is Outcome.ANSWERED) == talked, f"{offset} ms: {entry.end}"
        assert stage.office.ended(dialled.numbers[0])["outcome"] == entry.end.outcome.value
        outcomes.add(entry.end.outcome)
    assert outcomes == {Outcome.ANSWERED, Outcome.NOBODY}, "one way or the other, and both were tried"


@on(Line("9407", (124, 125), SHORT))
def the_caller_gives_up(stage: Stage) -> None:
    """In a ring, and in the moment in which one head's ring ends and the next one's begins. Nothing rings on."""
    with stage.cast({head: never_answers() for head in stage.line.heads}):
        for after_ms in (700, *AT_HOP_END_MS):
            seen, entry = stage.seen(stage.call(cancels(after_ms)))
            assert seen.final == 487, after_ms
            assert entry.end.outcome is Outcome.CALLER_LEFT
            owed(stage.office, entry)
            if after_ms == 700:
                assert seen.heads == ["124"]


# --- several callers at once ------------------------------------------------------------------------------------


@on(Line("9408", (126, 127, 128, 129, 130), {**SHORT, "window_s": 20}))
def ten_callers_are_all_served_by_five_heads(stage: Stage) -> None:
    """Five talk, five wait; each freed head goes to whoever has waited longest. One head has one call at a time."""
    with stage.cast({head: answers(after_ms=600) for head in stage.line.heads}):
        calls, entries = several(stage)
    assert all(call.final == 200 for call in calls)
    assert [entry.end.outcome for entry in entries] == [Outcome.ANSWERED] * 10
    by_turn = sorted(calls, key=lambda call: call.legs[0].started_us)
    assert [call.caller for call in by_turn] == [call.caller for call in calls], "not in the order of arrival"
    first_heads = [call.heads[0] for call in calls]
    assert sorted(first_heads[:5]) == list(stage.line.order)
    assert sorted(first_heads[5:]) == list(stage.line.order)


@on(Line("9409", (131, 132, 133, 134, 135), {**SHORT, "window_s": 9, "after_window": "release"}))
def ten_callers_and_nobody_answers(stage: Stage) -> None:
    """Nobody is forgotten: all are released when their window ends, and to all of them a call-back is owed."""
    with stage.cast({head: never_answers() for head in stage.line.heads}):
        calls, entries = several(stage)
    for call in calls:
        assert call.final == 480
        assert call.window_s == pytest.approx(9.0, abs=0.5)
    for entry in entries:
        assert entry.end.outcome is Outcome.NOBODY
        owed(stage.office, entry)


def several(stage: Stage) -> tuple[list[Call], list[Entry]]:
    """Ten callers, twenty a second, each with 1.2 s to say; in the order of arrival."""
    dialled = stage.office.calls(stage.line, 10, talks(1200), rate=20)
    dialled.wait()
    entries = sorted((stage.office.over(caller) for caller in dialled.numbers), key=lambda entry: entry.file.arrived)
    verdict = stage.rig.verdict(stage.line.rules(order=()), dialled.numbers, stage.line.heads)
    # a caller who waits for a head to be free hears ringing and nobody is rung for him: no gap between two hops
    wrong = [anomaly for anomaly in verdict.anomalies if anomaly.what != "gap"]
    assert not wrong, f"{verdict}\n{stage.office.log()[-6000:]}"
    legs = sorted((leg for call in verdict.calls for leg in call.legs), key=lambda leg: leg.started_us)
    for head in stage.line.order:
        for before, after in pairwise(leg for leg in legs if leg.head == head):
            assert free_again(before) <= after.started_us, f"{head} was rung for {after.caller} beside {before.caller}"
    assert_longest_waiter_first(verdict.calls, legs)
    return sorted(verdict.calls, key=lambda call: call.arrived_us), entries


def free_again(leg: HeadLeg) -> int:
    """When the head was done with this call."""
    end = leg.bye_us or leg.ended_us
    assert end is not None, leg
    return end


def assert_longest_waiter_first(calls: list[Call], legs: list[HeadLeg]) -> None:
    """Whenever a head was rung, nobody who had come earlier was waiting without a ring (0.3 s: a machine's noise)."""
    for leg in legs:
        (mine,) = [call for call in calls if call.caller == leg.caller]
        for other in calls:
            if other.arrived_us >= mine.arrived_us or not waited(other, leg.started_us - 300_000, leg.started_us):
                continue
            pytest.fail(f"{leg.head} was rung for {mine.caller} while {other.caller}, who came before, waited")


def waited(call: Call, since: int, until: int) -> bool:
    """Whether this caller was on the line and nobody was rung for him all that time."""
    if call.arrived_us > since or (call.final_us is not None and call.final_us < until):
        return False
    return not any(leg.started_us < until + 100_000 and free_again(leg) > since for leg in call.legs)


# --- the evening ------------------------------------------------------------------------------------------------


def owed(office: Office, entry: Entry) -> None:
    """A call-back is open for this call."""
    assert isinstance(office.books.callbacks().get(entry.chain), Open), entry.chain


@pytest.fixture(scope="module")
def office(asterisk_rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """The server of all plays here."""
    lines = [line for line, _ in PLAYS.values()]
    with Office(asterisk_rig, tmp_path_factory.mktemp("calls") / "office", "server-calls", lines) as running:
        yield running


@pytest.fixture(scope="module")
def evening(office: Office) -> Iterator[Evening]:
    """All of them, begun at once."""
    plays = Evening()
    for name, (line, play) in PLAYS.items():
        plays.begin(name, lambda line=line, play=play: play(Stage(office, line)))  # type: ignore[misc]
    yield plays
    plays.close()
    office.rig.rest()


@pytest.mark.parametrize("name", PLAYS)
def test_play(evening: Evening, name: str) -> None:
    evening.ends_well(name)


def test_afterwards_nothing_is_left_and_the_books_are_right(evening: Evening, office: Office) -> None:
    evening.close()
    office.rig.wait_until_idle()
    assert office.metric("hopline_claims") == 0
    assert office.metric("hopline_waits") == 0
    assert office.metric("hopline_maybe_rung_twice_total") == 0
    audit = office.books.audit()
    assert audit.clean, audit.problems
    assert audit.counts["live"] == 0
    assert office.books.differences() == []
    assert office.hopline("audit", "--data", str(office.data))
    assert office.hopline("replay", "--all", "--check", "--data", str(office.data))
