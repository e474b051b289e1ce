"""dumpcap on the rig's SIP port: the only judge of what was really on the wire."""

import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

from tests.e2e.asterisk.rig.packets import Sip, read_packets, read_sip

START_LIMIT_S = 30.0
HEADER, RECORD = 24, 16  # bytes before all packets, and before each (draft-ietf-opsawg-pcap)
_KEEP_ALIVE = b"\r\n\r\n"  # ignored by every SIP stack (RFC 5626 3.5.1)


class Capture:
    """Runs from the rig's start to its end; `messages()` at any moment gives all that was seen so far."""

    def __init__(self, file: Path, port: int) -> None:
        self.file, self.port = file, port
        self._seen: list[Sip] = []
        self._markers: dict[int, int] = {}
        self._offset = HEADER
        self._one_reader = threading.Lock()
        with file.with_suffix(".log").open("wb") as log:
            # -P: classic pcap; -B: MiB of kernel buffer, so that a burst of calls loses nothing
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "dumpcap", "-q", "-P", "-B", "64", "-i", "lo",
                 "-f", f"udp port {port}", "-w", str(file)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self._wait_for_marker()

    def messages(self) -> list[Sip]:
        """Every SIP message up to now, in order of time."""
        self._wait_for_marker()
        with self._one_reader:
            return sorted(self._seen, key=lambda message: message.at_us)

    def stop(self) -> None:
        """End the capture; the file stays."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(START_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(START_LIMIT_S)

    def _marked(self, port: int) -> int:
        """Read on; when our last packet from this port was seen, 0 if never. Each byte is read once."""
        with self._one_reader:
            if self.file.exists():
                with self.file.open("rb") as file:
                    head = file.read(HEADER)
                    file.seek(self._offset)
                    body = _whole_records(file.read())
                self._offset += len(body)
                for packet in read_packets(head + body):
                    if message := read_sip(packet):
                        self._seen.append(message)
                    else:
                        self._markers[packet.source] = packet.at_us
            return self._markers.get(port, 0)

    def _wait_for_marker(self) -> None:
        """Send a packet of our own and wait until it is in the file: then everything before it is there, too."""
        limit = time.monotonic() + START_LIMIT_S
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind(("127.0.0.1", 0))
            mine = sender.getsockname()[1]
            since = time.time_ns() // 1000 - 1_000_000
            while True:
                if self._process.poll() is not None or time.monotonic() > limit:
                    log = self.file.with_suffix(".log").read_text(errors="replace")
                    message = f"dumpcap does not capture (root is needed):\n{log}"
                    raise RuntimeError(message)
                sender.sendto(_KEEP_ALIVE, ("127.0.0.1", self.port))
                time.sleep(0.05)  # dumpcap writes to its file ten times a second
                if self._marked(mine) >= since:
                    return


def _whole_records(data: bytes) -> bytes:
    """Without an unfinished record at the end: the capture still runs."""
    at = 0
    while at + RECORD <= len(data) and at + RECORD + (kept := int.from_bytes(data[at + 8 : at + 12], "little")) <= len(
        data
    ):
        at += RECORD + kept
    return data[:at]
