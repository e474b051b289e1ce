"""Reads a capture: classic pcap -> Ethernet -> IPv4 -> UDP -> SIP. Nothing else is on the rig's port."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

# pcap's magic number, as read little-endian, -> nanoseconds per unit of the second time field (draft-ietf-opsawg-pcap)
_UNITS = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}
_ETHERNET = 1  # link type of lo
# Compact header names that SIPp or Asterisk may use (RFC 3261 7.3.3)
_COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length"}


class CaptureError(ValueError):
    """The file is not a capture that the rig makes."""


@dataclass(frozen=True)
class Packet:
    """One UDP packet. `at_us`: microseconds since 1970 by the capturing kernel."""

    at_us: int
    source: int
    target: int
    payload: bytes


@dataclass(frozen=True)
class Sip:
    """One SIP message. Header names are lower case; of a repeated header the first one counts."""

    at_us: int
    source: int
    target: int
    method: str  # of a request; of a response: of the request that it answers
    status: int  # 0: a request
    uri: str
    headers: dict[str, str]

    @property
    def call_id(self) -> str:
        """Call-ID header."""
        return self.headers.get("call-id", "")

    @property
    def branch(self) -> str:
        """Branch of the topmost Via: names the transaction."""
        return parameter(self.headers.get("via", ""), "branch")

    @property
    def opens_dialog(self) -> bool:
        """An INVITE that is not a re-INVITE."""
        return self.status == 0 and self.method == "INVITE" and not parameter(self.headers.get("to", ""), "tag")

    @property
    def caller(self) -> str:
        """The number behind the call: P-Asserted-Identity, else From."""
        return user(self.headers.get("p-asserted-identity") or self.headers.get("from", ""))


def user(value: str) -> str:
    """User part of the address in a header or request line."""
    _, _, rest = value.partition("sip:")
    return rest.partition("@")[0].strip() if "@" in rest else ""


def parameter(value: str, name: str) -> str:
    """A parameter behind the address, e.g. tag or branch."""
    for part in value.split(";")[1:]:
        key, _, content = part.partition("=")
        if key.strip().lower() == name:
            return content.strip()
    return ""


def read_packets(data: bytes) -> Iterator[Packet]:
    """All UDP packets; an unfinished record at the end (the capture still runs) is left out."""
    if len(data) < 24:
        return
    magic, _, _, _, _, _, link = struct.unpack("<IHHiIII", data[:24])
    if magic not in _UNITS or link != _ETHERNET:
        message = f"not a classic little-endian Ethernet pcap: magic {magic:#x}, link type {link}"
        raise CaptureError(message)
    at = 24
    while at + 16 <= len(data):
        seconds, fraction, kept, _ = struct.unpack("<IIII", data[at : at + 16])
        if at + 16 + kept > len(data):
            return
        frame = data[at + 16 : at + 16 + kept]
        at += 16 + kept
        packet = _udp(seconds * 1_000_000 + fraction * _UNITS[magic] // 1000, frame)
        if packet:
            yield packet


def _udp(at_us: int, frame: bytes) -> Packet | None:
    if len(frame) < 42 or frame[12:14] != b"\x08\x00" or frame[23] != 17:  # IPv4, UDP
        return None
    udp = 14 + (frame[14] & 0x0F) * 4
    source, target, length = struct.unpack("!HHH", frame[udp : udp + 6])
    return Packet(at_us, source, target, frame[udp + 8 : udp + length])


def read_sip(packet: Packet) -> Sip | None:
    """The SIP message in a packet; None for keep-alives and whatever else is not SIP."""
    head = packet.payload.partition(b"\r\n\r\n")[0].decode("utf-8", errors="replace")
    first, *lines = head.split("\r\n")
    words = [*first.split(" ", 2), "", ""]  # a response need not have a reason phrase
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            key = name.strip().lower()
            headers.setdefault(_COMPACT.get(key, key), value.strip())
    if words[0] == "SIP/2.0" and words[1].isdigit():
        method = headers.get("cseq", " ").rpartition(" ")[2]
        return Sip(packet.at_us, packet.source, packet.target, method, int(words[1]), "", headers)
    if words[2] != "SIP/2.0":
        return None
    return Sip(packet.at_us, packet.source, packet.target, words[0], 0, words[1], headers)
