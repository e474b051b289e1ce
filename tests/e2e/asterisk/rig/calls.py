"""What happened to each call, told only by the packets: callers' legs, heads' legs, and their times.

    offered   INVITE to a head until the first of CANCEL, 200, other final
    rang      the same from the head's first 18x
    gap       from the end of one leg to the INVITE of the next; negative: both phones rang
    window    caller's INVITE to the caller's final answer
    drift     start(k) - start(1) - hop * (k - 1)

All instants are microseconds since 1970 by the capturing kernel, good to about 0.1 ms on an idle machine.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from tests.e2e.asterisk.rig.packets import Sip, user

End = Literal["cancelled", "answered", "refused", "silent", "open"]


@dataclass
class HeadLeg:
    """One offer to one head."""

    head: str
    caller: str
    call_id: str
    started_us: int
    invites: int = 1  # more than one: Asterisk repeated it because the phone did not react
    heard_us: int | None = None  # first answer of any kind
    ringing_us: int | None = None
    cancelled_us: int | None = None
    cancel_reason: str = ""
    answered_us: int | None = None
    acked_us: int | None = None
    refused_us: int | None = None
    status: int = 0  # the final status
    bye_us: int | None = None
    bye_by: Literal["head", "pbx", ""] = ""

    @property
    def ended_us(self) -> int | None:
        """End of the offer; None while it is open, and for a phone that never reacted (no CANCEL can be sent to it)."""
        ends = [at for at in (self.cancelled_us, self.answered_us, self.refused_us) if at is not None]
        return min(ends, default=None)

    @property
    def end(self) -> End:
        """How the offer ended."""
        if self.ended_us is None:
            return "open" if self.heard_us is not None else "silent"
        if self.ended_us == self.cancelled_us:
            return "cancelled"
        return "answered" if self.ended_us == self.answered_us else "refused"

    @property
    def answered_late(self) -> bool:
        """Picked up in the moment in which Asterisk took the offer back."""
        return self.answered_us is not None and self.end == "cancelled"

    @property
    def offered_s(self) -> float | None:
        """Seconds; None without an end."""
        return None if self.ended_us is None else (self.ended_us - self.started_us) / 1e6

    @property
    def rang_s(self) -> float | None:
        """Seconds; None where the phone never rang or nothing ended it."""
        if self.ended_us is None or self.ringing_us is None:
            return None
        return (self.ended_us - self.ringing_us) / 1e6


@dataclass
class Call:
    """One call of one caller."""

    caller: str
    line: str
    call_id: str
    arrived_us: int
    ringing_us: int | None = None
    cancelled_us: int | None = None
    answered_us: int | None = None
    final_us: int | None = None
    final: int = 0  # status of the final answer; 0: none was seen
    ended_us: int | None = None  # BYE, whoever sent it
    bye_by: Literal["caller", "pbx", ""] = ""
    legs: list[HeadLeg] = field(default_factory=list)

    @property
    def heads(self) -> list[str]:
        """In the order in which they were offered the call."""
        return [leg.head for leg in self.legs]

    @property
    def window_s(self) -> float | None:
        """Seconds; None without a final answer."""
        return None if self.final_us is None else (self.final_us - self.arrived_us) / 1e6

    @property
    def gaps_ms(self) -> list[float]:
        """Between neighbouring legs; legs without an end of their own are left out."""
        return [
            (after.started_us - before.ended_us) / 1e3
            for before, after in pairwise(self.legs)
            if before.ended_us is not None
        ]

    def drifts_s(self, hop_s: float) -> list[float]:
        """How late each leg began against a chain of exact hops."""
        first = self.legs[0].started_us if self.legs else 0
        return [(leg.started_us - first) / 1e6 - hop_s * place for place, leg in enumerate(self.legs)]

    @property
    def dead_air_ms(self) -> list[float]:
        """For each head who picked up: how long he heard nobody, from his 200 to the caller's 200 or the leg's BYE."""
        heard = []
        for leg in self.legs:
            if leg.answered_us is None:
                continue
            ends = [at for at in (leg.bye_us, None if leg.answered_late else self.answered_us) if at is not None]
            end = min(ends, default=None)
            heard.append(float("inf") if end is None else max(0.0, (end - leg.answered_us) / 1e3))
        return heard


def read_calls(messages: Iterable[Sip], pbx: int, heads: Mapping[int, str]) -> tuple[list[Call], list[HeadLeg]]:
    """Calls with their legs, and legs that belong to no call. `pbx`: Asterisk's port; `heads`: port -> name."""
    calls: dict[str, Call] = {}
    legs: dict[str, HeadLeg] = {}
    for message in messages:
        if message.opens_dialog and message.target == pbx and message.source not in heads:
            calls.setdefault(message.call_id, _call(message))
        elif message.opens_dialog and message.source == pbx and message.target in heads:
            _invite(legs, message, heads[message.target])
        elif message.call_id in calls:
            _of_call(calls[message.call_id], message, pbx)
        elif message.call_id in legs:
            _of_leg(legs[message.call_id], message, pbx)
    return _joined(list(calls.values()), list(legs.values()))


def _call(message: Sip) -> Call:
    return Call(message.caller, user(message.uri), message.call_id, message.at_us)


def _invite(legs: dict[str, HeadLeg], message: Sip, head: str) -> None:
    known = legs.get(message.call_id)
    if known:
        known.invites += 1
    else:
        legs[message.call_id] = HeadLeg(head, message.caller, message.call_id, message.at_us)


def _of_call(call: Call, message: Sip, pbx: int) -> None:
    at, status = message.at_us, message.status
    if message.method == "CANCEL" and not status:
        call.cancelled_us = call.cancelled_us or at
    elif message.method == "BYE" and not status and call.ended_us is None:
        call.ended_us, call.bye_by = at, "pbx" if message.source == pbx else "caller"
    elif message.method == "INVITE" and 180 <= status < 190:
        call.ringing_us = call.ringing_us or at
    elif message.method == "INVITE" and status >= 200 and call.final_us is None:
        call.final_us, call.final = at, status
        call.answered_us = at if status < 300 else None


def _of_leg(leg: HeadLeg, message: Sip, pbx: int) -> None:
    at, status = message.at_us, message.status
    if message.method == "CANCEL" and not status:
        leg.cancelled_us = leg.cancelled_us or at
        leg.cancel_reason = leg.cancel_reason or message.headers.get("reason", "")
    elif message.method == "BYE" and not status and leg.bye_us is None:
        leg.bye_us, leg.bye_by = at, "pbx" if message.source == pbx else "head"
    elif message.method == "ACK" and leg.answered_us is not None:
        leg.acked_us = leg.acked_us or at
    elif message.method == "INVITE" and status >= 100:
        _answer(leg, at, status)


def _answer(leg: HeadLeg, at: int, status: int) -> None:
    leg.heard_us = leg.heard_us or at
    if 180 <= status < 190:
        leg.ringing_us = leg.ringing_us or at
    elif status >= 200 and not leg.status:
        leg.status = status
        if status < 300:
            leg.answered_us = at
        elif leg.cancelled_us is None:  # 487 after our CANCEL is not a refusal
            leg.refused_us = at


def _joined(calls: list[Call], legs: list[HeadLeg]) -> tuple[list[Call], list[HeadLeg]]:
    stray = []
    for leg in sorted(legs, key=lambda leg: leg.started_us):
        # The same number may call again: the leg is of the latest call that was there when the leg began.
        mine = [call for call in calls if call.caller == leg.caller and call.arrived_us <= leg.started_us]
        if leg.caller and mine:
            max(mine, key=lambda call: call.arrived_us).legs.append(leg)
        else:
            stray.append(leg)
    return sorted(calls, key=lambda call: call.arrived_us), stray
