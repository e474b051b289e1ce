"""A PBX in memory: pure, synchronous, on whatever clock it is given.

It speaks the contract of `docs/webhook-pbx.md` in plain dictionaries, so it can stand behind real HTTP
(`simulators.pbx.http`) or be called directly by a simulator with a virtual clock. It knows nothing of the server's
code. Instants are whole microseconds; every method that can be moved by time takes `now`, which never goes back.

    board = Switchboard(phones=["101", "102"], on_ring=lambda phone, leg, now: [(3_000_000, "answer")])
    call = board.call_in(now, line="+74950000001", caller="+79990001122", patience_us=60_000_000)
    for told in board.advance(now):          # what the PBX tells the server, in order: told.id, told.call, told.body
        ...
    answer = board.command({"command": "ring", "call": call, "leg": "L1", "extension": "101", "ring_ms": 8000}, now)
    answer.status, answer.body               # 200 / 400 / 404 / 409 / 422, as the contract says
    board.next_due()                         # the next instant at which something happens by itself, or None
    board.sight(now)                         # the body of GET /calls
    board.record.stories[call]               # what really happened: rings, talks, how it ended

With a virtual clock: hand over events, carry out commands, move the clock to `min(next_due, the server's deadline)`,
call `advance`. Say `board.taken(told)` for each fact that the server has stored: without that for `call.arrived` the
fallback plan takes the caller after `no_server_us`.

What it never does: connect one caller with two heads, or one head with two callers; answer a leg after the caller
left; ring one leg id twice; forget a fact. What people do comes from `on_ring`, `on_talk`, `on_fallback`, or from
outside by `do(now, leg, deed)`.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from simulators.pbx import leading
from simulators.pbx.commands import Answer, obey
from simulators.pbx.phones import (
    SECOND_US,
    Call,
    Deed,
    Leg,
    OnFallback,
    OnRing,
    OnTalk,
    Outcome,
    Phone,
    head_hangs_up_after_a_minute,
    message_after_ten_seconds,
    nobody_answers,
)
from simulators.pbx.record import Record
from simulators.pbx.sight import leg_seen, seen, stamp

Style = Literal["conductor", "adviser", "witness"]
"""Who leads a call: the server by commands, the PBX by asking, the PBX alone."""


@dataclass(frozen=True, slots=True)
class Told:
    """One fact on its way to the server."""

    id: str
    """The same however often it is told: the `webhook-id` of the delivery."""
    call: str
    """Facts of one call are told in order; empty for facts about a phone."""
    body: dict[str, Any]
    at: int


class Switchboard:
    """Calls, legs and phones of one PBX. See the module's page for the use."""

    def __init__(
        self,
        phones: Iterable[str | Phone] = (),
        *,
        on_ring: OnRing = nobody_answers,
        on_talk: OnTalk = head_hangs_up_after_a_minute,
        on_fallback: OnFallback = message_after_ten_seconds,
        no_server_us: int | None = 10 * SECOND_US,
        absolute_us: int | None = None,
        remembers_us: int = 600 * SECOND_US,
        dialling_us: int = 0,
        stop_takes_us: int = 0,
        rings_busy_phones: bool = False,
        says_no: Literal["by_event", "at_once"] = "by_event",
        name: str = "pbx",
        record: Record | None = None,
        style: Style = "conductor",
        hunt: Sequence[str] = (),
        hunt_ms: int = 5000,
    ) -> None:
        """`no_server_us`: the fallback takes a caller of whom the server took no note within this time (None: never).
        `absolute_us`: it takes whoever does not talk this long after the arrival. `remembers_us`: how long ended legs
        and calls are known. `dialling_us`: from the order to the ring. `stop_takes_us`: from the stop to the silence,
        in which a head may still pick up. `rings_busy_phones`: call waiting; otherwise such a leg ends as busy.
        `says_no`: whether busy and unreachable phones are told by `leg.ended` or by answering 422.
        `name` begins the ids of calls and facts (no full stop in it); give each process its own. `style`: who leads a
        call; a witness rings the extensions of `hunt` one after another, `hunt_ms` each, then its fallback takes over.
        """
        self.phones = {phone.extension: phone for phone in (_phone(each) for each in phones)}
        self.calls: dict[str, Call] = {}
        self.record = Record() if record is None else record
        self.name = name
        self.on_ring, self.on_talk, self.on_fallback = on_ring, on_talk, on_fallback
        self.dialling_us, self.stop_takes_us, self.remembers_us = dialling_us, stop_takes_us, remembers_us
        self.rings_busy_phones, self.says_no = rings_busy_phones, says_no
        self.style, self.hunt, self.hunt_ms = style, tuple(hunt), hunt_ms
        self.advice: dict[str, str] = {}
        """Answers to questions by the fact's id, as received."""
        self._no_server_us, self._absolute_us = no_server_us, absolute_us
        self._plans: list[tuple[int, int, Callable[[int], None]]] = []
        self._told: list[Told] = []
        self._ended: deque[Call] = deque()
        self._numbers = {"plan": 0, "call": 0, "told": 0, "leg": 0}

    # --- time ---------------------------------------------------------------------------------------------------

    def next_due(self) -> int | None:
        """When something may happen by itself; None: nothing is planned. What has become pointless is a false alarm."""
        return self._plans[0][0] if self._plans else None

    def advance(self, now: int) -> Sequence[Told]:
        """Let everything happen that is due up to `now`; returns all facts since the last time, in order."""
        self._run(now)
        told, self._told = self._told, []
        return told

    def quiet(self) -> bool:
        """No call is live and nothing waits to be told."""
        return not self._told and all(call.state == "over" for call in self.calls.values())

    # --- what the world does to the PBX -------------------------------------------------------------------------

    def call_in(self, now: int, line: str, caller: str = "", call: str = "", patience_us: int | None = None) -> str:
        """A client dials `line`; returns the call's id. Without a talk he hangs up after `patience_us`."""
        self._run(now)
        call = call or f"{self.name}-{self._next('call')}"
        assert call not in self.calls, f"call id {call} is taken"
        here = self.calls[call] = Call(call, line, caller, now)
        self.record.write(now, "arrived", call, line=line, caller=caller)
        if self.style == "conductor":
            self.tell(now, "call.arrived", call, line=line, **({"caller": caller} if caller else {}))
        else:
            leading.arrived(self, here, now)
        if patience_us is not None:
            self.plan(now + patience_us, lambda at: self._out_of_patience(here, at))
        if self._no_server_us is not None:
            self.plan(now + self._no_server_us, lambda at: self._no_server(here, at))
        if self._absolute_us is not None:
            self.plan(now + self._absolute_us, lambda at: self._absolute(here, at))
        return call

    def taken(self, told: Told) -> None:
        """The server has stored the fact. After `call.arrived` its silence is no reason for the fallback any more;
        until `fallback.served` the call stays in the list."""
        call = self.calls.get(told.call)
        if call is None:
            return
        call.server_known = call.server_known or told.body["type"] in ("call.arrived", "advice.asked")
        call.unrecorded = call.unrecorded and told.body["type"] != "fallback.served"

    def replied(self, now: int, told: Told, text: str) -> None:
        """The server's answer to a fact that it took, as received."""
        self._run(now)
        if told.body["type"] == "advice.asked":
            leading.advised(self, told, text, now)

    def hang_up(self, now: int, call: str) -> None:
        """The client hangs up."""
        self._run(now)
        if (here := self.calls.get(call)) and here.state != "over":
            self.end_call(here, now, "caller")

    def do(self, now: int, leg: Leg, deed: Deed) -> None:
        """The person at the leg's phone does something; what makes no sense any more is not done."""
        self._run(now)
        self._do(leg, deed, now)

    def set_phone(self, now: int, extension: str, *, reachable: bool) -> None:
        """A phone registers or is lost; what rings or talks on a lost one ends."""
        self._run(now)
        phone = self.phones.setdefault(extension, Phone(extension, reachable=not reachable))
        if phone.reachable == reachable:
            return
        phone.reachable = reachable
        self.record.write(now, "phone", extension=extension, reachable=reachable)
        self.tell(now, "device.state", extension=extension, reachable=reachable)
        for leg in [] if reachable else list(phone.legs):
            self._leg_lost(leg, now, "unreachable", "head")

    def occupy(self, now: int, extension: str, until: int) -> None:
        """The phone is on a call of its own until then."""
        self._run(now)
        self.phones[extension].outside_until = until
        self.tell(now, "line.state", extension=extension, in_call=True)
        self.plan(until, lambda at: self._outside_over(extension, at))

    # --- what the server does -----------------------------------------------------------------------------------

    def command(self, order: Mapping[str, Any], now: int) -> Answer:
        """Carry out one command of the contract; repeating it is harmless."""
        self._run(now)
        answer = obey(self, order, now)
        text = {name: str(order.get(name, "")) for name in ("call", "leg", "extension")}
        self.record.write(now, "command", **text, command=order.get("command"), status=answer.status)
        return answer

    def sight(self, now: int) -> dict[str, Any]:
        """What `GET /calls` answers: live calls, and legs that ended lately."""
        self._run(now)
        live = [seen(call) for call in self.calls.values() if call.state != "over" or call.unrecorded]
        recent = [leg_seen(leg) for call in self.calls.values() for leg in call.legs.values() if leg.state == "ended"]
        return {"calls": live, "recent": recent}

    # --- movements, for the commands ------------------------------------------------------------------------------

    def ring(self, call: Call, leg: Leg, ring_us: int, now: int) -> None:
        """Begin to ring the phone; the PBX ends that by itself after `ring_us`."""
        phone = self.phones[leg.extension]
        phone.legs.append(leg)
        phone.rung += 1
        self.plan(now + ring_us, lambda at: self._rang_out(leg, at))
        if self.dialling_us:
            self.plan(now + self.dialling_us, lambda at: self._begin_to_ring(phone, leg, at))
        else:
            self._begin_to_ring(phone, leg, now)

    def stop(self, leg: Leg, now: int) -> None:
        """End the leg, at once or after `stop_takes_us`."""
        leg.stopping = True
        if self.stop_takes_us:
            self.plan(now + self.stop_takes_us, lambda at: self._stopped(leg, at))
        else:
            self._stopped(leg, now)

    def connect(self, call: Call, leg: Leg, now: int) -> None:
        """Join the client with the leg."""
        assert call.talking is None, "one talk per caller"
        call.state, call.talking = "talking", leg
        leg.talked = True
        self.record.write(now, "talk_began", call.id, leg.id, leg.extension)
        self.tell(now, "talk.started", call.id, leg=leg.id, extension=leg.extension)
        for delay, deed in self.on_talk(call, leg, now):
            self.plan(now + delay, partial(self._do, leg, deed))

    def hold(self, call: Call, now: int) -> None:
        """The head puts the client on hold."""
        self._run(now)
        assert call.talking is not None, "nobody talks"
        self.tell(now, "talk.held", call.id, leg=call.talking.id)

    def resume(self, call: Call, now: int) -> None:
        """The head takes the client back."""
        self._run(now)
        assert call.talking is not None, "nobody talks"
        self.tell(now, "talk.resumed", call.id, leg=call.talking.id)

    def transfer(self, call: Call, extension: str, now: int) -> None:
        """The head gives the client to a colleague whom he has asked; his own leg is over."""
        self._run(now)
        old = call.talking
        assert old is not None, "nobody talks"
        new = Leg(f"{self.name}-x{self._next('leg')}", call, extension, now, "up", talked=True)
        call.legs[new.id], call.talking = new, new
        self.phones[extension].legs.append(new)
        self.record.write(now, "ordered", call.id, new.id, extension)
        self.record.write(now, "answered", call.id, new.id, extension)
        self.record.write(now, "talk_ended", call.id, old.id, old.extension, by="head")
        self.record.write(now, "talk_began", call.id, new.id, extension)
        self.tell(now, "talk.transferred", call.id, how="attended", leg=new.id, extension=extension)
        self.end_leg(old, now, "completed")

    def end_leg(self, leg: Leg, now: int, how: str) -> None:
        """The leg is over."""
        if leg.state == "ended":
            return
        leg.state, leg.how, leg.ended = "ended", how, now
        if (phone := self.phones.get(leg.extension)) and leg in phone.legs:
            phone.legs.remove(leg)
        self.record.write(now, "leg_ended", leg.call.id, leg.id, leg.extension, how=how)
        self.tell(now, "leg.ended", leg.call.id, leg=leg.id, extension=leg.extension, how=how)
        leading.leg_over(self, leg, now)

    def end_call(self, call: Call, now: int, by: Literal["caller", "head", "pbx"]) -> None:
        """The client is off the line. `call.ended` is told before the legs that it takes along."""
        was, talking = call.state, call.talking
        if talking is not None:
            call.talking = None
            self.record.write(now, "talk_ended", call.id, talking.id, talking.extension, by=by)
            self.tell(now, "talk.ended", call.id, leg=talking.id, by=by)
            self.end_leg(talking, now, "completed")
        if was == "fallback":
            self._fallback_over(call, now)
            return
        end = "talked" if was == "talking" else "caller_left" if by == "caller" else "released"
        self._over(call, now, by, end)

    def to_fallback(self, call: Call, now: int, why: str) -> None:
        """The PBX's own plan takes the caller; what still rings for him stops."""
        call.state, call.unrecorded = "fallback", True
        self.record.write(now, "fallback_took", call.id, why=why)
        self.tell(now, "fallback.took", call.id, why=why)
        self._end_legs(call, now)
        outcome = self.on_fallback(call, now)
        self.plan(now + outcome.after_us, lambda at: self._fallback_turns_out(call, outcome, at))

    def plan(self, at: int, what: Callable[[int], None]) -> None:
        """Let `what` happen at an instant; things planned for the same instant happen in the order of planning."""
        heapq.heappush(self._plans, (at, self._next("plan"), what))

    def tell(self, now: int, kind: str, call: str = "", **fields: Any) -> None:
        """Put one fact into the post."""
        body = {"type": kind, "timestamp": stamp(now)} | ({"call": call} if call else {}) | fields
        self._told.append(Told(f"{self.name}-fact-{self._next('told')}", call, body, now))

    # --- inside -------------------------------------------------------------------------------------------------

    def _run(self, now: int) -> None:
        while self._plans and self._plans[0][0] <= now:
            at, _, what = heapq.heappop(self._plans)
            what(at)
        while self._ended and (self._ended[0].ended or 0) + self.remembers_us <= now:
            del self.calls[self._ended.popleft().id]

    def _next(self, what: str) -> int:
        self._numbers[what] += 1
        return self._numbers[what]

    def _outside_over(self, extension: str, now: int) -> None:
        if self.phones[extension].outside_until <= now:
            self.tell(now, "line.state", extension=extension, in_call=False)

    def _begin_to_ring(self, phone: Phone, leg: Leg, now: int) -> None:
        if leg.state != "dialling" or leg.stopping:
            return
        leg.state = "ringing"
        self.record.write(now, "ringing", leg.call.id, leg.id, leg.extension)
        self.tell(now, "leg.ringing", leg.call.id, leg=leg.id, extension=leg.extension)
        for delay, deed in self.on_ring(phone, leg, now):
            self.plan(now + delay, partial(self._do, leg, deed))

    def _do(self, leg: Leg, deed: Deed, now: int) -> None:
        match deed:
            case "answer" if leg.state == "ringing" and not self.phones[leg.extension].in_talk(now):
                leg.state = "up"
                self.record.write(now, "answered", leg.call.id, leg.id, leg.extension)
                self.tell(now, "leg.answered", leg.call.id, leg=leg.id, extension=leg.extension)
                if self.style != "conductor":
                    leading.picked_up(self, leg, now)
            case "decline" if leg.state == "ringing":
                self.end_leg(leg, now, "declined")
            case "hang_up" if leg.state == "up":
                self._leg_lost(leg, now, "completed", "head")
            case "caller_hangs_up" if leg.call.state != "over":
                self.end_call(leg.call, now, "caller")
            case "go_offline" | "come_online":
                self.set_phone(now, leg.extension, reachable=deed == "come_online")
            case _:
                pass  # the phone has stopped ringing, or the talk is over: nothing to do any more

    def _leg_lost(self, leg: Leg, now: int, how: str, by: Literal["head", "pbx"]) -> None:
        if leg.call.talking is leg:
            self.end_call(leg.call, now, by)  # a talk's end is the call's end here
        else:
            self.end_leg(leg, now, how)

    def _rang_out(self, leg: Leg, now: int) -> None:
        if leg.state in ("dialling", "ringing"):
            self.end_leg(leg, now, "no_answer")

    def _stopped(self, leg: Leg, now: int) -> None:
        if leg.state != "ended":
            self._leg_lost(leg, now, "completed" if leg.state == "up" else "cancelled", "pbx")

    def _end_legs(self, call: Call, now: int) -> None:
        for leg in call.legs.values():
            self.end_leg(leg, now, "completed" if leg.state == "up" else "cancelled")

    def _out_of_patience(self, call: Call, now: int) -> None:
        if call.state == "waiting" or (call.state == "fallback" and not call.fallback_answered):
            self.end_call(call, now, "caller")

    def _no_server(self, call: Call, now: int) -> None:
        if call.state == "waiting" and not call.server_known:
            self.to_fallback(call, now, "no_server")

    def _absolute(self, call: Call, now: int) -> None:
        if call.state == "waiting":
            self.to_fallback(call, now, "absolute_timeout")

    def _fallback_turns_out(self, call: Call, outcome: Outcome, now: int) -> None:
        if call.state != "fallback":
            return
        if not outcome.answered_by:
            self._fallback_over(call, now)
            return
        call.fallback_answered = (outcome.answered_by, now)
        self.record.write(now, "fallback_answered", call.id, extension=outcome.answered_by)
        self.plan(now + outcome.talk_us, lambda at: self._fallback_over(call, at))

    def _fallback_over(self, call: Call, now: int) -> None:
        if call.state != "fallback":
            return
        by, since = call.fallback_answered or ("", now)
        served: dict[str, Any] = {"line": call.line, "arrived": stamp(call.arrived), "answered_by": by}
        served |= {"talk_s": (now - since) // SECOND_US, "why": self.record.stories[call.id].fallback}
        self.tell(now, "fallback.served", call.id, **served, **({"caller": call.caller} if call.caller else {}))
        end = "fallback_answered" if by else "fallback_unanswered"
        self._over(call, now, "pbx", end, answered_by=by)

    def _over(self, call: Call, now: int, by: str, end: str, **more: Any) -> None:
        call.state, call.ended = "over", now
        self.record.write(now, "call_ended", call.id, by=by, end=end, **more)
        self.tell(now, "call.ended", call.id, by=by)
        self._end_legs(call, now)
        self._ended.append(call)


def _phone(given: str | Phone) -> Phone:
    return Phone(given) if isinstance(given, str) else given
