"""The asyncio edge: group commit, what leaves when, and what happens when the journal fails."""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from router.basis.failures import Permanent
from router.basis.instants import MILLISECOND, Instant
from router.basis.machine import EffectAside, Event
from router.engine import crashes, shell
from router.engine.clock import SystemClock
from router.engine.core import Admission, Draft
from router.engine.journal import Order
from tests.engine.approval import (
    ClerkAnswered,
    Filed,
    SendLetter,
    SwitchOff,
    WithClerk,
)
from tests.engine.bench import holders, request
from tests.engine.edge import Edge, running
from tests.engine.quirks import Alarm, Explode, Note, Small
from tests.engine.values import ANNA, BORIS, Terms

ODD = "quirk:test:odd"


@pytest.fixture(autouse=True)
def no_pause_between_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "RETRY_WRITE", 0.001)
    monkeypatch.setattr(shell, "MARKS_WAIT", 0)  # the clock stands still


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def filed(edge: Edge, name: str, terms: Terms | None = None) -> Filed:
    return Filed(request(name), 100, edge.core.contents.pin(terms or Terms()))


# --- what leaves when -------------------------------------------------------------------------------------------------


async def test_answers_and_effects_leave_only_after_the_commit(path: Path) -> None:
    async with running(path) as edge:
        edge.store.gate = asyncio.Event()
        asking = asyncio.create_task(edge.say(request("a"), filed(edge, "a")))
        await edge.store.at_the_gate.wait()
        for _ in range(20):
            await asyncio.sleep(0)  # every chance to leave too early
        assert not asking.done()
        assert edge.world.performed == []
        edge.store.gate.set()
        assert (await asking).reply == "filed"
        await edge.world.until(lambda: len(edge.world.performed) == 2)
        assert edge.world.bells() == [f"{request('a')} {ANNA}"]


async def test_what_was_ordered_leaves_before_the_next_turn_takes_its_steps(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where calls hop together, nobody's ring waits for another call's steps and commit."""
    async with running(path) as edge:
        edge.store.gate = asyncio.Event()
        first = asyncio.create_task(edge.say(request("a"), filed(edge, "a")))
        await edge.store.at_the_gate.wait()
        second = asyncio.create_task(edge.say(request("b"), filed(edge, "b")))
        await asyncio.sleep(0)  # it is in the queue
        performed: list[int] = []
        prepare = edge.core.prepare

        def noting(admissions: list[Admission], now: Instant) -> Draft:
            performed.append(len(edge.world.performed))
            return prepare(admissions, now)

        monkeypatch.setattr(edge.core, "prepare", noting)
        edge.store.gate.set()
        await asyncio.gather(first, second)
        ordered = {order.id[0] for order in edge.world.performed}
        assert request("a") in ordered, "it has an effect"
        assert performed[0] >= 1


async def test_what_comes_during_a_commit_goes_together_in_the_next(path: Path) -> None:
    async with running(path) as edge:
        edge.store.gate = asyncio.Event()
        tasks = [asyncio.create_task(edge.say(f"quirk:test:{number}", Small("x"))) for number in range(64)]
        await edge.store.at_the_gate.wait()
        more = [asyncio.create_task(edge.say(f"quirk:test:{number}", Small("y"))) for number in range(64)]
        for _ in range(5):
            await asyncio.sleep(0)
        edge.store.gate.set()
        await asyncio.gather(*tasks, *more)
        assert [len(batch.records) for batch in edge.store.commits if batch.records] == [64, 64]


async def test_64_producers_share_commits(path: Path) -> None:
    async with running(path) as edge:
        edge.engine.performers = {"post": edge.world.perform}

        async def produce(number: int) -> None:
            for turn in range(10):
                answer = await edge.say(f"quirk:test:{number}", Small(f"{turn}"))
                assert answer.reply == f"heard {turn}"

        await asyncio.gather(*(produce(number) for number in range(64)))
        written = sum(len(batch.records) for batch in edge.store.commits)
        assert written == 640
        assert edge.store.committed <= 64  # one per event would be 640


async def test_a_turn_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "BATCH", 10)
    async with running(path) as edge:
        requests = [[Admission(f"quirk:test:{n}.{m}", Small(), "test") for m in range(4)] for n in range(10)]
        big = [Admission(f"quirk:test:big{m}", Small(), "test") for m in range(30)]
        await asyncio.gather(*(edge.engine.admit(admissions) for admissions in [*requests, big]))
        sizes = [len(batch.records) for batch in edge.store.commits if batch.records]
        assert sizes == [8, 8, 8, 8, 8, 30]  # a request is never split


async def test_a_fresh_event_does_not_wait_for_a_whole_backlog_of_deadlines(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a stall everything is due at once: it is taken in parts, and what comes then goes between them."""
    monkeypatch.setattr(shell, "OWN", 10)
    async with running(path) as edge:
        deadline = Instant(edge.clock.now() + MILLISECOND)
        alarms = [Admission(f"quirk:test:{n}", Alarm(deadline), "test") for n in range(100)]
        await edge.engine.admit(alarms)
        edge.store.gate = asyncio.Event()
        edge.wait(0.001)
        await edge.store.at_the_gate.wait()  # the first part is being written
        fresh = asyncio.create_task(edge.say(ODD, Small("fresh")))
        await asyncio.sleep(0)
        edge.store.gate.set()
        await fresh
        await edge.until(lambda: all(edge.core.live[one.chain].sequence == 2 for one in alarms))
        batches = [[record.chain for record in batch.records] for batch in edge.store.commits if batch.records][1:]
        assert max(map(len, batches)) <= 11
        assert ODD in batches[1]
        assert sorted(chain for batch in batches for chain in batch) == sorted([*(one.chain for one in alarms), ODD])


@pytest.mark.parametrize(("producers", "gathers"), [(1, False), (3, True)])
async def test_a_lone_event_leaves_at_once_a_crowd_gathers(path: Path, producers: int, gathers: bool) -> None:
    passed: list[str] = []
    async with running(path) as edge:
        crashes.install(passed.append)
        try:
            await asyncio.gather(*(edge.say(f"quirk:test:{number}", Small()) for number in range(producers)))
        finally:
            crashes.install(None)
    assert (f"{shell.GATHER}:before" in passed) is gathers


async def test_admissions_of_one_request_keep_their_order_and_answers(path: Path) -> None:
    async with running(path) as edge:
        answers = await edge.engine.admit(
            [
                Admission(ODD, Small("a"), "test", "1"),
                Admission(ODD, Explode(), "test"),
                Admission(ODD, Small("b"), "test", "1"),
                Admission(ODD, Small("c"), "test", "2"),
            ]
        )
        assert [answer.reply for answer in answers] == ["heard a", None, "heard a", "heard c"]
        assert [answer.twin for answer in answers] == [False, False, True, False]
        assert isinstance(answers[1].error, RuntimeError)
        assert [type(admission.event) for admission, _ in edge.troubles] == [Explode]
        assert await edge.engine.admit([]) == []


async def test_a_caller_who_goes_away_disturbs_nobody(path: Path) -> None:
    async with running(path) as edge:
        edge.store.gate = asyncio.Event()
        gone = asyncio.create_task(edge.say(ODD, Small("gone")))
        stays = asyncio.create_task(edge.say(ODD, Small("stays")))
        await edge.store.at_the_gate.wait()
        never = asyncio.create_task(edge.say(ODD, Small("never")))
        await asyncio.sleep(0)
        gone.cancel()
        never.cancel()
        edge.store.gate.set()
        assert (await stays).reply == "heard stays"
        await edge.say(ODD, Small("last"))
        assert edge.core.live[ODD].state.heard == ("gone", "stays", "last")  # type: ignore[attr-defined]


# --- time -------------------------------------------------------------------------------------------------------------


async def test_a_deadline_wakes_the_loop_by_itself(path: Path) -> None:
    clock = SystemClock()
    async with running(path, clock=clock) as edge:
        deadline = Instant(clock.now() + 20 * MILLISECOND)
        await edge.say(ODD, Alarm(deadline))
        await edge.until(lambda: edge.core.live[ODD].sequence == 2)
        assert edge.core.live[ODD].at >= deadline


async def test_deadlines_fire_in_order_once_and_not_early(path: Path) -> None:
    async with running(path) as edge:
        await edge.say(request("a"), filed(edge, "a"))
        edge.wait(59.999999)
        await edge.say(ODD, Small())
        assert not edge.core.live[request("a")].state.reminded  # type: ignore[attr-defined]
        edge.wait(0.000001)
        await edge.until(lambda: edge.core.live[request("a")].sequence == 2)
        edge.wait(120)
        await edge.until(lambda: edge.core.live[request("a")].sequence >= 3)
        assert holders(edge.core) == {BORIS: request("a")}


# --- effects ----------------------------------------------------------------------------------------------------------


async def test_facts_of_a_performer_are_admitted_and_close_its_key(path: Path) -> None:
    async with running(path) as edge:
        await edge.say(request("a"), filed(edge, "a"))
        await edge.say(request("a"), ClerkAnswered(ANNA, False))
        await edge.until_quiet()
        assert edge.world.effects(SwitchOff) == [SwitchOff(request("a"), 1)]
        assert await edge.orders() == []
        log = await edge.store.inner.history(request("a"))
        assert [line.source for line in log] == ["test", "test", "desk"]


async def test_marks_ride_along_or_go_alone_after_a_while(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "MARKS_WAIT", 50 * MILLISECOND)
    async with running(path) as edge:
        await edge.say(ODD, Small("a"))
        await edge.world.until(lambda: len(edge.world.performed) == 1)
        await asyncio.gather(*edge.engine._performing)
        await edge.say(ODD, Small("b"))
        assert [batch.done for batch in edge.store.commits] == [[], [((ODD, 1, 0), "sent")]]
        await edge.world.until(lambda: len(edge.world.performed) == 2)
        await asyncio.gather(*edge.engine._performing)
        edge.wait(0.049)
        for _ in range(20):
            await asyncio.sleep(0)
        assert edge.store.committed == 2
        edge.wait(0.05)  # 50 ms after the loop saw the mark
        await edge.until_quiet()
        assert edge.store.committed == 3


async def test_a_lane_without_a_performer_and_a_permanent_failure_put_aside(path: Path) -> None:
    async def refuse(order: Order) -> Sequence[Event]:
        raise Permanent("no_such_box")

    async with running(path) as edge:
        edge.world.answers[SendLetter] = refuse
        del edge.engine.performers["desk"]
        await edge.say(request("a"), filed(edge, "a"))
        await edge.until(lambda: edge.core.live[request("a")].sequence == 3)
        state = edge.core.live[request("a")].state
        assert isinstance(state, WithClerk)
        assert state.bells_missed == 1
        await edge.until_quiet()
        ((order),) = [order for order in await edge.store.inner.orders() if order.aside]
        assert (order.id, order.aside) == ((request("a"), 1, 1), "no_such_box")
        log = await edge.store.inner.history(request("a"))
        assert edge.core.codec.encode(EffectAside(f"{request('a')}/letter", "no_such_box")) in [
            line.event for line in log
        ]


async def test_what_was_put_aside_can_be_sent_again_once(path: Path) -> None:
    refusing = True

    async def answer(order: Order) -> Sequence[Event]:
        if refusing:
            raise Permanent("no_such_box")
        return ()

    async with running(path) as edge:
        edge.world.answers[Note] = answer
        await edge.say(ODD, Small("x"))
        await edge.until_quiet()
        refusing = False
        results = await asyncio.gather(*(edge.engine.send_again((ODD, 1, 0)) for _ in range(3)))
        assert sorted(results) == [False, False, True]
        await edge.until_quiet()
        assert len(edge.world.effects(Note)) == 2
        assert await edge.orders() == []
        assert await edge.engine.send_again((ODD, 1, 0)) is False


async def test_a_mistake_of_an_adapter_is_tried_again(path: Path) -> None:
    def tried(times: int) -> bool:
        return len(edge.world.effects(Note)) == times

    async def stumble(order: Order) -> Sequence[Event]:
        if len(edge.world.effects(Note)) < 3:
            raise ZeroDivisionError
        return ()

    async with running(path) as edge:
        edge.world.answers[Note] = stumble
        await edge.say(ODD, Small("x"))
        for times in (1, 2):
            await edge.world.until(partial(tried, times))
            await asyncio.gather(*edge.engine._performing)
            edge.wait(60)
        await edge.until_quiet()
        assert len(edge.world.effects(Note)) == 3


async def test_stale_bells_are_dropped_while_the_desk_is_out_of_sight(path: Path) -> None:
    async with running(path) as edge:
        edge.engine.out_of_sight("desk")
        assert edge.engine.lanes_out_of_sight() == {"desk"}
        await edge.say(request("a"), filed(edge, "a"))
        edge.wait(500)
        await edge.say(ODD, Small("the loop has looked at the clock"))
        state = edge.core.live[request("a")].state
        assert isinstance(state, WithClerk)
        assert not state.reminded  # its deadlines wait
        assert edge.world.bells() == []
        edge.engine.in_sight("desk")
        await edge.until(lambda: holders(edge.core) == {BORIS: request("a")})
        await edge.world.until(lambda: len(edge.world.bells()) == 1)
        assert edge.world.bells() == [f"{request('a')} {BORIS}"]


async def test_chains_that_do_not_depend_on_it_go_on(path: Path) -> None:
    async with running(path) as edge:
        for name in ("a", "b"):
            await edge.say(request(name), filed(edge, name, Terms(clerks=(ANNA,))))
        edge.engine.out_of_sight("desk")
        edge.wait(900)
        await edge.until(lambda: edge.core.live[request("b")].final)
        assert not edge.core.live[request("a")].final
        edge.engine.in_sight("desk")
        await edge.until(lambda: edge.core.live[request("a")].final)
