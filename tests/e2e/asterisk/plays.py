"""Plays that run side by side, each in a thread of its own on heads of its own; a test waits for one of them.

evening = Evening()
evening.begin("third answers", lambda: third_answers(stage))
evening.ends_well("third answers")           # raises what the play raised
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from tests.e2e.asterisk.books import Entry
from tests.e2e.asterisk.office import Line, Office
from tests.e2e.asterisk.rig import Call, CallerScript, Dialled, HeadScript, Rig, Rules

AT_ONCE = 5
"""More at once would be a test of this machine: each phone is a process that polls."""
LIMIT_S = 240.0


class Evening:
    """Plays under way."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="play")
        self._plays: dict[str, Future[None]] = {}

    def begin(self, name: str, play: Callable[[], None]) -> None:
        """As soon as a thread is free."""
        self._plays[name] = self._threads.submit(play)

    def ends_well(self, name: str) -> None:
        """Wait for this one; raises what it raised."""
        self._plays[name].result(LIMIT_S)

    def close(self) -> None:
        """Wait for all of them, however they end."""
        self._threads.shutdown(wait=True)


@dataclass(frozen=True)
class Stage:
    """A line of an office with its heads."""

    office: Office
    line: Line

    @property
    def rig(self) -> Rig:
        """Where it plays."""
        return self.office.rig

    @contextmanager
    def cast(self, scripts: dict[int, HeadScript]) -> Iterator[None]:
        """These heads behave so until the end; then nobody is on their phones."""
        for head, script in scripts.items():
            self.rig.head(head, script)
        try:
            yield
        finally:
            for head in scripts:
                self.rig.phones[str(head)].stop()

    def call(self, script: CallerScript | None = None) -> Dialled:
        """A client calls."""
        return self.office.call(self.line, script)

    def seen(self, dialled: Dialled, rules: Rules | None = None) -> tuple[Call, Entry]:
        """Wait until the call is over for everybody; what the capture and the journal say. Nothing may be wrong."""
        dialled.wait()
        entry = self.office.over(dialled.numbers[0])
        return self.judged(dialled, rules), entry

    def judged(self, dialled: Dialled, rules: Rules | None = None) -> Call:
        """The only call of this caller in the capture; AssertionError if anything is wrong with it."""
        verdict = self.rig.verdict(rules or self.line.rules(), dialled.numbers, self.line.heads)
        assert not verdict.anomalies, f"{verdict}\n{self.office.log()[-6000:]}"
        return verdict.call(dialled.numbers[0])
