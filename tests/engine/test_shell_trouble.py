"""The asyncio edge when the journal fails or refuses, at the end of a process and at the beginning of the next."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from router.basis.failures import Temporary
from router.basis.instants import SECOND, Instant
from router.basis.machine import Event
from router.engine import shell
from router.engine.clock import VirtualClock
from router.engine.core import Admission
from router.engine.journal import Batch, Order, Refused, Secret
from router.engine.store.port import StoreUnavailable
from router.engine.store.sqlite import SqliteStore
from tests.engine.approval import (
    ClerkAnswered,
    ClerkSeenWorking,
    Filed,
    LightIsOff,
    ManagerAnswered,
    Over,
    RingBell,
    SendLetter,
    SwitchOff,
    WaitingForClerk,
    Withdrawn,
)
from tests.engine.bench import T0, holders, request
from tests.engine.edge import PATIENCE, Edge, MoodyStore, World, running
from tests.engine.quirks import Note, Odd, Small
from tests.engine.rows import batch, record, takes
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


# --- the journal fails ------------------------------------------------------------------------------------------------


async def test_callers_are_told_and_nothing_has_happened(path: Path) -> None:
    async with running(path) as edge:
        await edge.say(request("a"), filed(edge, "a"))
        await edge.until_quiet()
        edge.store.fail_commits = [StoreUnavailable("disk full")]
        with pytest.raises(StoreUnavailable, match="disk full"):
            await edge.say(request("a"), ClerkAnswered(ANNA, True))
        assert edge.engine.writable is False
        before = len(edge.world.performed)
        answer = await edge.say(request("a"), ClerkAnswered(ANNA, False), origin="again")
        assert answer.reply == "noted"
        assert bool(edge.engine.writable)
        assert isinstance(edge.core.live[request("a")].state, Over)
        await edge.until_quiet()
        assert len(edge.world.performed) == before + 1


async def test_touched_chains_are_read_again(path: Path) -> None:
    """Whoever cut the connection may have let another engine write."""
    async with running(path) as edge:
        await edge.say(ODD, Small("mine"))
        await edge.until_quiet()
        edge.store.fail_commits = [StoreUnavailable("cut")]
        with pytest.raises(StoreUnavailable):
            await edge.say(ODD, Small("lost"))
        state = edge.core.codec.encode(_odd("mine", "theirs"))
        await edge.store.inner.commit(batch(record(ODD, 2, state=state, origin="theirs", reply="by them")))
        assert (await edge.say(ODD, Small("x"), origin="theirs")).reply == "by them"
        await edge.say(ODD, Small("mine again"))
        assert edge.core.live[ODD].state == _odd("mine", "theirs", "mine again")


def _odd(*heard: str) -> Odd:
    return Odd(heard)


async def test_our_own_deadlines_and_notes_are_not_lost(path: Path) -> None:
    async with running(path) as edge:
        await edge.say(request("a"), filed(edge, "a"))
        await edge.until_quiet()
        await edge.say(request("b"), filed(edge, "b"))
        edge.store.down = True
        edge.wait(60)  # two reminders are due; the notes of b's effects are to be written
        with pytest.raises(StoreUnavailable):
            await edge.say(ODD, Small("told at once"))
        for _ in range(50):
            await asyncio.sleep(0.001)  # some tries
        edge.store.down = False
        edge.wait(1)
        await edge.until(lambda: all(edge.core.live[request(name)].state.reminded for name in "ab"))  # type: ignore[attr-defined]
        await edge.until_quiet()
        assert await edge.orders() == []
        log = await edge.store.inner.history(request("a"))
        assert [line.source for line in log].count("timer") == 1  # no deadline but its own was handled


async def test_a_journal_that_is_away_is_asked_at_a_measured_pace(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Overdue deadlines and notes must not turn the wait into a busy loop."""
    async with running(path) as edge:
        for name in "abcd":
            await edge.say(request(name), filed(edge, name))
        await edge.until_quiet()
        monkeypatch.setattr(shell, "RETRY_WRITE", 10.0)
        edge.store.down = True
        edge.wait(60)
        with pytest.raises(StoreUnavailable):
            await edge.say(ODD, Small())
        tried = edge.store.loads + len(edge.store.commits)
        for _ in range(300):
            await asyncio.sleep(0)
        assert edge.store.loads + len(edge.store.commits) <= tried + 1
        edge.store.down = False


async def test_effects_already_committed_go_on_while_the_journal_is_away(path: Path) -> None:
    async def busy(order: Order) -> Sequence[Event]:
        raise Temporary("busy")

    async with running(path) as edge:
        edge.world.answers[SwitchOff] = busy
        await edge.say(request("a"), filed(edge, "a"))
        await edge.say(request("a"), ClerkAnswered(ANNA, False))
        await edge.world.until(lambda: len(edge.world.effects(SwitchOff)) == 1)
        edge.store.down = True
        with pytest.raises(StoreUnavailable):
            await edge.say(request("a"), Withdrawn())
        await asyncio.gather(*edge.engine._performing)
        edge.wait(0.2)
        await edge.world.until(lambda: len(edge.world.effects(SwitchOff)) == 2)
        edge.store.down = False
        del edge.world.answers[SwitchOff]
        edge.wait(0.2)
        await edge.until_quiet()


async def test_a_commit_that_held_without_our_knowing_is_found_out(path: Path) -> None:
    """The caller delivers again and gets the first reply; the effects leave all the same, and once."""
    async with running(path) as edge:
        edge.store.hide_commits = 1
        with pytest.raises(StoreUnavailable):
            await edge.say(request("a"), filed(edge, "a"), origin="d1")
        assert edge.world.performed == []
        answer = await edge.say(request("a"), filed(edge, "a"), origin="d1")
        assert (answer.twin, answer.reply) == (True, "filed")
        await edge.world.until(lambda: len(edge.world.performed) == 2)
        await edge.until_quiet()
        assert edge.world.bells() == [f"{request('a')} {ANNA}"]
        assert holders(edge.core) == {ANNA: request("a")}


async def test_facts_that_nobody_repeats_wait_for_the_journal(path: Path) -> None:
    async with running(path) as edge:
        edge.store.fail_commits = [StoreUnavailable("1"), StoreUnavailable("2"), StoreUnavailable("3")]
        (answer,) = await edge.engine.admit_surely([Admission(ODD, Small("x"), "test")])
        assert answer.reply == "heard x"
        assert edge.core.live[ODD].state == _odd("x")


# --- the store refuses ------------------------------------------------------------------------------------------------


async def test_a_record_that_came_second_is_prepared_anew(path: Path) -> None:
    async with running(path) as edge:
        await edge.say(ODD, Small("mine"))
        theirs = record(ODD, 2, state=edge.core.codec.encode(_odd("mine", "theirs")), origin="t", reply="by them")
        await edge.store.inner.commit(batch(theirs))
        answers = await edge.engine.admit(
            [
                Admission(ODD, Small("x"), "test"),
                Admission(ODD, Small("y"), "test", "t"),
                Admission("quirk:test:b", Small("z"), "test"),
            ]
        )
        assert [answer.reply for answer in answers] == ["heard x", "by them", "heard z"]
        assert edge.core.live[ODD].state == _odd("mine", "theirs", "x")


async def test_only_the_guilty_fails_and_is_told_why(path: Path) -> None:
    def refuses(batch: Batch) -> Refused | None:
        guilty = [index for index, record in enumerate(batch.records) if record.chain == ODD]
        return Refused(dict.fromkeys(guilty, "sequence")) if guilty else None

    async with running(path) as edge:
        edge.store.refuses = refuses
        good, bad = await asyncio.gather(
            edge.engine.admit([Admission(request(name), filed(edge, name), "test") for name in "ab"]),
            edge.engine.admit([Admission(ODD, Small("x"), "test"), Admission("quirk:test:b", Small("y"), "test")]),
        )
        assert [answer.reply for answer in (*good, bad[1])] == ["filed", "filed", "heard y"]
        assert isinstance(bad[0].error, Refused)
        assert [admission.chain for admission, _ in edge.troubles] == [ODD]
        assert ODD not in edge.core.live
        assert holders(edge.core) == {ANNA: request("a"), BORIS: request("b")}


async def test_a_key_that_another_engine_took_is_seen(path: Path) -> None:
    async with running(path) as edge:
        await edge.say(ODD, Small())
        state = edge.core.codec.encode(Odd((), ANNA))
        await edge.store.inner.commit(batch(record("quirk:theirs:x", 1, state=state, **takes(ANNA))))
        assert (await edge.say(request("a"), filed(edge, "a"))).reply == "filed"
        assert holders(edge.core) == {ANNA: "quirk:theirs:x", BORIS: request("a")}


async def test_a_token_that_another_engine_made_is_used(path: Path) -> None:
    async with running(path) as edge:
        await edge.store.inner.commit(Batch(secrets=[Secret("t_theirs", "name", "Ivan")]))
        edge.store.forget_tokens = 1  # as if they had written it just after we looked
        answers = await edge.engine.admit(
            [
                Admission(request("a"), filed(edge, "a"), "test", personal={"asker": ("name", "Ivan")}),
                Admission(ODD, Small("x"), "test"),
            ]
        )
        assert [answer.error for answer in answers] == [None, None]
        assert edge.core.live[request("a")].state.asker == "t_theirs"  # type: ignore[attr-defined]


async def test_a_value_is_revealed_from_memory_or_from_the_vault(path: Path) -> None:
    async with running(path) as edge:
        await edge.store.inner.commit(Batch(secrets=[Secret("t_old", "name", "Olga")]))
        personal = {"asker": ("name", "Ivan")}
        await edge.engine.admit([Admission(request("a"), filed(edge, "a"), "test", personal=personal)])
        assert await edge.engine.reveal("t_1") == "Ivan"
        assert await edge.engine.reveal("t_old") == "Olga"
        assert await edge.engine.reveal("t_none") is None


# --- ends and beginnings ----------------------------------------------------------------------------------------------


async def test_another_process_takes_up_claims_waits_timers_and_orders(path: Path) -> None:
    world = World()
    hang = asyncio.Event()

    async def never(order: Order) -> Sequence[Event]:
        await hang.wait()
        return ()

    world.answers = {RingBell: never, SendLetter: never}
    async with running(path, world) as edge:
        for name in "abc":
            await edge.say(request(name), filed(edge, name))
        await world.until(lambda: len(world.performed) == 4)  # two bells, two letters under way
        await edge.kill()
    world = World()
    async with running(path, world, VirtualClock(Instant(T0 + 2 * SECOND)), blocked=("desk",)) as edge:
        assert holders(edge.core) == {ANNA: request("a"), BORIS: request("b")}
        assert isinstance(edge.core.live[request("c")].state, WaitingForClerk)
        assert [order.effect.clerk for order in edge.recovered] == [ANNA, BORIS]  # type: ignore[attr-defined]
        await world.until(lambda: len(world.effects(SendLetter)) == 2)
        assert world.bells() == []  # until the desk has been looked at
        edge.engine.in_sight("desk")
        await world.until(lambda: len(world.bells()) == 2)
        await edge.until_quiet()
        assert await edge.orders() == []
        await edge.say(request("a"), ClerkAnswered(ANNA, False))
        assert holders(edge.core) == {ANNA: request("c"), BORIS: request("b")}
        edge.wait(58)
        await edge.until(lambda: edge.core.live[request("b")].state.reminded)  # type: ignore[attr-defined]


async def test_what_a_closed_key_ended_does_not_come_back_after_a_restart(path: Path) -> None:
    """The confirmation and the end of the request are one transaction; a machine that is over hears no second one."""

    async def silent(order: Order) -> Sequence[Event]:
        return ()

    async with running(path) as edge:
        edge.world.answers[SwitchOff] = silent
        await edge.say(request("a"), filed(edge, "a"))
        await edge.say(request("a"), ClerkAnswered(ANNA, False))
        await edge.world.until(lambda: len(edge.world.effects(SwitchOff)) == 1)
        await edge.until_quiet(but=1)
        await edge.say(request("a"), LightIsOff(1))
        assert (request("a"), 2, 0) not in await edge.orders()
        await edge.kill()
    async with running(path) as edge:
        assert edge.world.performed == []
        assert len(edge.engine.outbox) == 0


async def test_an_orderly_stop_notes_what_was_sent_and_starts_nothing(path: Path) -> None:
    world = World()
    go = asyncio.Event()

    async def slow(order: Order) -> Sequence[Event]:
        await go.wait()
        return ()

    world.answers[Note] = slow
    async with running(path, world) as edge:
        await edge.say(ODD, Small("x"))
        await world.until(lambda: len(world.performed) == 1)
        stopping = asyncio.create_task(edge.engine.stop())
        await asyncio.sleep(0)
        await edge.say("quirk:test:b", Small("y"))
        go.set()
        await stopping
        assert edge.task is not None
        await asyncio.wait_for(edge.task, PATIENCE)
        assert [order.effect for order in world.performed] == [Note("x")]
        assert await edge.orders() == [("quirk:test:b", 1, 0)]
        with pytest.raises(StoreUnavailable, match="has stopped"):
            await edge.say(ODD, Small("too late"))


async def test_an_engine_that_ends_by_a_mistake_leaves_nobody_waiting(path: Path) -> None:
    async with running(path) as edge:
        edge.store.gate = asyncio.Event()
        edge.store.fail_commits = [ZeroDivisionError()]
        first = asyncio.create_task(edge.say(ODD, Small("x")))
        await edge.store.at_the_gate.wait()
        second = asyncio.create_task(edge.say(ODD, Small("y")))
        await asyncio.sleep(0)
        edge.store.gate.set()
        for task in (first, second):
            with pytest.raises(StoreUnavailable):
                await asyncio.wait_for(task, PATIENCE)
        assert edge.task is not None
        with pytest.raises(ZeroDivisionError):
            await edge.task


async def test_a_second_engine_on_one_file_does_not_open(path: Path) -> None:
    async with running(path):
        second = Edge(MoodyStore(SqliteStore(path)), VirtualClock(T0), World())
        with pytest.raises(StoreUnavailable, match="written by another process"):
            await second.engine.open()


async def test_final_chains_are_forgotten_and_found_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "KEEP_FINALS", 1)
    async with running(path) as edge:
        for name in "abc":
            await edge.say(request(name), filed(edge, name), origin="first")
            await edge.say(request(name), Withdrawn())
        await edge.until_quiet()
        edge.engine._turns = 999
        await edge.say(ODD, Small())
        assert [name for name in "abc" if request(name) in edge.core.live] == ["c"]
        answer = await edge.say(request("a"), filed(edge, "a"), origin="first")
        assert (answer.twin, answer.reply) == (True, "filed")


async def test_messages_between_chains_cross_restarts(path: Path) -> None:
    async with running(path) as edge:
        await edge.say(request("a"), filed(edge, "a"))
        await edge.say(request("a"), ClerkAnswered(ANNA, True))
        await edge.kill()
    async with running(path) as edge:
        await edge.say(request("a"), ManagerAnswered(True))
        await edge.say(request("b"), filed(edge, "b"))
        await edge.say(request("b"), ClerkSeenWorking(BORIS))
        await edge.kill()
    async with running(path) as edge:
        await edge.say(request("b"), ClerkAnswered(BORIS, True))
        await edge.say(request("b"), ManagerAnswered(True))
        book = (await edge.store.inner.load(["ledger:office:book"]))[0]
        assert b'"total":200' in book.state
