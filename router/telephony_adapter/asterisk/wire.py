"""ARI's JSON and requests, pure: bytes to values, effects to requests. Manual: asterisk/asterisk rest-api/api-docs.

Counterparts: `facts` (what a happening means for a call) and `client` (which sends the requests).
"""

import re
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import msgspec

from router.basis.phone import normal
from router.chains.effects import RingLeg
from router.telephony_adapter.asterisk.config import AsteriskSettings

LEG_WORD = "leg"
"""First application argument of a leg, so that its StasisStart is told from a caller's."""
OTHER_HALF = ";2"
"""End of the id of a Local channel's second half (asterisk core_unreal.c), which is nobody's leg."""

RECORDING_WORD = "hopline-"
"""Beginning of the names of our recordings and announcements; the call's id follows."""
RECORDING_FORMAT = "wav"

EVENTS = (
    "StasisStart", "StasisEnd", "ChannelStateChange", "Dial", "ChannelHangupRequest", "ChannelDestroyed",
    "ChannelEnteredBridge", "ChannelLeftBridge", "ApplicationReplaced",
    "ChannelHold", "ChannelUnhold", "ChannelConnectedLine",
    "PlaybackFinished", "RecordingStarted", "RecordingFinished", "RecordingFailed",
)  # fmt: skip
"""All that is asked for: one talk makes about 60 events, 40 of them ChannelVarset (measured on Asterisk 22)."""

# Hang-up causes, Q.850 (asterisk include/asterisk/causes.h)
NORMAL, NO_ANSWER, ELSEWHERE = 16, 19, 26

# ChannelHangupRequest.cause is a flag where `soft` is true: AST_SOFTHANGUP_* of asterisk include/asterisk/channel.h
SOFT_MOVED, SOFT_TIMEOUT, SOFT_EXPLICIT = 2, 8, 32


class Party(msgspec.Struct, frozen=True):
    """channels.json `CallerID`."""

    name: str = ""
    number: str = ""


class Dialplan(msgspec.Struct, frozen=True):
    """channels.json `DialplanCEP`."""

    context: str = ""
    exten: str = ""
    app_name: str = ""
    app_data: str = ""


class Channel(msgspec.Struct, frozen=True):
    """channels.json `Channel`; only what is read."""

    id: str
    name: str = ""
    state: str = ""
    caller: Party = Party()
    dialplan: Dialplan = Dialplan()


class Bridge(msgspec.Struct, frozen=True):
    """bridges.json `Bridge`; only what is read."""

    id: str
    name: str = ""
    channels: tuple[str, ...] = ()


class Endpoint(msgspec.Struct, frozen=True):
    """endpoints.json `Endpoint`; `state` is unknown, offline or online."""

    technology: str
    resource: str
    state: str = "unknown"
    channel_ids: tuple[str, ...] = ()
    """Channels on it now, ours and others."""


class Playback(msgspec.Struct, frozen=True):
    """playbacks.json `Playback`; only what is read."""

    id: str
    state: str = ""
    """`done` or `failed` where it is over."""


class Recording(msgspec.Struct, frozen=True):
    """recordings.json `LiveRecording`; only what is read."""

    name: str
    duration: int = 0
    """Seconds, in RecordingFinished."""
    cause: str = ""
    """RecordingFailed."""


class Application(msgspec.Struct, frozen=True):
    """applications.json `Application`."""

    name: str
    channel_ids: tuple[str, ...] = ()
    bridge_ids: tuple[str, ...] = ()


class Happening(msgspec.Struct, frozen=True):
    """events.json: any event of the socket. A field that the type does not have is None."""

    type: str
    timestamp: str = ""
    channel: Channel | None = None
    bridge: Bridge | None = None
    args: tuple[str, ...] = ()
    """StasisStart."""
    peer: Channel | None = None
    """Dial: the channel that is dialled."""
    dialstatus: str = ""
    """Dial."""
    cause: int | None = None
    """ChannelDestroyed, ChannelHangupRequest (there a flag where `soft`)."""
    tech_cause: int | None = None
    """ChannelDestroyed: the SIP status; made up from the cause where no SIP answer came."""
    soft: bool = False
    """ChannelHangupRequest."""
    playback: Playback | None = None
    recording: Recording | None = None
    replace_channel: Channel | None = None
    """StasisStart: whose place in our bridge it takes."""


class Trouble(msgspec.Struct, frozen=True):
    """Body of a refusal: `message`, or `error` where Asterisk could not allocate (asterisk res/res_ari.c)."""

    message: str = ""
    error: str = ""


class Request(msgspec.Struct, frozen=True):
    """One request to ARI. `path` is quoted, behind `/ari`; personal data travels in `body`, never in `query`."""

    method: str
    path: str
    query: dict[str, str] = {}
    body: dict[str, Any] | None = None


_HAPPENING = msgspec.json.Decoder(Happening)
_LEG = re.compile(r"(?P<call>.+)\.h\d+")


def read_happening(raw: bytes | str) -> Happening:
    """Raises msgspec.DecodeError for what is no ARI event."""
    return _HAPPENING.decode(raw)


def call_of_leg(channel_id: str) -> str:
    """The call a leg's id belongs to (`<call>.h<n>`); empty: no leg of ours."""
    found = _LEG.fullmatch(channel_id)
    return found["call"] if found else ""


def bridge_of(call: str) -> str:
    """Our bridge of a call: known before it is made, explains itself after a crash."""
    return f"{call}.b"


def call_of_bridge(bridge_id: str) -> str:
    """The call a bridge's id belongs to; empty: not ours."""
    return bridge_id[:-2] if bridge_id.endswith(".b") else ""


# --- requests -------------------------------------------------------------------------------------------------------


def originate(effect: RingLeg, caller: str | None, settings: AsteriskSettings) -> Request:
    """channels.json `originateWithId`. As JSON body: the client's number must not lie in URLs, which get logged."""
    body = {
        "endpoint": settings.endpoint_of(effect.extension),
        "app": settings.application,
        "appArgs": f"{LEG_WORD},{effect.call},{effect.leg},{effect.extension}",
        # Explicit, because Asterisk takes it from the originator only while he is there (else "Anonymous").
        "callerId": shown(caller),
        "timeout": settings.timeout_of(effect.ring, timed_by_pbx=effect.timed_by_pbx),
        "originator": effect.call,
    }
    return Request("POST", f"/channels/{_in_path(effect.leg)}", body=body)


@lru_cache(maxsize=1024)  # a call rings five heads with one number, and phonenumbers takes 0.1 ms
def shown(caller: str | None) -> str:
    """The client's number as the head's phone shows it, without characters that would end the header early."""
    number = re.sub(r"[^0-9A-Za-z+*#]", "", caller or "")
    return f"<{number}>" if number and normal(number) else "Anonymous <anonymous>"


def ring_back(call: str) -> Request:
    """channels.json `ring`: 180 to the caller at once."""
    return Request("POST", f"/channels/{_in_path(call)}/ring")


def hang_up(channel_id: str, cause: int) -> Request:
    """channels.json `hangup`."""
    return Request("DELETE", f"/channels/{_in_path(channel_id)}", {"reason_code": str(cause)})


def answer(call: str) -> Request:
    """channels.json `answer`."""
    return Request("POST", f"/channels/{_in_path(call)}/answer")


def make_bridge(call: str, settings: AsteriskSettings) -> Request:
    """bridges.json `createWithId`; the name says whose it is where several applications share an Asterisk."""
    query = {"type": "mixing", "name": settings.application}
    return Request("POST", f"/bridges/{_in_path(bridge_of(call))}", query)


def join(call: str, leg: str) -> Request:
    """bridges.json `addChannel`, both in one request."""
    return Request("POST", f"/bridges/{_in_path(bridge_of(call))}/addChannel", {"channel": f"{call},{leg}"})


def drop_bridge(bridge_id: str) -> Request:
    """bridges.json `destroy`."""
    return Request("DELETE", f"/bridges/{_in_path(bridge_id)}")


def lift_limit(call: str) -> Request:
    """The dialplan's net for a dead server (TIMEOUT(absolute)) must not cut the talk."""
    query = {"variable": "TIMEOUT(absolute)", "value": "0"}
    return Request("POST", f"/channels/{_in_path(call)}/variable", query)


def to_fallback(call: str, line: str, settings: AsteriskSettings) -> Request:
    """channels.json `continueInDialplan`. Without a line (a restart forgot it) the extension stays.

    No channel variable says why: after ARI has set one, Asterisk refuses the dialplan's FILE() on that channel
    ("Dangerous function FILE write blocked", measured on 22.10), and the record would not be written.
    """
    query = {"context": settings.fallback_context, "priority": "1"}
    extension = settings.fallback_extension.replace("{line}", line)
    if extension:
        query["extension"] = extension
    return Request("POST", f"/channels/{_in_path(call)}/continue", query)


def channel(channel_id: str) -> Request:
    """channels.json `get`."""
    return Request("GET", f"/channels/{_in_path(channel_id)}")


def play(call: str, playback: str, sound: str) -> Request:
    """bridges.json `playWithId`: both hear it."""
    path = f"/bridges/{_in_path(bridge_of(call))}/play/{_in_path(playback)}"
    return Request("POST", path, {"media": sound})


def record(call: str, name: str) -> Request:
    """bridges.json `record`. It ends with the bridge. wav: 16 bit at 8 kHz, 0.96 MB a minute (measured on 22.10)."""
    query = {"name": name, "format": RECORDING_FORMAT, "ifExists": "fail"}
    return Request("POST", f"/bridges/{_in_path(bridge_of(call))}/record", query)


def live_recording(name: str) -> Request:
    """recordings.json `getLive`."""
    return Request("GET", f"/recordings/live/{_in_path(name)}")


def recorded_file(name: str) -> Request:
    """recordings.json `getStoredFile`."""
    return Request("GET", f"/recordings/stored/{_in_path(name)}/file")


def delete_recording(name: str) -> Request:
    """recordings.json `deleteStored`."""
    return Request("DELETE", f"/recordings/stored/{_in_path(name)}")


def bridge(bridge_id: str) -> Request:
    """bridges.json `get`."""
    return Request("GET", f"/bridges/{_in_path(bridge_id)}")


def listen_to(settings: AsteriskSettings) -> Request:
    """applications.json `filter`: the events in `EVENTS` and no others."""
    wanted = {"allowed": [{"type": name} for name in EVENTS], "disallowed": []}
    return Request("PUT", f"/applications/{settings.application}/eventFilter", body=wanted)


CHANNELS = Request("GET", "/channels")
BRIDGES = Request("GET", "/bridges")
ENDPOINTS = Request("GET", "/endpoints")


def own_application(settings: AsteriskSettings) -> Request:
    """applications.json `get`: which channels and bridges the application is subscribed to."""
    return Request("GET", f"/applications/{settings.application}")


def _in_path(part: str) -> str:
    return quote(part, safe="")
