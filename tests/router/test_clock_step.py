"""The wall clock is set by an hour in the middle of a call: the call does not notice, an absence does."""

import asyncio
import time
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from router.app import Parts
from router.basis.instants import SECOND, Instant
from router.chains.events import WentAway
from router.chains.roster import ROSTER, Roster
from router.engine import line
from router.engine.clock import SystemClock
from router.engine.core import Admission
from tests.router.served import CALLER, LINE, served

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("by_s", [3600, -3600])
async def test_a_call_keeps_its_window_while_the_wall_clock_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_s: int
) -> None:
    monkeypatch.setattr(line, "EVERY_S", 0.05)
    set_by_s = 0
    clock = SystemClock(lambda: time.time_ns() + set_by_s * 10**9)
    parts = Parts(clock=clock, registry=CollectorRegistry())
    terms: dict[str, int | str] = {"window_s": 3, "ring_s": 1, "min_offer_s": 1, "after_window": "release"}
    async with served(tmp_path, monkeypatch, parts=parts, terms=terms) as office, asyncio.timeout(60):
        engine = office.server.engine
        back_at = Instant(clock.now() + 1_800 * SECOND)
        await engine.admit([Admission(ROSTER, WentAway("boris", "boris", back_at), "person:boris")])
        began = time.monotonic()
        office.pbx.call_in(LINE, CALLER, "c-1")
        await office.pbx.until(lambda: len(office.rows("ringing")) == 2)
        set_by_s = by_s
        await office.pbx.until(lambda: bool(office.rows("call_ended")))
        lasted = time.monotonic() - began
        first, second = office.rows("ringing")[:2]
        roster = engine.core.live[ROSTER].state
        assert isinstance(roster, Roster)
        assert line.ahead_of(engine.core) == pytest.approx(by_s * SECOND, abs=SECOND)
    assert 2.9 < lasted < 6, "three seconds; wide above, for a busy machine"
    assert (first.leg, second.leg) == ("c-1.h1", "c-1.h2")
    assert 0.9 * SECOND < second.at - first.at < 4 * SECOND
    assert roster.wall_ahead == pytest.approx(by_s * SECOND, abs=SECOND)
    assert bool(roster.away) is (by_s < 0), "his absence ends by the wall clock"
