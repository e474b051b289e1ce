"""SIPp processes in the parts of heads and callers, each on its own port and stopped by its own pid."""

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.e2e.asterisk.rig.ports import Ports
from tests.e2e.asterisk.rig.scripts import CallerScript, HeadScript

START_LIMIT_S = 30.0
# PR_SET_PDEATHSIG of prctl(2): a phone must not outlive a test run that was killed. "Parent" is the thread that started
# it: phones and calls that a worker thread started end with that thread.
_SETPRIV = ("setpriv", "--pdeathsig", "KILL")


class Sipp:
    """One SIPp process."""

    def __init__(self, folder: Path, port: int, control: int, arguments: Sequence[str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.port = folder, port
        with (folder / "screen").open("wb") as screen:
            self._process = subprocess.Popen(
                [*_SETPRIV, "sipp", *arguments, "-i", "127.0.0.1", "-p", str(port), "-cp", str(control), "-nd", "-aa",
                 "-nostdin", "-pause_msg_ign", "-timer_resol", "1", "-trace_err", "-error_file", "errors"],
                stdin=subprocess.DEVNULL, stdout=screen, stderr=subprocess.STDOUT, start_new_session=True, cwd=folder,
            )  # fmt: skip

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process.poll() is None

    def wait(self, limit_s: float) -> int:
        """Exit code; TimeoutError when it still runs after so long."""
        try:
            return self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            message = f"SIPp in {self.folder} still runs after {limit_s} s"
            raise TimeoutError(message) from None

    def stop(self) -> None:
        """End it at once: whatever it was doing is a phone that loses its power."""
        if self.running:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait(START_LIMIT_S)

    def complaints(self) -> str:
        """What it wrote about unexpected messages; empty when all went as the scenario says."""
        path = self.folder / "errors"
        return path.read_text(errors="replace") if path.exists() else ""

    def wait_until_bound(self) -> None:
        """Return when its SIP port is open."""
        _poll(lambda: self.port in _udp_ports(), f"SIPp in {self.folder} did not open port {self.port}", self)


class Phone:
    """A head: exchanges its process when its behaviour changes."""

    def __init__(self, name: str, port: int, control: int, folder: Path) -> None:
        self.name, self.port = name, port
        self._control, self._folder = control, folder
        self._sipp: Sipp | None = None
        self._hole: socket.socket | None = None
        self._turn = 0

    def behave(self, script: HeadScript) -> None:
        """From now on; calls in progress on this phone are lost."""
        self.stop()
        if script.scenario:
            self._turn += 1
            folder = self._folder / f"{self._turn}"
            folder.mkdir(parents=True)
            (folder / "scenario.xml").write_text(script.render())
            self._sipp = Sipp(folder, self.port, self._control, ["-sf", "scenario.xml"])
            self._sipp.wait_until_bound()
        elif script.deaf:
            self._hole = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._hole.bind(("127.0.0.1", self.port))

    def stop(self) -> None:
        """Nobody is on the port any more."""
        if self._sipp:
            self._sipp.stop()
            self._sipp = None
        if self._hole:
            self._hole.close()
            self._hole = None


class Dialled:
    """Callers of one script who are on their way; one SIPp process."""

    def __init__(self, line: str, numbers: Sequence[str], sipp: Sipp) -> None:
        self.line, self.numbers, self.sipp = line, tuple(numbers), sipp

    def wait(self, limit_s: float = 90.0) -> None:
        """Return when all of them have hung up or were released. SIPp's own opinion of success is not asked."""
        self.sipp.wait(limit_s)

    def stop(self) -> None:
        """Their network is gone."""
        self.sipp.stop()


def dial(ports: Ports, folder: Path, line: str, numbers: Sequence[str], script: CallerScript, rate: float) -> Dialled:
    """Start calls from these numbers to one line, `rate` new ones per second."""
    folder.mkdir(parents=True)
    (folder / "scenario.xml").write_text(script.render())
    # Each call has its own number: the key that joins the head's leg to the call.
    (folder / "numbers.csv").write_text("SEQUENTIAL\n" + "".join(f"{number};{line};\n" for number in numbers))
    port = ports.caller()
    count = str(len(numbers))
    arguments = ["-sf", "scenario.xml", "-inf", "numbers.csv", "-m", count, "-l", count, f"127.0.0.1:{ports.sip}"]
    # SIPp places `rate` calls per period; whole numbers of calls, so slow rates are told as one call per longer period
    pace = ["-r", "1", "-rp", str(max(1, round(1000 / rate)))] if rate <= 500 else ["-r", str(round(rate))]
    return Dialled(line, numbers, Sipp(folder, port, ports.control(port), [*arguments, *pace]))


def _udp_ports() -> set[int]:
    lines = Path("/proc/net/udp").read_text().splitlines()[1:]
    return {int(line.split()[1].rpartition(":")[2], 16) for line in lines}


def _poll(done: Callable[[], bool], complaint: str, sipp: Sipp) -> None:
    limit = time.monotonic() + START_LIMIT_S
    while not done():
        if not sipp.running or time.monotonic() > limit:
            screen = (sipp.folder / "screen").read_text(errors="replace")[-1500:]
            message = f"{complaint}\n{screen}{sipp.complaints()[-1500:]}"
            raise RuntimeError(message)
        time.sleep(0.005)  # another process's socket: the kernel offers no event for it
