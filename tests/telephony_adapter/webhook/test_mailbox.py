"""Commands that are fetched: at least once, in order, none too late, none lost by a restart of either side."""

import asyncio

import pytest

from router.basis.failures import Temporary
from router.telephony_adapter.port import NotSent
from router.telephony_adapter.webhook.mailbox import MOST_AT_ONCE, Mailbox

DONE = (200, b"{}", "")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def box() -> Mailbox:
    return Mailbox(Clock())


async def put(box: Mailbox, name: str, within_s: float = 60, until_s: float | None = None) -> "asyncio.Task[object]":
    task = asyncio.create_task(box.ask(name, name.encode(), within_s, until_s))
    await asyncio.sleep(0)
    return task


async def fetch(box: Mailbox, after: str = "", wait_s: float = 0) -> tuple[str, list[str]]:
    handed = await box.hand_out(after, wait_s)
    assert handed is not None
    return handed[0], [letter.id for letter in handed[1]]


async def test_fetched_in_order_and_answered(box: Mailbox) -> None:
    one, two = await put(box, "one"), await put(box, "two")
    assert (await fetch(box))[1] == ["one", "two"]
    assert box.answered("two", (409, b"{}", ""))
    assert box.answered("one", DONE)
    assert await one == DONE
    assert await two == (409, b"{}", "")
    assert (await fetch(box))[1] == []


async def test_what_was_fetched_is_behind_the_position_until_the_pbx_forgets_it(box: Mailbox) -> None:
    tasks = [await put(box, "one")]
    after, _ = await fetch(box)
    assert (await fetch(box, after))[1] == []
    tasks.append(await put(box, "two"))
    assert (await fetch(box, after))[1] == ["two"]
    assert (await fetch(box))[1] == ["one", "two"]  # a PBX that was restarted: whatever is unanswered
    for task in tasks:
        task.cancel()


async def test_a_position_of_an_earlier_life_means_nothing(box: Mailbox) -> None:
    task = await put(box, "one")
    after, _ = await fetch(box)
    again = Mailbox(Clock())
    repeated = await put(again, "one")
    assert (await fetch(again, after))[1] == ["one"]
    for strange in ("x", "-", f"{after}9" * 40, "\udcff"):
        assert (await fetch(again, strange))[1] == ["one"]
    task.cancel()
    repeated.cancel()


async def test_a_poll_waits_for_a_command(box: Mailbox) -> None:
    polls = [asyncio.create_task(fetch(box, wait_s=60)) for _ in range(2)]
    await asyncio.sleep(0)
    task = await put(box, "one")
    assert [(await poll)[1] for poll in polls] == [["one"], ["one"]]
    task.cancel()


async def test_a_command_that_is_too_late_is_not_handed_out(box: Mailbox) -> None:
    clock = box.now_s
    assert isinstance(clock, Clock)
    late, good = await put(box, "ring", until_s=1002), await put(box, "stop")
    clock.now = 1002.0
    assert (await fetch(box))[1] == ["stop"]
    late.cancel()
    good.cancel()


async def test_nobody_fetched_it(box: Mailbox) -> None:
    with pytest.raises(NotSent):
        await box.ask("one", b"one", 0.01)
    assert (await fetch(box))[1] == []  # the outbox gives it again


async def test_fetched_and_not_answered_may_have_been_done(box: Mailbox) -> None:
    task = await put(box, "one", within_s=0.05)
    await fetch(box)
    with pytest.raises(Temporary) as failure:
        await task
    assert not isinstance(failure.value, NotSent)


async def test_an_answer_that_comes_late_is_the_answer_to_the_repeat(box: Mailbox) -> None:
    task = await put(box, "one", within_s=0.02)
    await fetch(box)
    with pytest.raises(Temporary):
        await task
    assert not box.answered("one", DONE)
    assert await box.ask("one", b"one", 1) == DONE
    again = await put(box, "one", within_s=1)
    assert (await fetch(box))[1] == ["one"]  # once: what is asked after that is asked anew
    again.cancel()


async def test_an_answer_that_nobody_asked_for(box: Mailbox) -> None:
    assert not box.answered("never", DONE)
    task = await put(box, "never", within_s=1)
    assert (await fetch(box))[1] == ["never"]
    task.cancel()


async def test_an_answer_twice(box: Mailbox) -> None:
    task = await put(box, "one")
    await fetch(box)
    assert box.answered("one", DONE)
    assert not box.answered("one", (500, b"", ""))
    assert await task == DONE


async def test_a_burst_comes_in_parts(box: Mailbox) -> None:
    tasks = [await put(box, f"n{number}") for number in range(MOST_AT_ONCE + 1)]
    after, first = await fetch(box)
    _, rest = await fetch(box, after)
    assert (len(first), rest) == (MOST_AT_ONCE, [f"n{MOST_AT_ONCE}"])
    for task in tasks:
        task.cancel()


async def test_a_server_that_stops_lets_nobody_wait(box: Mailbox) -> None:
    poll = asyncio.create_task(box.hand_out("", 60))
    await asyncio.sleep(0)
    box.close()
    assert await poll is None
    assert await box.hand_out("", 60) is None
    box.open()
    assert (await fetch(box))[1] == []
