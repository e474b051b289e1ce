"""What judges may see, how they object, and how far is too far."""

from dataclasses import dataclass, field
from typing import ClassVar

from router.basis.instants import SECOND, Instant
from simulators.company import PBX
from simulators.faults import Tolerance
from simulators.pbx import Record
from simulators.played_inbox import Shown
from simulators.reading import Line, Reading

RING = 8 * SECOND
"""One offer (commission, clause 5)."""

WINDOW = 40 * SECOND
"""All offers of a call (commission, clause 5)."""

BREAKS = {"line_down": "line_up", "server_gone": "server_back"}
"""Lines of the PBX's diary that begin a silence, and those that end it."""

RECOVERY = 8 * SECOND
"""After a silence: the PBX is looked at every 2 s, and tells again at most 5 s after a vain try; the rest is travel."""

MIN_OFFER = 3 * SECOND
"""No offer shorter than this (design, law 3)."""


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must not be."""

    checker: str
    where: str
    """Call, chain, card or phone."""
    what: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What judges may see besides the journal."""

    record: Record
    cards: dict[str, Shown]
    tolerance: Tolerance
    now: Instant
    extremes: dict[str, int] = field(default_factory=dict)
    """How far the record really went from the exact rule, by name of the tolerance; microseconds."""
    wall: list[tuple[Instant, int]] = field(default_factory=lambda: [(Instant(0), 0)])
    """From when on the server's wall clock was how far ahead of the line of stamps."""
    silent: list[tuple[int, int]] = field(default_factory=list)
    """When PBX and server could not speak with each other, by the PBX's diary, recovery included."""

    def __post_init__(self) -> None:
        gone: dict[str, int] = {}
        for entry in self.record.entries:
            if entry.what in BREAKS:
                gone.setdefault(BREAKS[entry.what], entry.at)
            elif entry.what in gone:
                self.silent.append((gone.pop(entry.what), entry.at + RECOVERY))
        self.silent.extend((since, int(self.now)) for since in gone.values())

    def silence(self, begins: int, ends: int) -> int:
        """How long of a span the two could not speak."""
        told, until = 0, begins
        for since, till in sorted(self.silent):
            if since < ends and till > until:
                told += min(till, ends) - max(since, until)
                until = max(until, min(till, ends))
        return told


class Checker:
    """One judge: sees every line of the log, then judges."""

    name: ClassVar[str]

    def __init__(self, world: Evidence) -> None:
        self.world = world
        self.found: list[Violation] = []

    def see(self, line: Line) -> None:
        """One line of the log, in order."""

    def judge(self, reading: Reading) -> None:
        """After the last line."""

    def beyond(self, tolerance: str, deviation: int, begins: int, ends: int) -> bool:
        """Whether something lies farther from the exact rule than is allowed.

        Where PBX and server could not speak between `begins` and `ends`, that time is not held against anybody.
        """
        if deviation > 0:
            deviation -= self.world.silence(begins, ends)
        extremes = self.world.extremes
        extremes[tolerance] = max(extremes.get(tolerance, 0), deviation)
        return deviation > int(getattr(self.world.tolerance, tolerance))

    def blame(self, where: str, what: str) -> None:
        """A violation."""
        self.found.append(Violation(self.name, where, what))


def call_chain(call: str) -> str:
    """The chain of a call."""
    return f"call:{PBX}:{call}"
