"""What the rooms share: an engine with the real machines over a journal, a company of many chains, whole calls."""

from collections.abc import Iterator
from pathlib import Path

from router.basis.instants import Instant
from router.basis.machine import Event
from router.basis.people import Chain, Directory, Line, Person
from router.chains.events import CallArrived, DirectoryApplied, LegRinging
from router.chains.roster import ROSTER
from router.engine.clock import Clock
from router.engine.core import Admission, Core
from router.engine.shell import Engine
from router.engine.store.sqlite import SqliteStore
from router.engine.vault import Vault
from router.office import Office, machines
from router.telephony_adapter.port import Abilities

PBX = "bench"

ABILITIES = Abilities(
    owns_timer="server",
    whole_second_timer=False,
    can_cancel_leg=True,
    can_connect_late=False,
    reports_ringing=True,
    reports_answerer=True,
    idempotent_legs=True,
)


def company(lines: int, *, exclusive: bool = True, ring_s: int = 8) -> Directory:
    """`lines` lines, each with five heads of its own, so that calls do not wait for one another's heads."""
    people = tuple(
        Person(f"p{line}x{seat}", f"Head {line}/{seat}", (f"{1000 + line * 5 + seat}",))
        for line in range(lines)
        for seat in range(5)
    )
    terms: dict[str, int | str] = {"ring_s": ring_s, "window_s": 5 * ring_s, "offers_per_person": int(exclusive)}
    chains = tuple(
        Chain(f"c{line}", tuple(f"p{line}x{seat}" for seat in range(5)), terms=terms) for line in range(lines)
    )
    return Directory(people, tuple(Line(f"+7495{line:07}", f"c{line}", "bench") for line in range(lines)), chains)


def engine(path: Path, clock: Clock) -> Engine:
    """An engine with the real machines over a journal file."""
    return Engine(Core(machines(), Office({PBX: ABILITIES}).looks(), Vault()), SqliteStore(path), clock)


async def apply(running: Engine, directory: Directory) -> None:
    """Make this the company's directory."""
    pinned = running.core.contents.pin(directory)
    await running.admit([Admission(ROSTER, DirectoryApplied(pinned, "bench"), "bench")])


def arrivals(count: int, lines: int, first: int = 0) -> Iterator[list[Admission]]:
    """`count` calls, numbered from `first` on, that have arrived and ring their first head."""
    for number in range(first, first + count):
        call = f"b-{number}"
        chain = f"call:{PBX}:{call}"
        caller = {"caller": ("phone", f"+7999{number:07}")}
        arrived: Event = CallArrived(f"+7495{number % lines:07}")
        yield [
            Admission(chain, arrived, "bench", "a", caller),
            Admission(chain, LegRinging(f"{call}.h1"), "bench", "r"),
        ]


def spread(values: list[float]) -> dict[str, float]:
    """Median, 99th percentile and greatest."""
    ordered = sorted(values)
    return {
        "median": round(ordered[len(ordered) // 2], 4),
        "p99": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 4),
        "max": round(ordered[-1], 4),
    }


def later(instant: Instant, us: int) -> Instant:
    """An instant `us` microseconds on."""
    return Instant(instant + us)
