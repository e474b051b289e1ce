"""The company that is played: people, extensions, number plan, and the instant at which its first day begins."""

from router.basis.instants import HOUR, Instant
from router.basis.people import Chain, Directory, Line, Person

PBX = "office"
"""Name of the played PBX in chains and lanes."""

DAY = 24 * HOUR

FIRST_DAY = Instant(1_772_398_800_000_000)
"""Monday 2026-03-02, 00:00 in Moscow (UTC+3, without summer time since 2014), microseconds."""

HEADS = ("anna", "boris", "vera", "gleb", "daria")

LINES = ("+74950000001", "+74950000002", "+74950000003", "+74950000009")
"""The last one is printed somewhere and in nobody's number plan."""

DIRECTORY = Directory(
    people=(
        Person("anna", "Анна", ("101",)),
        Person("boris", "Борис", ("102", "112")),
        Person("vera", "Вера", ("103",)),
        Person("gleb", "Глеб", ("104",)),
        Person("daria", "Дарья", ("105",)),
        Person("duty", "Дежурный", (), roles=("admin",)),
    ),
    lines=(
        Line(LINES[0], "sales", "site"),
        Line(LINES[1], "sales", "billboard"),
        Line(LINES[2], "partners", "partners"),
    ),
    chains=(
        Chain("sales", HEADS),
        # Other terms on purpose: another order, a pause after the talk, one round, hung up at the end.
        Chain(
            "partners",
            ("gleb", "vera", "daria"),
            terms={"wrap_up_s": 15, "on_list_end": "stop", "after_window": "release"},
        ),
    ),
)

OWNERS = {extension: person.id for person in DIRECTORY.people for extension in person.extensions}
"""Extension -> person."""


def weekday(day: int) -> int:
    """0 is Monday."""
    return day % 7


def at_work(day: int) -> bool:
    """Monday to Friday."""
    return weekday(day) < 5
