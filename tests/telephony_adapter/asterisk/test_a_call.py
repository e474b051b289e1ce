"""One call from its arrival to its end, over real HTTP and a real socket."""

from router.chains.events import (
    CallArrived,
    CallerHungUp,
    Disposition,
    LegAnswered,
    LegEnded,
    LegRinging,
    Party,
    TalkEnded,
    TalkStarted,
)
from simulators.ari.phones import NEVER_ANSWERS, Phone
from tests.telephony_adapter.asterisk.harness import leg, office


async def test_the_second_head_answers_and_the_head_hangs_up() -> None:
    async with office({"101": NEVER_ANSWERS, "102": Phone(answers_after=3, talks=5)}) as (switch, _, desk):
        client = switch.call("9001", number="79990000001")
        call = await desk.arrived()
        assert await desk.ring_back(call) == ()
        assert await desk.ring(call, 1, "101", seconds=8) == ()
        assert (await desk.hears(LegEnded, call)) == LegEnded(leg(call, 1), Disposition.NO_ANSWER, 19)
        assert await desk.ring(call, 2, "102") == ()
        assert await desk.hears(LegAnswered, call) == LegAnswered(leg(call, 2), "102")
        assert await desk.connect(call, 2) == ()
        await desk.hears(TalkStarted, call)
        await desk.hears(TalkEnded, call)
        assert await desk.release(call) == ()
        await desk.hears(CallerHungUp, call)
        assert desk.said(call) == [
            CallArrived("9001", None),
            LegRinging(leg(call, 1)),
            LegEnded(leg(call, 1), Disposition.NO_ANSWER, 19),
            LegRinging(leg(call, 2)),
            LegAnswered(leg(call, 2), "102"),
            TalkStarted(leg(call, 2), "102"),
            TalkEnded(Party.HEAD),
            LegEnded(leg(call, 2), Disposition.COMPLETED, 16),
            CallerHungUp(),
        ]
        assert client.state == "Up"
        assert not switch.channels
        assert not switch.bridges
        assert next(r for r in desk.ear.reports if r.call == call).personal == {"caller": "79990000001"}
