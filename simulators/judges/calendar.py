"""The judge of the calendar: who is away until an hour of the day is away until the wall clock says so."""

from bisect import bisect_right

from router.basis.instants import SECOND, Instant
from router.basis.machine import DeadlineReached
from router.chains.roster import Away, Roster
from router.engine.line import TOLERATED
from simulators.judges.evidence import Checker, Evidence
from simulators.reading import Line, Reading

NOTICED_WITHIN = 11 * SECOND
"""The wall is looked at every 10 s; until then a step of it is known to nobody."""


class Calendar(Checker):
    """Law 3, second half: calendar deadlines follow the wall clock."""

    name = "calendar"

    def __init__(self, world: Evidence) -> None:
        super().__init__(world)
        self._since = [since for since, _ in world.wall]
        self._last: Roster | None = None

    def see(self, line: Line) -> None:
        """Who was away before an event of the roster, and who after it."""
        if not isinstance(line.state, Roster):
            return
        before = line.before.away if isinstance(line.before, Roster) else ()
        self._last = line.state
        if isinstance(line.event, DeadlineReached):
            back = [entry for entry in before if entry not in line.state.away]
            for entry in back:
                self._judge_return(entry, line)
        # One whose end had passed already when it was told is over with the next event of the same instant.
        known = tuple(entry for entry in line.state.away if entry in before)
        self._judge_those_away(known, line.at, line.chain)

    def judge(self, reading: Reading) -> None:
        """At the end of the run."""
        if self._last is not None:
            self._judge_those_away(self._last.away, self.world.now, "at the end")

    def _judge_return(self, entry: Away, line: Line) -> None:
        assert entry.until is not None, "who has no end of his absence is not woken"
        early = entry.until - self._latest_wall(line.at) - TOLERATED
        if early > 0:
            self.blame(line.chain, f"{entry.person} was taken for back {early} µs too early by the wall clock")

    def _judge_those_away(self, away: tuple[Away, ...], at: Instant, where: str) -> None:
        for entry in away:
            if entry.until is None:
                continue
            late = self._wall(Instant(at - NOTICED_WITHIN)) - entry.until - TOLERATED
            if self.beyond("deadline", late, at - max(late, 0), at) and self._settled(at):
                self.blame(where, f"{entry.person} is still away {late} µs after the end by the wall clock")

    def _wall(self, at: Instant) -> int:
        """The wall clock at an instant of the line."""
        return at + self.world.wall[max(0, bisect_right(self._since, at) - 1)][1]

    def _latest_wall(self, at: Instant) -> int:
        """The farthest that the wall has been of late: it may have been set back a moment ago."""
        steps = [ahead for since, ahead in self.world.wall if at - NOTICED_WITHIN < since <= at]
        return max(
            [self._wall(at), self._wall(Instant(at - NOTICED_WITHIN)) + NOTICED_WITHIN, *(at + a for a in steps)]
        )

    def _settled(self, at: Instant) -> bool:
        """Whether the wall has not been set so lately that nobody can know."""
        return not any(at - NOTICED_WITHIN < since <= at for since in self._since[1:])
