"""A working day's traffic: 200 calls, uneven through the day; thin at weekends; people who call again."""

from router.basis.instants import HOUR, MINUTE, SECOND
from simulators.chance import Quantiles
from simulators.company import DAY, FIRST_DAY, LINES, at_work
from simulators.pbx import Entry, Switchboard
from simulators.world import World

WORKING_DAY = 200
"""First calls of a working day (issue: a working day's traffic of 200 calls); people who call again come on top."""

WEEKEND_DAY = 24

BY_HOUR = (1, 0, 0, 0, 0, 1, 2, 6, 20, 60, 110, 130, 100, 80, 90, 110, 100, 80, 50, 25, 14, 10, 7, 4)
"""Weights of the hours from 0 to 23: two humps, a dent at lunch, hardly anything at night."""

LINE_SHARES = (60, 25, 12, 3)
"""Of `company.LINES`."""

PATIENCE: Quantiles = ((0, 1), (5, 4), (15, 12), (40, 35), (70, 60), (100, 150))
"""Seconds a caller holds the line without being served."""

AGAIN_AFTER: Quantiles = ((0, 20), (50, 180), (100, 1_500))
"""Seconds."""

TRIES = 3
"""Calls of one person in a row."""


class Traffic:
    """Callers."""

    def __init__(self, world: World, scale: int = WORKING_DAY) -> None:
        self._world = world
        self._scale = scale
        self._tries: dict[str, int] = {}
        self._callers = 0
        self.open = True
        """Whether people still call again."""

    def plan_day(self, day: int, board: Switchboard, until: int) -> None:
        """All first calls of a day, or of the part of it that is played."""
        chance, start = self._world.chance, FIRST_DAY + day * DAY
        calls = self._scale if at_work(day) else self._scale * WEEKEND_DAY // WORKING_DAY
        for _ in range(calls):
            at = start + chance.weighted(BY_HOUR) * HOUR + chance.below(HOUR)
            if not self._world.now <= at < until:
                continue
            self._world.at(at, lambda: self._dials(board, self._number(), LINES[chance.weighted(LINE_SHARES)], 1))

    def _number(self) -> str:
        chance = self._world.chance
        if chance.hits(30_000):
            return ""
        if self._callers > 50 and chance.hits(150_000):
            return f"+7916{chance.below(self._callers):07d}"  # has called before
        self._callers += 1
        return f"+7916{self._callers:07d}"

    def _dials(self, board: Switchboard, number: str, line: str, tries: int) -> None:
        patience = self._world.chance.drawn(PATIENCE) * SECOND + self._world.chance.below(SECOND)
        call = board.call_in(self._world.now, line, number, patience_us=patience)
        self._tries[call] = tries

    def on_entry(self, board: Switchboard, entry: Entry) -> None:
        """The PBX's diary: who was not served may call again."""
        if entry.what != "call_ended":
            return
        tries = self._tries.pop(entry.call, TRIES)
        served = entry.more["end"] in ("talked", "fallback_answered")
        chance = self._world.chance
        if served or tries >= TRIES or not self.open or not chance.hits(350_000):
            return
        story = board.record.stories[entry.call]
        after = chance.drawn(AGAIN_AFTER) * SECOND + chance.below(MINUTE)
        self._world.at(
            max(entry.at, self._world.now) + after, lambda: self._dials(board, story.caller, story.line, tries + 1)
        )
