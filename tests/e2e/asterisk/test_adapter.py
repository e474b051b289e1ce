"""The adapter alone against a real Asterisk: no engine, no machine; the test gives the orders, the capture judges.

Heads 141..150, lines 93xx, an application for each test. Outages: test_adapter_outages.py.
"""

import asyncio
import statistics
from collections.abc import Callable

import pytest

from router.basis.failures import Temporary
from router.chains.events import (
    CallArrived,
    CallerHungUp,
    DeviceSeen,
    Disposition,
    LegAnswered,
    LegEnded,
    LegRinging,
    Party,
    TalkConfirmed,
    TalkEnded,
    TalkStarted,
)
from router.telephony_adapter.asterisk import wire
from tests.e2e.asterisk.rig import (
    HeadScript,
    Rig,
    absent,
    answers,
    busy,
    cancels,
    declines,
    never_answers,
    silent,
    talks,
    unavailable,
)
from tests.e2e.asterisk.scene import Scene, eventually
from tests.telephony_adapter.asterisk.harness import leg

pytestmark = [pytest.mark.asterisk, pytest.mark.slow]


@pytest.fixture
def scene(rig: Rig) -> Scene:
    """A scene for this test."""
    return Scene(rig)


# --- whole calls ------------------------------------------------------------------------------------------------


async def test_a_whole_call(scene: Scene) -> None:
    await scene.heads(_141=never_answers(), _142=answers(after_ms=500))
    async with scene.server() as desk:
        dialled = scene.call(talks(talk_ms=700))
        call = await desk.arrived()
        assert await desk.ring_back(call) == ()
        await desk.ring(call, 1, "141", seconds=1, caller=dialled.numbers[0])
        assert await desk.hears(LegEnded, call) == LegEnded(leg(call, 1), Disposition.NO_ANSWER, 19)
        await desk.ring(call, 2, "142", caller=dialled.numbers[0])
        assert await desk.hears(LegAnswered, call) == LegAnswered(leg(call, 2), "142")
        assert await desk.connect(call, 2) == ()
        assert await desk.hears(TalkStarted, call) == TalkStarted(leg(call, 2), "142")
        assert await desk.connect(call, 2) == (TalkStarted(leg(call, 2), "142"),)
        assert await desk.look_at(call, 2) == (TalkConfirmed(leg(call, 2)),)
        assert await desk.hears(TalkEnded, call) == TalkEnded(Party.CALLER)
        await desk.stop(call, 2, "talk_over")
        await desk.release(call)
        await desk.hears(LegEnded, call, 2)
        assert [type(fact) for fact in desk.said(call)] == [
            CallArrived, LegRinging, LegEnded, LegRinging, LegAnswered, TalkStarted, TalkEnded, CallerHungUp, LegEnded,
        ]  # fmt: skip
        (arrival,) = [report for report in desk.ear.reports if isinstance(report.event, CallArrived)]
        assert arrival.personal == {"caller": dialled.numbers[0]}
        app = scene.rig.asterisk.ari.request("GET", f"/applications/{scene.application}")
        assert {entry["type"] for entry in app["events_allowed"]} == set(wire.EVENTS)
        seen = await scene.over(dialled)
    assert seen.heads == ["141", "142"], "the head's INVITE carried the client's number"
    assert seen.ringing_us is not None
    assert seen.ringing_us < seen.legs[0].started_us
    assert seen.final == 200
    assert seen.bye_by == "caller"
    assert seen.answered_us > seen.legs[1].answered_us, "the caller is answered only when a head is up"
    assert max(seen.dead_air_ms) < 300


async def test_nobody_answers_and_the_caller_is_released(scene: Scene) -> None:
    await scene.heads(_141=never_answers())
    async with scene.server() as desk:
        dialled = scene.call()
        call = await desk.arrived()
        await desk.ring_back(call)
        await desk.ring(call, 1, "141", seconds=1)
        await desk.hears(LegEnded, call)
        await desk.release(call, "no_answer")
        await desk.hears(CallerHungUp, call)
        assert await desk.release(call, "no_answer") == (CallerHungUp(),)
        seen = await scene.over(dialled)
    assert seen.final == 480


async def test_the_head_hangs_up(scene: Scene) -> None:
    await scene.heads(_141=answers(after_ms=0, talk_ms=500))
    async with scene.server() as desk:
        dialled = scene.call()
        call = await desk.arrived()
        await desk.ring_back(call)
        await desk.ring(call, 1, "141", caller=dialled.numbers[0])
        await desk.hears(LegAnswered, call)
        await desk.connect(call, 1)
        await desk.hears(TalkStarted, call)
        assert await desk.hears(TalkEnded, call) == TalkEnded(Party.HEAD)
        assert await desk.hears(LegEnded, call) == LegEnded(leg(call, 1), Disposition.COMPLETED, 16)
        await desk.release(call)
        await desk.hears(CallerHungUp, call)
        seen = await scene.over(dialled)
    assert seen.bye_by == "pbx"


async def test_who_was_transferred_is_not_cut_off(scene: Scene) -> None:
    await scene.heads(_141=answers(after_ms=100), _142=answers(after_ms=100))
    scene.rig.line(scene.line, HOPLINE_HEADS="PJSIP/142")
    asterisk = scene.rig.asterisk
    async with scene.server() as desk:
        dialled = scene.call(talks(talk_ms=2500))
        call = await desk.arrived()
        await desk.ring_back(call)
        await desk.ring(call, 1, "141", caller=dialled.numbers[0])
        await desk.hears(LegAnswered, call)
        await desk.connect(call, 1)
        await desk.hears(TalkStarted, call)
        name = next(channel["name"] for channel in asterisk.ari.channels() if channel["id"] == call)
        await asyncio.to_thread(asterisk.command, f"channel redirect {name} hopline-fallback,{scene.line},1")
        assert await desk.hears(TalkEnded, call) == TalkEnded(Party.UNKNOWN)
        assert await desk.release(call) == (CallerHungUp(),)
        assert await desk.hears(LegEnded, call) == LegEnded(leg(call, 1), Disposition.COMPLETED, 16)
        seen = await scene.over(dialled)
    assert seen.bye_by == "caller"
    assert seen.ended_us - seen.answered_us > 2_400_000


async def test_the_caller_gives_up_in_a_ring(scene: Scene) -> None:
    await scene.heads(_141=never_answers())
    async with scene.server() as desk:
        dialled = scene.call(cancels(after_ms=700))
        call = await desk.arrived()
        await desk.ring_back(call)
        await desk.ring(call, 1, "141", caller=dialled.numbers[0])
        await desk.hears(CallerHungUp, call)
        await desk.stop(call, 1, "caller_gone")
        assert await desk.hears(LegEnded, call) == LegEnded(leg(call, 1), Disposition.CANCELLED, 16)
        seen = await scene.over(dialled)
        assert desk.of(CallerHungUp, call) == [CallerHungUp()]
    assert seen.legs[0].cancelled_us - seen.cancelled_us < 250_000


# --- legs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "end"),
    [
        (busy(), LegEnded("", Disposition.BUSY, 17)),
        (declines(), LegEnded("", Disposition.DECLINED, 21)),
        (declines(after_ms=300), LegEnded("", Disposition.DECLINED, 21)),
        (unavailable(), LegEnded("", Disposition.DECLINED, 19)),
        (never_answers(), LegEnded("", Disposition.NO_ANSWER, 19)),
        (silent(), LegEnded("", Disposition.UNREACHABLE, 19)),
    ],
    ids=["busy", "declines at once", "declines later", "unavailable", "never answers", "silent"],
)
async def test_how_phones_end_a_ring(scene: Scene, script: HeadScript, end: LegEnded) -> None:
    await scene.heads(_143=script)
    async with scene.server() as desk:
        dialled = scene.call()
        call = await desk.arrived()
        await desk.ring_back(call)
        await desk.ring(call, 1, "143", seconds=2, caller=dialled.numbers[0])
        ended = await desk.hears(LegEnded, call)
        assert (ended.how, ended.code) == (end.how, end.code)
        await desk.release(call, "no_answer")
        await scene.over(dialled)


async def test_a_phone_that_is_known_to_be_gone(scene: Scene) -> None:
    ari = scene.rig.asterisk.ari
    await scene.heads(_137=absent())
    await eventually(lambda: ari.request("GET", "/endpoints/PJSIP/137")["state"] == "offline")
    async with scene.server() as desk:
        await eventually(lambda: DeviceSeen("137", reachable=False) in desk.of(DeviceSeen))
        assert DeviceSeen("141", reachable=True) in desk.of(DeviceSeen)
        dialled = scene.call()
        call = await desk.arrived()
        assert await desk.ring(call, 1, "137") == (LegEnded(leg(call, 1), Disposition.UNREACHABLE),)
        assert await desk.ring(call, 2, "999") == (LegEnded(leg(call, 2), Disposition.UNREACHABLE),)
        await scene.heads(_137=never_answers())
        await eventually(lambda: DeviceSeen("137", reachable=True) in desk.of(DeviceSeen))
        await desk.release(call, "no_answer")
        await scene.over(dialled)


async def test_losers_see_no_missed_call(scene: Scene) -> None:
    await scene.heads(_141=never_answers(), _142=never_answers())
    async with scene.server() as desk:
        dialled = scene.call()
        call = await desk.arrived()
        for hop, head, why, how in ((1, "141", "elsewhere", "elsewhere"), (2, "142", "no_answer", "cancelled")):
            await desk.ring(call, hop, head, by_pbx=False, caller=dialled.numbers[0])
            await desk.hears(LegRinging, call, hop)
            assert await desk.stop(call, hop, why) == ()
            assert (await desk.hears(LegEnded, call, hop)).how.value == how
        await desk.release(call, "no_answer")
        seen = await scene.over(dialled)
    assert "cause=200" in seen.legs[0].cancel_reason
    assert "Q.850;cause=19" in seen.legs[1].cancel_reason


async def test_hops_follow_one_another_closely(scene: Scene, record_property: Callable[[str, object], None]) -> None:
    """Own stop, its confirmation, the next ring: the gap on the wire, without the engine's commit between."""
    await scene.heads(**{f"_{head}": never_answers() for head in range(141, 147)})
    async with scene.server() as desk:
        dialled = scene.call()
        call = await desk.arrived()
        await desk.ring_back(call)
        for hop in range(1, 7):
            await desk.ring(call, hop, str(140 + hop), by_pbx=False, caller=dialled.numbers[0])
            await desk.hears(LegRinging, call, hop)
            await desk.stop(call, hop, "no_answer")
            await desk.hears(LegEnded, call, hop)
        await desk.release(call, "no_answer")
        seen = await scene.over(dialled)
    gaps = seen.gaps_ms
    record_property("gaps_ms", gaps)
    assert len(gaps) == 5
    assert min(gaps) > -1, "the next head rang before the last was taken back"
    assert statistics.median(gaps) <= 25, "alone on the machine it is 2 to 4 ms"


async def test_an_answer_that_crosses_the_stop(scene: Scene) -> None:
    """Whatever wins, it is told, and nobody is joined with a head who was told to stop."""
    outcomes = set()
    async with scene.server() as desk:
        for attempt, after_ms in enumerate((195, 200, 205, 210), start=1):
            await scene.heads(_144=answers(after_ms=after_ms))
            dialled = scene.call()
            call = await desk.arrived()
            await desk.ring(call, 1, "144", by_pbx=False, caller=dialled.numbers[0])
            await desk.hears(LegRinging, call)
            await asyncio.sleep(0.2)  # the crossing itself is what is tried
            await desk.stop(call, 1, "no_answer")
            ended = await desk.hears(LegEnded, call)
            outcomes.add((bool(desk.of(LegAnswered, call)), ended.how))
            await desk.release(call, "no_answer")
            seen = await scene.over(dialled)
            assert seen.final == 480, attempt
            assert all(silence < 300 for silence in seen.dead_air_ms), seen.dead_air_ms
    assert outcomes <= {(False, "cancelled"), (False, "completed"), (True, "cancelled"), (True, "completed")}


async def test_refusals_of_ari(scene: Scene) -> None:
    """What the adapter relies on: a taken id is 409, a ring for a caller who is gone is refused and rings nobody."""
    await scene.heads(_141=never_answers())
    async with scene.server() as desk:
        dialled = scene.call()
        call = await desk.arrived()
        first, second = await asyncio.gather(desk.ring(call, 1, "141"), desk.ring(call, 1, "141"))
        assert (first, second) == ((), ())
        await desk.hears(LegRinging, call)
        await desk.stop(call, 1, "no_answer")
        await desk.hears(LegEnded, call)
        assert desk.of(LegRinging, call) == [LegRinging(leg(call, 1))]
        await desk.release(call, "no_answer")
        await desk.hears(CallerHungUp, call)
        await scene.over(dialled)
        # A call this adapter never saw: it has to ask, and Asterisk refuses because the originator is not there.
        assert await desk.ring("1.2", 1, "141") == (CallerHungUp(), LegEnded("1.2.h1", Disposition.CANCELLED))


async def test_a_leg_that_rings_cannot_be_joined_yet(scene: Scene) -> None:
    await scene.heads(_141=never_answers())
    async with scene.server() as desk:
        dialled = scene.call(talks(talk_ms=5000))
        call = await desk.arrived()
        await desk.ring(call, 1, "141", caller=dialled.numbers[0])
        await desk.hears(LegRinging, call)
        with pytest.raises(Temporary, match="422"):
            await desk.connect(call, 1)
        await desk.release(call)
        await desk.hears(LegEnded, call)
        await scene.over(dialled)
