"""PCMU over RTP for a phone of the rig: a tone out, and how loud what comes in is (ITU-T G.711, RFC 3550)."""

import math
import socket
import struct
import threading
import time
from collections.abc import Sequence

RATE = 8000
FRAME = 160
"""Samples in a packet of 20 ms."""
_BIAS, _CLIP = 132, 32635


def ulaw(sample: int) -> int:
    """One 16-bit sample as G.711 mu-law."""
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), _CLIP) + _BIAS
    exponent = magnitude.bit_length() - 8
    return ~(sign | (exponent << 4) | ((magnitude >> (exponent + 3)) & 0x0F)) & 0xFF


def tone(hertz: int, samples: int = RATE) -> bytes:
    """A second of a sine at half of the full loudness."""
    return bytes(ulaw(round(16000 * math.sin(2 * math.pi * hertz * at / RATE))) for at in range(samples))


def loudness(samples: Sequence[int]) -> float:
    """Root mean square of 16-bit samples; 0 is silence, a tone of `tone` has about 11300."""
    return math.sqrt(sum(sample * sample for sample in samples) / len(samples)) if samples else 0.0


def strength(samples: Sequence[int], hertz: int) -> float:
    """How much of the sound lies at this frequency (Goertzel): about 1 for a pure tone, 0 for anything else."""
    if not samples or not any(samples):
        return 0.0
    turn = 2 * math.cos(2 * math.pi * hertz / RATE)
    before = last = 0.0
    for sample in samples:
        before, last = last, sample + turn * last - before
    power = last * last + before * before - turn * last * before
    return 2 * power / (len(samples) * sum(sample * sample for sample in samples))


class Audio:
    """An RTP port of a phone that sends a tone to whoever it is told, 50 packets a second."""

    def __init__(self, hertz: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._sound = tone(hertz)
        self._to: tuple[str, int] | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def send_to(self, port: int | None) -> None:
        """From now on to this port; None: silence."""
        self._to = ("127.0.0.1", port) if port else None

    def close(self) -> None:
        """Say nothing any more."""
        self._over.set()
        self._thread.join()
        self._socket.close()

    def _send(self) -> None:
        number, start = 0, time.monotonic()
        while not self._over.wait(max(0.0, start + number * 0.02 - time.monotonic())):
            at = number * FRAME % RATE
            head = struct.pack("!BBHII", 0x80, 0, number & 0xFFFF, number * FRAME & 0xFFFFFFFF, self.port)
            if self._to:
                self._socket.sendto(head + self._sound[at : at + FRAME], self._to)
            number += 1
