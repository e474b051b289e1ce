"""Payloads and what they mean, both ways; the examples of docs/webhook-pbx.md are among them."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from router.basis.instants import MILLISECOND, SECOND, Duration, Instant, from_datetime
from router.basis.machine import Event
from router.chains.effects import (
    Connect,
    LookAtCall,
    Release,
    RingBack,
    RingLeg,
    SendToFallback,
    StopLeg,
    TelephonyEffect,
)
from router.chains.events import (
    AdviceAsked,
    CallArrived,
    CallerHungUp,
    DeviceSeen,
    Disposition,
    FallbackServed,
    FallbackTook,
    LegAnswered,
    LegEnded,
    LegRinging,
    LineSeen,
    Party,
    TalkEnded,
    TalkHeld,
    TalkResumed,
    TalkStarted,
    TalkTransferred,
    Transfer,
)
from router.telephony_adapter.port import CallSight, LegSight, Report, Sighting
from router.telephony_adapter.webhook import commands as asked
from router.telephony_adapter.webhook import wire
from simulators.pbx import Switchboard

MANUAL = Path(__file__).parents[3] / "docs" / "webhook-pbx.md"
ARRIVED = from_datetime(datetime(2026, 3, 2, 10, 15, 4, 250_000, UTC))
LATER = Instant(2**61)


def examples(kind: str) -> list[dict[str, Any]]:
    found = re.findall(rf"^```json {kind}\n(.*?)^```$", MANUAL.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert found
    return [json.loads(text) for text in found]


def one(body: dict[str, Any]) -> Report:
    (report,), unknown = wire.read(json.dumps(body).encode(), "fact-1")
    assert unknown == []
    return report


@pytest.mark.parametrize(
    ("body", "event", "personal"),
    [
        ({"type": "call.arrived", "line": "+7495", "caller": "+7999"}, CallArrived("+7495"), {"caller": "+7999"}),
        ({"type": "call.arrived", "line": "+7495", "caller": ""}, CallArrived("+7495"), {}),
        ({"type": "call.arrived", "line": "+7495", "caller": None}, CallArrived("+7495"), {}),
        ({"type": "call.arrived", "line": "+7495", "colour": "red"}, CallArrived("+7495"), {}),
        (
            {"type": "advice.asked", "line": "+7495", "caller": "+7999"},
            AdviceAsked("+7495"), {"caller": "+7999"},
        ),
        ({"type": "advice.asked", "leg": "L1", "how": "busy"}, AdviceAsked("", None, "L1", Disposition.BUSY), {}),
        ({"type": "advice.asked", "leg": "L1", "how": "?"}, AdviceAsked("", None, "L1", Disposition.FAILED), {}),
        ({"type": "leg.ringing", "leg": "L1"}, LegRinging("L1"), {}),
        ({"type": "leg.ringing", "leg": "w", "extension": "101"}, LegRinging("w", "101"), {}),
        (
            {"type": "leg.ended", "extension": "101", "how": "busy"},
            LegEnded("", Disposition.BUSY, 0, "101"), {},
        ),
        ({"type": "leg.ringing"}, LegRinging(""), {}),
        ({"type": "leg.answered", "leg": "L1"}, LegAnswered("L1"), {}),
        ({"type": "leg.answered", "leg": "L1", "extension": "102"}, LegAnswered("L1", "102"), {}),
        *(
            ({"type": "leg.ended", "leg": "L1", "how": how.value}, LegEnded("L1", how), {})
            for how in Disposition
        ),
        ({"type": "leg.ended", "leg": "L1", "how": "eaten", "code": 17}, LegEnded("L1", Disposition.FAILED, 17), {}),
        ({"type": "leg.ended", "leg": "L1"}, LegEnded("L1", Disposition.FAILED), {}),
        ({"type": "talk.started", "leg": "L1", "extension": "102"}, TalkStarted("L1", "102"), {}),
        ({"type": "talk.started", "extension": "200"}, TalkStarted("", "200"), {}),
        ({"type": "talk.held", "leg": "L1"}, TalkHeld("L1"), {}),
        ({"type": "talk.resumed"}, TalkResumed(""), {}),
        *(
            ({"type": "talk.transferred", "how": how.value, "leg": "x-9", "extension": "102"},
             TalkTransferred(how, "x-9", "102"), {})
            for how in Transfer
        ),
        ({"type": "talk.transferred", "how": "thrown"}, TalkTransferred(Transfer.UNKNOWN), {}),
        (
            {"type": "talk.transferred", "how": "blind", "leg": "x-9", "number": "+7999"},
            TalkTransferred(Transfer.BLIND, "x-9"), {"number": "+7999"},
        ),
        *(({"type": "talk.ended", "by": party.value}, TalkEnded(party), {}) for party in Party),
        ({"type": "talk.ended", "by": "the cat"}, TalkEnded(Party.UNKNOWN), {}),
        ({"type": "call.ended"}, CallerHungUp(), {}),
        ({"type": "fallback.took"}, FallbackTook(), {}),
        (
            {"type": "fallback.served", "line": "+7495", "caller": "+7999", "arrived": "2026-03-02T13:15:04.25+03:00"},
            FallbackServed("+7495", None, ARRIVED),
            {"caller": "+7999"},
        ),
        (
            {"type": "fallback.served", "line": "+7495", "arrived": "2026-03-02T10:15:04.25Z", "answered_by": "200",
             "talk_s": 61.4, "why": "no_server"},
            FallbackServed("+7495", None, ARRIVED, "200", 61, "no_server"),
            {},
        ),
    ],
)  # fmt: skip
def test_a_fact(body: dict[str, Any], event: Event, personal: dict[str, str]) -> None:
    report = one(body | {"call": "c-17"})
    assert report == Report("c-17", event, personal, "fact-1", json.dumps(body | {"call": "c-17"}).encode())


def test_a_phone_is_of_no_call() -> None:
    report = one({"type": "device.state", "extension": "101", "reachable": False})
    assert (report.call, report.event) == ("", DeviceSeen("101", reachable=False))
    report = one({"type": "line.state", "extension": "101", "in_call": True})
    assert (report.call, report.event) == ("", LineSeen("101", busy=True))


def test_a_list_keeps_its_order_and_each_fact_its_own_payload() -> None:
    body = b' [{"type":"leg.ringing","call":"c","leg":"L1"}, {"type":"call.ended","call":"c"}]'
    reports, unknown = wire.read(body, "d")
    assert [(report.event, report.origin) for report in reports] == [(LegRinging("L1"), "d/0"), (CallerHungUp(), "d/1")]
    assert [report.raw for report in reports] == [
        b'{"type":"leg.ringing","call":"c","leg":"L1"}', b'{"type":"call.ended","call":"c"}',
    ]  # fmt: skip
    assert unknown == []


def test_what_is_unknown_does_not_hide_what_is_known() -> None:
    body = b'[{"type":"weather","call":"c"},{"type":"call.ended","call":"c"},7]'
    reports, unknown = wire.read(body, "d")
    assert [(report.event, report.origin) for report in reports] == [(CallerHungUp(), "d/1")]
    assert [payload.body for payload in unknown] == [b'{"type":"weather","call":"c"}', b"7"]


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b'{"type":"weather","call":"c"}', "weather"),
        (b'{"call":"c"}', "type"),
        (b'{"type":"leg.ringing","leg":"L1"}', "call"),
        (b'{"type":"leg.ringing","call":"","leg":"L1"}', "call"),
        (b'{"type":"leg.ringing","call":17,"leg":"L1"}', "call"),
        (b'{"type":"fallback.served","call":"c","line":"1","arrived":"2026-03-02T10:15:04"}', "arrived"),
        (b'"hello"', "object"),
    ],
)
def test_an_unknown_payload_says_where(body: bytes, where: str) -> None:
    reports, (unknown,) = wire.read(body, "d")
    assert reports == []
    assert unknown.body == body
    assert where in unknown.reason


@pytest.mark.parametrize("body", [b"", b"{", b"[{]", b"call=17", b"<xml/>", b"\x00"])
def test_no_json(body: bytes) -> None:
    with pytest.raises(wire.Malformed):
        wire.read(body, "d")


def ring(ring_us: int, *, timed_by_pbx: bool) -> RingLeg:
    return RingLeg("office", "c", "L1", "101", "t_1", "+7495", Duration(ring_us), timed_by_pbx, LATER, None)


@pytest.mark.parametrize(
    ("effect", "command"),
    [
        (RingBack("office", "c", LATER), None),
        (StopLeg("office", "c", "L1", "elsewhere"), {"command": "stop", "call": "c", "leg": "L1", "why": "elsewhere"}),
        (Connect("office", "c", "L1"), {"command": "connect", "call": "c", "leg": "L1"}),
        (Release("office", "c", "no_answer"), {"command": "release", "call": "c", "why": "no_answer"}),
        (SendToFallback("office", "c"), {"command": "fallback", "call": "c"}),
        (LookAtCall("office", "c", "L1", LATER), {"command": "look", "call": "c", "leg": "L1"}),
    ],
)
def test_a_command(effect: TelephonyEffect, command: dict[str, Any] | None) -> None:
    assert asked.order(effect, "+7999", 3 * SECOND) == command


def test_a_ring_shows_the_caller_and_says_how_long() -> None:
    command = asked.order(ring(8 * SECOND, timed_by_pbx=True), "+7999", 3 * SECOND)
    assert command == {
        "command": "ring", "call": "c", "leg": "L1", "extension": "101", "line": "+7495", "caller": "+7999",
        "ring_ms": 8000,
    }  # fmt: skip


def test_a_withheld_number_is_not_shown() -> None:
    assert "caller" not in (asked.order(ring(8 * SECOND, timed_by_pbx=True), None, 0) or {})


def test_a_ring_that_the_server_ends_has_a_net_behind_it() -> None:
    assert (asked.order(ring(8 * SECOND, timed_by_pbx=False), None, 3 * SECOND) or {})["ring_ms"] == 11_000


@pytest.mark.parametrize(("ring_us", "ring_ms"), [(7 * SECOND - 1, 6999), (MILLISECOND - 1, 1), (3_500_600, 3500)])
def test_a_ring_never_reaches_beyond_what_was_asked(ring_us: int, ring_ms: int) -> None:
    assert (asked.order(ring(ring_us, timed_by_pbx=True), None, 0) or {})["ring_ms"] == ring_ms


def test_a_repeated_command_has_the_same_id_and_another_one_has_another() -> None:
    effects: list[TelephonyEffect] = [
        Connect("office", "c", "L.1"), Connect("office", "c", "L.2"), StopLeg("office", "c", "L.1", "elsewhere"),
        Connect("office", "c2", "L.1"), Release("office", "c", "no_answer"), SendToFallback("office", "c"),
    ]  # fmt: skip
    commands = [asked.order(effect, None, 0) or {} for effect in effects]
    ids = [asked.command_id(command) for command in commands]
    assert ids == [asked.command_id(command) for command in commands]
    assert len(set(ids)) == len(ids)
    assert not any("." in text for text in ids)


def test_the_list_of_calls() -> None:
    (body,) = examples("calls")
    assert wire.sighting(json.dumps(body).encode(), remembers_legs=True) == Sighting(
        (
            CallSight(
                "c-17", "+74950000001", "+79990001122",
                (LegSight("L1", "ended", "no_answer"), LegSight("L2", "up", talked=True)), "L2", "102",
            ),
        ),
        (LegSight("L1", "ended", "no_answer"),),
        remembers_legs=True,
        handed=("c-18",),
    )  # fmt: skip


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b'{"calls":[{}]}', b'{"calls":[{"call":"c","legs":[{"leg":"L","state":"odd"}]}]}']
)
def test_a_list_that_cannot_be_read(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        wire.sighting(body, remembers_legs=True)


def test_every_event_of_the_manual_is_understood() -> None:
    events = [one(body).event for body in examples("event")]
    assert {type(event) for event in events} == {
        CallArrived, AdviceAsked, LegRinging, LegAnswered, LegEnded, TalkStarted, TalkHeld, TalkResumed,
        TalkTransferred, TalkEnded, CallerHungUp, FallbackTook, FallbackServed, DeviceSeen, LineSeen,
    }  # fmt: skip


def test_every_command_of_the_manual_is_what_we_send_and_what_the_played_pbx_takes() -> None:
    shown = {body["command"]: set(body) for body in examples("command")}
    effects: list[TelephonyEffect] = [
        ring(8 * SECOND, timed_by_pbx=True), StopLeg("office", "c", "L1", "no_answer"), Connect("office", "c", "L1"),
        Release("office", "c", "no_answer"), SendToFallback("office", "c"), LookAtCall("office", "c", "L1", LATER),
    ]  # fmt: skip
    sent = {body["command"]: set(body) for effect in effects if (body := asked.order(effect, "+7999", 0))}
    assert sent == shown
    for body in examples("command"):
        board = Switchboard(["101"])
        board.call_in(0, "+74950000001", call="c-17")
        assert board.command(body, 1).status in (200, 404)
