"""Wherever the process ends: what was committed survives, the rest is delivered again, and the day ends the same."""

import asyncio
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import router.engine
from router.engine import auditor, crashes, shell
from router.engine.store import postgres, sqlite
from router.engine.store.port import Store
from router.engine.store.postgres import PostgresStore
from router.engine.store.sqlite import SqliteStore
from tests.engine.day import Day, Fate, end_of

ROOT = Path(router.engine.__file__).parent


def places(*modules: ModuleType) -> list[str]:
    """Everything that the hook is called with by these modules."""
    found: list[str] = []
    for module in modules:
        marks = set(re.findall(r"\breach\((\w+)\)", Path(module.__file__ or "").read_text()))
        for constant, name in vars(module).items():
            if isinstance(name, str) and name in crashes.POINTS:
                found += [name] if constant in marks else [f"{name}:before", f"{name}:after"]
    return found


ENGINE = (shell, auditor)
ON_SQLITE = places(*ENGINE, sqlite)
ON_POSTGRES = places(postgres)
ELSEWHERE = {
    "reading": "a command reads beside the server; it writes nothing, so there is nothing to lose",
    "sqlite_wal": "a day is too short for it; tests/engine/test_store_pace.py ends a process at each of its points",
    "line": "one event in one transaction; `test_line` dies at each of its points",
    "quarantine": "rows that nothing waits for; `test_quarantine` dies at each of its points",
}
"""Modules whose points the day does not pass, and why that is enough."""


def test_no_module_with_points_is_forgotten() -> None:
    declaring = {path.stem for path in ROOT.rglob("*.py") if re.search(r"= point\(", path.read_text())}
    tried = {Path(module.__file__ or "").stem for module in (*ENGINE, sqlite, postgres)}
    assert declaring == tried | set(ELSEWHERE)


@pytest.fixture(scope="module", autouse=True)
def no_pauses() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shell, "RETRY_WRITE", 0.001)
        patch.setattr(shell, "MARKS_WAIT", 0)  # the clock stands still
        patch.setattr(auditor, "EVERY", 0)
        yield


@pytest.fixture(scope="module")
def undisturbed(no_pauses: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, int]]:
    """The end of a day on which nothing happens, and how often each point was passed."""

    async def run() -> tuple[dict[str, Any], dict[str, int]]:
        path = tmp_path_factory.mktemp("day") / "journal.db"
        day, fate = Day(lambda: SqliteStore(path)), Fate()
        await day.live(fate)
        return await end_of(day), fate.passed

    return asyncio.run(run())


def test_the_day_passes_every_point(undisturbed: tuple[dict[str, Any], dict[str, int]]) -> None:
    end, passed = undisturbed
    assert sorted(passed) == sorted(ON_SQLITE)
    assert end["orders"] == []
    assert end["claims"] == {}
    assert len(end["entries"]) == 1


@pytest.mark.parametrize("place", ON_SQLITE)
async def test_whatever_the_point_the_day_ends_the_same(
    tmp_path: Path, place: str, undisturbed: tuple[dict[str, Any], dict[str, int]]
) -> None:
    end, passed = undisturbed
    await dies_at(lambda: SqliteStore(tmp_path / "journal.db"), place, (passed[place] + 1) // 2, end)


@pytest.mark.slow
@pytest.mark.parametrize("place", ON_SQLITE)
async def test_whatever_the_passage_the_day_ends_the_same(
    tmp_path: Path, place: str, undisturbed: tuple[dict[str, Any], dict[str, int]]
) -> None:
    end, passed = undisturbed
    for passage in range(1, passed[place] + 1):
        path = tmp_path / f"{passage}.db"
        await dies_at(partial(SqliteStore, path), place, passage, end)


@pytest.mark.postgres
# A connection that was made and not yet handed over dies with a real process; here it is left to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("place", ON_POSTGRES)
async def test_on_postgresql_the_day_ends_as_on_sqlite(
    postgres_url: str, place: str, undisturbed: tuple[dict[str, Any], dict[str, int]]
) -> None:
    """Killed at the third passage, which lies within the day; some points are passed only once or twice."""
    rare = place.startswith((postgres.MIGRATE, postgres.CONNECT, postgres.ROLLED_BACK))
    await dies_at(lambda: PostgresStore(postgres_url), place, 1 if rare else 3, undisturbed[0])


async def dies_at(store: Callable[[], Store], place: str, passage: int, end: dict[str, Any]) -> None:
    """The process dies once, there; another one takes over."""
    day, fate = Day(store), Fate(place, passage)
    await day.live(fate)
    # How often a point is passed differs a little from run to run (what is grouped with what); the first always comes.
    died = fate.left <= 0
    assert died or passage > 1
    assert day.processes == 1 + died
    assert await end_of(day) == end
