"""Judges of the journal itself: replay, effects, deadlines, twins."""

from router.basis.instants import Instant
from router.basis.machine import DeadlineReached
from router.chains.call_states import Connecting, Followed, HandedOver, Ringing, Talking, Transferring, Waiting
from router.chains.effects import RingLeg, ShowCard
from router.chains.events import FallbackServed, LegAnswered, Party, TalkEnded
from simulators.company import PBX
from simulators.judges.evidence import Checker, Evidence
from simulators.reading import Line, Reading


class Replay(Checker):
    """Law 5."""

    name = "replay"

    def __init__(self, world: Evidence) -> None:
        super().__init__(world)
        self._sequences: dict[str, int] = {}
        self._stamps: dict[str, Instant] = {}

    def see(self, line: Line) -> None:
        """Each line follows from the one before it."""
        if line.sequence != self._sequences.get(line.chain, 0) + 1:
            self.blame(line.chain, f"line {line.sequence} follows line {self._sequences.get(line.chain, 0)}")
        if line.at < self._stamps.get(line.chain, Instant(0)):
            self.blame(line.chain, f"line {line.sequence} is stamped before the line above it")
        self._sequences[line.chain], self._stamps[line.chain] = line.sequence, line.at
        if line.difference:
            self.blame(line.chain, f"line {line.sequence}: {line.difference}")

    def judge(self, reading: Reading) -> None:
        """The snapshots are what the logs fold to."""
        for chain, body, _, _ in reading.snapshots():
            if reading.core.codec.encode(reading.states.get(chain)) != body:
                self.blame(chain, "its snapshot is not what its log folds to")


class Effects(Checker):
    """Law 6."""

    name = "effects"

    def __init__(self, world: Evidence) -> None:
        super().__init__(world)
        self._last: dict[str, ShowCard] = {}
        self._rings: dict[str, str] = {}

    def see(self, line: Line) -> None:
        """The last face that each card was asked to have."""
        for effect in line.effects:
            if isinstance(effect, ShowCard):
                before = self._last.get(effect.card)
                if before is not None and before.revision >= effect.revision:
                    self.blame(effect.card, f"revision {effect.revision} follows {before.revision}")
                self._last[effect.card] = effect
            elif isinstance(effect, RingLeg):
                if effect.leg in self._rings:
                    self.blame(effect.leg, "was ordered to ring twice")
                self._rings[effect.leg] = effect.extension

    def judge(self, reading: Reading) -> None:
        """Nothing is left undone."""
        left = (
            "SELECT c.id, o.sequence, o.number, o.aside FROM outbox o JOIN chain c ON c.no = o.chain ORDER BY 1, 2, 3"
        )
        for chain, sequence, number, aside in reading.connection.execute(left):
            why = "was not carried out" if aside is None else f"was put aside: {aside}"
            self.blame(chain, f"effect {number} of event {sequence} {why}")
        for card, wanted in self._last.items():
            shown = self.world.cards.get(card)
            if shown is None or shown.revision != wanted.revision or shown.face != wanted.face:
                self.blame(card, f"shows revision {shown.revision if shown else None}, wanted is {wanted.revision}")
        for card in self.world.cards.keys() - self._last.keys():
            self.blame(card, "is shown and nobody asked for it")
        for story in self.world.record.stories.values():
            for ring in story.rings:
                if self._rings.get(ring.leg) != ring.extension:
                    self.blame(ring.leg, f"rang {ring.extension}; ordered was {self._rings.get(ring.leg)}")


class Deadlines(Checker):
    """Laws 3 and 8."""

    name = "deadlines"

    def see(self, line: Line) -> None:
        """A deadline is handled when it has come, and then at once."""
        if not isinstance(line.event, DeadlineReached) or line.source != "timer":
            return
        late = line.at - line.event.deadline
        if late < 0:
            self.blame(line.chain, f"woken {-late} µs early")
        elif line.kind == "call" and self.beyond("deadline", late, line.event.deadline, line.at):
            self.blame(line.chain, f"woken {late} µs late")

    def judge(self, reading: Reading) -> None:
        """Nobody has been forgotten."""
        for chain, _, final, deadline in reading.snapshots():
            if final:
                continue
            state = reading.states.get(chain)
            machine = reading.core.machine(chain.partition(":")[0], 1)
            if state is None or (deadline is None and not machine.standing(state).reason):
                self.blame(chain, "is live without a deadline or a reason")
            elif deadline is not None and deadline < self.world.now:
                self.blame(chain, f"is overdue by {self.world.now - deadline} µs")
            elif isinstance(state, Ringing | Waiting | Connecting | Followed | Talking | Transferring | HandedOver):
                story = self.world.record.stories.get(chain.removeprefix(f"call:{PBX}:"))
                if story is not None and story.ended is not None:
                    self.blame(chain, f"still {type(state).__name__}; the PBX's call is over")


class Twins(Checker):
    """A fact is admitted once, however often it is told."""

    name = "twins"

    def __init__(self, world: Evidence) -> None:
        super().__init__(world)
        self._told: set[tuple[str, str]] = set()
        self._origins: set[tuple[str, str]] = set()

    def see(self, line: Line) -> None:
        """Facts that only a delivery can bring, each of which the PBX states once."""
        if line.origin is not None:
            if (line.chain, line.origin) in self._origins:
                self.blame(line.chain, f"{line.origin} was admitted twice")
            self._origins.add((line.chain, line.origin))
        match line.event:
            case FallbackServed():
                what = "FallbackServed"
            case TalkEnded(by) if by is not Party.UNKNOWN:
                what = "TalkEnded"
            case LegAnswered(leg, extension) if extension:
                what = f"LegAnswered {leg}"
            case _:
                return
        if (line.chain, what) in self._told:
            self.blame(line.chain, f"{what} stands twice")
        self._told.add((line.chain, what))
