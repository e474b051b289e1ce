"""A block of ports for one rig, so that several rigs run side by side on one machine.

Ports lie below the range from which Linux takes a port for whoever asks for none (32768.., ip(7) ip_local_port_range),
so nobody is given one of ours by chance. A block is held by a lock on a file, which the kernel drops with the process.
"""

import fcntl
import itertools
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

FIRST, BLOCK, BLOCKS = 20000, 1500, 8


class Ports:
    """sip and http of Asterisk, a fixed port for each head, callers' ports in turn, and a range for RTP.

    `reclaim` is called with a block's SIP port once the block is locked, to end what a killed rig has left there.
    """

    def __init__(self, reclaim: Callable[[int], None] = lambda _: None) -> None:
        self._lock, self.first = _take_block(reclaim)
        self.sip = self.first
        self.http = self.first + 1
        # Asterisk takes two ports per leg; a call in progress is two legs: 250 calls at once.
        self.rtp = (self.first + 500, self.first + BLOCK - 1)
        self._callers: Iterator[int] = itertools.cycle(range(self.first + 100, self.first + 250))

    def head(self, index: int) -> int:
        """The SIP port of the head with this index (0..79)."""
        if not 0 <= index < 80:
            message = f"a rig has 80 heads at most, asked for number {index + 1}"
            raise ValueError(message)
        return self.first + 10 + index

    def caller(self) -> int:
        """A SIP port for a caller's process that starts now."""
        for port in itertools.islice(self._callers, 150):
            if _free(port, socket.SOCK_DGRAM):
                return port
        raise RuntimeError("all 150 ports for callers of this rig are taken")

    def control(self, sip: int) -> int:
        """SIPp's control port for the process on this SIP port (its default, 8888, would be shared by all)."""
        return sip + 240

    def close(self) -> None:
        """Give the block back."""
        os.close(self._lock)


def _take_block(reclaim: Callable[[int], None]) -> tuple[int, int]:
    for number in range(BLOCKS):
        first = FIRST + number * BLOCK
        path = Path(tempfile.gettempdir()) / f"hopline-rig-{first}.lock"
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        reclaim(first)
        if _free(first, socket.SOCK_DGRAM) and _free(first + 1, socket.SOCK_STREAM):
            return lock, first
        os.close(lock)
    message = f"no free block of ports: {BLOCKS} rigs run on this machine, or other programs hold {FIRST}.."
    raise RuntimeError(message)


def _free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind == socket.SOCK_STREAM)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
