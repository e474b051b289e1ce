"""ARI's JSON and requests, by tables."""

from datetime import UTC, datetime

import msgspec
import pytest

from router.basis.instants import Duration, Instant
from router.chains.effects import RingLeg
from router.telephony_adapter.asterisk import wire
from router.telephony_adapter.asterisk.config import AsteriskSettings
from router.telephony_adapter.asterisk.facts import age_s

SETTINGS = AsteriskSettings()


def ring(seconds: float = 8, *, by_pbx: bool = True, call: str = "1764000000.12") -> RingLeg:
    """A ring as the call machine orders it."""
    return RingLeg(
        pbx="asterisk",
        call=call,
        leg=f"{call}.h2",
        extension="101",
        caller=None,
        line="74951234567",
        ring=Duration(round(seconds * 1_000_000)),
        timed_by_pbx=by_pbx,
        best_before=Instant(0),
        after=None,
    )


def test_originate_carries_everything_in_its_body() -> None:
    request = wire.originate(ring(), "+79990000001", SETTINGS)
    assert (request.method, request.path, request.query) == ("POST", "/channels/1764000000.12.h2", {})
    assert request.body == {
        "endpoint": "PJSIP/101",
        "app": "hopline",
        "appArgs": "leg,1764000000.12,1764000000.12.h2,101",
        "callerId": "<+79990000001>",
        "timeout": 8,
        "originator": "1764000000.12",
    }


@pytest.mark.parametrize(
    ("seconds", "by_pbx", "timeout"),
    [
        (8, True, 8),
        (1, True, 1),
        (40, True, 40),
        (8, False, 11),
        (3.2, False, 7),
        (7.999999, False, 11),
        (0.5, False, 4),
    ],
)
def test_timeouts_are_whole_seconds_exact_by_the_pbx_and_a_net_by_the_server(
    seconds: float, by_pbx: bool, timeout: int
) -> None:
    body = wire.originate(ring(seconds, by_pbx=by_pbx), None, SETTINGS).body
    assert body is not None
    assert body["timeout"] == timeout
    assert isinstance(body["timeout"], int)


@pytest.mark.parametrize(
    ("caller", "shown"),
    [
        ("+79990000001", "<+79990000001>"),
        ("79990000001", "<79990000001>"),
        ('7999"<>000\r\n0001', "<79990000001>"),
        ("101", "<101>"),
        ("anonymous", "Anonymous <anonymous>"),
        ("", "Anonymous <anonymous>"),
        (None, "Anonymous <anonymous>"),
    ],
)
def test_the_number_a_head_sees_is_explicit_and_cannot_break_out(caller: str | None, shown: str) -> None:
    assert wire.shown(caller) == shown


def test_ids_are_quoted_in_paths() -> None:
    assert wire.hang_up("office-1/2?x.h1", 26) == wire.Request(
        "DELETE", "/channels/office-1%2F2%3Fx.h1", {"reason_code": "26"}
    )


@pytest.mark.parametrize(
    ("channel", "call"),
    [
        ("1764000000.12.h1", "1764000000.12"),
        ("pbx-1764000000.12.h10", "pbx-1764000000.12"),
        ("1764000000.12", ""),
        ("1764000000.12.b", ""),
        ("1764000000.12.h1;2", ""),
    ],
)
def test_a_legs_id_names_its_call(channel: str, call: str) -> None:
    assert wire.call_of_leg(channel) == call


@pytest.mark.parametrize(
    ("template", "endpoint", "extension"),
    [
        ("PJSIP/{extension}", "PJSIP/101", "101"),
        ("PJSIP/{extension}", "PJSIP/101-0000002a", "101"),
        ("PJSIP/{extension}", "PJSIP/trunk-0000002a", ""),
        ("PJSIP/{extension}", "PJSIP/1010000001-0000002a", ""),
        ("PJSIP/{extension}", "SIP/101-0000002a", ""),
        ("PJSIP/{extension}@office", "PJSIP/101@office-0000002a", "101"),
        ("PJSIP/head{extension}", "PJSIP/head101-0000002a", "101"),
        ("Local/{extension}@heads/n", "Local/101@heads-0000002a;1", "101"),
    ],
)
def test_who_answered_is_read_from_the_channels_name(template: str, endpoint: str, extension: str) -> None:
    assert AsteriskSettings(endpoint=template).extension_of(endpoint) == extension


def test_the_request_for_events_names_them_all() -> None:
    body = wire.listen_to(SETTINGS).body
    assert body is not None
    assert {entry["type"] for entry in body["allowed"]} == set(wire.EVENTS)
    assert "ChannelVarset" not in wire.EVENTS


def test_an_event_is_read_whatever_else_it_holds() -> None:
    it = wire.read_happening(
        b'{"type":"ChannelDestroyed","application":"hopline","cause":19,"cause_txt":"No answer","tech_cause":480,'
        b'"channel":{"id":"1.2.h1","name":"PJSIP/101-00000001","state":"Ringing","caller":{"name":"","number":"101"},'
        b'"connected":{"name":"","number":"7"},"dialplan":{"context":"","exten":"","priority":1,"app_name":"",'
        b'"app_data":""},"creationtime":"2026-01-01T00:00:00.000+0000","language":"en","new":{"er":1}}}'
    )
    assert it.channel
    assert (it.type, it.cause, it.tech_cause, it.channel.id) == ("ChannelDestroyed", 19, 480, "1.2.h1")


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"no":"type"}', b'{"type":7}', b'{"type":"Dial","peer":7}'])
def test_what_is_no_event_is_refused(raw: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        wire.read_happening(raw)


@pytest.mark.parametrize(
    ("timestamp", "age"),
    [
        ("2026-03-02T10:15:04.201+0300", 5.799),
        ("2026-03-02T07:15:04.201+0000", 5.799),
        ("2026-03-02T07:15:10.000Z", 0.0),
        ("nonsense", 0.0),
        ("", 0.0),
    ],
)
def test_the_age_of_an_event(timestamp: str, age: float) -> None:
    assert age_s(timestamp, datetime(2026, 3, 2, 7, 15, 10, tzinfo=UTC)) == pytest.approx(age, abs=1e-3)
