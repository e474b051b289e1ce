"""SIGKILL at any instant, and servers that stay away: the PBX's own plan serves, and is believed afterwards."""

import asyncio
import random
from collections.abc import Callable

import pytest

from tests.crash.case import START, Office, Telling
from tests.crash.judge import complaints
from tests.crash.plays import CALL, MOMENTS, PLAYS, Row
from tests.crash.runs import Runs

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.timeout(1800)]

SEEDS = range(10)

INSTANTS = (
    ("nobody", "arrival", 0.6), ("nobody", "rings", 7.0), ("nobody", "second_rang_out", 1.0),
    ("third", "answered", 1.5), ("third", "answered", 0.2), ("hangs_up", "gone", 0.2),
)  # fmt: skip
"""Play, moment, and within how many seconds after it the server dies: at an arrival, in rings, in a talk, at an end."""


def ordered(number: int) -> Callable[[list[Row]], bool]:
    """The n-th ring has been ordered."""
    return lambda rows: any(row["what"] == "ordered" and row["leg"] == f"{CALL}.h{number}" for row in rows)


def has(play: str, moment: str) -> Callable[[list[Row]], bool]:
    """The moment has come."""
    return lambda rows: any(MOMENTS[play][moment](row) for row in rows)


def what(kind: str) -> Callable[[list[Row]], bool]:
    """There is a row of this kind."""
    return lambda rows: any(row["what"] == kind for row in rows)


def at_any_instant(seed: int) -> Telling:
    """Killed at an instant that the dice choose, and away for up to a second besides its start."""
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

    return Telling(f"seed-{seed}-{play}-{moment}", play, story)


async def again_and_again(office: Office) -> None:
    """Each life ends in the middle of what the one before it left undone."""
    await office.serve(rank=START)
    pbx = await office.play(PLAYS["third"])
    for moment in (ordered(1), ordered(2), ordered(3), has("third", "answered"), has("third", "hung_up")):
        await pbx.until(moment)
        await office.killed()
        await office.serve()


async def the_talk_outlives_it(office: Office) -> None:
    """They talk on without a server; the late restart learns that they did, and owes nobody a call."""
    await office.serve(rank=START)
    pbx = await office.play(PLAYS["third"])
    await pbx.until(what("talk_began"))
    await office.killed()
    await pbx.until(has("third", "hung_up"))
    await office.serve()


def stays_away(play: str, since: str) -> Telling:
    """The PBX's plan takes the caller; a late restart reads what became of him."""

    async def story(office: Office) -> None:
        await office.serve(rank=START)
        if since == "before":
            await office.killed()
        pbx = await office.play(PLAYS[play])
        if since == "ringing":
            await pbx.until(ordered(1))
            await office.killed()
        await pbx.until(what("call_ended"))
        await office.serve()

    return Telling(f"away-{play}-{since}", play, story)


KILLED = [
    *map(at_any_instant, SEEDS),
    Telling("again-and-again", "third", again_and_again),
    Telling("talk-outlives", "third", the_talk_outlives_it),
]
AWAY = [stays_away(play, since) for play in ("served", "unserved") for since in ("ringing", "before")]


@pytest.mark.parametrize("telling", KILLED, ids=lambda telling: telling.id)
def test_the_call_survives_a_kill(runs: Runs, telling: Telling) -> None:
    left = runs.left(telling)
    assert set(left.exits) == {-9}
    assert asyncio.run(complaints(left)) == []


@pytest.mark.parametrize("telling", AWAY, ids=lambda telling: telling.id)
def test_a_server_that_stays_away_owes_only_what_nobody_did(runs: Runs, telling: Telling) -> None:
    """A call-back is owed only if nobody spoke with the caller."""
    left = runs.left(telling)
    assert asyncio.run(complaints(left)) == []
    why = [row["why"] for row in left.rows if row["what"] == "fallback_took"]
    assert why == ["absolute_timeout" if telling.id.endswith("ringing") else "no_server"]
