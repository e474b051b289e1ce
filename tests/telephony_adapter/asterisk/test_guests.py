"""Holds and transfers as events of Asterisk 22.10: recorded with a phone that sends REFER (docs/asterisk.md)."""

import pytest

from router.chains.events import (
    CallArrived,
    CallerHungUp,
    Disposition,
    FallbackTook,
    LegEnded,
    Party,
    TalkEnded,
    TalkHeld,
    TalkResumed,
    TalkTransferred,
    Transfer,
)
from router.telephony_adapter.asterisk.config import AsteriskSettings
from router.telephony_adapter.asterisk.guests import behind
from router.telephony_adapter.asterisk.legs import Calls
from router.telephony_adapter.asterisk.sight import Read
from router.telephony_adapter.asterisk.wire import Application, Bridge, Channel, Dialplan, Happening
from router.telephony_adapter.asterisk.wire import Party as Shown
from tests.telephony_adapter.asterisk import events as ari
from tests.telephony_adapter.asterisk.events import CALL, LEG
from tests.telephony_adapter.asterisk.test_facts import Listening, talking

GUEST, OTHER, PEER = "1764000001.14", "1764000001.15", "1764000001.16"


def guest(state: str = "Down", exten: str = "102", number: str = "") -> Channel:
    """Our half of the Local channel."""
    name = f"Local/{exten}@from-heads-00000000;1"
    return Channel(GUEST, name, state, Shown("", number), Dialplan("from-heads", exten, "Stasis", "hopline"))


def transferred(exten: str = "102", number: str = "", replaced: str = LEG) -> Happening:
    """The guest takes the leg's place."""
    return Happening(
        "StasisStart", "2026-11-24T16:43:22.005+0000", guest("Down", exten, number),
        replace_channel=ari.leg("Up", replaced),
    )  # fmt: skip


def blindly() -> Listening:
    """Anna passed the client on to 102, and her leg left the bridge."""
    heard = talking()
    told = heard.hear(transferred())
    assert told == [TalkTransferred(Transfer.BLIND, GUEST, "102")]
    assert heard.hear(ari.parts(ari.leg("Up"), CALL), ari.joins(guest(), CALL, GUEST)) == []
    return heard


def taken() -> Listening:
    """102 picked up; who it is, is asked."""
    heard = blindly()
    assert heard.hear(Happening("ChannelStateChange", channel=guest("Up"))) == []
    assert heard.doubtful == [CALL]
    return heard


def of_guest(kind: str, cause: int | None = None, *, soft: bool = False) -> Happening:
    """Something happens to the guest."""
    return Happening(kind, channel=guest("Up"), bridge=Bridge(f"{CALL}.b", "hopline", (CALL,)), cause=cause, soft=soft)


def test_what_a_transfer_brings_in_is_no_new_caller() -> None:
    """It enters Stasis without arguments. Found on the wire: it was taken for a client, and the heads were rung."""
    told = talking().hear(transferred())
    assert not [event for event in told if isinstance(event, CallArrived)]


def test_the_leg_that_was_replaced_is_no_end_of_the_talk() -> None:
    heard = blindly()
    assert heard.hear(ari.request(ari.leg("Up"), 16)) == []
    assert heard.hear(Happening("StasisEnd", channel=ari.leg("Up"))) == [LegEnded(LEG, Disposition.COMPLETED, 16)]


def test_attended_they_talk_at_once() -> None:
    heard = talking()
    assert heard.hear(transferred("_attended", "102")) == [TalkTransferred(Transfer.ATTENDED, GUEST, "102")]
    assert heard.doubtful == [CALL], "the number is what the phone says of itself; the bridge says who it is"


def test_attended_and_the_number_has_not_come_yet() -> None:
    """Found on the wire: the bridge says it a moment later."""
    heard = talking()
    assert heard.hear(transferred("_attended", "")) == [TalkTransferred(Transfer.ATTENDED, GUEST, "")]
    call = heard.calls.find(CALL)
    assert call
    assert (call.guest_said, call.guest_named, heard.doubtful) == (False, None, [CALL])


def test_a_number_outside_travels_beside_the_event() -> None:
    heard = talking()
    (report,) = heard.ear.hear(transferred("79990001122")).reports
    assert report.event == TalkTransferred(Transfer.BLIND, GUEST, "")
    assert report.personal == {"number": "79990001122"}


def test_the_new_one_hangs_up() -> None:
    heard = taken()
    assert heard.hear(of_guest("ChannelHangupRequest", 16)) == [TalkEnded(Party.HEAD)]
    assert heard.hear(of_guest("ChannelLeftBridge"), of_guest("StasisEnd")) == [LegEnded(GUEST, Disposition.COMPLETED)]


def test_we_end_the_guest() -> None:
    assert taken().hear(of_guest("ChannelHangupRequest", 32, soft=True)) == [TalkEnded(Party.PBX)]


@pytest.mark.parametrize(
    ("cause", "how"),
    [(17, Disposition.BUSY), (3, Disposition.UNREACHABLE), (16, Disposition.NO_ANSWER), (21, Disposition.DECLINED)],
)
def test_the_new_one_does_not_take_him(cause: int, how: Disposition) -> None:
    heard = blindly()
    told = heard.hear(
        of_guest("ChannelHangupRequest", cause), of_guest("ChannelLeftBridge"), of_guest("StasisEnd")
    )  # fmt: skip
    assert told == [LegEnded(GUEST, how)]


def test_he_hangs_up_while_the_new_phone_rings() -> None:
    assert blindly().hear(ari.request(ari.caller("Up"), 16)) == [CallerHungUp()]
    assert taken().hear(ari.request(ari.caller("Up"), 16)) == [TalkEnded(Party.CALLER), CallerHungUp()]


def test_he_is_sent_to_the_fallback_because_nobody_took_him() -> None:
    heard = blindly()
    heard.hear(of_guest("ChannelHangupRequest", 17), of_guest("StasisEnd"))
    call = heard.calls.find(CALL)
    assert call
    call.sent = True
    assert heard.hear(Happening("StasisEnd", channel=ari.caller("Up"))) == [FallbackTook()]


def test_transferred_on_behind_the_guest_the_pbx_is_asked() -> None:
    heard = taken()
    heard.hear(Happening("ChannelConnectedLine", channel=ari.caller("Up")))
    assert heard.doubtful == [CALL, CALL]
    heard = blindly()
    heard.hear(Happening("ChannelConnectedLine", channel=ari.caller("Up")))
    assert heard.doubtful == [], "a phone rings: nobody is behind it yet"


def test_the_guest_itself_is_replaced() -> None:
    heard = taken()
    second = Channel("1764000009.1", "Local/103@from-heads-00000001;1", "Down", dialplan=Dialplan("x", "103"))
    told = heard.hear(Happening("StasisStart", "t", second, replace_channel=guest("Up")))
    assert told == [TalkTransferred(Transfer.BLIND, "1764000009.1", "103")]
    assert heard.hear(of_guest("ChannelLeftBridge")) == []


def test_hold() -> None:
    heard = talking()
    assert heard.hear(Happening("ChannelHold", "t1", ari.leg("Up"))) == [TalkHeld(LEG)]
    assert heard.hear(Happening("ChannelUnhold", "t2", ari.leg("Up"))) == [TalkResumed(LEG)]
    assert heard.hear(Happening("ChannelHold", "t3", ari.caller("Up"))) == [], "the client's own phone"
    assert Listening().hear(Happening("ChannelHold", "t4", ari.leg("Up"))) == []


def test_a_transfer_of_a_client_who_has_just_left() -> None:
    heard = talking()
    heard.hear(ari.request(ari.caller("Up"), 16))
    assert heard.hear(transferred()) == []


# --- who is behind it -------------------------------------------------------------------------------------------


def pbx(*more: Bridge, peer: str = "PJSIP/102-00000003") -> tuple[dict[str, Channel], tuple[Bridge, ...]]:
    """The client with the guest; the other half runs the dialplan."""
    channels = [
        ari.caller("Up"),
        guest("Up"),
        Channel(OTHER, "Local/102@from-heads-00000000;2", "Up", dialplan=Dialplan("from-heads", "102", "Dial")),
        Channel(PEER, peer, "Up"),
    ]
    return {channel.id: channel for channel in channels}, (Bridge(f"{CALL}.b", "hopline", (CALL, GUEST)), *more)


JOINED = Bridge("some-uuid", "", (OTHER, PEER))


def test_behind_a_guest_is_whoever_is_in_a_bridge_with_its_other_half() -> None:
    found = behind(GUEST, *pbx(JOINED))
    assert found
    assert found.id == PEER
    assert behind(GUEST, *pbx()) is None, "it rings"
    assert behind("gone", *pbx(JOINED)) is None


def test_behind_a_local_channel_of_the_pbxs_own() -> None:
    channels, bridges = pbx(JOINED, peer="Local/500@groups-00000007;1")
    channels |= {
        "l2": Channel("l2", "Local/500@groups-00000007;2", "Up"),
        "p2": Channel("p2", "PJSIP/104-0000000a", "Up"),
    }
    found = behind(GUEST, channels, (*bridges, Bridge("b2", "", ("l2", "p2"))))
    assert found
    assert found.id == "p2"


@pytest.mark.parametrize(
    ("bridges", "leg", "extension"), [((JOINED,), GUEST, "102"), ((), "", "")], ids=["talks", "rings"]
)
def test_a_look_sees_the_guest_in_the_call(bridges: tuple[Bridge, ...], leg: str, extension: str) -> None:
    """And takes it for no call of its own."""
    channels, inside = pbx(*bridges)
    read = Read(channels, inside, Application("hopline"), AsteriskSettings())
    (sight,) = read.calls()
    assert (sight.call, sight.talking_leg, sight.talking_extension) == (CALL, leg, extension)
    assert [one.leg for one in sight.legs] == [GUEST]
    assert not read.orphans()
    calls = Calls()
    read.refresh(calls)
    call = calls.find(CALL)
    assert call
    assert (call.guest, calls.host(GUEST), call.guest_said) == (GUEST, CALL, bool(leg))


def test_a_guest_whose_client_is_gone_is_cleared_away() -> None:
    channels, bridges = pbx(JOINED)
    del channels[CALL]
    read = Read(channels, bridges, Application("hopline"), AsteriskSettings())
    assert {orphan.id for orphan in read.orphans()} == {GUEST, f"{CALL}.b"}
