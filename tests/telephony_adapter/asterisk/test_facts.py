"""What happenings mean: facts, each once, in whatever order they are told."""

import itertools
from collections.abc import Iterable

import pytest

from router.basis.machine import Event
from router.chains.events import (
    CallArrived,
    CallerHungUp,
    DeviceSeen,
    Disposition,
    FallbackTook,
    LegAnswered,
    LegEnded,
    LegRinging,
    LineSeen,
    Party,
    TalkEnded,
    TalkStarted,
)
from router.telephony_adapter.asterisk.config import AsteriskSettings
from router.telephony_adapter.asterisk.facts import Ear
from router.telephony_adapter.asterisk.legs import Calls
from router.telephony_adapter.asterisk.wire import Channel, Happening
from tests.telephony_adapter.asterisk import events as ari
from tests.telephony_adapter.asterisk.events import CALL, LEG


class Listening:
    """An ear and its cache."""

    def __init__(self, *before: Happening) -> None:
        self.calls = Calls()
        self.ear = Ear("asterisk", self.calls, AsteriskSettings())
        self.doubtful: list[str] = []
        self.hear(*before)

    def hear(self, *happenings: Happening) -> list[Event]:
        """The facts in them, in order."""
        facts: list[Event] = []
        for it in happenings:
            heard = self.ear.hear(it)
            self.doubtful += heard.doubtful
            facts += [report.event for report in heard.reports]
        return facts


def talking() -> Listening:
    """Client and head talk."""
    heard = Listening(ari.arrives(), ari.dial(""), ari.changes("Ringing"), ari.changes("Up"), ari.enters())
    heard.hear(ari.joins(ari.caller("Up"), CALL), ari.joins(ari.leg("Up"), CALL, LEG))
    return heard


# --- arrival ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("args", "line"), [(("74951234567",), "74951234567"), ((), "9001"), (("",), "9001")])
def test_an_arrival_names_line_and_number(args: tuple[str, ...], line: str) -> None:
    (report,) = Listening().ear.hear(ari.arrives(args), b"raw").reports
    assert report.event == CallArrived(line)
    assert (report.call, report.personal, report.origin, report.raw) == (
        CALL,
        {"caller": "79990000001"},
        "arrived",
        b"raw",
    )


@pytest.mark.parametrize("number", ["", "anonymous", "Unknown"])
def test_a_withheld_number_is_not_reported(number: str) -> None:
    (report,) = Listening().ear.hear(ari.arrives(number=number)).reports
    assert report.personal == {}


def test_the_other_half_of_a_local_channel_is_nobody() -> None:
    half = Channel(f"{LEG};2", "Local/101@heads-00000001;2", "Ring")
    heard = Listening(ari.arrives())
    assert heard.hear(
        Happening("StasisStart", channel=half, args=()),
        Happening("ChannelStateChange", channel=half),
        Happening("ChannelDestroyed", channel=half, cause=16),
    ) == []  # fmt: skip


# --- one leg ----------------------------------------------------------------------------------------------------


def test_state_up_is_not_the_answer_stasis_is() -> None:
    heard = Listening(ari.arrives())
    assert heard.hear(ari.dial(""), ari.changes("Up"), ari.dial("ANSWER", "Up")) == []
    assert heard.hear(ari.enters()) == [LegAnswered(LEG, "101")]
    assert heard.hear(ari.enters()) == []


def test_events_of_a_leg_in_any_order_say_the_same() -> None:
    answered = (ari.dial(""), ari.dial("RINGING"), ari.changes("Ringing"), ari.changes("Up"), ari.dial("ANSWER", "Up"))
    for order in itertools.permutations(answered):
        heard = Listening(ari.arrives())
        assert heard.hear(*order, ari.enters()) == [LegRinging(LEG), LegAnswered(LEG, "101")], order
    refusal = (ari.dial(""), ari.request(ari.leg("Down"), 17), ari.dial("BUSY"))
    for order in itertools.permutations(refusal):
        heard = Listening(ari.arrives())
        assert heard.hear(*order, ari.destroyed(17, 486, "Down")) == [LegEnded(LEG, Disposition.BUSY, 17)], order


RANG = (ari.dial(""), ari.changes("Ringing"), ari.dial("RINGING", "Ringing"))
STOPPED = ari.request(ari.leg("Ringing"), 32, soft=True)


@pytest.mark.parametrize(
    ("before", "cause", "tech", "state", "stop", "how"),
    [
        # as measured on Asterisk 22.10
        (((ari.dial("")), ari.request(ari.leg("Down"), 17), ari.dial("BUSY")), 17, 486, "Down", "", "busy"),
        ((*RANG, ari.request(ari.leg("Ringing"), 21), ari.dial("NOANSWER")), 21, 603, "Ringing", "", "declined"),
        ((ari.dial(""), ari.request(ari.leg("Down"), 19), ari.dial("NOANSWER")), 19, 480, "Down", "", "declined"),
        (RANG, 19, 480, "Ringing", "", "no_answer"),
        ((ari.dial(""),), 19, 480, "Down", "", "unreachable"),
        ((ari.dial(""), ari.dial("PROGRESS")), 19, 480, "Down", "", "no_answer"),
        ((*RANG, STOPPED, ari.dial("NOANSWER", "Ringing")), 19, 480, "Ringing", "no_answer", "cancelled"),
        ((*RANG, STOPPED, ari.dial("NOANSWER", "Ringing")), 16, 480, "Ringing", "caller_gone", "cancelled"),
        ((*RANG, STOPPED, ari.dial("NOANSWER", "Ringing")), 26, 480, "Ringing", "elsewhere", "elsewhere"),
        ((ari.dial(""), STOPPED), 19, 480, "Down", "no_answer", "cancelled"),
        (RANG, 19, 480, "Ringing", "no_answer", "cancelled"),
        # our stop, but a restart forgot it
        ((*RANG, STOPPED, ari.dial("NOANSWER", "Ringing")), 19, 480, "Ringing", "", "cancelled"),
        ((*RANG, STOPPED, ari.dial("NOANSWER", "Ringing")), 26, 480, "Ringing", "", "elsewhere"),
        # from the table of causes
        ((ari.dial(""),), 1, 404, "Down", "", "unreachable"),
        ((ari.dial(""),), 3, None, "Down", "", "unreachable"),
        ((ari.dial(""),), 18, 408, "Down", "", "unreachable"),
        ((ari.dial(""),), 20, None, "Down", "", "unreachable"),
        ((ari.dial(""),), 27, 502, "Down", "", "unreachable"),
        ((ari.dial(""),), 44, None, "Down", "", "unreachable"),
        (RANG, 26, None, "Ringing", "", "elsewhere"),
        (RANG, 38, 500, "Ringing", "", "failed"),
        (RANG, 58, 488, "Ringing", "", "failed"),
        (RANG, 127, None, "Ringing", "", "failed"),
        # Local channels end with cause 0
        ((), 0, None, "Down", "", "unreachable"),
        ((*RANG, ari.dial("BUSY")), 0, None, "Ringing", "", "busy"),
        ((*RANG,), 0, None, "Ringing", "", "failed"),
        # answered
        ((*RANG, ari.changes("Up"), ari.enters()), 16, None, "Up", "", "completed"),
        ((*RANG, ari.changes("Up"), ari.enters()), 16, None, "Up", "talk_over", "completed"),
        ((*RANG, ari.changes("Up"), ari.enters()), 26, None, "Up", "elsewhere", "elsewhere"),
    ],
)
def test_how_a_leg_ended(
    before: Iterable[Happening], cause: int, tech: int | None, state: str, stop: str, how: str
) -> None:
    heard = Listening(ari.arrives())
    leg = heard.calls.take_leg(LEG, CALL, "101")
    for it in before:
        if it is STOPPED and stop:
            leg.stop, leg.stopped_ringing = stop, not leg.up
        heard.hear(it)
    if stop:
        leg.stop = stop
    assert heard.hear(ari.destroyed(cause, tech, state))[-1] == LegEnded(LEG, Disposition(how), cause)
    assert heard.hear(ari.destroyed(cause, tech, state)) == [], "told twice"


def test_a_late_report_does_not_bring_a_leg_back() -> None:
    heard = Listening(ari.arrives(), ari.dial(""), ari.destroyed(19, 480))
    assert heard.hear(ari.changes("Ringing"), ari.dial("RINGING"), ari.enters(), ari.changes("Up")) == []
    assert heard.calls.leg(LEG) is None


# --- the caller's end -------------------------------------------------------------------------------------------


def test_the_callers_end_is_told_once_whatever_says_it_first() -> None:
    ends = (
        ari.request(ari.caller(), 127),
        ari.leaves(ari.caller()),
        Happening("ChannelDestroyed", channel=ari.caller(), cause=127, tech_cause=487),
    )
    for order in itertools.permutations(ends):
        heard = Listening(ari.arrives())
        facts = heard.hear(*order)
        assert facts == [CallerHungUp()], order
    assert Listening(ari.arrives()).hear(ends[2], ends[2]) == [CallerHungUp()]


def test_leaving_stasis_alone_is_a_question_not_a_fact() -> None:
    """TIMEOUT(absolute) takes the caller to the dialplan without a hang-up request (measured on 22.10)."""
    heard = Listening(ari.arrives())
    assert heard.hear(ari.leaves(ari.caller())) == []
    assert heard.doubtful == [CALL]


@pytest.mark.parametrize("flag", [2, 8])
def test_a_soft_hang_up_that_moves_the_caller_is_no_end(flag: int) -> None:
    heard = Listening(ari.arrives())
    assert heard.hear(ari.request(ari.caller(), flag, soft=True)) == []


def test_sent_to_the_fallback_he_is_not_gone() -> None:
    heard = Listening(ari.arrives())
    heard.calls.take(CALL).sent = True
    assert heard.hear(ari.leaves(ari.caller())) == [FallbackTook()]


def test_who_hangs_up_while_being_sent_is_gone() -> None:
    heard = Listening(ari.arrives())
    heard.calls.take(CALL).sent = True
    assert heard.hear(ari.request(ari.caller(), 127), ari.leaves(ari.caller())) == [CallerHungUp()]


# --- the talk ---------------------------------------------------------------------------------------------------


def test_they_talk_when_both_are_in_the_bridge() -> None:
    heard = Listening(ari.arrives(), ari.enters())
    assert heard.hear(ari.joins(ari.caller("Up"), CALL)) == []
    assert heard.hear(ari.joins(ari.leg("Up"), CALL, LEG)) == [TalkStarted(LEG, "101")]
    assert heard.hear(ari.joins(ari.leg("Up"), CALL, LEG)) == []


@pytest.mark.parametrize(
    ("ends", "facts"),
    [
        (  # the caller hangs up
            (ari.request(ari.caller("Up")), ari.parts(ari.caller("Up"), LEG), ari.leaves(ari.caller("Up"))),
            [TalkEnded(Party.CALLER), CallerHungUp()],
        ),
        (  # the head hangs up
            (
                ari.request(ari.leg("Up")),
                ari.parts(ari.leg("Up"), CALL),
                ari.leaves(ari.leg("Up")),
                ari.destroyed(16, state="Up"),
            ),
            [TalkEnded(Party.HEAD), LegEnded(LEG, Disposition.COMPLETED, 16)],
        ),
        (  # the server does
            (ari.request(ari.caller("Up"), 32, soft=True), ari.parts(ari.caller("Up"), LEG)),
            [TalkEnded(Party.PBX), CallerHungUp()],
        ),
        ((ari.parts(ari.leg("Up"), CALL),), [TalkEnded(Party.UNKNOWN)]),
        ((ari.destroyed(16, state="Up"),), [TalkEnded(Party.HEAD), LegEnded(LEG, Disposition.COMPLETED, 16)]),
        ((ari.parts(Channel("other", "PJSIP/9-00000009", "Up"), CALL, LEG),), []),
    ],
)
def test_a_talk_ends_once(ends: tuple[Happening, ...], facts: list[Event]) -> None:
    heard = talking()
    assert heard.hear(*ends) == facts
    assert [fact for fact in heard.hear(*ends) if isinstance(fact, TalkEnded | CallerHungUp)] == []


def test_a_restarted_server_understands_what_it_did_not_begin() -> None:
    heard = Listening()
    assert heard.hear(ari.changes("Ringing")) == [LegRinging(LEG)]
    assert heard.hear(ari.enters()) == [LegAnswered(LEG, "101")]
    assert heard.hear(ari.joins(ari.leg("Up"), CALL, LEG)) == [TalkStarted(LEG, "101")]
    assert heard.hear(ari.request(ari.caller("Up"))) == [TalkEnded(Party.CALLER), CallerHungUp()]


def test_nothing_is_kept_of_calls_that_are_over() -> None:
    heard = talking()
    heard.hear(ari.request(ari.caller("Up")), ari.destroyed(16, state="Up"))
    assert len(heard.calls) == 0
    heard = Listening(ari.changes("Ringing"), ari.destroyed(19, 480))
    assert len(heard.calls) == 0, "a leg whose caller was never seen"


def test_a_call_that_is_over_stays_over() -> None:
    heard = talking()
    heard.hear(ari.request(ari.caller("Up")), ari.destroyed(16, state="Up"))
    assert heard.hear(ari.joins(ari.leg("Up"), CALL, LEG), ari.leaves(ari.caller("Up"))) == []
    assert heard.calls.is_over(CALL)


# --- phones -----------------------------------------------------------------------------------------------------


def test_a_phone_is_reported_when_its_reach_changes() -> None:
    ear = Listening().ear

    def seen(name: str, *, reachable: bool) -> list[Event]:
        return [report.event for report in ear.device(name, reachable=reachable)]

    assert seen("PJSIP/101", reachable=True) == [DeviceSeen("101", reachable=True)]
    assert seen("PJSIP/101", reachable=True) == []
    assert seen("PJSIP/101", reachable=False) == [DeviceSeen("101", reachable=False)]
    assert seen("PJSIP/trunk", reachable=True) == []


def test_a_phone_in_a_call_of_its_own_is_reported_when_that_changes() -> None:
    ear = Listening().ear

    def seen(name: str, *, busy: bool) -> list[Event]:
        return [report.event for report in ear.line(name, busy=busy)]

    assert seen("PJSIP/101", busy=False) == [
        LineSeen("101", busy=False)
    ]  # whoever was here before may have left it busy
    assert seen("PJSIP/101", busy=True) == [LineSeen("101", busy=True)]
    assert seen("PJSIP/101", busy=True) == []
    assert seen("PJSIP/101", busy=False) == [LineSeen("101", busy=False)]
    assert seen("PJSIP/trunk", busy=True) == []


def test_unread_types_and_foreign_channels_are_passed_over() -> None:
    heard = Listening()
    foreign = Channel("1764000000.99", "PJSIP/7-00000009", "Up")
    assert heard.hear(
        Happening("ChannelVarset", channel=foreign),
        Happening("SomethingNew"),
        Happening("ChannelDestroyed", channel=foreign, cause=16),
        ari.request(foreign, 16),
        ari.leaves(foreign),
        Happening("Dial", peer=foreign, dialstatus="RINGING"),
        Happening("Dial"),
    ) == []  # fmt: skip
    assert len(heard.calls) == 0
