"""A server that is about to be stopped: new calls go to the PBX's own plan, those under way go on."""

import asyncio
from pathlib import Path

import pytest

from router.chains.call_states import Ended, HandedOver, Talking
from router.chains.enquiry import Outcome
from router.operations import Act
from simulators.pbx.phones import SECOND_US
from simulators.pbx.phones import Outcome as Fallback
from tests.router.served import CALLER, LINE, served

pytestmark = pytest.mark.slow


async def test_new_calls_go_to_the_reserve_line_and_those_under_way_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {"101": [(2 * SECOND_US, "answer")]}
    board = {
        "on_ring": lambda phone, leg, now: answers.get(phone.extension, ()),
        "on_talk": lambda call, leg, now: ((3 * SECOND_US, "hang_up"),),
        "on_fallback": lambda call, now: Fallback(after_us=SECOND_US),
    }
    async with served(tmp_path, monkeypatch, board=board) as office, asyncio.timeout(60):
        server, live = office.server, office.server.engine.core.live
        office.pbx.call_in(LINE, CALLER, "c-1")
        await office.pbx.until(lambda: bool(office.rows("ringing")))
        assert (await office.get("/readyz"))[0] == 200
        assert await server.operations.do(Act("drain", "test")) == "draining"
        status, said = await office.get("/readyz")
        assert (status, said["ready"], said["draining"]) == (503, False, True)
        assert server.operations.under_way() == ["call:office:c-1"]
        office.pbx.call_in(LINE, CALLER, "c-2")
        await office.pbx.until(lambda: any(row.call == "c-2" for row in office.rows("fallback_took")))
        assert isinstance(live["call:office:c-2"].state, HandedOver)
        await office.pbx.until(lambda: bool(office.rows("talk_began")))
        await server.drain(20, asyncio.Event())
        assert server.operations.under_way() == []
        assert isinstance(live["call:office:c-1"].state, Talking), "a talk is not waited for"
        await office.pbx.settled()
        first, second = live["call:office:c-1"].state, live["call:office:c-2"].state
        assert isinstance(first, Ended)
        assert isinstance(second, Ended)
        assert (first.end.outcome, second.end.outcome) == (Outcome.ANSWERED, Outcome.FALLBACK_MISSED)
        assert [row.call for row in office.rows("ringing")] == ["c-1"], "no phone rang for the second"
        assert await server.operations.do(Act("undrain", "test")) == "taking_calls"
        assert (await office.get("/readyz"))[0] == 200


async def test_somebody_in_a_hurry_is_not_kept_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(tmp_path, monkeypatch) as office, asyncio.timeout(60):
        office.pbx.call_in(LINE, CALLER, "c-1")
        await office.pbx.until(lambda: bool(office.rows("ringing")))
        hurry = asyncio.Event()
        draining = asyncio.create_task(office.server.drain(600, hurry))
        await asyncio.sleep(0)
        hurry.set()
        await draining
        assert office.server.operations.under_way() == ["call:office:c-1"]
        await asyncio.wait_for(office.server.drain(0.01, asyncio.Event()), 5)
