"""SIGKILL at any instant, and servers that stay away: the PBX's own plan serves, and is believed afterwards."""

import asyncio
import random
from collections.abc import Callable

import pytest

from tests.crash.case import START, Left, Office
from tests.crash.judge import complaints
from tests.crash.plays import CALL, MOMENTS, PLAYS, Row
from tests.crash.runs import Runs

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.timeout(1800)]

SEEDS = range(10)

INSTANTS = (
    ("nobody", "arrival", 0.6), ("nobody", "rings", 4.0), ("nobody", "second_rang_out", 1.0),
    ("third", "answered", 1.5), ("third", "answered", 0.2), ("hangs_up", "gone", 0.2),
)  # fmt: skip
"""Play, moment, and within how many seconds after it the server dies: around an arrival, in rings, in a talk, at an end."""


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_at_any_instant(runs: Runs, seed: int) -> None:
    dice = random.Random(seed)
    play, moment, within_s = INSTANTS[seed % len(INSTANTS)]
    delay_s, away_s = dice.uniform(0, within_s), dice.uniform(0, 1)

    async def story(office: Office) -> None:
        await office.serve(rank=START)
        pbx = await office.play(PLAYS[play])
        await pbx.until(has(play, moment))
        await asyncio.sleep(delay_s)
        await office.killed()
        await asyncio.sleep(away_s)
        await office.serve()

    assert judged(runs.live(f"seed-{seed}", play, story)) == []


def test_killed_again_and_again(runs: Runs) -> None:
    """Each life ends in the middle of what the one before it left undone."""

    async def story(office: Office) -> None:
        await office.serve(rank=START)
        pbx = await office.play(PLAYS["third"])
        for moment in (ordered(1), ordered(2), ordered(3), has("third", "answered"), has("third", "hung_up")):
            await pbx.until(moment)
            await office.killed()
            await office.serve()

    assert judged(runs.live("again-and-again", "third", story)) == []


@pytest.mark.parametrize("play", ["served", "unserved"])
@pytest.mark.parametrize("ringing", [True, False], ids=["in_ring", "before_the_call"])
def test_a_server_that_stays_away(runs: Runs, play: str, ringing: bool) -> None:
    """The PBX's plan takes the caller; a late restart reads what became of him, and owes a call-back only if nobody spoke
    with him."""

    async def story(office: Office) -> None:
        await office.serve(rank=START)
        if not ringing:
            await office.killed()
        pbx = await office.play(PLAYS[play])
        if ringing:
            await pbx.until(ordered(1))
            await office.killed()
        await pbx.until(lambda rows: any(row["what"] == "call_ended" for row in rows))
        await office.serve()

    left = runs.live(f"away-{play}-{ringing}", play, story)
    assert judged(left) == []
    why = [row["why"] for row in left.rows if row["what"] == "fallback_took"]
    assert why == ["absolute_timeout" if ringing else "no_server"]


def test_a_talk_outlives_the_server(runs: Runs) -> None:
    """They talk on without it; the late restart learns that they did, and owes nobody a call."""

    async def story(office: Office) -> None:
        await office.serve(rank=START)
        pbx = await office.play(PLAYS["third"])
        await pbx.until(lambda rows: any(row["what"] == "talk_began" for row in rows))
        await office.killed()
        await pbx.until(has("third", "hung_up"))
        await office.serve()

    assert judged(runs.live("talk", "third", story)) == []


def ordered(number: int) -> Callable[[list[Row]], bool]:
    """The n-th ring has been ordered."""
    return lambda rows: any(row["what"] == "ordered" and row["leg"] == f"{CALL}.h{number}" for row in rows)


def has(play: str, moment: str) -> Callable[[list[Row]], bool]:
    """The moment has come."""
    return lambda rows: any(MOMENTS[play][moment](row) for row in rows)


def judged(left: Left) -> list[str]:
    """See `judge.complaints`."""
    return asyncio.run(complaints(left))
