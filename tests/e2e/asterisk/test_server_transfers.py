"""Hold and transfer on the wire: heads with desk phones whose buttons are pressed during the talk (`rig.deskphone`).

One server; the plays run side by side on disjoint heads. What Asterisk does on a REFER was measured first:
docs/asterisk.md, "Hold and transfer".
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from router.chains.call_states import Ended, Talking, Transferring
from router.chains.callback import Open
from router.chains.enquiry import Outcome
from router.chains.events import (
    Disposition,
    FallbackServed,
    Party,
    TalkConfirmed,
    TalkHeld,
    TalkResumed,
    TalkTransferred,
    Transfer,
    VerdictGiven,
)
from tests.e2e.asterisk.books import Entry
from tests.e2e.asterisk.office import Line, Office, eventually
from tests.e2e.asterisk.plays import Evening, Stage
from tests.e2e.asterisk.rig import Dialled, Rig, answers, never_answers, talks
from tests.e2e.asterisk.rig.deskphone import DeskPhone
from tests.web.forms import forms

pytestmark = [pytest.mark.asterisk, pytest.mark.slow]

Play = Callable[["Scene"], None]
PLAYS: dict[str, tuple[Line, Play]] = {}
TERMS = {"ring_s": 3, "window_s": 9}
RESERVE = 109


class Scene(Stage):
    """A line, and desk phones on its heads."""

    def phone(self, phones: ExitStack, head: int, after_s: float = 0.2) -> DeskPhone:
        """Somebody sits at this phone until the end of the play."""
        (found,) = [one for one in self.rig.heads if one.name == str(head)]
        return phones.enter_context(DeskPhone(self.rig.ports.sip, found, after_s=after_s))

    def entry(self, dialled: Dialled, what: str, holds: Callable[[Entry], object]) -> Entry:
        """The journal's entry as soon as this is true of it."""
        return self.office.entry_once(dialled.numbers[0], what, holds)

    def talks_with(self, dialled: Dialled, head: int) -> Entry:
        """Wait until the journal says so."""
        return self.entry(
            dialled, f"in talk with {head}",
            lambda entry: isinstance(entry.state, Talking) and entry.state.end.person == f"h{head}",
        )  # fmt: skip

    def over(self, dialled: Dialled) -> Entry:
        """Wait until the call is over for everybody, and nothing of it is left on the PBX."""
        dialled.wait()
        return self.office.over(dialled.numbers[0])

    def view(self, entry: Entry) -> dict[str, object]:
        """How the live page shows it."""
        (view,) = [view for view in self.office.api("/api/v1/calls")["calls"] if view["id"] == entry.chain]
        return dict(view)


def on(number: str, *heads: int, **terms: float) -> Callable[[Play], Play]:
    """This play is given on that line, with these heads."""

    def note(play: Play) -> Play:
        PLAYS[play.__name__] = (Line(number, heads, {**TERMS, **terms}), play)
        return play

    return note


# --- hold ---------------------------------------------------------------------------------------------------------


@on("9601", 101)
def hold_and_resume(scene: Scene) -> None:
    with ExitStack() as phones:
        phone = scene.phone(phones, 101)
        dialled = scene.call()
        talk = phone.wait_for_talk()
        scene.talks_with(dialled, 101)
        assert phone.hold(talk) == 200
        entry = scene.entry(dialled, "on hold", lambda entry: isinstance(entry.state, Talking) and entry.state.held)
        assert scene.view(entry)["state"] == "on_hold"
        assert phone.resume(talk) == 200
        scene.entry(dialled, "back", lambda entry: isinstance(entry.state, Talking) and not entry.state.held)
        phone.hang_up(talk)
        entry = scene.over(dialled)
    assert (entry.end.outcome, entry.end.person, entry.end.by) == (Outcome.ANSWERED, "h101", Party.HEAD)
    assert len(entry.of(TalkHeld)) == 1
    assert len(entry.of(TalkResumed)) == 1
    assert scene.judged(dialled).bye_by == "pbx"


# --- blind --------------------------------------------------------------------------------------------------------


@on("9602", 102, 103)
def blind_transfer(scene: Scene) -> None:
    """The talk goes on with the new one, who is asked for the verdict; the first one sees what became of it."""
    office = scene.office
    with ExitStack() as phones:
        anna, clara = scene.phone(phones, 102), scene.phone(phones, 103, after_s=0.6)
        dialled = scene.call()
        talk = anna.wait_for_talk()
        scene.talks_with(dialled, 102)
        assert anna.transfer(talk, "103") == 202
        scene.entry(dialled, "transferred", lambda entry: isinstance(entry.state, Transferring))
        anna.wait_for_end(talk)
        entry = scene.talks_with(dialled, 103)
        assert talk.notified[-1].endswith("200 OK")
        assert [(one.person, one.to_person, one.how) for one in entry.file.passed] == [("h102", "h103", Transfer.BLIND)]
        assert (scene.view(entry)["person"], scene.view(entry)["state"]) == ("Head 103", "talking")
        free_again(office, 102)
        clara.hang_up(clara.wait_for_talk())
        entry = scene.over(dialled)
    assert (entry.end.outcome, entry.end.person, entry.end.by) == (Outcome.ANSWERED, "h103", Party.HEAD)
    assert entry.of(TalkTransferred) == [TalkTransferred(Transfer.BLIND, entry.file.passed[0].to_leg, "103")]
    assert press(office, 103, entry, "real") == "marked"
    assert not [form for form in forms(office.page(office.inbox(102))) if entry.chain in form.fields.get("card", "")]
    eventually(lambda: "Head 103" in office.page(office.inbox(102)), "102 does not see what became of the client")
    assert office.books.entry(dialled.numbers[0]).of(VerdictGiven) == [VerdictGiven("h103", "real")]


def free_again(office: Office, head: int) -> None:
    """The page shows him free."""

    def people() -> dict[str, str]:
        return {one["id"]: one["state"] for one in office.api("/api/v1/calls")["people"]}

    eventually(lambda: people()[f"h{head}"] == "free", f"{head} is not free", more=lambda: str(people()))


def press(office: Office, head: int, entry: Entry, button: str) -> str:
    """He opens his page and presses this button on this call's card; the reply."""
    page = office.inbox(head)

    def card() -> dict[str, str]:
        found = [form for form in forms(office.page(page)) if form.fields.get("button") == button]
        return next((form.fields for form in found if entry.chain in form.fields["card"]), {})

    return str(office.press(f"{page}/press", eventually(card, f"no card for {head}"))["reply"])


@on("9603", 104, 105)
def the_client_hangs_up_after_the_transfer(scene: Scene) -> None:
    with ExitStack() as phones:
        anna, clara = scene.phone(phones, 104), scene.phone(phones, 105)
        dialled = scene.call(talks(4000))
        talk = anna.wait_for_talk()
        scene.talks_with(dialled, 104)
        anna.transfer(talk, "105")
        scene.talks_with(dialled, 105)
        clara.wait_for_end(clara.wait_for_talk())
        entry = scene.over(dialled)
    assert (entry.end.outcome, entry.end.person, entry.end.by) == (Outcome.ANSWERED, "h105", Party.CALLER)
    assert entry.chain not in scene.office.books.callbacks()


@on("9604", 106, 107)
def the_client_hangs_up_while_the_new_phone_rings(scene: Scene) -> None:
    """It must not ring on."""
    with ExitStack() as phones:
        anna, clara = scene.phone(phones, 106), scene.phone(phones, 107)
        clara.answers_only = lambda _: False
        dialled = scene.call(talks(2500))
        talk = anna.wait_for_talk()
        scene.talks_with(dialled, 106)
        anna.transfer(talk, "107")
        scene.entry(dialled, "in transfer", lambda entry: isinstance(entry.state, Transferring))
        (rung,) = eventually(lambda: list(clara.dialogs.values()), "107 does not ring")
        entry = scene.over(dialled)
        clara.wait_for_end(rung)
    assert not rung.up
    assert (entry.end.person, entry.end.by, entry.file.passed[0].lost) == ("h106", Party.CALLER, True)


@on("9605", 108, handover_within_s=4)
def nobody_takes_the_client_and_the_reserve_line_does(scene: Scene) -> None:
    """First an extension that the dialplan does not have: Asterisk refuses, they talk on. Then one whose phone is not
    there: the client goes to the PBX's own plan. Asterisk writes no record of that after a talk (docs/asterisk.md),
    so a call-back is owed in the end."""
    scene.rig.line(scene.line.number, HOPLINE_HEADS=f"PJSIP/{RESERVE}", HOPLINE_FALLBACK_RING="5")
    with ExitStack() as phones, scene.cast({RESERVE: answers(after_ms=300)}):
        anna = scene.phone(phones, 108)
        dialled = scene.call(talks(4000))
        talk = anna.wait_for_talk()
        scene.talks_with(dialled, 108)
        assert anna.transfer(talk, "555") == 202
        eventually(lambda: talk.notified[-1:] == ["SIP/2.0 404 Not Found"], "not refused")
        scene.talks_with(dialled, 108)
        assert anna.transfer(talk, "199") == 202
        entry = scene.over(dialled)
        seen = scene.rig.verdict(scene.line.rules(), dialled.numbers, scene.line.heads).call(dialled.numbers[0])
    assert [leg.head for leg in seen.legs if leg.answered_us] == ["108", str(RESERVE)]
    assert entry.end.outcome is Outcome.FALLBACK_UNKNOWN
    assert isinstance(scene.office.books.callbacks()[entry.chain], Open)
    (passed,) = entry.file.passed
    assert (passed.person, passed.to_extension, passed.to_person, passed.lost) == ("h108", "199", "", True)
    assert press(scene.office, 108, entry, "spam") == "marked"
    assert "199" in scene.office.page(scene.office.duty())


@on("9609", 116, 120)
def transferred_into_the_fallback(scene: Scene) -> None:
    """Its phone answers, and it is a talk like any other; its record makes no second call of it."""
    with ExitStack() as phones:
        anna, clara = scene.phone(phones, 116), scene.phone(phones, 120)
        dialled = scene.call()
        talk = anna.wait_for_talk()
        scene.talks_with(dialled, 116)
        anna.transfer(talk, "500")
        scene.talks_with(dialled, 120)
        clara.hang_up(clara.wait_for_talk())
        entry = scene.over(dialled)
        record = scene.rig.asterisk.fallback_record
        eventually(lambda: f"linkedid={entry.file.call} " in record.read_text(), "no record of the fallback")
        scene.entry(dialled, "told of the record", lambda entry: entry.of(FallbackServed))
    assert (entry.end.outcome, entry.end.person) == (Outcome.ANSWERED, "h120")
    assert entry.chain not in scene.office.books.callbacks()


# --- attended, back -----------------------------------------------------------------------------------------------


@on("9606", 110, 111)
def attended_transfer_and_back(scene: Scene) -> None:
    """Anna asks Clara first and gives her the client; Clara gives him back the same way."""
    with ExitStack() as phones:
        anna, clara = scene.phone(phones, 110), scene.phone(phones, 111)
        dialled = scene.call()
        first = anna.wait_for_talk()
        scene.talks_with(dialled, 110)
        anna.hold(first)
        asked = anna.call("111")
        assert anna.transfer_attended(first, asked) == 202
        entry = scene.talks_with(dialled, 111)
        assert entry.file.passed[0].how is Transfer.ATTENDED
        anna.wait_for_end(first)
        second = clara.wait_for_talk()
        clara.hold(second)
        back = clara.call("110")
        assert clara.transfer_attended(second, back) == 202
        entry = scene.talks_with(dialled, 110)
        anna.hang_up(anna.wait_for_talk(known=(first, asked)))
        entry = scene.over(dialled)
    assert [(one.person, one.to_person) for one in entry.file.passed] == [("h110", "h111"), ("h111", "h110")]
    assert (entry.end.person, entry.end.by) == ("h110", Party.HEAD)
    assert not entry.end.others


@on("9607", 112, 113)
def a_consultation_given_up(scene: Scene) -> None:
    """He asks a colleague who does not pick up, takes the client back, and talks on."""
    with ExitStack() as phones, scene.cast({113: never_answers()}):
        anna = scene.phone(phones, 112)
        dialled = scene.call()
        talk = anna.wait_for_talk()
        scene.talks_with(dialled, 112)
        anna.hold(talk)
        anna.cancel(anna.dial("113"))
        anna.resume(talk)
        entry = scene.entry(dialled, "taken back", lambda entry: entry.of(TalkResumed))
        assert isinstance(entry.state, Talking)
        anna.hang_up(talk)
        entry = scene.over(dialled)
    assert (entry.end.person, entry.file.passed) == ("h112", ())


# --- whose phone rings for another call ---------------------------------------------------------------------------


@on("9608", 114, 115)
def the_new_one_is_rung_for_another_client(scene: Scene) -> None:
    """Clara's phone rings for client B when she takes client A: B's offer is lost, her phone shows no missed call."""
    with ExitStack() as phones:
        anna = scene.phone(phones, 114)
        a = scene.call(talks(6000))
        talk = anna.wait_for_talk()
        scene.talks_with(a, 114)
        clara = scene.phone(phones, 115, after_s=1.0)
        # Not by A's number: Asterisk may ring her before it has passed that on, and then shows an anonymous client.
        others: list[str] = []
        clara.answers_only = lambda message: not any(number in message.header("from") for number in others)
        number = f"+{scene.rig.number()}"
        others.append(number)
        b = scene.rig.call(scene.line.number, number, talks(500))
        scene.entry(b, "ringing 115", lambda entry: getattr(getattr(entry.state, "hop", None), "person", "") == "h115")
        anna.transfer(talk, "115")
        scene.talks_with(a, 115)
        entry = scene.entry(b, "lost", lambda entry: [hop for hop in entry.file.hops if hop.person == "h115"])
        lost = next(hop for hop in entry.file.hops if hop.person == "h115")
        assert lost.how is Disposition.ELSEWHERE
        assert scene.over(b).end.person == "h114", "she who passed client A on is free for client B"
        scene.over(a)
        seen = scene.rig.verdict(scene.line.rules(), b.numbers, scene.line.heads).call(b.numbers[0])
    (leg,) = [leg for leg in seen.legs if leg.head == "115"][:1]
    assert leg.end == "cancelled"
    assert "SIP;cause=200" in leg.cancel_reason.replace(" ", "")


# --- the evening --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def office(asterisk_rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """The server of all plays here."""
    lines = [line for line, _ in PLAYS.values()]
    with Office(asterisk_rig, tmp_path_factory.mktemp("calls") / "office", "server-transfers", lines) as running:
        yield running


@pytest.fixture(scope="module")
def evening(office: Office) -> Iterator[Evening]:
    """All of them, begun at once."""
    plays = Evening()
    for name, (line, play) in PLAYS.items():
        plays.begin(name, lambda line=line, play=play: play(Scene(office, line)))  # type: ignore[misc]
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
    audit = office.books.audit()
    assert audit.clean, audit.problems
    assert office.books.differences() == []
    entries = office.books.entries()
    assert all(isinstance(entry.state, Ended) for entry in entries)
    assert len({entry.caller for entry in entries}) == len(entries), "a transfer made a second call of one"


# --- while the server is away -------------------------------------------------------------------------------------


def test_a_transfer_while_the_server_is_dead_is_refused(asterisk_rig: Rig, tmp_path: Path) -> None:
    """Asterisk needs the application for it (503): they talk on, and the server finds them so when it is back."""
    line = Line("9620", (121, 122), TERMS)
    with Office(asterisk_rig, tmp_path / "office", "server-transfer-dead", [line]) as office, ExitStack() as phones:
        scene = Scene(office, line)
        anna, _clara = scene.phone(phones, 121), scene.phone(phones, 122)  # her phone may ring for a moment, or not
        dialled = scene.call()
        talk = anna.wait_for_talk()
        scene.talks_with(dialled, 121)
        office.kill()
        assert anna.transfer(talk, "122") == 202
        eventually(lambda: talk.notified[-1:] == ["SIP/2.0 503 Service Unavailable"], "not refused")
        office.start()
        entry = scene.entry(dialled, "looked at", lambda entry: entry.of(TalkConfirmed))
        assert isinstance(entry.state, Talking)
        anna.hang_up(talk)
        entry = scene.over(dialled)
        assert (entry.end.person, entry.file.passed) == ("h121", ())


def test_killed_while_the_new_phone_rings(asterisk_rig: Rig, tmp_path: Path) -> None:
    """The new one picks up while nobody listens."""
    line = Line("9621", (123, 124), TERMS)
    with Office(asterisk_rig, tmp_path / "office", "server-transfer-mid", [line]) as office, ExitStack() as phones:
        scene = Scene(office, line)
        anna, clara = scene.phone(phones, 123), scene.phone(phones, 124, after_s=2.0)
        dialled = scene.call()
        talk = anna.wait_for_talk()
        scene.talks_with(dialled, 123)
        anna.transfer(talk, "124")
        scene.entry(dialled, "in transfer", lambda entry: isinstance(entry.state, Transferring))
        office.kill()
        second = clara.wait_for_talk()
        office.start()
        entry = scene.talks_with(dialled, 124)
        assert (entry.file.passed[0].how, entry.file.passed[0].to_person) == (Transfer.BLIND, "h124")
        clara.hang_up(second)
        assert scene.over(dialled).end.by is Party.HEAD
