"""A real file system of a few megabytes fills up in the middle of a call (root: it is mounted)."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from router import app
from router.chains.call_states import Ended, Ringing
from router.chains.enquiry import Outcome
from router.reports import replay_chains
from simulators.pbx.phones import SECOND_US
from simulators.pbx.phones import Outcome as Fallback
from tests.router.served import CALLER, LINE, Served, served
from tests.support.left_out import leave_out

pytestmark = pytest.mark.slow

DISK_MB = 16


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own."""
    if os.geteuid() != 0:
        leave_out("a full disk: mounting a small file system needs root")
    folder = tmp_path / "data"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "hopline-test", str(folder)]
    if (done := subprocess.run(mount, capture_output=True, text=True, check=False)).returncode != 0:
        leave_out(f"a full disk: mounting is not allowed here ({done.stderr.strip()})")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Takes all the room there is."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    return filler


async def until_scarce(office: Served, filler: Path) -> None:
    """The journal grows until it meets the end of the disk."""
    while not office.server.engine.scarce:
        fill(filler.parent)  # what the journal gave back is taken again
        await office.server.quarantine.keep("test", os.urandom(50_000), "fills the disk")


async def test_calls_under_way_are_written_and_new_ones_come_back_later(
    tmp_path: Path, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "RESERVE_EVERY_S", 0.2)
    board = {
        "on_ring": lambda phone, leg, now: ((3 * SECOND_US, "answer"),) if phone.extension == "101" else (),
        "on_talk": lambda call, leg, now: ((2 * SECOND_US, "hang_up"),),
        "on_fallback": lambda call, now: Fallback(after_us=SECOND_US),
    }
    async with (
        served(tmp_path, monkeypatch, board=board, settings={"reserve_mb": 4}) as office,
        asyncio.timeout(90),
    ):
        engine = office.server.engine
        assert (await office.get("/readyz"))[1]["disk_full"] is False
        office.pbx.call_in(LINE, CALLER, "c-1")
        await office.pbx.until(lambda: bool(office.rows("ringing")))
        filler = fill(disk)
        await until_scarce(office, filler)
        assert engine.writable
        status, said = await office.get("/readyz")
        assert (status, said["ready"], said["disk_full"]) == (503, False, True)
        async with office.session.get(office.server.url + "/?lang=ru") as page:
            assert "диск заполнен" in await page.text()
        office.pbx.call_in(LINE, CALLER, "c-2")
        await office.pbx.until(lambda: any(row.call == "c-2" for row in office.rows("fallback_took")))
        assert "call:office:c-2" not in engine.core.live
        await office.pbx.until(lambda: any(row.call == "c-1" for row in office.rows("call_ended")))
        while not isinstance(first := engine.core.live["call:office:c-1"].state, Ended):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)
        assert first.end.outcome is Outcome.ANSWERED
        assert engine.writable, "the reserve carried it to its end"
        filler.unlink()
        while engine.scarce:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)
        assert (disk / "hopline.db.reserve").stat().st_size == 4 * 1024 * 1024
        await office.pbx.settled()
        second = engine.core.live["call:office:c-2"].state
        assert isinstance(second, Ended)
        assert second.end.outcome is Outcome.FALLBACK_MISSED
        assert {row.call for row in office.rows("ringing")} == {"c-1"}
        office.pbx.call_in(LINE, CALLER, "c-3")
        await office.pbx.until(lambda: any(row.call == "c-3" for row in office.rows("ringing")))
        assert isinstance(engine.core.live["call:office:c-3"].state, Ringing)
        assert (await office.get("/readyz"))[0] == 200
    replayed = await replay_chains(disk, "", check=True)
    assert replayed["differences"] == []
