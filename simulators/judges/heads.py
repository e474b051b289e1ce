"""Judges of who is kept for whom: claims and the queue."""

from router.basis.instants import Instant
from router.basis.machine import ClaimLost, Granted
from router.chains.call_states import Ended, Ringing, Talking, Waiting
from simulators.company import OWNERS, PBX
from simulators.judges.evidence import MIN_OFFER, Checker, Evidence
from simulators.reading import Line, Reading


class Claims(Checker):
    """Law 7."""

    name = "claims"

    def __init__(self, world: Evidence) -> None:
        super().__init__(world)
        self._holder: dict[str, str] = {}
        self._by_chain: dict[str, frozenset[str]] = {}
        self._robbed: dict[tuple[str, str], str] = {}
        """(key, chain that must hear that it lost it) -> the chain that took it."""
        self._waiting: dict[str, Waiting | Ringing] = {}
        self._at = Instant(0)

    def see(self, line: Line) -> None:
        """Follow who holds what and who waits for what."""
        if line.at > self._at:
            self._nobody_waits_in_vain()
            self._at = line.at
        keys, had = frozenset(line.claims), self._by_chain.get(line.chain, frozenset())
        if line.final and keys:
            self.blame(line.chain, f"is final and holds {sorted(keys)}")
        for key in had - keys:
            self._robbed.pop((key, line.chain), None)
            if self._holder.get(key) == line.chain:
                del self._holder[key]
                self._judge_release(line, key)
        for key in keys - had:
            holder = self._holder.get(key)
            if holder is not None:
                self._robbed[key, holder] = line.chain
            self._holder[key] = line.chain
        self._by_chain[line.chain] = keys
        if isinstance(line.event, ClaimLost):
            self._robbed.pop((line.event.key, line.chain), None)
        if isinstance(line.state, Waiting | Ringing) and line.state.keys:
            self._waiting[line.chain] = line.state
        else:
            self._waiting.pop(line.chain, None)

    def _judge_release(self, line: Line, key: str) -> None:
        """A head is free again as soon as the PBX has let go of him (and his pause is over)."""
        state = line.state
        if (
            not key.startswith("person:")
            or not isinstance(state, Ended)
            or not isinstance(line.before, Talking | Ended)
        ):
            return
        story = self.world.record.stories.get(line.chain.removeprefix(f"call:{PBX}:"))
        talk = story.talks[-1] if story is not None and story.talks else None
        if talk is None or talk.ended is None or key != f"person:{OWNERS.get(talk.extension)}":
            return
        late = line.at - talk.ended - state.file.terms.wrap_up
        if self.beyond("talk", late, talk.ended, line.at):
            self.blame(line.chain, f"kept {key} {late} µs longer than the talk and the pause")

    def _nobody_waits_in_vain(self) -> None:
        if self._robbed:
            for (key, chain), by in self._robbed.items():
                self.blame(chain, f"{by} took {key} from it and it was not told")
            self._robbed.clear()
        for chain, waiting in self._waiting.items():
            for key in waiting.keys:
                if key.startswith("person:") and key not in self._holder:
                    self.blame(chain, f"waits for {key}, who is free")

    def judge(self, reading: Reading) -> None:
        """At the end nothing is left over."""
        held = "SELECT k.key, c.id FROM claim k JOIN chain c ON c.no = k.chain WHERE c.final ORDER BY k.key"
        for key, chain in reading.connection.execute(held):
            self.blame(chain, f"is final and still holds {key}")
        rows = dict(reading.connection.execute("SELECT k.key, c.id FROM claim k JOIN chain c ON c.no = k.chain"))
        for key in sorted(rows.keys() | self._holder.keys()):
            if rows.get(key) != self._holder.get(key):
                self.blame(key, f"held by {rows.get(key)} in the table, by {self._holder.get(key)} in the log")


class Queue(Checker):
    """Whoever has waited longest is first among those of the same rank; who calls again has not lost his place."""

    name = "queue"

    def __init__(self, world: Evidence) -> None:
        super().__init__(world)
        self._waiting: dict[str, Waiting | Ringing] = {}
        self._held: dict[str, frozenset[str]] = {}
        self._gave: dict[str, str] = {}
        """Key -> the chain that let go of it last: it comes after the others."""
        self._passed: dict[str, tuple[Instant, set[str]]] = {}
        """Key -> the chains that were granted it at an instant and did not want it."""

    def see(self, line: Line) -> None:
        """A grant goes to the longest waiter among those who wait for this head and have not just passed."""
        if isinstance(line.event, Granted):
            self._judge(line, line.event.key)
            self._note(line, line.event.key)
        keys = frozenset(line.claims)
        self._gave |= dict.fromkeys(self._held.get(line.chain, frozenset()) - keys, line.chain)
        self._held[line.chain] = keys
        if isinstance(line.state, Waiting | Ringing) and line.state.keys:
            self._waiting[line.chain] = line.state
        else:
            self._waiting.pop(line.chain, None)

    def _judge(self, line: Line, key: str) -> None:
        own = self._waiting.get(line.chain)
        if own is None:
            return
        at, passed = self._passed.get(key, (line.at, set()))
        passed = passed if at == line.at else set()
        for chain, waiting in self._waiting.items():
            if chain == self._gave.get(key) or chain in passed:
                continue
            longer = _place(waiting) < _place(own)
            if longer and key in waiting.keys and waiting.file.window_end - line.at >= MIN_OFFER:
                self.blame(chain, f"waited longer for {key} than {line.chain}")

    def _note(self, line: Line, key: str) -> None:
        at, passed = self._passed.get(key, (line.at, set()))
        passed = passed if at == line.at else set()
        if isinstance(line.state, Waiting | Ringing) and key in line.state.keys:
            passed = {*passed, line.chain}
        self._passed[key] = (line.at, passed)


def _place(state: Waiting | Ringing) -> tuple[int, int]:
    known = state.file.known
    return known.rank, known.since or state.file.arrived
