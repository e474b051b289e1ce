"""What seeds have found, told as short stories on the whole server, so that it stays found."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from router.basis.instants import MILLISECOND, SECOND, Instant
from router.chains.call_states import Ended
from router.chains.enquiry import Outcome
from router.engine import crashes
from simulators.company import LINES
from simulators.faults import NONE
from simulators.judges.evidence import call_chain
from simulators.pbx import Deeds, Story
from simulators.reading import Reading
from simulators.server import Killed
from simulators.simulation import Setup, Simulation


class Play:
    """One call to a company in which everybody sits at his desk and nobody else calls; the first phone is answered."""

    def __init__(self, first_head: Deeds) -> None:
        # Everything travels a little: a look at the PBX must not be quicker than the server's own first turn.
        slow = replace(NONE, travel=(5 * MILLISECOND, 5 * MILLISECOND))
        self.simulation = Simulation(Setup(from_hour=12, faults=slow))
        board, self.world = self.simulation.board, self.simulation.world
        board.on_ring = lambda phone, _leg, _now: first_head if phone.extension == "101" else ()
        board.on_talk = lambda _call, _leg, _now: ((60 * SECOND, "hang_up"),)
        self.simulation.open_company()
        self.call = "office-1"

        def dials() -> None:
            board.call_in(self.world.now, LINES[0], "+79161234567", self.call, patience_us=300 * SECOND)

        self.world.after(0, dials)

    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.world.run(Instant(self.world.now + seconds * SECOND))

    def kill_at(self, place: str, passage: int, dead_for: int) -> None:
        """A passage of a crash point is fatal; the server comes back after so many seconds."""
        passed = 0

        def strike(name: str) -> None:
            nonlocal passed
            passed += name == place
            if passed == passage:
                crashes.install(None)
                raise Killed

        self.simulation.server.on_death = lambda: self.world.after(dead_for * SECOND, self.simulation.restart)
        crashes.install(strike)

    @property
    def story(self) -> Story:
        """The call as the PBX saw it."""
        return self.simulation.record.stories[self.call]

    def end(self) -> Ended:
        """The call as the journal has it."""
        reading = Reading(self.simulation.store.file.connection)
        assert not [line.difference for line in reading.lines() if line.difference]
        state = reading.states[call_chain(self.call)]
        assert isinstance(state, Ended)
        return state


@pytest.fixture(autouse=True)
def _nobody_dies_afterwards() -> Iterator[None]:
    yield
    crashes.install(None)


def test_who_picks_up_while_the_pbx_is_out_of_sight_is_connected() -> None:
    play = Play(((3 * SECOND, "answer"),))
    play.wait(2)
    play.simulation.vanish(75 * SECOND)  # longer than the claim on the head holds by itself
    play.wait(300)
    assert play.simulation.server.findings == []
    assert play.end().end.outcome is Outcome.ANSWERED
    assert play.end().end.person == "anna"
    assert len(play.story.rings) == len(play.story.talks) == 1


def test_who_picks_up_while_the_server_is_dead_is_connected() -> None:
    play = Play(((3 * SECOND, "answer"),))
    play.kill_at("outbox.perform:after", passage=2, dead_for=7)  # the first is the caller's ringing tone
    play.wait(300)
    assert play.simulation.server.deaths == 1
    assert play.end().end.outcome is Outcome.ANSWERED
    assert play.end().end.person == "anna"
    assert len(play.story.rings) == len(play.story.talks) == 1


@pytest.mark.parametrize("place", ["sqlite.written", "sqlite.commit:before", "engine.commit:after", "engine.started"])
def test_a_death_around_the_first_commit_costs_the_caller_nothing(place: str) -> None:
    play = Play(((3 * SECOND, "answer"),))
    play.kill_at(place, passage=1, dead_for=2)
    play.wait(300)
    assert play.simulation.server.deaths == 1
    assert play.end().end.outcome is Outcome.ANSWERED
    assert [ring.extension for ring in play.story.rings] == ["101"]
