"""What nobody could take in lies there until a person drops it, wherever the process dies meanwhile."""

from pathlib import Path

import pytest

from router.basis.instants import Instant
from router.engine import crashes
from router.engine.clock import VirtualClock
from router.engine.core import Core
from router.engine.quarantine import Quarantine
from router.engine.shell import Engine
from router.engine.store.port import StoreUnavailable
from router.engine.store.sqlite import SqliteStore
from router.engine.vault import Vault
from tests.engine.quirks import Explode
from tests.engine.releases import Notes
from tests.engine.releases_contract import Release


class Died(BaseException):
    """The process is no more."""


def opened(path: Path) -> Quarantine:
    return Quarantine(Engine(Core((), {}, Vault()), SqliteStore(path), VirtualClock(Instant(7))))


async def test_the_same_thing_is_kept_once_and_dropped_once(tmp_path: Path) -> None:
    quarantine = opened(tmp_path / "j.db")
    await quarantine._engine.store.open()
    for body in (b"a", b"b", b"a"):
        await quarantine.keep("pbx:x", body, "unreadable")
    rows = await quarantine.rows()
    assert sorted(row.body for row in rows) == [b"a", b"b"]
    assert await quarantine.count() == 2
    assert await quarantine.drop(rows[0].id)
    assert not await quarantine.drop(rows[0].id)
    assert await quarantine.rows() == rows[1:]
    await quarantine._engine.store.close()


async def test_a_fact_that_a_machine_refused_is_kept_with_its_chain(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "j.db")
    await store.open()
    release = await Release(store, Notes()).begin()
    answer = await release.say("note:x:1", Explode())
    assert answer.error is not None
    assert [chain for chain, _ in await release.kept()] == ["note:x:1"]
    await release.end()
    await store.close()


async def test_a_table_that_cannot_be_written_is_said_and_ends_nothing(tmp_path: Path) -> None:
    quarantine = opened(tmp_path / "j.db")
    with pytest.raises(StoreUnavailable):
        await quarantine.keep("pbx:x", b"a", "unreadable")


@pytest.mark.parametrize("place", ["keep:before", "keep:after", "read:before", "drop:before", "drop:after"])
async def test_wherever_it_dies_a_row_is_there_or_not(tmp_path: Path, place: str) -> None:
    quarantine = opened(tmp_path / "j.db")
    store = quarantine._engine.store
    await store.open()
    if not place.startswith("keep"):
        await quarantine.keep("pbx:x", b"a", "unreadable")

    def die(passed: str) -> None:
        if passed == f"quarantine.{place}":
            raise Died

    async def works() -> None:
        if place.startswith("keep"):
            await quarantine.keep("pbx:x", b"a", "unreadable")
        (row,) = await quarantine.rows()
        await quarantine.drop(row.id)

    crashes.install(die)
    try:
        with pytest.raises(Died):
            await works()
    finally:
        crashes.install(None)
    assert await quarantine.count() == (place not in ("keep:before", "drop:after"))
    await store.close()
