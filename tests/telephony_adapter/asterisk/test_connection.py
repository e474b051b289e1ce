"""The event socket: coming, going, coming again; what is read then, and what is cleared away."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from aiohttp import web

from router.basis.failures import Permanent, Temporary
from router.chains.events import (
    CallArrived,
    CallerHungUp,
    DeviceSeen,
    Disposition,
    FallbackTook,
    LegAnswered,
    LegEnded,
    LegRinging,
    LineSeen,
    Party,
    TalkEnded,
    TalkStarted,
)
from router.telephony_adapter.asterisk import adapter as adapter_module
from router.telephony_adapter.asterisk import outbound as outbound_module
from router.telephony_adapter.asterisk import wire
from router.telephony_adapter.asterisk.adapter import Asterisk
from router.telephony_adapter.asterisk.config import AsteriskSettings
from router.telephony_adapter.asterisk.legs import Calls
from router.telephony_adapter.asterisk.outbound import Outbound
from router.telephony_adapter.asterisk.sight import Read
from router.telephony_adapter.port import CallSight, LegSight, Report
from simulators.ari.phones import GONE, NEVER_ANSWERS, Phone
from simulators.ari.server import running
from simulators.ari.switch import Bridge, Channel, Switch
from tests.support.ports import free_port
from tests.telephony_adapter.asterisk.harness import PBX, Desk, at_work, leg, office

HOUR = 3600


async def test_only_needed_events_are_asked_for() -> None:
    async with office() as (switch, door, _):
        allowed = switch.applications["hopline"].allowed
        assert allowed
        assert {"StasisStart", "StasisEnd", "ChannelDestroyed", "ChannelHangupRequest"} <= allowed
        assert not {"ChannelVarset", "ChannelDialplan", "ChannelCallerId"} & allowed
        assert all(asked.auth.startswith("Basic ") and "api_key" not in asked.query for asked in door.asked)


async def test_a_phone_in_a_call_of_its_own_is_told_and_one_that_we_ring_is_not() -> None:
    phones = {"101": NEVER_ANSWERS, "102": NEVER_ANSWERS}
    async with office(phones, devices_poll_s=0.05) as (switch, _, desk):
        await desk.hears(LineSeen, number=2)
        own = Channel("1764000009.1", "PJSIP/102-00000009", "Up", "102", exten="5", app="other")
        switch.channels[own.id] = own
        assert await desk.hears(LineSeen, number=3) == LineSeen("102", busy=True)
        del switch.channels[own.id]
        assert await desk.hears(LineSeen, number=4) == LineSeen("102", busy=False)


async def test_phones_that_can_be_reached_are_told_on_connect_and_on_change() -> None:
    phones = {"101": NEVER_ANSWERS, "102": GONE, "trunk": NEVER_ANSWERS}
    async with office(phones, devices_poll_s=0.05) as (switch, door, desk):
        await desk.hears(DeviceSeen, number=2)
        assert set(desk.of(DeviceSeen)) == {DeviceSeen("101", reachable=True), DeviceSeen("102", reachable=False)}
        switch.phones["PJSIP/102"] = NEVER_ANSWERS
        assert await desk.hears(DeviceSeen, number=3) == DeviceSeen("102", reachable=True)
        assert all(report.call == "" for report in desk.ear.reports)
        # A subscription to device states can lock ARI up (see the setting devices_poll_s).
        assert not [path for path in door.paths("POST") if path.endswith("/subscription")]


async def test_a_socket_cut_in_a_ring_is_seen_mended_and_read_again() -> None:
    async with office({"101": Phone(answers_after=8)}, second=0.2) as (switch, door, desk):
        switch.call("9001")
        call = await desk.arrived()
        await desk.ring(call, 1, "101", seconds=20)
        await desk.hears(LegRinging, call)
        await door.cut_sockets()
        assert (await desk.lost()).startswith("socket_closed")
        switch.answers(switch.channels[leg(call, 1)])  # nobody hears it: events of the gap are lost
        assert switch.channels[call].in_stasis, "live channels stay in the application"
        await desk.connected(2)
        # The leg found no application and was hung up by Asterisk; what is there is what counts.
        sighting = desk.ear.sightings[1]
        assert [sight.call for sight in sighting.calls] == [call]


async def test_an_answer_in_the_gap_is_found_by_looking() -> None:
    async with office({"101": NEVER_ANSWERS}) as (switch, door, desk):
        switch.call("9001", number="79990000009")
        call = await desk.arrived()
        await desk.ring(call, 1, "101", seconds=HOUR)
        await desk.hears(LegRinging, call)
        switch.applications["hopline"].allowed = frozenset({"nothing"})
        switch.answers(switch.channels[leg(call, 1)])
        await asyncio.sleep(0.05)
        await door.cut_sockets()
        await desk.connected(2)
        assert desk.of(LegAnswered, call) == []
        assert desk.ear.sightings[1].calls == (CallSight(call, "9001", "79990000009", (LegSight(leg(call, 1), "up"),)),)
        assert await desk.connect(call, 1) == ()
        assert await desk.hears(TalkStarted, call) == TalkStarted(leg(call, 1), "101")


async def test_legs_that_ended_in_the_gap_are_not_in_sight() -> None:
    async with office({"101": NEVER_ANSWERS, "102": NEVER_ANSWERS}) as (switch, door, desk):
        client = switch.call("9001")
        call = await desk.arrived()
        other = switch.call("9002")
        gone = await desk.arrived()
        await desk.ring(call, 1, "101", seconds=HOUR)
        await desk.ring(gone, 1, "102", seconds=HOUR)
        await desk.hears(LegRinging, number=2)
        switch.applications["hopline"].allowed = frozenset({"nothing"})
        switch.hang_up(other)
        switch.delete(switch.channels[leg(call, 1)], 16)
        await asyncio.sleep(0.05)
        await door.cut_sockets()
        await desk.connected(2)
        sighting = desk.ear.sightings[1]
        assert [(sight.call, sight.legs) for sight in sighting.calls] == [(client.id, ())]
        assert sighting.recent == ()
        assert not sighting.remembers_legs
        await desk.ear.until(lambda: leg(gone, 1) not in switch.channels)  # its caller is gone: an orphan
        assert await desk.ring(gone, 2, "101") == (CallerHungUp(), LegEnded(leg(gone, 2), Disposition.CANCELLED))
        assert f"/channels/{leg(gone, 2)}" not in door.paths("POST"), "known since the look, not asked for"
        assert [(call.id, list(call.legs)) for call in desk.adapter._calls] == [(client.id, [])]


async def test_a_call_in_the_gap_takes_the_fallback() -> None:
    async with office() as (switch, door, desk):
        await door.cut_sockets()
        client = switch.call("9001")
        assert switch.log[-1] == ("fallback", client.id)
        await desk.connected(2)
        assert desk.ear.sightings[1].calls == ()
        assert desk.ear.sightings[1].handed == (client.id,)


async def test_callers_in_stasis_whom_nobody_knows_are_in_sight() -> None:
    switch = Switch(second=0.03)
    switch.phones["PJSIP/101"] = NEVER_ANSWERS
    async with running(switch) as door:
        async with at_work(AsteriskSettings(url=door.url)) as first:
            switch.call("9001", number="79990000003")
            call = await first.arrived()
            await first.ring(call, 1, "101", seconds=HOUR)
            await first.hears(LegRinging, call)
        async with at_work(AsteriskSettings(url=door.url)) as second:  # a new process with an empty cache
            assert second.ear.sightings[0].calls == (
                CallSight(call, "9001", "79990000003", (LegSight(leg(call, 1), "ringing"),)),
            )
            switch.answers(switch.channels[leg(call, 1)])
            assert await second.hears(LegAnswered, call) == LegAnswered(leg(call, 1), "101")
            await second.connect(call, 1)
            assert await second.hears(TalkStarted, call) == TalkStarted(leg(call, 1), "101")


async def test_a_talk_survives_a_restart_and_its_time_limit_is_lifted() -> None:
    switch = Switch(second=0.03)
    switch.phones["PJSIP/101"] = Phone(answers_after=1)
    async with running(switch) as door:
        async with at_work(AsteriskSettings(url=door.url)) as first:
            client = switch.call("9001")
            call = await first.arrived()
            await first.ring(call, 1, "101")
            await first.hears(LegAnswered, call)
            await first.connect(call, 1)
            await first.hears(TalkStarted, call)
        client.variables["TIMEOUT(absolute)"] = "60"  # killed before it was lifted
        async with at_work(AsteriskSettings(url=door.url)) as second:
            (sight,) = second.ear.sightings[0].calls
            assert (sight.talking_leg, sight.talking_extension) == (leg(call, 1), "101")
            assert client.variables["TIMEOUT(absolute)"] == "0"
            switch.hang_up(client)
            assert await second.hears(TalkEnded, call) == TalkEnded(Party.CALLER)
            await second.hears(CallerHungUp, call)


async def test_orphans_are_cleared_away() -> None:
    switch = Switch(second=0.03)
    other = "1764000000.900"

    def left(channel_id: str, bridge: str, *, outbound: bool) -> None:
        channel = Channel(channel_id, "PJSIP/101-00000001", "Up", outbound=outbound, app="hopline", in_stasis=True)
        channel.args = ("leg", channel_id.rpartition(".")[0], channel_id, "101") if outbound else ("9001",)
        channel.told.add("hopline")
        switch.channels[channel_id] = channel
        switch.bridges[bridge] = Bridge(bridge, "hopline")
        switch.join(switch.bridges[bridge], channel)

    async with running(switch) as door:
        left("1764000000.500.h3", "1764000000.500.b", outbound=True)  # the caller hung up while the server was dead
        left("1764000000.600", "1764000000.600.b", outbound=False)  # the head did
        switch.bridges["1764000000.700.b"] = Bridge("1764000000.700.b", "hopline")  # both did
        switch.bridges["1764000000.800.b"] = Bridge("1764000000.800.b", "other-application")  # not ours
        switch.channels[f"{other}.h1"] = Channel(
            f"{other}.h1", "PJSIP/102-00000001", "Ringing", app="other", outbound=True
        )
        async with at_work(AsteriskSettings(url=door.url)) as desk:
            assert desk.ear.sightings[0].calls == ()
            await desk.ear.until(lambda: set(switch.channels) == {f"{other}.h1"})
            assert set(switch.bridges) == {"1764000000.800.b"}


async def test_a_connection_being_made_is_no_orphan() -> None:
    async with office({"101": Phone(answers_after=1)}) as (switch, _, desk):
        switch.call("9001")
        call = await desk.arrived()
        await desk.ring(call, 1, "101")
        await desk.hears(LegAnswered, call)
        switch.bridges[f"{call}.b"] = bridge = Bridge(f"{call}.b", "hopline")
        await desk.adapter.look()
        switch.join(bridge, switch.channels[call])
        await desk.adapter.look()
        assert set(switch.channels) == {call, leg(call, 1)}
        assert set(switch.bridges) == {f"{call}.b"}
        await desk.connect(call, 1)
        await desk.hears(TalkStarted, call)


def test_a_look_that_is_older_than_the_reports_brings_nothing_back() -> None:
    calls, settings = Calls(), AsteriskSettings()
    caller = wire.Channel(
        "1.2", "PJSIP/trunk-00000001", "Up", dialplan=wire.Dialplan("", "9001", "Stasis", "hopline,9001")
    )
    head = wire.Channel("1.2.h1", "PJSIP/101-00000001", "Up")
    bridge = wire.Bridge("1.2.b", "hopline", ("1.2", "1.2.h1"))
    read = Read({"1.2": caller, "1.2.h1": head}, (bridge,), wire.Application("hopline"), settings)
    call = calls.take("1.2")
    calls.end_leg(calls.take_leg("1.2.h1", "1.2"), Disposition.COMPLETED, 16)
    read.refresh(calls)
    assert not call.legs
    calls.end_call(call)
    read.refresh(calls)
    assert len(calls) == 0


async def test_a_stale_arrival_of_a_caller_who_left_is_told_and_ended() -> None:
    async with office() as (switch, _, desk):
        listener = switch.applications["hopline"].listener
        assert listener
        gone = Channel("1764000000.77", "PJSIP/trunk-00000007", "Ring", "79990000001", exten="9001")
        listener({
            "type": "StasisStart", "application": "hopline", "timestamp": "2020-01-01T00:00:00.000+0000",
            "args": ["9001"], "channel": gone.json(),
        })  # fmt: skip
        await desk.hears(CallerHungUp, gone.id)
        assert [type(fact) for fact in desk.said(gone.id)] == [CallArrived, CallerHungUp]


# --- replaced ---------------------------------------------------------------------------------------------------


async def test_replaced_it_stops_acting_and_exits() -> None:
    switch = Switch(second=0.03)
    async with running(switch) as door:
        desk = Desk(Asterisk(PBX, AsteriskSettings(url=door.url), "secret"))
        mine = asyncio.create_task(desk.adapter.run(desk.ear.deliver, desk.in_sight))
        await desk.connected()
        switch.call("9001")
        call = await desk.arrived()
        async with at_work(AsteriskSettings(url=door.url)) as other:
            with pytest.raises(Permanent, match="application_replaced"):
                await mine
            assert desk.ear.sights[-1] == (False, "replaced")
            asked = len(door.asked)
            with pytest.raises(Temporary, match="pbx_replaced"):
                await desk.ring(call, 1, "101")
            assert len(door.asked) == asked, "nothing was sent"
            assert await other.ring_back(call) == ()
        await desk.adapter.close()


async def test_replaced_it_may_come_back_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter_module, "REPLACED_PAUSE_S", 0.05)
    async with office(on_replaced="reconnect_after_30s") as (switch, door, desk):
        rival = Desk(Asterisk(PBX, AsteriskSettings(url=door.url), "secret"))
        theirs = asyncio.create_task(rival.adapter.run(rival.ear.deliver, rival.in_sight))
        assert await desk.lost() == "replaced"
        with pytest.raises(Permanent):
            await theirs
        await desk.connected(2)
        switch.call("9001")
        await desk.ring_back(await desk.arrived())
        await rival.adapter.close()


# --- a PBX that is not there ------------------------------------------------------------------------------------


async def test_it_keeps_trying_until_the_pbx_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter_module, "FIRST_PAUSE_S", 0.01)
    port = free_port()
    desk = Desk(Asterisk(PBX, AsteriskSettings(url=f"http://127.0.0.1:{port}/ari"), "secret"))
    desk.adapter._pause_s = 0.01
    mine = asyncio.create_task(desk.adapter.run(desk.ear.deliver, desk.in_sight))
    assert await desk.lost(3) == "unreachable"
    assert 0.02 <= desk.adapter._pause_s <= 5.0
    switch = Switch()
    async with running(switch, port=port):
        await desk.connected()
        switch.call("9001")
        await desk.arrived()
    mine.cancel()
    await asyncio.gather(mine, return_exceptions=True)
    await desk.adapter.close()


async def test_a_wrong_password_is_named() -> None:
    switch = Switch()
    async with running(switch, password="another") as door:
        desk = Desk(Asterisk(PBX, AsteriskSettings(url=door.url), "secret"))
        mine = asyncio.create_task(desk.adapter.run(desk.ear.deliver, desk.in_sight))
        assert await desk.lost() == "refuses_us"
        mine.cancel()
        await asyncio.gather(mine, return_exceptions=True)
        await desk.adapter.close()


async def test_a_peer_that_is_dead_without_a_word_is_found_by_pings() -> None:
    async with office(ping_s=0.2) as (_, door, desk):
        door.answers_pings = False
        await door.cut_sockets()
        await desk.connected(2)  # the new socket is deaf: no pong comes
        door.answers_pings = True
        await desk.lost(2)
        await desk.connected(3)


async def test_pauses_double_up_to_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    desk = Desk(Asterisk(PBX, AsteriskSettings(), "secret"))
    monkeypatch.setattr(asyncio, "sleep", sleep)
    for _ in range(7):
        await desk.adapter._wait_before_next("unreachable")
    assert slept == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


# --- delivery ---------------------------------------------------------------------------------------------------


async def test_reports_wait_while_the_journal_cannot_be_written() -> None:
    async with office() as (switch, _, desk):
        desk.ear.refuse = 3
        switch.call("9001")
        switch.call("9002")
        first, second = await desk.arrived(), await desk.arrived()
        assert [event.line for event in desk.of(CallArrived)] == ["9001", "9002"]
        assert first != second


async def test_an_unreadable_frame_is_passed_over() -> None:
    async with office() as (switch, door, desk):
        (socket,) = door.sockets
        await socket.send_str("{not json")
        await socket.send_bytes(b"binary")
        switch.call("9001")
        await desk.arrived()


async def test_a_handed_over_call_after_a_restart_is_told_by_a_look_at_it() -> None:
    async with office() as (switch, _, desk):
        client = switch.call("9001", app="nobody")
        assert FallbackTook() in await desk.look_at(client.id, 1)


def test_there_are_no_routes() -> None:
    routes: list[web.RouteDef] = list(Asterisk(PBX, AsteriskSettings(), "secret").routes(None))  # type: ignore[arg-type]
    assert routes == []


async def test_a_report_that_the_engine_never_takes_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound_module, "FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr(outbound_module, "LONGEST_PAUSE_S", 0.0)
    taken: list[str] = []
    done = asyncio.Event()

    async def deliver(reports: Sequence[Report]) -> Sequence[str | None]:
        if any(report.call == "poison" for report in reports):
            raise RuntimeError("never")
        taken.extend(report.call for report in reports)
        if "last" in taken:
            done.set()
        return [None] * len(reports)

    outbound = Outbound("asterisk", deliver)
    work = asyncio.create_task(outbound.run())
    outbound.put([Report(call, CallerHungUp()) for call in ("first", "poison", "second")])
    outbound.put([Report("last", CallerHungUp())])
    await asyncio.wait_for(done.wait(), 20)
    assert taken == ["first", "second", "last"]
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


async def test_nothing_is_lost_in_a_long_outage_of_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound_module, "FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr(outbound_module, "LONGEST_PAUSE_S", 0.0)
    taken: list[str] = []
    done = asyncio.Event()
    tries = 0

    async def deliver(reports: Sequence[Report]) -> Sequence[str | None]:
        nonlocal tries
        tries += 1
        if tries <= 2 * outbound_module.TRIES_ALONE + 1:  # long enough for both to be put aside
            raise RuntimeError("the disk is full")
        taken.extend(report.call for report in reports)
        if len(taken) == 3:
            done.set()
        return [None] * len(reports)

    outbound = Outbound("asterisk", deliver)
    work = asyncio.create_task(outbound.run())
    outbound.put([Report("first", CallerHungUp()), Report("second", CallerHungUp())])
    await asyncio.sleep(0)
    outbound.put([Report("third", CallerHungUp())])
    await asyncio.wait_for(done.wait(), 20)
    assert sorted(taken) == ["first", "second", "third"]
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


# --- what can wait a moment ---------------------------------------------------------------------------------------


class Deliveries:
    """Deliveries of an `Outbound`, each as the calls it was about."""

    def __init__(self) -> None:
        self.made: list[list[str]] = []
        self.at_s: list[float] = []
        self.news = asyncio.Event()

    async def __call__(self, reports: Sequence[Report]) -> Sequence[str | None]:
        self.made.append([report.call for report in reports])
        self.at_s.append(asyncio.get_running_loop().time())
        self.news.set()
        return [None] * len(reports)

    async def next(self) -> list[str]:
        """Wait for one more."""
        await asyncio.wait_for(self.news.wait(), 20)
        self.news.clear()
        return self.made[-1]


def rings(call: str) -> Report:
    return Report(call, LegRinging(leg(call, 1)))


def ends(call: str) -> Report:
    return Report(call, LegEnded(leg(call, 1), Disposition.NO_ANSWER))


@pytest.fixture
async def delivered() -> AsyncIterator[tuple[Outbound, Deliveries]]:
    deliveries = Deliveries()
    outbound = Outbound("asterisk", deliveries)
    work = asyncio.create_task(outbound.run())
    yield outbound, deliveries
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


async def test_ringing_waits_for_the_next_report_and_stays_before_it(
    monkeypatch: pytest.MonkeyPatch, delivered: tuple[Outbound, Deliveries]
) -> None:
    monkeypatch.setattr(outbound_module, "PATIENCE_S", 3600)
    outbound, deliveries = delivered
    outbound.put([rings("a")])
    outbound.put([Report("", DeviceSeen("101", reachable=True))])
    for _ in range(5):
        await asyncio.sleep(0)
    assert deliveries.made == [], "each would be a commit in front of another call's hop"
    outbound.put([ends("b")])
    assert await deliveries.next() == ["a", "", "b"]


async def test_the_end_of_a_ring_waits_for_nothing(delivered: tuple[Outbound, Deliveries]) -> None:
    outbound, deliveries = delivered
    outbound.put([ends("a")])
    for _ in range(3):
        await asyncio.sleep(0)
    assert deliveries.made == [["a"]]
    outbound.put([rings("b"), ends("b")])
    for _ in range(3):
        await asyncio.sleep(0)
    assert deliveries.made == [["a"], ["b", "b"]]


async def test_ringing_alone_is_told_a_little_later(delivered: tuple[Outbound, Deliveries]) -> None:
    outbound, deliveries = delivered
    for call in ("a", "b"):  # and again after the first time
        began = asyncio.get_running_loop().time()
        outbound.put([rings(call)])
        assert await deliveries.next() == [call]
        assert deliveries.at_s[-1] - began >= outbound_module.PATIENCE_S
