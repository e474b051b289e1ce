"""The played PBX puts a client on hold and gives him to a colleague, in the words of the contract."""

import json

from router.chains.events import LegEnded, TalkEnded, TalkHeld, TalkResumed, TalkTransferred, Transfer
from router.telephony_adapter.webhook.wire import read
from simulators.pbx.switchboard import Switchboard


def test_hold_and_attended_transfer() -> None:
    board = Switchboard(["101", "102"], on_ring=lambda _phone, _leg, _now: [(0, "answer")])
    call = board.call_in(0, "+74950000001", "+79990001122")
    ring = {"command": "ring", "call": call, "leg": "L1", "extension": "101", "ring_ms": 8000}
    assert board.command(ring, 1).status == 200
    board.advance(2)
    assert board.command({"command": "connect", "call": call, "leg": "L1"}, 3).status == 200
    board.advance(4)
    here = board.calls[call]
    board.hold(here, 5)
    board.resume(here, 6)
    board.transfer(here, "102", 7)
    facts = [report.event for told in board.advance(8) for report in read(json.dumps(told.body).encode(), told.id)[0]]
    assert here.talking
    new = here.talking.id
    assert facts == [
        TalkHeld("L1"), TalkResumed("L1"), TalkTransferred(Transfer.ATTENDED, new, "102"), *facts[3:],
    ]  # fmt: skip
    assert [type(fact) for fact in facts[3:]] == [LegEnded]
    assert not board.phones["101"].in_talk(9)
    assert board.phones["102"].in_talk(9)
    board.end_call(here, 10, "caller")
    last = [report.event for told in board.advance(11) for report in read(json.dumps(told.body).encode(), told.id)[0]]
    assert TalkEnded in {type(fact) for fact in last}
    assert board.sight(12)["calls"] == []
