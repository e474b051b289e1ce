"""The adapter alone against a real Asterisk: no engine, no machine; the test gives the orders, the capture judges.

Heads 141..150, lines 93xx, an application for each test.
"""

import asyncio
import statistics
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import Any

import pytest

from router.basis.failures import Permanent, Temporary
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
    Party,
    TalkConfirmed,
    TalkEnded,
    TalkStarted,
)
from router.telephony_adapter.asterisk import wire
from router.telephony_adapter.asterisk.adapter import Asterisk
from router.telephony_adapter.asterisk.config import AsteriskSettings
from tests.e2e.asterisk.rig import (
    CallerScript,
    Dialled,
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
    waits,
)
from tests.telephony_adapter.asterisk.harness import Desk, at_work, leg

pytestmark = [pytest.mark.asterisk, pytest.mark.slow]

_LINES = count(9301)


class Scene:
    """One line of the rig with an application of its own, and the words of a test."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.line = str(next(_LINES))
        self.application = f"adapter-{self.line}"
        self.rig.line(self.line, HOPLINE_APP=self.application)

    def settings(self, **given: Any) -> AsteriskSettings:
        """How the adapter reaches this Asterisk."""
        ari = self.rig.asterisk.ari
        return AsteriskSettings(**{"url": ari.url, "user": ari.user, "application": self.application, **given})

    @asynccontextmanager
    async def server(self, **given: Any) -> AsyncIterator[Desk]:
        """An adapter at work."""
        async with at_work(self.settings(**given), self.rig.asterisk.ari.password) as desk:
            yield desk

    async def heads(self, **scripts: HeadScript) -> None:
        """`_141=busy()`: from now on this head behaves so."""
        for name, script in scripts.items():
            await asyncio.to_thread(self.rig.head, name.removeprefix("_"), script)

    def call(self, script: CallerScript | None = None) -> Dialled:
        """A client calls the line."""
        return self.rig.call(self.line, script=script or waits())

    async def over(self, dialled: Dialled) -> Any:
        """Wait until the caller is done and nothing is left; what the capture says of his call."""
        await asyncio.to_thread(dialled.wait)
        await asyncio.to_thread(self.rig.wait_until_idle)
        return self.rig.verdict(callers=dialled.numbers, heads=range(141, 151)).call(dialled.numbers[0])


@pytest.fixture
def scene(rig: Rig) -> Scene:
    """A scene for this test."""
    return Scene(rig)


async def eventually(holds: Callable[[], Any], limit_s: float = 30.0) -> Any:
    """Poll another process: it offers no event."""
    async with asyncio.timeout(limit_s):
        while not (value := await asyncio.to_thread(holds)):  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.02)
    return value


class Wire:
    """A wire to Asterisk that can be cut: a relay of bytes on loopback."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._ends: list[asyncio.StreamWriter] = []

    @asynccontextmanager
    async def laid(self) -> AsyncIterator[str]:
        """The address of its near end."""
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/ari"
        finally:
            self.cut()
            server.close()
            await server.wait_closed()

    def cut(self) -> None:
        """All connections break without a word; new ones are taken."""
        for end in self._ends:
            end.transport.abort()
        self._ends.clear()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._ends += [writer, far_writer]
        await asyncio.gather(_pour(reader, far_writer), _pour(far_reader, writer))


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


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


# --- the server goes away and comes back -----------------------------------------------------------------------


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
