"""Where a server dies: every named crash point, on both sides of its await, at moments of a call that matter."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.crash.plays import MOMENTS


@dataclass(frozen=True, slots=True)
class Case:
    """One death. `moment` is one of the play's, or of `OTHERWISE`."""

    place: str
    play: str
    moment: str
    passage: int = 0
    """At which passage of the place; 0: the first after the moment, as an undisturbed call was counted."""

    @property
    def id(self) -> str:
        """As pytest shows it."""
        return f"{self.place}-{self.play}-{self.moment}"


def both(*names: str) -> list[str]:
    """The two sides of an await."""
    return [f"{name}:{side}" for name in names for side in ("before", "after")]


OFTEN = [
    *both("engine.wait", "engine.commit", "engine.answer", "outbox.perform", "sqlite.turn", "sqlite.commit",
          "engine.between"),
    "engine.started", "sqlite.written",
]  # fmt: skip
"""Passed whenever something happens: the server dies there at each moment of each play."""

SOMETIMES: dict[tuple[str, str], list[str]] = {
    ("nobody", "arrival"): both("engine.load", "engine.tokens"),
    ("nobody", "last_rang_out"): both("engine.load", "sqlite.read"),
    ("third", "answered"): both("sqlite.read"),
    ("third", "hung_up"): both("sqlite.read"),
    ("hangs_up", "gone"): both("engine.load", "sqlite.read"),
}
"""Passed where a chain is new (the call, its call-back), a number is met for the first time, a card is looked at."""

AUDITOR = both("auditor.overdue", "auditor.load", "auditor.claims", "auditor.repair", "auditor.pause")
"""Passed at each round, the first of which comes 5 s after the start: while a phone rings."""

AT_START = both(
    "engine.open", "engine.recover.contents", "engine.recover.chains", "engine.recover.claims",
    "engine.recover.orders", "sqlite.reader",
)  # fmt: skip
"""Passed once while a server starts: it has been killed in a ring, and dies again while it recovers."""

AFTER_START = both("engine.reveal")
"""Passed by a server that did not see the caller arrive: it was started while he was rung for."""

AT_STOP = [*both("engine.stop"), "sqlite.reader:before", "sqlite.reader:after"]
"""Passed at an orderly stop, with a ring on its way to a PBX that does not answer."""

UNHEARD = ["engine.commit:before", "sqlite.commit:before"]
"""Passed with the word that they talk: it dies before it has taken that, and comes back when they have talked."""

OTHERWISE = ("recovering", "recovered", "stopping", "audited")
"""Moments that no row of the PBX's record marks."""

ELSEWHERE = {
    "engine.gather": "several deliveries must wait at one moment; the PBX of one call tells one after the other",
    "engine.again": "the journal must fail while an effect has a fact to tell; a healthy disk gives no occasion",
    "engine.reload": "a commit must fail, or two engines write at once",
    "engine.reload.orders": "a commit must fail in such a way that nobody knows whether it holds",
    "engine.send_again": "a person sends an effect again that was put aside after a day",
    "clock.": "the wall clock of the machine must be set; no test of a machine that others use does that",
    "quarantine.": "a payload or fact that nobody can take in must come, or a person look at one",
    "postgres.": "the store of many machines; one machine's server writes SQLite",
    "wal.": "a server is killed after some events, the log is written back after some hundred",
    "reading.": "commands beside the server pass it, the server itself does not",
}
"""Points that no server over SQLite with a webhook PBX passes, and why. `COVERED` says which test tries them."""

COVERED = {
    "engine.": ("tests/engine/test_crash_day.py", "test_whatever_the_point_the_day_ends_the_same"),
    "postgres.": ("tests/engine/test_crash_day.py", "test_on_postgresql_the_day_ends_as_on_sqlite"),
    "wal.": ("tests/engine/test_store_pace.py", "test_a_death_while_the_log_is_written_back_loses_nothing"),
    "clock.": ("tests/engine/test_line.py", "test_wherever_the_watch_dies_the_step_is_told_once"),
    "quarantine.": ("tests/engine/test_quarantine.py", "test_wherever_it_dies_a_row_is_there_or_not"),
    "reading.": ("tests/crash/test_points.py", "test_a_command_that_dies_while_it_reads_leaves_everything_as_it_was"),
}


def cases() -> Iterator[Case]:
    """All of them; those that need no counting come first, the longest plays before the others."""
    for place in AT_START:
        yield Case(place, "third", "recovering", 1)
    for place in AFTER_START:
        yield Case(place, "third", "recovered", 1)
    for place in AT_STOP:
        yield Case(place, "third", "stopping", 2 if place.startswith("sqlite.reader") else 1)
    for place in AUDITOR:
        yield Case(place, "nobody", "audited", 2 if place == "auditor.pause:before" else 1)
    for play, moments in MOMENTS.items():
        for moment in moments:
            often = UNHEARD if moment == "talk_unheard" else OFTEN
            for place in [*often, *SOMETIMES.get((play, moment), ())]:
                yield Case(place, play, moment)


def reached() -> set[str]:
    """Names of the points that some case dies at."""
    return {case.place.removesuffix(":before").removesuffix(":after") for case in cases()}
