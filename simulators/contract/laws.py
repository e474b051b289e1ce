"""What every telephony adapter must do, played against its fake PBX.

The suite knows an adapter by its port only, and the PBX by what people and lines do. It waits for facts, never for
time. How to take it: see the package.
"""

import pytest

from router.basis.failures import Temporary
from router.chains.effects import Connect, LookAtCall, Release, RingBack, SendToFallback, StopLeg
from router.chains.events import (
    CallArrived,
    CallerHungUp,
    DeviceSeen,
    Disposition,
    FallbackServed,
    FallbackTook,
    LegAnswered,
    LegEnded,
    LegRinging,
    TalkConfirmed,
    TalkEnded,
    TalkStarted,
)
from router.telephony_adapter.port import PORT_VERSION, LegSight
from simulators.contract.rig import (
    CALLER,
    LINE,
    USEFUL,
    Rig,
    answer_and_connect,
    ask,
    ended,
    ring,
    ringing,
    sight_of,
    talking,
)


class TelephonyContract:
    """The laws of a PBX that is conducted. Each is a small play."""

    pytestmark = pytest.mark.asyncio

    # --- a call ---------------------------------------------------------------------------------------------------

    async def test_it_speaks_this_version_of_the_port(self, rig: Rig) -> None:
        assert PORT_VERSION == 1
        assert rig.telephony.name
        assert (rig.telephony.abilities.owns_timer == "pbx") == isinstance(self, OwnTimer)
        assert rig.telephony.abilities.idempotent_legs == isinstance(self, IdempotentLegs)
        assert rig.telephony.abilities.style == "conductor"

    async def test_a_call_arrives_with_its_line_and_the_raw_number_beside_the_event(self, rig: Rig) -> None:
        call = await rig.pbx.caller_dials()
        arrived = await rig.server.hears(CallArrived, call)
        assert arrived == CallArrived(LINE, None)
        report = next(report for report in rig.server.reports if report.call == call)
        assert report.personal == {"caller": CALLER}
        assert report.origin
        assert report.raw

    async def test_a_withheld_number_is_none(self, rig: Rig) -> None:
        call = await rig.pbx.caller_dials(caller="")
        assert (await rig.server.hears(CallArrived, call)).caller is None
        assert next(report for report in rig.server.reports if report.call == call).personal == {}

    async def test_a_whole_talk(self, rig: Rig) -> None:
        call = await rig.pbx.caller_dials()
        await rig.server.hears(CallArrived, call)
        await ask(rig, RingBack(rig.telephony.name, call, USEFUL))
        await ask(rig, ring(rig.telephony.name, call))
        if rig.telephony.abilities.reports_ringing:
            await rig.server.hears(LegRinging, call, "L.1")
        await rig.pbx.head_answers("101")
        answered = await rig.server.hears(LegAnswered, call, "L.1")
        assert answered.extension in ("", "101")
        assert rig.pbx.talks_now() == []  # nobody speaks with the client before the server says so
        await ask(rig, Connect(rig.telephony.name, call, "L.1"))
        await rig.server.hears(TalkStarted, call, "L.1")
        assert rig.pbx.talks_now() == [(call, "101")]
        await rig.pbx.head_hangs_up("101")
        await rig.server.hears(TalkEnded, call)
        await ask(rig, Release(rig.telephony.name, call, "talk_over"))
        await rig.server.hears(CallerHungUp, call)
        assert (await rig.server.hears(LegEnded, call, "L.1")).how is Disposition.COMPLETED

    async def test_facts_of_one_call_come_in_order(self, rig: Rig) -> None:
        call = await ringing(rig)
        await rig.pbx.head_answers("101")
        await rig.server.hears(LegAnswered, call, "L.1")
        kinds = [type(report.event) for report in rig.server.reports if report.call == call]
        wanted = [CallArrived, LegRinging, LegAnswered]
        assert [kind for kind in kinds if kind in wanted] == [
            kind for kind in wanted if kind is not LegRinging or rig.telephony.abilities.reports_ringing
        ]

    # --- how a ring ends --------------------------------------------------------------------------------------------

    async def test_declined(self, rig: Rig) -> None:
        call = await ringing(rig)
        await rig.pbx.head_declines("101")
        # Some PBXs cannot tell a declined ring from a busy phone (SIP 603 and 486 reach them as one cause).
        assert (await rig.server.hears(LegEnded, call, "L.1")).how in (Disposition.DECLINED, Disposition.BUSY)

    async def test_busy(self, rig: Rig) -> None:
        await rig.pbx.phone_is_busy("101")
        call = await rig.pbx.caller_dials()
        assert (await ended(rig, ring(rig.telephony.name, call))).how is Disposition.BUSY

    async def test_unreachable(self, rig: Rig) -> None:
        await rig.pbx.phone_goes("101")
        call = await rig.pbx.caller_dials()
        assert (await ended(rig, ring(rig.telephony.name, call))).how is Disposition.UNREACHABLE

    async def test_no_such_extension(self, rig: Rig) -> None:
        call = await rig.pbx.caller_dials()
        over = await ended(rig, ring(rig.telephony.name, call, extension="999"))
        assert over.how in (Disposition.UNREACHABLE, Disposition.FAILED)

    async def test_stopped_by_the_server_and_told_twice(self, rig: Rig) -> None:
        call = await ringing(rig)
        stop = StopLeg(rig.telephony.name, call, "L.1", "no_answer")
        await ask(rig, stop)
        assert (await rig.server.hears(LegEnded, call, "L.1")).how is Disposition.CANCELLED
        assert rig.pbx.rings_now() == []
        await ask(rig, stop)
        assert {ended.how for ended in rig.server.heard(LegEnded, call, "L.1")} == {Disposition.CANCELLED}

    # --- said twice -------------------------------------------------------------------------------------------------

    async def test_connect_and_release_are_harmless_twice(self, rig: Rig) -> None:
        call = await talking(rig)
        await ask(rig, Connect(rig.telephony.name, call, "L.1"))
        assert rig.pbx.talks_now() == [(call, "101")]
        release = Release(rig.telephony.name, call, "talk_over")
        await ask(rig, release)
        await rig.server.hears(CallerHungUp, call)
        await ask(rig, release)
        assert rig.pbx.talks_now() == []

    # --- the caller leaves --------------------------------------------------------------------------------------------

    async def test_the_caller_hangs_up_while_a_phone_rings(self, rig: Rig) -> None:
        call = await ringing(rig)
        await rig.pbx.caller_hangs_up(call)
        await rig.server.hears(CallerHungUp, call)
        await ask(rig, StopLeg(rig.telephony.name, call, "L.1", "caller_gone"))
        await rig.server.hears(LegEnded, call, "L.1")
        assert rig.pbx.rings_now() == []

    async def test_a_ring_for_a_caller_who_left_says_so_and_rings_nobody(self, rig: Rig) -> None:
        call = await rig.pbx.caller_dials()
        await rig.server.hears(CallArrived, call)
        await rig.pbx.caller_hangs_up(call)
        await rig.server.hears(CallerHungUp, call)
        await ask(rig, ring(rig.telephony.name, call))
        await rig.server.hears(LegEnded, call, "L.1")
        assert rig.pbx.rings("101") == 0

    async def test_a_late_connect_never_joins_a_stopped_leg(self, rig: Rig) -> None:
        call = await ringing(rig)
        await rig.pbx.head_answers("101")
        await rig.server.hears(LegAnswered, call, "L.1")
        await ask(rig, StopLeg(rig.telephony.name, call, "L.1", "no_answer"))
        await rig.server.hears(LegEnded, call, "L.1")
        await ask(rig, Connect(rig.telephony.name, call, "L.1"))
        assert rig.pbx.talks_now() == []
        assert rig.server.heard(CallerHungUp, call) == []  # the leg is gone, the caller is not

    # --- what the PBX says when asked ---------------------------------------------------------------------------------

    async def test_it_lists_what_rings_and_who_talks(self, rig: Rig) -> None:
        call = await ringing(rig)
        waiting = await sight_of(rig, call)
        assert (waiting.line, waiting.caller, waiting.talking_leg) == (LINE, CALLER, "")
        assert waiting.legs == (LegSight("L.1", "ringing"),)
        await answer_and_connect(rig, call)
        talking = await sight_of(rig, call)
        assert (talking.talking_leg, talking.talking_extension) == ("L.1", "101")
        await rig.pbx.caller_hangs_up(call)
        await rig.server.hears(CallerHungUp, call)
        sighting = await rig.telephony.look()
        assert call not in [sight.call for sight in sighting.calls]
        if sighting.remembers_legs:
            assert ("L.1", "ended", "completed", True) in {
                (leg.leg, leg.state, leg.how, leg.talked) for leg in sighting.recent
            }

    async def test_asked_about_a_talk_it_confirms_it_and_later_denies_it(self, rig: Rig) -> None:
        call = await talking(rig)
        look = LookAtCall(rig.telephony.name, call, "L.1", USEFUL)
        await ask(rig, look)
        await rig.server.hears(TalkConfirmed, call, "L.1")
        await rig.pbx.caller_hangs_up(call)
        await rig.server.hears(CallerHungUp, call)
        assert CallerHungUp() in await rig.telephony.perform(look, None)

    async def test_the_line_is_cut_and_comes_back(self, rig: Rig) -> None:
        await rig.server.until(lambda: rig.server.sights == [True])
        call = await ringing(rig)
        await rig.pbx.vanish()
        await rig.server.until(lambda: rig.server.sights == [True, False])
        with pytest.raises(Temporary):
            await rig.telephony.look()
        await rig.pbx.appear()
        await rig.server.until(lambda: rig.server.sights == [True, False, True])
        assert (await sight_of(rig, call)).legs == (LegSight("L.1", "ringing"),)


class OwnTimer:
    """For `owns_timer = pbx`."""

    async def test_the_pbx_ends_a_ring_by_its_own_timer(self, rig: Rig) -> None:
        call = await rig.pbx.caller_dials()
        shortest = 1.0 if rig.telephony.abilities.whole_second_timer else 0.2
        await ask(rig, ring(rig.telephony.name, call, ring_s=shortest))
        assert (await rig.server.hears(LegEnded, call, "L.1")).how is Disposition.NO_ANSWER
        assert rig.pbx.rings_now() == []


class IdempotentLegs:
    """For `idempotent_legs`."""

    async def test_a_ring_ordered_twice_rings_once(self, rig: Rig) -> None:
        call = await ringing(rig)
        await ask(rig, ring(rig.telephony.name, call))
        assert rig.pbx.rings("101") == 1
        await rig.pbx.head_declines("101")
        await rig.server.hears(LegEnded, call, "L.1")
        await ask(rig, ring(rig.telephony.name, call))
        assert rig.pbx.rings("101") == 1
        assert rig.pbx.rings_now() == []


class Retells:
    """For a PBX with a post: what could not be stored is told again."""

    async def test_a_fact_that_could_not_be_stored_is_told_again_under_the_same_origin(self, rig: Rig) -> None:
        rig.server.broken = 2
        call = await rig.pbx.caller_dials()
        await rig.server.hears(CallArrived, call)
        assert rig.server.broken == 0
        origins = [report.origin for report in rig.server.reports if report.call == call]
        assert len(origins) == len(set(origins))


class OwnPlan:
    """For a PBX with a fallback plan that tells what it did."""

    async def test_the_fallback_takes_a_caller_and_tells_how_it_went(self, rig: Rig) -> None:
        call = await ringing(rig)
        await ask(rig, StopLeg(rig.telephony.name, call, "L.1", "no_answer"))
        fallback = SendToFallback(rig.telephony.name, call)
        await ask(rig, fallback)
        await rig.server.hears(FallbackTook, call)
        sighting = await rig.telephony.look()
        assert call in sighting.handed
        assert call not in [sight.call for sight in sighting.calls]
        await ask(rig, fallback)
        await rig.pbx.caller_hangs_up(call)
        served = await rig.server.hears(FallbackServed, call)
        assert (served.line, served.answered_by, served.why) == (LINE, "", "sent")


class TellsDevices:
    """For a PBX that tells the state of phones."""

    async def test_a_phone_that_goes_is_told(self, rig: Rig) -> None:
        await rig.pbx.phone_goes("101")
        gone = DeviceSeen("101", reachable=False)
        await rig.server.until(lambda: gone in [report.event for report in rig.server.reports])
