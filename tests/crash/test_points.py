"""kill -9 at every named crash point: the call goes on, nothing is done twice, nothing is lost."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from router.engine import crashes
from router.engine.store.sqlite import SqliteStore
from router.reports import replay_chains
from tests.crash import places
from tests.crash.case import KILLED
from tests.crash.company import hopline
from tests.crash.places import Case
from tests.crash.plays import MOMENTS
from tests.crash.runs import Runs

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.timeout(1800)]

CASES = list(places.cases())


@pytest.mark.parametrize("play", MOMENTS)
def test_an_undisturbed_call_goes_as_played(runs: Runs, play: str) -> None:
    _, complaints = runs.counted(play).result()
    assert complaints == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_call_survives(runs: Runs, case: Case) -> None:
    verdict = runs.verdict(case)
    side = "" if ":" in case.place or case.place in {"engine.started", "sqlite.written"} else ":before"
    assert verdict.reached == f"crash point {case.place}{side} reached"
    assert verdict.exits[-1] == KILLED
    assert verdict.complaints == []


async def test_every_point_dies_here_or_is_tried_elsewhere() -> None:
    """A new point belongs into `places`, in one list or the other."""
    code, output, _ = await hopline("crash-points", "--json")
    assert code == 0
    points = json.loads(output)
    elsewhere = {name for name in points if name.startswith(tuple(places.ELSEWHERE))}
    assert places.reached() | elsewhere == set(points)
    assert not places.reached() & elsewhere
    assert len(CASES) == len({case.id for case in CASES})


def test_what_is_tried_elsewhere_is_there() -> None:
    root = Path(__file__).parents[2]
    for start in places.ELSEWHERE:
        file, test = next(found for prefix, found in places.COVERED.items() if start.startswith(prefix))
        assert f"def {test}(" in (root / file).read_text(encoding="utf-8"), (start, file, test)


class Died(BaseException):
    """The command is no more."""


@pytest.mark.parametrize("place", places.both("reading.open", "reading.read"))
async def test_a_command_that_dies_while_it_reads_leaves_everything_as_it_was(tmp_path: Path, place: str) -> None:
    store = SqliteStore(tmp_path / "hopline.db")
    await store.open()
    await store.upsert("quarantine", {"id": "1"}, {"at": 1, "chain": "", "source": "", "event": b"", "error": ""})
    before = _dump(tmp_path / "hopline.db")
    died: list[str] = []

    def die(passed: str) -> None:
        if passed == place:
            died.append(passed)
            raise Died

    crashes.install(die)
    try:
        with pytest.raises(Died):
            await replay_chains(tmp_path, "", check=True)
    finally:
        crashes.install(None)
    assert died
    assert _dump(tmp_path / "hopline.db") == before
    await store.upsert("quarantine", {"id": "2"}, {"at": 1, "chain": "", "source": "", "event": b"", "error": ""})
    await store.close()


def _dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as journal:
        return list(journal.iterdump())
