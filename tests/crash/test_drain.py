"""A planned restart with calls under way: `hopline drain`, SIGTERM, a new server. Nobody is rung twice."""

import asyncio

import pytest

from tests.crash.case import START, Office, Telling
from tests.crash.company import hopline
from tests.crash.judge import complaints
from tests.crash.plays import PLAYS
from tests.crash.runs import Runs
from tests.crash.test_kill import has, ordered, what

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.timeout(1800)]


def planned(moment: str, play: str = "third") -> Telling:
    """A restart as it is planned: drained, stopped, started."""

    async def story(office: Office) -> None:
        await office.serve(rank=START)
        pbx = await office.play(PLAYS[play])
        await pbx.until({"ring": ordered(1), "talk": what("talk_began")}[moment])
        code, said, errors = await hopline("drain", "--within", "0.2", "--data", office.journal.parent)
        assert (code, errors) == (0 if moment == "talk" else 1, "")
        assert ("nothing rings" in said) is (moment == "talk"), said
        await office.stopped()
        await office.serve()

    return Telling(f"planned-in-{moment}-{play}", play, story, alone=True)


async def waited_for(office: Office) -> None:
    """Who has the time waits until nothing rings: the talk goes on, and the restart has nothing to take up."""
    await office.serve(rank=START)
    pbx = await office.play(PLAYS["third"])
    await pbx.until(ordered(3))
    code, said, _ = await hopline("drain", "--within", "60", "--data", office.journal.parent)
    assert (code, said) == (0, "nothing rings: the server can be stopped\n")
    assert has("third", "answered")(pbx.look())
    await office.stopped()
    await office.serve()


TELLINGS = [
    planned("ring"),
    planned("talk"),
    planned("ring", "hangs_up"),
    Telling("drained-to-the-end", "third", waited_for, alone=True),
]


@pytest.mark.parametrize("telling", TELLINGS, ids=lambda telling: telling.id)
def test_a_planned_restart_disturbs_nobody(runs: Runs, telling: Telling) -> None:
    left = runs.left(telling)
    assert left.exits == [0]
    assert asyncio.run(complaints(left)) == []
