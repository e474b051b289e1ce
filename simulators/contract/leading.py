"""What an adapter must do whose PBX leads: it asks whom to ring, or hunts by itself. Played like `laws`."""

from contextlib import suppress

import msgspec
import pytest

from router.basis.failures import Failure
from router.chains.effects import Advice, AdvisedLeg, AdviseRing, RingLeg
from router.chains.events import (
    AdviceAsked,
    CallArrived,
    CallerHungUp,
    Disposition,
    LegAnswered,
    LegEnded,
    LegRinging,
    TalkStarted,
)
from router.telephony_adapter.port import PORT_VERSION
from simulators.contract.rig import CALLER, LINE, Rig, ring


def advice(*extensions: str, ring_ms: int = 30_000) -> str:
    """One ring, as the machine says it."""
    legs = tuple(AdvisedLeg(f"L.{extension}", extension) for extension in extensions)
    said: Advice = AdviseRing(legs, ring_ms)
    return msgspec.json.encode(said).decode()


class _Leads:
    """What is true of both."""

    pytestmark = pytest.mark.asyncio
    style: str

    async def test_it_speaks_this_version_of_the_port(self, rig: Rig) -> None:
        assert PORT_VERSION == 1
        assert rig.telephony.abilities.style == self.style
        assert rig.telephony.abilities.owns_timer != "server"

    async def test_it_takes_no_orders(self, rig: Rig) -> None:
        call = await rig.pbx.caller_dials()
        await rig.server.until(lambda: any(report.call == call for report in rig.server.reports))
        rings = len(rig.pbx.rings_now())
        order: RingLeg = ring(rig.telephony.name, call, "L.999", "102")
        with suppress(Failure):
            await rig.telephony.perform(order, CALLER)
        assert len(rig.pbx.rings_now()) == rings

    async def test_it_comes_into_sight(self, rig: Rig) -> None:
        await rig.server.until(lambda: rig.server.sights[:1] == [True])


class AdviserContract(_Leads):
    """The laws of a PBX that asks. The fixture's people: 101 and 102, free and reachable."""

    style = "adviser"

    async def test_it_asks_with_line_and_number_and_rings_as_it_is_told(self, rig: Rig) -> None:
        rig.server.advice = lambda event: advice("101")
        call = await rig.pbx.caller_dials()
        asked = await rig.server.hears(AdviceAsked, call)
        assert (asked.line, asked.leg) == (LINE, "")
        report = next(report for report in rig.server.reports if isinstance(report.event, AdviceAsked))
        assert report.personal == {"caller": CALLER}
        assert report.origin
        assert report.raw
        if rig.telephony.abilities.reports_ringing:
            await rig.server.hears(LegRinging, call, "L.101")
            assert rig.pbx.rings("101") == 1

    async def test_when_that_is_over_it_asks_again_and_joins_by_itself(self, rig: Rig) -> None:
        rig.server.advice = lambda event: advice("102" if event.leg else "101")
        call = await rig.pbx.caller_dials()
        await rig.server.hears(LegRinging, call, "L.101")
        await rig.pbx.head_declines("101")
        asked = await rig.server.hears(AdviceAsked, call, times=2)
        assert (asked.leg, asked.how) == ("L.101", Disposition.DECLINED)
        await rig.server.hears(LegRinging, call, "L.102")
        await rig.pbx.head_answers("102")
        await rig.server.hears(LegAnswered, call, "L.102")
        await rig.server.hears(TalkStarted, call, "L.102")
        assert rig.pbx.talks_now() == [(call, "102")]

    async def test_a_question_that_could_not_be_stored_is_asked_again_under_the_same_origin(self, rig: Rig) -> None:
        rig.server.advice = lambda event: advice("101")
        rig.server.broken = 2
        call = await rig.pbx.caller_dials()
        await rig.server.hears(LegRinging, call, "L.101")
        assert rig.server.broken == 0
        assert len(rig.server.heard(AdviceAsked, call)) == 1
        assert rig.pbx.rings("101") == 1

    async def test_a_ring_lasts_as_long_as_it_was_advised(self, rig: Rig) -> None:
        rig.server.advice = lambda event: advice("102" if event.leg else "101", ring_ms=200)
        call = await rig.pbx.caller_dials()
        assert (await rig.server.hears(LegEnded, call, "L.101")).how is Disposition.NO_ANSWER
        assert (await rig.server.hears(AdviceAsked, call, times=2)).leg == "L.101"

    async def test_its_own_plan(self, rig: Rig) -> None:
        call = await rig.pbx.caller_dials()
        await rig.server.hears(AdviceAsked, call)
        assert rig.pbx.rings_now() == []
        await rig.pbx.caller_hangs_up(call)
        await rig.server.hears(CallerHungUp, call)


class WitnessContract(_Leads):
    """The laws of a PBX that hunts by itself. The fixture's PBX rings 101, then 102, until somebody picks up."""

    style = "witness"

    async def test_it_tells_whom_it_rings_by_extension_and_who_answered(self, rig: Rig) -> None:
        call = await rig.pbx.caller_dials()
        assert (await rig.server.hears(CallArrived, call)).line == LINE
        first = await rig.server.hears(LegRinging, call)
        assert first.extension == "101"
        await rig.pbx.head_declines("101")
        ended = await rig.server.hears(LegEnded, call, first.leg)
        assert (ended.extension, ended.how) == ("101", Disposition.DECLINED)
        second = await rig.server.hears(LegRinging, call, times=2)
        assert second.extension == "102"
        await rig.pbx.head_answers("102")
        assert (await rig.server.hears(TalkStarted, call)).extension == "102"
        assert rig.pbx.talks_now() == [(call, "102")]
        await rig.pbx.caller_hangs_up(call)
        await rig.server.hears(CallerHungUp, call)

    async def test_a_caller_who_leaves_is_told(self, rig: Rig) -> None:
        call = await rig.pbx.caller_dials()
        await rig.server.hears(LegRinging, call)
        await rig.pbx.caller_hangs_up(call)
        await rig.server.hears(CallerHungUp, call)
        await rig.server.until(lambda: rig.pbx.rings_now() == [])
