"""The judges. They read the journal and the played neighbours' own records, nothing else, and know the rules.

    conservation   each call of the PBX's record has a chain with one lawful end, or lives, or is owed a call-back
    window         no ring begins too late, lasts too long or reaches beyond the window; hops have their length
    dead_air       who picks up speaks with the client at once
    one_phone      a call rings one phone at a time, a phone rings for one call at a time, each ring was ordered
    answerer       who answered in the journal talked in the PBX's record, or is unknown; never another name
    call_backs     no answered call has an open call-back, no unanswered one lacks it
    claims         one holder at a time, none with a final chain, none longer than lawful; nobody waits for a free head
    queue          a head who becomes free goes to the client who has waited longest
    replay         folding the log gives the same states and outcomes, byte for byte
    effects        nothing that was ordered is left undone; each card shows its last face
    deadlines      no deadline is handled early or late, none is overdue at the end; a live chain has one or a reason
    twins          a fact that was told twice stands once
    calendar       who is away until an hour is away until then by the wall clock, however it is set

What is allowed beyond the exact rule stands in the climate's `Tolerance`.
"""

from collections.abc import Iterable

import msgspec

from simulators.judges.calendar import Calendar
from simulators.judges.calls import Answerer, CallBacks, Conservation
from simulators.judges.evidence import Checker, Evidence, Violation
from simulators.judges.heads import Claims, Queue
from simulators.judges.log import Deadlines, Effects, Replay, Twins
from simulators.judges.rings import DeadAir, OnePhone, Window
from simulators.reading import Reading

ALL: tuple[type[Checker], ...] = (
    Conservation, Window, DeadAir, OnePhone, Answerer, CallBacks, Claims, Queue, Replay, Effects, Deadlines, Twins,
    Calendar,
)  # fmt: skip


class Verdict(msgspec.Struct, frozen=True):
    """What the judges say of a run."""

    calls: int
    answered: int
    unaccounted: list[str]
    violations: list[Violation]
    by_checker: dict[str, int]
    extremes: dict[str, int]
    """How far the record went from the exact rules, microseconds by name of the tolerance."""
    events: int
    hash: str


def judge(reading: Reading, world: Evidence, checkers: Iterable[type[Checker]] = ALL) -> Verdict:
    """Read the journal once and let everybody judge."""
    judges = [checker(world) for checker in checkers]
    for line in reading.lines():
        for checker in judges:
            checker.see(line)
    for checker in judges:
        checker.judge(reading)
    conservation = next((checker for checker in judges if isinstance(checker, Conservation)), None)
    return Verdict(
        calls=len(world.record.stories),
        answered=conservation.answered if conservation else 0,
        unaccounted=conservation.unaccounted if conservation else [],
        violations=[violation for checker in judges for violation in checker.found],
        by_checker={checker.name: len(checker.found) for checker in judges},
        extremes=world.extremes,
        events=reading.events,
        hash=reading.hash,
    )
