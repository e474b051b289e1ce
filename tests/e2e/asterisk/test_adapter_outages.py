"""The adapter against a real Asterisk when the server or its socket goes away, and what the dialplan does meanwhile."""

import asyncio

import pytest

from router.basis.failures import Permanent, Temporary
from router.chains.events import (
    CallArrived,
    CallerHungUp,
    FallbackServed,
    FallbackTook,
    LegAnswered,
    LegRinging,
    Party,
    TalkEnded,
    TalkStarted,
)
from router.telephony_adapter.asterisk.adapter import Asterisk
from tests.e2e.asterisk.rig import (
    Rig,
    answers,
    never_answers,
    talks,
)
from tests.e2e.asterisk.scene import Scene, Wire, eventually
from tests.telephony_adapter.asterisk.harness import Desk, leg

pytestmark = [pytest.mark.asterisk, pytest.mark.slow]


@pytest.fixture
def scene(rig: Rig) -> Scene:
    """A scene for this test."""
    return Scene(rig)


async def test_the_socket_is_cut_in_a_ring(scene: Scene) -> None:
    await scene.heads(_141=answers(after_ms=1500))
    wire_to_asterisk = Wire(scene.rig.asterisk.ari.port)
    async with wire_to_asterisk.laid() as url, scene.server(url=url) as desk:
        dialled = scene.call()
        call = await desk.arrived()
        await desk.ring_back(call)
        await desk.ring(call, 1, "141", caller=dialled.numbers[0])
        await desk.hears(LegRinging, call)
        wire_to_asterisk.cut()
        await desk.lost()
        await desk.connected(2)
        (sight,) = desk.ear.sightings[1].calls
        assert (sight.call, [found.state for found in sight.legs]) == (call, ["ringing"])
        await desk.hears(LegAnswered, call)
        await desk.connect(call, 1)
        await desk.hears(TalkStarted, call)
        wire_to_asterisk.cut()
        await desk.connected(3)
        assert [sight.talking_extension for sight in desk.ear.sightings[2].calls] == ["141"], "they talk on"
        await desk.release(call)
        await desk.hears(CallerHungUp, call)
        seen = await scene.over(dialled)
    assert [found.end for found in seen.legs] == ["answered"]


async def test_a_call_while_nobody_listens_is_read_back(scene: Scene) -> None:
    await scene.heads(_141=answers(after_ms=200))
    scene.rig.line(scene.line, HOPLINE_HEADS="PJSIP/141", HOPLINE_FALLBACK_RING="5")
    dialled = scene.call(talks(talk_ms=1200))
    await scene.over(dialled)
    async with scene.server(fallback_record=scene.rig.asterisk.fallback_record) as desk:
        mine = [r for r in desk.ear.reports if r.personal.get("caller") == dialled.numbers[0]]
        (report,) = mine
        assert isinstance(report.event, FallbackServed)
        assert (report.event.line, report.event.answered_by, report.event.why) == (scene.line, "141", "no_server")
        assert report.event.talk_s == 1


async def test_the_time_limit_brings_the_caller_to_the_fallback(scene: Scene) -> None:
    await scene.heads(_141=never_answers())
    scene.rig.line(scene.line, HOPLINE_HEADS="PJSIP/141", HOPLINE_FALLBACK_RING="2", HOPLINE_ABSOLUTE="1")
    record = scene.rig.asterisk.fallback_record
    async with scene.server(fallback_record=record, fallback_poll_s=0.1) as desk:
        dialled = scene.call()
        call = await desk.arrived()
        await desk.ring_back(call)
        await desk.hears(FallbackTook, call)
        assert (await desk.adapter.look()).handed == (call,)
        await desk.hears(FallbackServed, call)
        assert [type(fact) for fact in desk.said(call)] == [CallArrived, FallbackTook, FallbackServed]
        assert desk.of(FallbackServed, call)[0].why == "absolute_timeout"
        await scene.over(dialled)


async def test_sent_to_the_fallback(scene: Scene) -> None:
    await scene.heads(_141=answers(after_ms=100))
    scene.rig.line(scene.line, HOPLINE_HEADS="PJSIP/141", HOPLINE_FALLBACK_RING="5")
    record = scene.rig.asterisk.fallback_record
    async with scene.server(fallback_record=record, fallback_poll_s=0.1) as desk:
        dialled = scene.call(talks(talk_ms=300))
        call = await desk.arrived()
        await desk.ring_back(call)
        assert await desk.to_fallback(call) == ()
        await desk.hears(FallbackTook, call)
        assert await desk.to_fallback(call) in ((FallbackTook(),), (CallerHungUp(),))
        served = await desk.hears(FallbackServed, call)
        assert (served.why, served.answered_by) == ("sent", "141")
        assert desk.of(CallerHungUp, call) == []
        await scene.over(dialled)


async def test_a_talk_outlives_the_time_limit(scene: Scene) -> None:
    await scene.heads(_141=answers(after_ms=100))
    scene.rig.line(scene.line, HOPLINE_ABSOLUTE="2")
    async with scene.server() as desk:
        dialled = scene.call(talks(talk_ms=3000))
        call = await desk.arrived()
        await desk.ring_back(call)
        await desk.ring(call, 1, "141", caller=dialled.numbers[0])
        await desk.hears(LegAnswered, call)
        await desk.connect(call, 1)
        assert await desk.hears(TalkEnded, call) == TalkEnded(Party.CALLER)
        await desk.release(call)
        seen = await scene.over(dialled)
    assert seen.bye_by == "caller"
    assert seen.ended_us - seen.arrived_us > 2_900_000


async def test_orphans_of_a_dead_server(scene: Scene) -> None:
    await scene.heads(_141=answers(after_ms=100))
    ari = scene.rig.asterisk.ari
    async with scene.server() as desk:
        dialled = scene.call(talks(talk_ms=800))
        call = await desk.arrived()
        await desk.ring(call, 1, "141", caller=dialled.numbers[0])
        await desk.hears(LegAnswered, call)
        await desk.connect(call, 1)
        await desk.hears(TalkStarted, call)
    await asyncio.to_thread(dialled.wait)  # nobody is there to hang up the head
    await eventually(lambda: [channel["id"] for channel in ari.channels()] == [leg(call, 1)])
    assert [bridge["channels"] for bridge in ari.bridges()] == [[leg(call, 1)]]
    async with scene.server() as desk:
        assert desk.ear.sightings[0].calls == ()
        await asyncio.to_thread(scene.rig.wait_until_idle)


async def test_a_live_call_is_adopted_after_a_restart(scene: Scene) -> None:
    await scene.heads(_141=answers(after_ms=1500))
    async with scene.server() as desk:
        dialled = scene.call()
        call = await desk.arrived()
        await desk.ring_back(call)
        await desk.ring(call, 1, "141", caller=dialled.numbers[0])
        await desk.hears(LegRinging, call)
    async with scene.server() as desk:
        (sight,) = desk.ear.sightings[0].calls
        assert (sight.call, sight.line, sight.caller) == (call, scene.line, dialled.numbers[0])
        assert [(found.leg, found.state) for found in sight.legs] == [(leg(call, 1), "ringing")]
        assert await desk.hears(LegAnswered, call) == LegAnswered(leg(call, 1), "141")
        await desk.connect(call, 1)
        assert await desk.hears(TalkStarted, call) == TalkStarted(leg(call, 1), "141")
        await desk.release(call)
        await scene.over(dialled)


async def test_a_second_server_takes_over(scene: Scene) -> None:
    first = Desk(Asterisk("asterisk", scene.settings(), scene.rig.asterisk.ari.password))
    running = asyncio.create_task(first.adapter.run(first.ear.deliver, first.in_sight))
    await first.connected()
    async with scene.server() as second:
        with pytest.raises(Permanent, match="application_replaced"):
            await running
        assert first.ear.sights[-1] == (False, "replaced")
        dialled = scene.call()
        call = await second.arrived()
        with pytest.raises(Temporary):
            await first.ring(call, 1, "141")
        await second.release(call, "no_answer")
        seen = await scene.over(dialled)
    assert seen.legs == []
    await first.adapter.close()
