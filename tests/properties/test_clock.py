"""Whatever is done to the wall clock: windows keep their length, nothing fires early, no stamp goes back.

The line of stamps is the monotonic clock's; who follows the calendar hears of each step (`router.engine.line`).
"""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from router.basis.instants import MILLISECOND, SECOND, Instant
from router.basis.machine import ClockStepped, DeadlineReached
from router.chains.call_states import HandedOver
from router.chains.effects import RingLeg, SendToFallback
from router.chains.events import CameBack, WentAway
from router.chains.roster import ROSTER, Roster
from router.engine.clock import SystemClock
from router.engine.line import LINE, TOLERATED, ahead_of
from router.office import call_chain
from tests.stories.play import Play, office
from tests.stories.stage import PBX, T0, Stage

HOUR_MS = 3_600_000
_step = st.tuples(st.integers(0, 20_000), st.integers(-3 * HOUR_MS, 3 * HOUR_MS))
STEPS = st.lists(_step, max_size=12)
"""(milliseconds since the one before, by how many milliseconds the wall is set)"""


@given(STEPS)
def test_the_line_is_the_monotonic_clock(steps: list[tuple[int, int]]) -> None:
    wall, monotonic = 1_700_000_000 * 10**9, 77 * 10**9
    clock = SystemClock(lambda: wall, lambda: monotonic)
    start, gone, set_by = clock.now(), 0, 0
    for pause, by in steps:
        gone, set_by = gone + pause, set_by + by
        wall += (pause + by) * 10**6
        monotonic += pause * 10**6
        assert clock.now() == start + gone * MILLISECOND
        assert clock.offset() == set_by * MILLISECOND


def set_wall(stage: Stage, ahead_us: int) -> None:
    """What the watch does at its next look."""
    by = ahead_us - ahead_of(stage.core)
    if abs(by) > TOLERATED:
        stage.admit(LINE, ClockStepped(by, ahead_us), "clock")


def played(steps: list[tuple[int, int]]) -> tuple[Play, list[tuple[Instant, int]]]:
    """Nobody answers a call of five heads while somebody plays with the wall clock; and the wall as it was."""
    play = office("anna boris clara dima elena")
    stage, ahead, wall = play.stage, 0, [(T0, 0)]
    play.calls()
    for pause, by in steps:
        stage.run_to(Instant(stage.now + pause * MILLISECOND))
        ahead += by * MILLISECOND
        wall.append((stage.now, ahead))
        set_wall(stage, ahead)
    stage.run_to(Instant(max(stage.now, T0 + 60 * SECOND)))
    return play, wall


@given(STEPS)
def test_a_window_keeps_its_length_and_its_hops_theirs(steps: list[tuple[int, int]]) -> None:
    play, _ = played(steps)
    stage = play.stage
    rings = [at - T0 for at, effect in stage.ordered if isinstance(effect, RingLeg)]
    assert rings == [0, 8 * SECOND, 16 * SECOND, 24 * SECOND, 32 * SECOND]
    assert [at - T0 for at, effect in stage.ordered if isinstance(effect, SendToFallback)] == [40 * SECOND]
    chain = call_chain(PBX, "c1")
    for record in stage.records:
        if record.chain == chain and b'"DeadlineReached"' in record.event:
            event = stage.core.codec.event(stage.core.machine("call", 1), record.event, 1)
            assert isinstance(event, DeadlineReached)
            assert record.at >= event.deadline
    assert isinstance(stage.state(chain), HandedOver)


@given(STEPS)
def test_no_stamp_goes_back_and_every_chain_folds_to_the_same(steps: list[tuple[int, int]]) -> None:
    play, _ = played(steps)
    core = play.stage.core
    last: dict[str, int] = defaultdict(int)
    for record in play.stage.records:
        assert record.at >= last[record.chain]
        last[record.chain] = record.at
    for chain in last:
        state = None
        for record in (entry for entry in play.stage.records if entry.chain == chain):
            machine = core.machine(record.kind, 1)
            event = core.codec.event(machine, record.event, 1)
            seen = core.codec.seen(machine, record.seen, 1)
            step = (
                machine.start(event, seen, record.at) if state is None else machine.step(state, event, seen, record.at)
            )
            state = step.state
            assert core.codec.encode(state) == record.state


@given(STEPS, st.integers(1, 3 * 3600))
def test_an_absence_ends_by_the_wall_at_once_and_never_before(steps: list[tuple[int, int]], until_s: int) -> None:
    play = office("anna boris")
    stage, ahead = play.stage, 0
    until = Instant(T0 + until_s * SECOND)
    stage.admit(ROSTER, WentAway("anna", "anna", until))
    for pause, by in [*steps, (1, 0)]:
        before = stage.now
        stage.run_to(Instant(stage.now + pause * MILLISECOND))
        _judge_absence(stage, until, before + ahead)
        ahead = ahead if abs(by * MILLISECOND) <= TOLERATED else ahead + by * MILLISECOND
        set_wall(stage, ahead)
        _judge_absence(stage, until, stage.now + ahead)
    rest = max(0, until - (stage.now + ahead))
    if _is_away(stage):
        stage.run_to(Instant(stage.now + rest - 1))
        assert _is_away(stage), "back a microsecond too early"
        stage.run_to(Instant(stage.now + 1))
    assert not _is_away(stage)
    stage.admit(ROSTER, CameBack("anna", "anna"))


def _judge_absence(stage: Stage, until: Instant, wall: int) -> None:
    if wall >= until:
        assert not _is_away(stage), "the wall clock says that he is back"


def _is_away(stage: Stage) -> bool:
    roster = stage.state(ROSTER)
    assert isinstance(roster, Roster)
    return any(entry.person == "anna" for entry in roster.away)
