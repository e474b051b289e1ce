"""Effects carried out against a played Asterisk that refuses what the real one refuses."""

import asyncio
import socket

import pytest

from router.basis.failures import Permanent, Temporary
from router.chains.events import (
    CallerHungUp,
    Disposition,
    FallbackTook,
    LegAnswered,
    LegEnded,
    LegRinging,
    Party,
    TalkConfirmed,
    TalkEnded,
    TalkStarted,
)
from router.telephony_adapter.port import NotSent
from simulators.ari.phones import BUSY, DECLINE, GONE, NEVER_ANSWERS, SILENT, UNAVAILABLE, Phone
from simulators.ari.server import Fault
from tests.telephony_adapter.asterisk.harness import Desk, leg, office

QUICK = Phone(answers_after=1)


async def talking(desk: Desk, call: str, extension: str = "101") -> None:
    """Bring caller and head together."""
    await desk.ring(call, 1, extension)
    await desk.hears(LegAnswered, call)
    assert await desk.connect(call, 1) == ()
    await desk.hears(TalkStarted, call)


# --- ring -------------------------------------------------------------------------------------------------------


async def test_only_originate_is_used_and_the_caller_is_rung_back_first() -> None:
    async with office({"101": QUICK}) as (switch, door, desk):
        switch.call("9001")
        call = await desk.arrived()
        await desk.ring_back(call)
        await talking(desk, call)
        posted = door.paths("POST")
        assert f"/channels/{call}/ring" in posted
        assert f"/channels/{leg(call, 1)}" in posted
        assert not [path for path in posted if path.endswith(("/create", "/dial"))]


async def test_a_ring_ordered_twice_rings_once() -> None:
    async with office({"101": NEVER_ANSWERS}) as (switch, door, desk):
        switch.call("9001")
        call = await desk.arrived()
        first, second = await asyncio.gather(desk.ring(call, 1, "101"), desk.ring(call, 1, "101"))
        assert first == second == ()
        assert door.paths("POST").count(f"/channels/{leg(call, 1)}") == 2, "the second was asked for and refused (409)"
        await desk.hears(LegRinging, call)
        assert await desk.ring(call, 1, "101") == ()
        await desk.hears(LegEnded, call)  # 60 played seconds later
        assert await desk.ring(call, 1, "101") == (LegEnded(leg(call, 1), Disposition.NO_ANSWER, 19),)
        assert switch.log.count(("ring", leg(call, 1))) == 1


async def test_the_head_sees_the_clients_number() -> None:
    async with office({"101": NEVER_ANSWERS}) as (switch, door, desk):
        switch.call("9001")
        call = await desk.arrived()
        await desk.ring(call, 1, "101", caller="+79161234567")
        await desk.ring(call, 2, "101", caller=None)
        assert switch.shown == {leg(call, 1): "<+79161234567>", leg(call, 2): "Anonymous <anonymous>"}
        originated = next(asked for asked in door.asked if asked.path == f"/channels/{leg(call, 1)}")
        assert originated.body["originator"] == call
        assert all("79161234567" not in str((asked.path, asked.query)) for asked in door.asked), "a number in a URL"


@pytest.mark.parametrize(
    ("phone", "end"),
    [
        (Phone(rings_after=None, refuses=BUSY), Disposition.BUSY),
        (Phone(refuses=DECLINE, refuses_after=1), Disposition.DECLINED),
        (Phone(rings_after=None, refuses=UNAVAILABLE), Disposition.DECLINED),
        (NEVER_ANSWERS, Disposition.NO_ANSWER),
        (SILENT, Disposition.UNREACHABLE),
    ],
)
async def test_how_phones_end_a_ring(phone: Phone, end: Disposition) -> None:
    async with office({"101": phone}) as (switch, _, desk):
        switch.call("9001")
        call = await desk.arrived()
        assert await desk.ring(call, 1, "101", seconds=2) == ()
        assert (await desk.hears(LegEnded, call)).how is end


@pytest.mark.parametrize("extension", ["102", "109"])
async def test_a_phone_that_is_gone_is_refused_at_once(extension: str) -> None:
    async with office({"102": GONE}) as (switch, _, desk):
        switch.call("9001")
        call = await desk.arrived()
        assert await desk.ring(call, 1, extension) == (LegEnded(leg(call, 1), Disposition.UNREACHABLE),)
        assert await desk.ring(call, 1, extension) == (LegEnded(leg(call, 1), Disposition.UNREACHABLE),)


async def test_a_silent_phone_never_rings_and_can_be_given_up() -> None:
    async with office({"101": SILENT}) as (switch, _, desk):
        switch.call("9001")
        call = await desk.arrived()
        await desk.ring(call, 1, "101", by_pbx=False)
        assert await desk.stop(call, 1, "no_answer") == ()
        assert await desk.hears(LegEnded, call) == LegEnded(leg(call, 1), Disposition.CANCELLED, 19)
        assert desk.of(LegRinging, call) == []


async def test_no_ring_for_a_caller_who_is_gone() -> None:
    async with office({"101": NEVER_ANSWERS}) as (switch, door, desk):
        client = switch.call("9001")
        call = await desk.arrived()
        switch.hang_up(client)
        await desk.hears(CallerHungUp, call)
        assert await desk.ring(call, 1, "101") == (CallerHungUp(), LegEnded(leg(call, 1), Disposition.CANCELLED))
        assert f"/channels/{leg(call, 1)}" not in door.paths("POST"), "known from the events, not asked for"


async def test_the_pbx_refuses_a_ring_for_a_caller_whose_end_was_not_heard() -> None:
    async with office({"101": NEVER_ANSWERS}) as (switch, _, desk):
        client = switch.call("9001")
        call = await desk.arrived()
        switch.applications["hopline"].allowed = frozenset({"ChannelDestroyed"})  # the report is on its way
        switch.hang_up(client)
        assert await desk.ring(call, 1, "101") == (CallerHungUp(), LegEnded(leg(call, 1), Disposition.CANCELLED))
        assert switch.log.count(("ring", leg(call, 1))) == 0


# --- stop -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("why", "cause", "how"),
    [
        ("elsewhere", 26, Disposition.ELSEWHERE),
        ("no_answer", 19, Disposition.CANCELLED),
        ("caller_gone", 16, Disposition.CANCELLED),
        ("talk_over", 16, Disposition.CANCELLED),
    ],
)
async def test_a_stop_is_confirmed_by_the_end_not_by_the_answer(why: str, cause: int, how: Disposition) -> None:
    async with office({"101": NEVER_ANSWERS}) as (switch, _, desk):
        switch.call("9001")
        call = await desk.arrived()
        await desk.ring(call, 1, "101")
        await desk.hears(LegRinging, call)
        assert await desk.stop(call, 1, why) == (), "204 comes before CANCEL is on the wire"
        assert await desk.hears(LegEnded, call) == LegEnded(leg(call, 1), how, cause)
        assert switch.causes[leg(call, 1)] == cause
        assert await desk.stop(call, 1, why) == (LegEnded(leg(call, 1), how, cause),), "a repeat says the same"


async def test_stopping_what_never_was() -> None:
    async with office() as (_, _door, desk):
        assert await desk.stop("1764000000.7", 1, "elsewhere") == (LegEnded("1764000000.7.h1", Disposition.ELSEWHERE),)
        assert await desk.stop("1764000000.7", 2, "no_answer") == (LegEnded("1764000000.7.h2", Disposition.CANCELLED),)


async def test_a_late_answer_is_told_and_never_joined() -> None:
    async with office({"101": NEVER_ANSWERS}) as (switch, door, desk):
        switch.call("9001")
        call = await desk.arrived()
        await desk.ring(call, 1, "101")
        await desk.hears(LegRinging, call)
        switch.delete_s = 0.2  # CANCEL leaves a good while after the 204
        stopped = asyncio.create_task(desk.stop(call, 1, "no_answer"))
        while leg(call, 1) not in switch.causes:  # noqa: ASYNC110 - the exchange offers no event for "asked to"
            await asyncio.sleep(0)
        switch.answers(switch.channels[leg(call, 1)])  # the 200 crosses the CANCEL
        await stopped
        assert (await desk.hears(LegEnded, call)).how is Disposition.CANCELLED
        desk.adapter._calls.take_leg(leg(call, 1), call).stopped_ringing = True  # its end is not read yet
        with pytest.raises(Permanent):
            await desk.connect(call, 1)
        assert not [path for path in door.paths("POST") if path.startswith("/bridges")]


# --- talk -------------------------------------------------------------------------------------------------------


async def test_the_caller_is_answered_only_when_a_head_is_up_and_both_join_in_one_request() -> None:
    async with office({"101": QUICK}) as (switch, door, desk):
        client = switch.call("9001", absolute=60)
        call = await desk.arrived()
        await desk.ring_back(call)
        await desk.ring(call, 1, "101")
        await desk.hears(LegAnswered, call)
        assert client.state == "Ring"
        assert not [path for path in door.paths("POST") if path.endswith("/answer")]
        await desk.connect(call, 1)
        assert await desk.hears(TalkStarted, call) == TalkStarted(leg(call, 1), "101")
        assert client.state == "Up"
        (joined,) = [asked for asked in door.asked if asked.path.endswith("/addChannel")]
        assert joined.query == {"channel": f"{call},{leg(call, 1)}"}
        assert client.variables["TIMEOUT(absolute)"] == "0"


async def test_connecting_twice_joins_once() -> None:
    async with office({"101": QUICK}) as (switch, door, desk):
        switch.call("9001")
        call = await desk.arrived()
        await talking(desk, call)
        assert await desk.connect(call, 1) == (TalkStarted(leg(call, 1), "101"),)
        desk.adapter._calls.take(call).talk = ""  # as after a restart: only the PBX knows
        assert await desk.connect(call, 1) == (TalkStarted(leg(call, 1), "101"),)
        assert len([path for path in door.paths("POST") if path.endswith("/addChannel")]) == 1
        assert desk.of(TalkEnded, call) == []


async def test_the_caller_leaves_while_being_connected() -> None:
    async with office({"101": QUICK}) as (switch, _, desk):
        client = switch.call("9001")
        call = await desk.arrived()
        await desk.ring(call, 1, "101")
        await desk.hears(LegAnswered, call)
        switch.channels.pop(client.id)  # gone, not reported yet
        assert await desk.connect(call, 1) == (CallerHungUp(),)
        assert desk.of(TalkStarted, call) == []


async def test_the_head_leaves_while_being_connected() -> None:
    async with office({"101": QUICK}) as (switch, _, desk):
        client = switch.call("9001", absolute=60)
        call = await desk.arrived()
        await desk.ring(call, 1, "101")
        await desk.hears(LegAnswered, call)
        switch.channels.pop(leg(call, 1))
        assert await desk.connect(call, 1) == (LegEnded(leg(call, 1), Disposition.COMPLETED),)
        assert client.variables["TIMEOUT(absolute)"] == "60", "he hops on and keeps his net"


async def test_a_leg_that_is_not_in_stasis_yet_is_connected_by_a_repeat() -> None:
    async with office({"101": NEVER_ANSWERS}) as (switch, _, desk):
        switch.call("9001")
        call = await desk.arrived()
        await desk.ring(call, 1, "101")
        await desk.hears(LegRinging, call)
        with pytest.raises(Temporary):  # 422
            await desk.connect(call, 1)
        switch.answers(switch.channels[leg(call, 1)])
        await desk.hears(LegAnswered, call)
        await desk.connect(call, 1)
        await desk.hears(TalkStarted, call)


# --- release, fallback ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("why", "cause"), [("no_answer", 19), ("talk_over", 16)])
async def test_release_tells_the_caller_why_and_leaves_nothing(why: str, cause: int) -> None:
    async with office({"101": NEVER_ANSWERS}) as (switch, door, desk):
        switch.call("9001")
        call = await desk.arrived()
        await desk.ring(call, 1, "101")
        await desk.hears(LegRinging, call)
        assert await desk.release(call, why) == ()
        await desk.hears(CallerHungUp, call)
        assert (await desk.hears(LegEnded, call)).how is Disposition.CANCELLED
        assert switch.causes[call] == cause
        assert not switch.channels
        assert not [path for path in door.paths("DELETE") if path.startswith("/bridges")], "there was none"
        assert await desk.release(call, why) == (CallerHungUp(),)


async def test_release_after_a_talk_takes_the_bridge_with_it() -> None:
    async with office({"101": Phone(answers_after=1, talks=2)}) as (switch, _, desk):
        switch.call("9001")
        call = await desk.arrived()
        await talking(desk, call)
        assert await desk.hears(TalkEnded, call) == TalkEnded(Party.HEAD)
        assert switch.bridges
        await desk.release(call)
        await desk.hears(CallerHungUp, call)
        assert not switch.channels
        assert not switch.bridges


async def test_to_the_fallback_is_not_a_hang_up() -> None:
    async with office() as (switch, door, desk):
        switch.call("74951234567")
        call = await desk.arrived()
        assert await desk.to_fallback(call) == ()
        await desk.hears(FallbackTook, call)
        (continued,) = [asked for asked in door.asked if asked.path.endswith("/continue")]
        assert continued.query == {"context": "hopline-fallback", "extension": "74951234567", "priority": "1"}
        assert f"/channels/{call}" not in door.paths("GET"), "we sent him: there is nothing to ask"
        assert await desk.to_fallback(call) == (FallbackTook(),), "409, and he lives in the dialplan"
        assert desk.of(CallerHungUp, call) == []


async def test_to_the_fallback_with_a_caller_who_is_gone() -> None:
    async with office() as (switch, _, desk):
        client = switch.call("9001")
        call = await desk.arrived()
        switch.channels.pop(client.id)
        assert await desk.to_fallback(call) == (CallerHungUp(),)


async def test_the_time_limit_hands_the_caller_over() -> None:
    async with office() as (switch, _, desk):
        switch.call("9001", absolute=2)
        call = await desk.arrived()
        await desk.hears(FallbackTook, call)
        assert desk.of(CallerHungUp, call) == []


async def test_a_ring_for_a_caller_in_the_fallback() -> None:
    async with office({"101": NEVER_ANSWERS}) as (switch, door, desk):
        switch.call("9001")
        call = await desk.arrived()
        await desk.to_fallback(call)
        await desk.hears(FallbackTook, call)
        assert await desk.ring(call, 1, "101") == (FallbackTook(), LegEnded(leg(call, 1), Disposition.CANCELLED))
        assert f"/channels/{leg(call, 1)}" not in door.paths("POST")


async def test_who_was_transferred_is_not_cut_off() -> None:
    async with office({"101": QUICK}) as (switch, _, desk):
        client = switch.call("9001")
        call = await desk.arrived()
        await talking(desk, call)
        switch.transfer(client, "105")
        assert await desk.hears(TalkEnded, call) == TalkEnded(Party.UNKNOWN)
        assert await desk.release(call) == (CallerHungUp(),)
        assert (await desk.hears(LegEnded, call)).how is Disposition.COMPLETED
        assert list(switch.channels) == [client.id]
        assert not switch.bridges
        assert desk.of(FallbackTook, call) == []


# --- looking ----------------------------------------------------------------------------------------------------


async def test_what_is_true_about_a_call() -> None:
    async with office({"101": Phone()}) as (switch, _, desk):
        client = switch.call("9001")
        call = await desk.arrived()
        assert await desk.look_at(call, 1) == (LegEnded(leg(call, 1), Disposition.FAILED),)
        await desk.ring(call, 2, "101")
        await desk.hears(LegRinging, call)
        assert await desk.look_at(call, 2) == (LegRinging(leg(call, 2)),)
        switch.answers(switch.channels[leg(call, 2)])
        await desk.hears(LegAnswered, call)
        assert await desk.look_at(call, 2) == (LegAnswered(leg(call, 2), "101"),)
        await desk.connect(call, 2)
        await desk.hears(TalkStarted, call)
        assert await desk.look_at(call, 2) == (TalkConfirmed(leg(call, 2)),)
        switch.hang_up(client)
        await desk.hears(CallerHungUp, call)
        assert CallerHungUp() in await desk.look_at(call, 2)


# --- what goes wrong on the way ---------------------------------------------------------------------------------


async def test_a_lost_answer_does_not_ring_twice() -> None:
    async with office({"101": NEVER_ANSWERS}) as (switch, door, desk):
        switch.call("9001")
        call = await desk.arrived()
        door.faults.append(Fault("POST", leg(call, 1), status=0, carried_out=True))
        assert await desk.ring(call, 1, "101") == (), "asked again on a new connection, refused with 409: it rings"
        assert switch.log.count(("ring", leg(call, 1))) == 1


async def test_an_idle_connection_that_asterisk_closed_is_no_failure() -> None:
    async with office({"101": NEVER_ANSWERS}, keep_alive_s=0.05) as (switch, _, desk):
        switch.call("9001")
        call = await desk.arrived()
        for hop in range(1, 4):
            await asyncio.sleep(0.12)  # longer than the server keeps it; the client believes it alive for 10 s
            assert await desk.ring(call, hop, "101") == ()


async def test_small_requests_are_not_held_back_to_be_sent_together() -> None:
    async with office() as (switch, _, desk):
        switch.call("9001")
        await desk.ring_back(await desk.arrived())
        options = [
            connection._transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            for connection in desk.adapter._client._connections._all
            if connection._transport
        ]
        assert options
        assert all(options)


@pytest.mark.parametrize("status", [500, 502, 504])
async def test_a_failing_pbx_is_asked_again_later(status: int) -> None:
    async with office({"101": NEVER_ANSWERS}) as (switch, door, desk):
        switch.call("9001")
        call = await desk.arrived()
        door.faults.append(Fault("POST", leg(call, 1), status=status, body='{"message":"Internal Server Error"}'))
        with pytest.raises(Temporary):
            await desk.ring(call, 1, "101")
        assert await desk.ring(call, 1, "101") == ()


async def test_a_booting_pbx_has_not_acted() -> None:
    async with office({"101": NEVER_ANSWERS}) as (switch, door, desk):
        switch.call("9001")
        call = await desk.arrived()
        door.booted = False
        with pytest.raises(NotSent):
            await desk.ring(call, 1, "101")
        door.booted = True
        assert await desk.ring(call, 1, "101") == ()


async def test_a_refused_password_is_told_to_a_person() -> None:
    async with office() as (switch, _, desk):
        switch.call("9001")
        call = await desk.arrived()
        connections = desk.adapter._client._connections
        connections._fixed = connections._fixed.replace("Basic ", "Basic d3Jvbmc6")
        with pytest.raises(Permanent, match=r"ari\.conf"):
            await desk.ring_back(call)


async def test_an_answer_that_never_comes_is_temporary() -> None:
    async with office({"101": NEVER_ANSWERS}, request_timeout_s=0.2) as (switch, door, desk):
        switch.call("9001")
        call = await desk.arrived()
        door.faults.append(Fault("POST", "/ring", status=-1))
        with pytest.raises(Temporary, match="pbx_timeout"):
            await desk.ring_back(call)
