"""Judges of what the phones did: the window, dead air, one phone at a time."""

from collections import defaultdict

from router.basis.instants import Instant
from router.chains.call_states import Ended
from router.chains.events import CallArrived
from simulators.judges.evidence import MIN_OFFER, RING, WINDOW, Checker, Evidence, call_chain
from simulators.pbx import Ring, Story
from simulators.reading import Line, Reading


class Window(Checker):
    """Law 3, on the PBX's own record."""

    name = "window"

    def __init__(self, world: Evidence) -> None:
        super().__init__(world)
        self._arrived: dict[str, Instant] = {}

    def see(self, line: Line) -> None:
        """The window counts from the stamp of the arrival; a later arrival of the same call moves nothing."""
        if isinstance(line.event, CallArrived):
            self._arrived.setdefault(line.chain, line.at)

    def judge(self, reading: Reading) -> None:
        """Every ring of the PBX's record."""
        handed: dict[str, int] = {}
        for entry in self.world.record.entries:
            if entry.what in ("fallback_took", "call_ended"):
                handed.setdefault(entry.call, entry.at)
        for story in self.world.record.stories.values():
            arrived = self._arrived.get(call_chain(story.call))
            if arrived is None or self.world.tolerance.window == 0:
                arrived = Instant(story.arrived)
            end = arrived + WINDOW
            for ring in story.rings:
                self._judge_ring(story, ring, arrived, end)
            released = story.talks[0].began if story.talks else handed.get(story.call, self.world.now)
            if self.beyond("window", released - end, arrived, released):
                self.blame(story.call, f"nobody took care of the caller for {released - end} µs after the window")

    def _judge_ring(self, story: Story, ring: Ring, arrived: int, end: int) -> None:
        if self.beyond("window", ring.ordered - (end - MIN_OFFER), arrived, ring.ordered):
            self.blame(ring.leg, f"begun {end - ring.ordered} µs before the end of the window")
        ended = ring.ended if ring.ended is not None else self.world.now
        if not any(talk.leg == ring.leg for talk in story.talks) and self.beyond("window", ended - end, arrived, ended):
            self.blame(ring.leg, f"rang {ended - end} µs beyond the window")
        if ring.how == "no_answer":
            length, due = ended - ring.ordered, min(RING, end - ring.ordered)
            if self.beyond("ring", abs(length - due), ring.ordered, ended):
                self.blame(ring.leg, f"rang {length} µs, {due} were due")
            return
        until = ring.answered or ended
        if self.beyond("ring", until - ring.ordered - RING, ring.ordered, until):
            self.blame(ring.leg, f"rang {until - ring.ordered} µs")


class DeadAir(Checker):
    """A head who picks up speaks with the client, or is let go."""

    name = "dead_air"

    def judge(self, reading: Reading) -> None:
        """Every ring that was answered."""
        for story in self.world.record.stories.values():
            for ring in story.rings:
                if ring.answered is None:
                    continue
                talk = next((talk for talk in story.talks if talk.leg == ring.leg), None)
                until = talk.began if talk is not None else ring.ended if ring.ended is not None else self.world.now
                if self.beyond("silence", until - ring.answered, ring.answered, until):
                    self.blame(ring.leg, f"{until - ring.answered} µs of silence after the head picked up")


class OnePhone(Checker):
    """One phone rings at a time for a call, and for one call at a time; nothing rings that nobody ordered."""

    name = "one_phone"

    def judge(self, reading: Reading) -> None:
        """All rings, by call and by phone."""
        by_phone: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
        for story in self.world.record.stories.values():
            spans: list[tuple[int, int, str]] = []
            for ring in story.rings:
                span = (ring.ordered, ring.ended if ring.ended is not None else self.world.now, ring.leg)
                spans.append(span)
                by_phone[ring.extension].append(span)
            self._judge_spans(story.call, spans)
            self._judge_orders(story, reading)
        for phone, spans in by_phone.items():
            self._judge_spans(phone, spans)

    def _judge_spans(self, where: str, spans: list[tuple[int, int, str]]) -> None:
        spans.sort()
        since, until, last = 0, 0, ""
        for begins, ends, leg in spans:
            if self.beyond("overlap", until - begins, since, until):
                self.blame(where, f"{leg} rang {until - begins} µs before {last} was over")
            if ends > until:
                since, until, last = begins, ends, leg

    def _judge_orders(self, story: Story, reading: Reading) -> None:
        state = reading.states.get(call_chain(story.call))
        known = {hop.leg: hop.extension for hop in state.file.hops} if isinstance(state, Ended) else None
        for ring in story.rings:
            if known is not None and known.get(ring.leg) != ring.extension:
                self.blame(ring.leg, f"rang {ring.extension}, the journal says {known.get(ring.leg)}")
