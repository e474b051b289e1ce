"""The played PBX on a virtual clock: stories of one office with the phones 101, 102, 103."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import pytest

from simulators.pbx import Answer, Call, Deed, Leg, Outcome, Phone, Switchboard, Told
from simulators.pbx.phones import SECOND_US, Deeds

LINE, CALLER = "+74950000001", "+79990001122"


class Play:
    """A switchboard, a clock, and what the PBX has told; times are seconds since the curtain rose."""

    def __init__(self, **settings: Any) -> None:
        self.board = Switchboard(["101", "102", "103"], **settings)
        self.now = 0
        self.call = ""
        self.posted: list[Told] = []
        self.heard: list[str] = []
        """`type leg how|extension|by|why`, as far as the fact has them."""

    def at(self, second: float) -> Self:
        self.now = round(second * SECOND_US)
        return self.listen()

    def listen(self) -> Self:
        for told in self.board.advance(self.now):
            self.posted.append(told)
            words = [
                told.body["type"],
                *(str(told.body[key]) for key in ("leg", "how", "by", "why") if key in told.body),
            ]
            self.heard.append(" ".join(words))
        return self

    def calls(self, call: str = "c1", **how: Any) -> Self:
        self.call = self.board.call_in(self.now, LINE, CALLER, call, **how)
        return self.listen()

    def ask(self, command: str, leg: str = "", *, call: str = "", **more: Any) -> Answer:
        answer = self.board.command({"command": command, "call": call or self.call, "leg": leg} | more, self.now)
        self.listen()
        return answer

    def ring(self, leg: str, extension: str = "101", ring_ms: int = 8000, call: str = "") -> Answer:
        return self.ask("ring", leg, call=call, extension=extension, ring_ms=ring_ms)

    def does(self, leg: str, deed: Deed, call: str = "") -> Self:
        self.board.do(self.now, self.board.calls[call or self.call].legs[leg], deed)
        return self.listen()

    def tells(self, *facts: str) -> Self:
        assert self.heard == list(facts)
        self.heard.clear()
        return self

    def run(self) -> Self:
        """Let time pass until nothing happens by itself any more."""
        while (due := self.board.next_due()) is not None:
            self.now = max(self.now, due)
            self.listen()
        return self

    @property
    def story(self) -> Any:
        return self.board.record.stories[self.call]


def when_rung(habits: Mapping[str, Deeds]) -> Callable[[Phone, Leg, int], Deeds]:
    return lambda phone, _leg, _now: habits.get(phone.extension, ())


def test_the_second_head_answers_and_the_client_hangs_up() -> None:
    play = Play(no_server_us=None).calls().tells("call.arrived")
    assert play.ring("L1").status == 200
    play.tells("leg.ringing L1").at(7.999).tells().at(8).tells("leg.ended L1 no_answer")
    play.ring("L2", "102")
    play.at(10).does("L2", "answer").tells("leg.ringing L2", "leg.answered L2")
    assert play.story.talks == []  # he hears nobody until the server says so
    assert play.ask("connect", "L2").status == 200
    play.tells("talk.started L2").at(40).board.hang_up(play.now, "c1")
    play.listen().tells("talk.ended L2 caller", "leg.ended L2 completed", "call.ended caller")
    assert play.story.end == "talked"
    assert [(ring.extension, ring.how, ring.ringing, ring.ended) for ring in play.story.rings] == [
        ("101", "no_answer", 0, 8 * SECOND_US), ("102", "completed", 8 * SECOND_US, 40 * SECOND_US),
    ]  # fmt: skip
    assert [(talk.extension, talk.began, talk.ended, talk.by) for talk in play.story.talks] == [
        ("102", 10 * SECOND_US, 40 * SECOND_US, "caller")
    ]


def test_people_with_habits_play_by_themselves() -> None:
    habits: dict[str, Deeds] = {"101": [(2 * SECOND_US, "decline")], "102": [(3 * SECOND_US, "answer")]}
    play = Play(no_server_us=None, on_ring=when_rung(habits), on_talk=lambda *_: [(5 * SECOND_US, "hang_up")]).calls()
    play.ring("L1")
    assert play.board.next_due() == 2 * SECOND_US
    play.at(2).ring("L2", "102")
    play.at(5).ask("connect", "L2")
    play.run().tells(
        "call.arrived", "leg.ringing L1", "leg.ended L1 declined", "leg.ringing L2", "leg.answered L2",
        "talk.started L2", "talk.ended L2 head", "leg.ended L2 completed", "call.ended head",
    )  # fmt: skip
    assert play.story.ended == 10 * SECOND_US
    assert play.board.quiet()


def test_what_is_due_happens_at_its_own_time_however_late_it_is_looked_at() -> None:
    play = Play(no_server_us=None).calls()
    play.ring("L1")
    (told,) = [told for told in play.board.advance(60 * SECOND_US) if told.body["type"] == "leg.ended"]
    assert told.at == 8 * SECOND_US
    assert told.body["timestamp"] == "1970-01-01T00:00:08Z"


def test_a_leg_id_rings_once() -> None:
    play = Play(no_server_us=None).calls()
    assert play.ring("L1").status == 200
    assert play.ring("L1") == Answer(409, {"leg": {"leg": "L1", "state": "ringing"}})
    play.at(8)
    assert play.ring("L1") == Answer(409, {"leg": {"leg": "L1", "state": "ended", "how": "no_answer"}})
    assert play.board.phones["101"].rung == 1
    assert len(play.story.rings) == 1


def test_two_callers_one_phone() -> None:
    play = Play(no_server_us=None).calls("c1").calls("c2")
    play.ring("L1", call="c1")
    assert play.ring("L2", call="c2").status == 200
    play.tells("call.arrived", "call.arrived", "leg.ringing L1", "leg.ended L2 busy")
    play.at(8).ring("L3", call="c2")
    play.tells("leg.ended L1 no_answer", "leg.ringing L3")


def test_call_waiting_rings_but_nobody_talks_with_two() -> None:
    play = Play(no_server_us=None, rings_busy_phones=True).calls("c1").calls("c2")
    play.ring("L1", call="c1")
    play.ring("L2", call="c2")
    play.does("L1", "answer", "c1").does("L2", "answer", "c2")
    play.tells("call.arrived", "call.arrived", "leg.ringing L1", "leg.ringing L2", "leg.answered L1")


def test_a_phone_on_a_call_of_its_own() -> None:
    play = Play(no_server_us=None).calls()
    play.board.occupy(play.now, "101", until=3 * SECOND_US)
    play.ring("L1")
    play.tells("call.arrived", "line.state", "leg.ended L1 busy").at(3).ring("L2")
    play.tells("line.state", "leg.ringing L2")


@pytest.mark.parametrize(("says_no", "status"), [("by_event", 200), ("at_once", 422)])
def test_both_ways_of_saying_no(says_no: Any, status: int) -> None:
    play = Play(no_server_us=None, says_no=says_no).calls()
    play.board.set_phone(0, "101", reachable=False)
    assert play.ring("L1").status == status
    assert play.ring("L2", "999") == Answer(422, {"reason": "unreachable"})
    assert play.ring("L2", "999").status == 409
    play.tells("call.arrived", "device.state", "leg.ended L1 unreachable", "leg.ended L2 unreachable")


def test_a_phone_is_lost_while_it_rings_and_while_it_talks() -> None:
    play = Play(no_server_us=None).calls()
    play.ring("L1")
    play.board.set_phone(0, "101", reachable=False)
    play.listen().tells("call.arrived", "leg.ringing L1", "device.state", "leg.ended L1 unreachable")
    play.ring("L2", "102")
    play.does("L2", "answer").ask("connect", "L2")
    play.does("L2", "go_offline").tells(
        "leg.ringing L2", "leg.answered L2", "talk.started L2", "device.state", "talk.ended L2 head",
        "leg.ended L2 completed", "call.ended head",
    )  # fmt: skip


def test_the_caller_leaves_while_two_phones_ring() -> None:
    play = Play(no_server_us=None).calls(patience_us=5 * SECOND_US)
    play.ring("L1")
    play.ring("L2", "102")
    play.at(5).tells(
        "call.arrived", "leg.ringing L1", "leg.ringing L2", "call.ended caller", "leg.ended L1 cancelled",
        "leg.ended L2 cancelled",
    )  # fmt: skip
    play.does("L1", "answer").tells()
    assert play.story.end == "caller_left"
    assert play.ring("L3") == Answer(404, {"gone": "call"})
    assert play.ask("connect", "L1") == Answer(404, {"gone": "call"})
    assert play.ask("look", "L1") == Answer(404, {"gone": "call"})
    assert play.ask("stop", "L1").status == 409
    assert play.ask("release").status == 409
    assert play.ask("fallback") == Answer(404, {"gone": "call"})


def test_patience_does_not_end_a_talk() -> None:
    play = Play(no_server_us=None).calls(patience_us=5 * SECOND_US)
    play.ring("L1")
    play.does("L1", "answer").ask("connect", "L1")
    play.at(20)
    assert play.story.end is None


def test_a_stop_and_what_can_come_between() -> None:
    play = Play(no_server_us=None, stop_takes_us=50_000).calls()
    play.ring("L1")
    play.at(7)
    assert play.ask("stop", "L1").status == 200
    assert play.ask("stop", "L1").status == 200
    play.at(7.03).does("L1", "answer")
    assert play.ask("connect", "L1") == Answer(422, {"reason": "stopped"})
    play.at(8).tells("call.arrived", "leg.ringing L1", "leg.answered L1", "leg.ended L1 cancelled")
    assert play.story.talks == []


def test_a_stop_in_time() -> None:
    play = Play(no_server_us=None).calls()
    play.ring("L1")
    play.ask("stop", "L1")
    play.tells("call.arrived", "leg.ringing L1", "leg.ended L1 cancelled")
    assert play.ask("stop", "L1").status == 409
    assert play.ask("stop", "L7") == Answer(404, {"gone": "leg"})
    assert play.ask("stop", "L1", call="c7") == Answer(404, {"gone": "call"})


def test_a_caller_talks_with_one_head() -> None:
    play = Play(no_server_us=None).calls()
    play.ring("L1")
    play.ring("L2", "102")
    play.does("L1", "answer").does("L2", "answer").ask("connect", "L1")
    assert play.ask("connect", "L1").status == 409
    assert play.ask("connect", "L2") == Answer(422, {"reason": "elsewhere"})
    assert play.ring("L3", "103") == Answer(422, {"reason": "elsewhere"})
    assert play.ask("fallback") == Answer(422, {"reason": "talking"})
    assert [talk.leg for talk in play.story.talks] == ["L1"]
    assert play.story.ring("L2").how == "elsewhere"


def test_connect_comes_too_early() -> None:
    play = Play(no_server_us=None).calls()
    play.ring("L1")
    assert play.ask("connect", "L1") == Answer(422, {"reason": "not_answered"})
    assert play.ask("connect", "L9") == Answer(404, {"gone": "leg"})
    gone = {"gone": "leg", "leg": {"leg": "L1", "state": "ended", "how": "cancelled"}}
    assert play.ask("connect", "L1") == Answer(404, gone)


def test_the_head_hangs_up_before_he_is_connected() -> None:
    play = Play(no_server_us=None).calls()
    play.ring("L1")
    play.does("L1", "answer").does("L1", "hang_up").tells(
        "call.arrived", "leg.ringing L1", "leg.answered L1", "leg.ended L1 completed"
    )
    assert play.story.end is None


def test_released_by_the_server() -> None:
    play = Play(no_server_us=None).calls()
    play.ring("L1")
    assert play.ask("release").status == 200
    play.tells("call.arrived", "leg.ringing L1", "call.ended pbx", "leg.ended L1 cancelled")
    assert play.story.end == "released"


def voicemail(_call: Call, _now: int) -> Outcome:
    return Outcome(after_us=3 * SECOND_US)


def receptionist(_call: Call, _now: int) -> Outcome:
    return Outcome(after_us=3 * SECOND_US, answered_by="200", talk_us=20 * SECOND_US)


def test_sent_to_the_fallback() -> None:
    play = Play(no_server_us=None, on_fallback=voicemail).calls()
    play.ring("L1")
    assert play.ask("fallback").status == 200
    assert play.ask("fallback").status == 409
    assert play.ring("L2", "102") == Answer(422, {"reason": "fallback"})
    assert play.ask("release") == Answer(422, {"reason": "fallback"})
    play.run().tells(
        "call.arrived", "leg.ringing L1", "fallback.took sent", "leg.ended L1 cancelled", "fallback.served sent",
        "call.ended pbx",
    )  # fmt: skip
    assert (play.story.end, play.story.fallback) == ("fallback_unanswered", "sent")


def test_the_server_is_silent() -> None:
    play = Play(no_server_us=4 * SECOND_US, on_fallback=receptionist).calls().at(3.9).tells("call.arrived")
    play.at(4).tells("fallback.took no_server").at(7)
    (told,) = [told for told in play.board.advance(27 * SECOND_US) if told.body["type"] == "fallback.served"]
    assert told.body == {
        "type": "fallback.served", "timestamp": "1970-01-01T00:00:27Z", "call": "c1", "line": LINE, "caller": CALLER,
        "arrived": "1970-01-01T00:00:00Z", "answered_by": "200", "talk_s": 20, "why": "no_server",
    }  # fmt: skip
    assert (play.story.end, play.story.fallback_answered_by) == ("fallback_answered", "200")


def test_the_caller_leaves_the_talk_with_the_receptionist() -> None:
    play = Play(no_server_us=0, on_fallback=receptionist).calls(patience_us=6 * SECOND_US).at(10)
    play.board.hang_up(play.now, "c1")
    (served,) = [told.body for told in play.board.advance(play.now) if told.body["type"] == "fallback.served"]
    assert (served["answered_by"], served["talk_s"]) == ("200", 7)


def test_the_caller_leaves_before_anybody_answers_in_the_fallback() -> None:
    play = Play(no_server_us=0, on_fallback=receptionist).calls(patience_us=2 * SECOND_US).run()
    play.tells("call.arrived", "fallback.took no_server", "fallback.served no_server", "call.ended pbx")
    assert (play.story.end, play.story.ended) == ("fallback_unanswered", 2 * SECOND_US)


@pytest.mark.parametrize("how", ["acknowledged", "command"])
def test_a_server_that_knows_of_the_call_keeps_it_until_the_absolute_end(how: str) -> None:
    play = Play(no_server_us=4 * SECOND_US, absolute_us=60 * SECOND_US, on_fallback=voicemail).calls()
    if how == "acknowledged":
        play.board.taken(play.posted[-1])
    else:
        play.ask("look")
    play.at(59).tells("call.arrived").at(60).tells("fallback.took absolute_timeout")


def test_a_talk_has_no_absolute_end() -> None:
    play = Play(no_server_us=None, absolute_us=10 * SECOND_US).calls()
    play.ring("L1")
    play.does("L1", "answer").ask("connect", "L1")
    play.at(30)
    assert play.story.fallback == ""


def test_the_list_of_calls() -> None:
    play = Play(no_server_us=None, on_fallback=voicemail).calls("c1").calls("c2").calls("c3")
    play.ring("L1", call="c1", ring_ms=1000)
    play.at(1).ring("L2", "102", call="c1")
    play.does("L2", "answer", "c1").ask("connect", "L2", call="c1")
    play.ask("fallback", call="c2")
    play.board.hang_up(play.now, "c3")
    sight = play.board.sight(play.now)
    assert sight == {
        "calls": [
            {"call": "c1", "line": LINE, "caller": CALLER, "talking_leg": "L2", "talking_extension": "102",
             "legs": [{"leg": "L1", "state": "ended", "how": "no_answer"},
                      {"leg": "L2", "state": "up", "talked": True}]},
            {"call": "c2", "line": LINE, "caller": CALLER, "legs": [], "fallback": True},
        ],
        "recent": [{"leg": "L1", "state": "ended", "how": "no_answer"}],
    }  # fmt: skip
    assert play.ask("look", call="c1") == Answer(200, sight["calls"][0])


def test_a_call_that_the_fallback_had_stays_listed_until_its_record_is_taken() -> None:
    play = Play(no_server_us=0, on_fallback=voicemail).calls().run()
    listed = [{"call": "c1", "line": LINE, "caller": CALLER, "legs": [], "fallback": True}]
    assert play.board.sight(play.now)["calls"] == listed
    served = next(told for told in play.posted if told.body["type"] == "fallback.served")
    play.board.taken(served)
    assert play.board.sight(play.now)["calls"] == []
    assert play.ask("look") == Answer(404, {"gone": "call"})


def test_ended_calls_and_their_legs_are_remembered_for_ten_minutes() -> None:
    play = Play(no_server_us=None).calls()
    play.ring("L1")
    play.ask("release")
    play.at(599.9)
    assert play.board.sight(play.now)["recent"] == [{"leg": "L1", "state": "ended", "how": "cancelled"}]
    assert play.ask("stop", "L1").status == 409
    play.at(600)
    assert play.board.sight(play.now) == {"calls": [], "recent": []}
    assert play.ask("stop", "L1") == Answer(404, {"gone": "call"})
    assert play.board.record.stories["c1"].end == "released"


def test_dialling_takes_its_time() -> None:
    play = Play(no_server_us=None, dialling_us=2 * SECOND_US).calls()
    play.ring("L1", ring_ms=8000)
    assert play.board.sight(0)["calls"][0]["legs"] == [{"leg": "L1", "state": "ringing"}]
    play.does("L1", "answer").at(2).tells("call.arrived", "leg.ringing L1")
    play.at(8).tells("leg.ended L1 no_answer")  # counted from the order, not from the ring


def test_a_stop_before_the_first_ring() -> None:
    play = Play(no_server_us=None, dialling_us=2 * SECOND_US).calls()
    play.ring("L1")
    play.ask("stop", "L1")
    play.at(9).tells("call.arrived", "leg.ended L1 cancelled")
    assert play.story.ring("L1").ringing is None


def test_a_stop_on_its_way_keeps_the_phone_from_ringing() -> None:
    play = Play(no_server_us=None, dialling_us=2 * SECOND_US, stop_takes_us=SECOND_US).calls()
    play.ring("L1")
    play.at(1.5).ask("stop", "L1")
    play.at(9).tells("call.arrived", "leg.ended L1 cancelled")


@pytest.mark.parametrize(
    ("order", "key"),
    [
        ({}, "call"),
        ({"command": "ring", "call": ""}, "call"),
        ({"command": "ring", "call": "c1"}, "leg"),
        ({"command": "ring", "call": "c1", "leg": "L1", "ring_ms": 8000}, "extension"),
        ({"command": "ring", "call": "c1", "leg": "L1", "extension": "101"}, "ring_ms"),
        ({"command": "ring", "call": "c1", "leg": "L1", "extension": "101", "ring_ms": 0}, "ring_ms"),
        ({"command": "ring", "call": "c1", "leg": "L1", "extension": "101", "ring_ms": True}, "ring_ms"),
        ({"command": "dance", "call": "c1"}, "command"),
    ],
)
def test_an_order_that_cannot_be_understood(order: Mapping[str, Any], key: str) -> None:
    play = Play(no_server_us=None).calls()
    answer = play.board.command(order, 0)
    assert answer.status == 400
    assert answer.body["error"].startswith(f"{key} = ")
    assert play.story.rings == []


def test_ids_never_repeat_and_hold_no_full_stop() -> None:
    play = Play(no_server_us=None, name="office")
    calls = [play.board.call_in(0, LINE) for _ in range(3)]
    told: Sequence[Any] = play.board.advance(0)
    ids = [*calls, *(one.id for one in told)]
    assert len(set(ids)) == 6
    assert all("." not in text and text.startswith("office-") for text in ids)
    assert "caller" not in told[0].body


def test_the_diary_is_written_as_it_happens() -> None:
    play = Play(no_server_us=None).calls()
    play.ring("L1")
    rows = [entry.row() for entry in play.board.record.entries]
    assert [row["what"] for row in rows] == ["arrived", "ordered", "ringing", "command"]
    assert rows[3] == {
        "at_us": 0, "what": "command", "call": "c1", "leg": "L1", "extension": "101", "command": "ring", "status": 200,
    }  # fmt: skip
