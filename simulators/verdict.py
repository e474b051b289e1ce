"""What a run came to: everything the judges found, and what the server itself noticed."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import msgspec

from simulators.checkers import Verdict, judge
from simulators.judges.evidence import Evidence, Violation
from simulators.reading import Reading
from simulators.simulation import Setup, Simulation


class Report(msgspec.Struct, frozen=True):
    """One run, judged."""

    verdict: Verdict
    violations: list[Violation]
    """Those of the judges, findings of the server's auditor, admissions not taken, and deaths that nobody ordered."""
    deaths: int
    outages: int
    killed_at: dict[str, int]
    """Crash point -> how often the server died there."""
    card_twins: int
    """Cards that were sent once more after a death; the chat knew them by their revision."""
    never_told: int
    run_s: float

    @property
    def clean(self) -> bool:
        """Nothing unaccounted, nothing violated."""
        return not self.verdict.unaccounted and not self.violations

    def summary(self) -> dict[str, Any]:
        """The line that `hopline simulate` prints."""
        return {
            "calls": self.verdict.calls,
            "answered": self.verdict.answered,
            "unaccounted": len(self.verdict.unaccounted),
            "violations": len(self.violations),
            "events": self.verdict.events,
            "hash": self.verdict.hash,
            "wall_s": round(self.run_s, 3),
        }

    def details(self, limit: int = 50) -> dict[str, Any]:
        """The same with what each judge found."""
        return self.summary() | {
            "checkers": self.verdict.by_checker,
            "deviations_us": self.verdict.extremes,
            "deaths": self.deaths,
            "outages": self.outages,
            "killed_at": self.killed_at,
            "never_told": self.never_told,
            "card_twins": self.card_twins,
            "unaccounted_calls": self.verdict.unaccounted[:limit],
            "first_violations": [asdict(violation) for violation in self.violations[:limit]],
        }


def play(setup: Setup, on_day: Callable[[int], None] = lambda _: None) -> Report:
    """Run and judge. The journal in memory is given back."""
    simulation = Simulation(setup)
    try:
        simulation.run(on_day)
        return judged(simulation)
    finally:
        simulation.store.file.close()


def judged(simulation: Simulation) -> Report:
    """The verdict on a run that is over."""
    evidence = Evidence(
        simulation.record,
        simulation.inbox.cards,
        simulation.setup.faults.tolerance,
        simulation.world.now,
        wall=simulation.world.wall,
    )
    verdict = judge(Reading(simulation.store.file.connection), evidence)
    server = simulation.server
    own = [Violation("auditor", finding.chain, finding.what) for finding in server.findings]
    own += [
        Violation("engine", admission.chain, f"{type(admission.event).__name__}: {type(error).__name__}: {error}")
        for admission, error in server.troubles
    ]
    own += [Violation("engine", "process", f"ended by {type(error).__name__}: {error}") for error in server.crashes]
    killed_at: dict[str, int] = {}
    for place in simulation.killed_at:
        killed_at[place] = killed_at.get(place, 0) + 1
    return Report(
        verdict=verdict,
        violations=[*verdict.violations, *own],
        deaths=server.deaths,
        outages=simulation.outages,
        killed_at=killed_at,
        card_twins=simulation.inbox.twins,
        never_told=len(simulation.pbx.never_told),
        run_s=simulation.wall_s,
    )
