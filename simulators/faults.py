"""What goes wrong: how often and how badly, as values. `none` is an exact world, in which every number must be exact.

Counts of a million are per thing that can go wrong (a delivery, a command); times are microseconds. The tolerances that
checkers allow follow from these values and from nothing else (`Tolerance`).
"""

from dataclasses import dataclass

from router.basis.instants import MILLISECOND, MINUTE, SECOND

ANSWER_WITHIN = 1 * SECOND
"""How long the server waits for the PBX's answer to a command (default of the adapter's setting `answer_within_s`)."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far the PBX's record may lie from the exact rule, microseconds."""

    ring: int = 0
    """Longer or shorter than the offer."""
    window: int = 0
    """A ring beyond the end of the window, or begun too near to it."""
    overlap: int = 0
    """Two phones of one call, or two calls on one phone."""
    silence: int = 0
    """From picking up to the talk."""
    talk: int = 0
    """Beginning and end of a talk, and when its head is free again."""
    deadline: int = 0
    """A deadline handled late."""
    exact: bool = True
    """Whether what a call came to must be the PBX's own word, with nothing lost for good."""


@dataclass(frozen=True, slots=True)
class Faults:
    """One climate."""

    name: str
    travel: tuple[int, int] = (0, 0)
    """How long a delivery or a command is under way."""
    lost: int = 0
    """A delivery that does not arrive; told again, as the contract demands."""
    unanswered: int = 0
    """A delivery that arrives and whose answer does not; told again."""
    doubled: int = 0
    """A delivery that comes once more later, by itself."""
    overtaken: int = 0
    """A fact that is held up while later ones of its call go on."""
    held_up: tuple[int, int] = (100 * MILLISECOND, 3 * SECOND)
    never: int = 0
    """A fact that is never told. Of arrival, fallback record and end of a call at most one: a call of which nothing at
    all is told is known to nobody."""
    command_lost: int = 0
    answer_lost: int = 0
    command_late: int = 0
    late_by: tuple[int, int] = (50 * MILLISECOND, 900 * MILLISECOND)
    command_refused: int = 0
    """503: the PBX cannot do it now."""
    card_fails: int = 0
    outage_every: int = 0
    """Mean time between two disappearances of the PBX; 0: it never disappears."""
    outage: tuple[int, int] = (20 * SECOND, 90 * SECOND)
    kill_every: int = 0
    """Mean time between two deaths of the server, by day; 0: it never dies."""
    dead_for: tuple[int, int] = (200 * MILLISECOND, 20 * SECOND)
    steps_every: int = 0
    """Mean time between two steps of the server's wall clock (NTP, a person); 0: it is never set."""
    step: tuple[int, int] = (-60 * MINUTE, 60 * MINUTE)
    tolerance: Tolerance = Tolerance()

    @property
    def quiet(self) -> bool:
        """Nothing is delayed and nothing goes wrong on the way."""
        return self.travel == (0, 0) and not (self.lost or self.doubled or self.overtaken or self.command_lost)


NONE = Faults("none")

MILD = Faults(
    "mild",
    travel=(1 * MILLISECOND, 30 * MILLISECOND),
    lost=5_000,
    unanswered=5_000,
    doubled=10_000,
    overtaken=3_000,
    held_up=(20 * MILLISECOND, 500 * MILLISECOND),
    command_lost=1_000,
    answer_lost=1_000,
    command_late=10_000,
    command_refused=5_000,
    card_fails=20_000,
    outage_every=24 * 60 * MINUTE,
    kill_every=6 * 60 * MINUTE,
    tolerance=Tolerance(
        ring=4 * SECOND,  # where the server ends it and the stop is lost: until the PBX's net of 3 s
        window=4 * SECOND,  # a lost order is sent again after ANSWER_WITHIN
        overlap=4 * SECOND,  # a lost stop likewise; the next ring waits for it 1 s at most
        silence=8 * SECOND,  # a lost connect, twice
        talk=4 * SECOND,
        deadline=100 * MILLISECOND,
    ),
)

WILD = Faults(
    "wild",
    travel=(1 * MILLISECOND, 300 * MILLISECOND),
    lost=50_000,
    unanswered=50_000,
    doubled=80_000,
    overtaken=40_000,
    never=10_000,
    command_lost=20_000,
    answer_lost=20_000,
    command_late=80_000,
    command_refused=50_000,
    card_fails=100_000,
    outage_every=4 * 60 * MINUTE,
    kill_every=30 * MINUTE,
    steps_every=2 * 60 * MINUTE,
    tolerance=Tolerance(
        ring=4 * SECOND,
        window=8 * SECOND,  # an order lost twice, and held up
        overlap=10 * SECOND,
        silence=14 * SECOND,  # an answer that is never told is stopped at the end of its hop
        talk=40 * SECOND,  # an end that is never told is found when the calls are compared, every 30 s
        deadline=100 * MILLISECOND,
        exact=False,
    ),
)

CLIMATES = {climate.name: climate for climate in (NONE, MILD, WILD)}
