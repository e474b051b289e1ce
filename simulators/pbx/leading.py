"""A PBX that leads: one that asks whom to ring (adviser), or hunts by a list of its own (witness). It joins by itself.

Written from `docs/webhook-pbx.md`, "A PBX that asks" and "A PBX that hunts by itself". Counterpart:
`simulators.pbx.switchboard`, which calls these at the turns of a call.
"""

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from simulators.pbx.phones import Call, Leg

if TYPE_CHECKING:
    from simulators.pbx.switchboard import Switchboard, Told


def arrived(board: "Switchboard", call: Call, now: int) -> None:
    """A client is on the line."""
    shown = {"caller": call.caller} if call.caller else {}
    if board.style == "adviser":
        board.tell(now, "advice.asked", call.id, line=call.line, **shown)
    else:
        board.tell(now, "call.arrived", call.id, line=call.line, **shown)
    if board.style == "witness":
        _hunt(board, call, now)


def leg_over(board: "Switchboard", leg: Leg, now: int) -> None:
    """A phone stopped ringing and nobody talks: the next one."""
    call = leg.call
    if call.state != "waiting" or any(other.state != "ended" for other in call.legs.values()):
        return
    if board.style == "adviser":
        board.tell(now, "advice.asked", call.id, line=call.line, leg=leg.id, how=leg.how)
    elif board.style == "witness":
        _hunt(board, call, now)


def picked_up(board: "Switchboard", leg: Leg, now: int) -> None:
    """Joined at once; what else rings for the client stops."""
    if leg.call.talking is not None:
        return
    board.connect(leg.call, leg, now)
    for other in leg.call.legs.values():
        if other is not leg:
            board.end_leg(other, now, "elsewhere")


def advised(board: "Switchboard", told: "Told", text: str, now: int) -> None:
    """The answer to a question. One question, one answer: told again, it has to be the same, word for word."""
    before = board.advice.setdefault(told.id, text)
    if before is not text:
        if before != text:
            board.record.write(now, "advice_differs", told.call, first=before, then=text)
        return
    call = board.calls.get(told.call)
    if call is None or call.state != "waiting":
        return
    replies = json.loads(text).get("replies") or [{"do": "fallback"}]
    advice: dict[str, Any] = replies[0]
    board.record.write(now, "advised", call.id, advice=advice)
    match advice["do"]:
        case "ring":
            for one in advice["legs"]:
                _ring(board, call, one["leg"], one["extension"], advice["ring_ms"], now)
        case "wait":
            board.plan(now + advice["wait_ms"] * 1000, partial(_ask_again, board, call))
        case "hang_up":
            board.end_call(call, now, "pbx")
        case _:
            board.to_fallback(call, now, "sent")


def _ask_again(board: "Switchboard", call: Call, now: int) -> None:
    if call.state == "waiting":
        board.tell(now, "advice.asked", call.id, line=call.line)


def _hunt(board: "Switchboard", call: Call, now: int) -> None:
    tried = len(call.legs)
    if tried >= len(board.hunt):
        board.to_fallback(call, now, "nobody")
        return
    _ring(board, call, f"own-{call.id}-{tried + 1}", board.hunt[tried], board.hunt_ms, now)


def _ring(board: "Switchboard", call: Call, leg_id: str, extension: str, ring_ms: int, now: int) -> None:
    leg = call.legs[leg_id] = Leg(leg_id, call, extension, now, own=board.style == "witness")
    board.record.write(now, "ordered", call.id, leg.id, extension)
    phone = board.phones.get(extension)
    if phone is None or not phone.reachable:
        board.end_leg(leg, now, "unreachable")
    elif not phone.free(now):
        board.end_leg(leg, now, "busy")
    else:
        board.ring(call, leg, ring_ms * 1000, now)
