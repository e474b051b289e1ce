"""How the PBX answers the server's commands: 200 done, 404 gone, 409 already done, 422 refused, 400 not understood.

Written from `docs/webhook-pbx.md`. Every command may be repeated: the second time nothing more happens.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simulators.pbx.phones import Call, Leg
from simulators.pbx.sight import leg_seen, seen

if TYPE_CHECKING:
    from simulators.pbx.switchboard import Switchboard


@dataclass(frozen=True, slots=True)
class Answer:
    """HTTP status and JSON body."""

    status: int
    body: dict[str, Any] = field(default_factory=dict)


def obey(board: "Switchboard", order: Mapping[str, Any], now: int) -> Answer:
    """Carry out one command."""
    name, call_id, leg_id = order.get("command"), order.get("call"), order.get("leg")
    if not isinstance(call_id, str) or not call_id:
        return _not_understood("call", call_id, "give the id of the call")
    if name in ("ring", "stop", "connect") and (not isinstance(leg_id, str) or not leg_id):
        return _not_understood("leg", leg_id, "give the id of the leg")
    call = board.calls.get(call_id)
    if call is None:
        return Answer(404, {"gone": "call"})
    if board.style != "conductor" and name != "look":
        return Answer(400, {"error": "this PBX leads its calls itself: it takes no orders"})
    call.server_known = True
    leg = call.legs.get(str(leg_id))
    match name:
        case "ring":
            return _ring(board, call, leg, order, now)
        case "stop":
            return _stop(board, leg, now)
        case "connect":
            return _connect(board, call, leg, now)
        case "release":
            return _release(board, call, now)
        case "fallback":
            return _fallback(board, call, now)
        case "look":
            return Answer(404, {"gone": "call"}) if call.state == "over" else Answer(200, seen(call))
        case _:
            return _not_understood("command", name, "give ring, stop, connect, release, fallback or look")


def _ring(board: "Switchboard", call: Call, leg: Leg | None, order: Mapping[str, Any], now: int) -> Answer:
    extension, ring_ms = order.get("extension"), order.get("ring_ms")
    if not isinstance(extension, str):
        return _not_understood("extension", extension, "give the extension to ring, as text")
    if not isinstance(ring_ms, int) or isinstance(ring_ms, bool) or ring_ms <= 0:
        return _not_understood("ring_ms", ring_ms, "give whole milliseconds above 0")
    if leg is not None:
        return Answer(409, {"leg": leg_seen(leg)})
    if call.unrecorded:
        return Answer(422, {"reason": "fallback"})  # also when it is over: its record, which will tell, is on its way
    if call.state == "over":
        return Answer(404, {"gone": "call"})
    leg = call.legs[str(order["leg"])] = Leg(str(order["leg"]), call, extension, now)
    board.record.write(now, "ordered", call.id, leg.id, extension)
    if call.state == "talking":
        return _no(board, leg, now, "elsewhere", at_once=True)
    phone = board.phones.get(extension)
    if phone is None:
        return _no(board, leg, now, "unreachable", at_once=True)
    if not phone.reachable:
        return _no(board, leg, now, "unreachable", at_once=board.says_no == "at_once")
    if not phone.free(now) and not board.rings_busy_phones:
        return _no(board, leg, now, "busy", at_once=board.says_no == "at_once")
    board.ring(call, leg, ring_ms * 1000, now)
    return Answer(200)


def _no(board: "Switchboard", leg: Leg, now: int, how: str, *, at_once: bool) -> Answer:
    """The leg ends before it rang. The fact is told in any case; `at_once` says it in the answer as well."""
    board.end_leg(leg, now, how)
    return Answer(422, {"reason": how}) if at_once else Answer(200)


def _stop(board: "Switchboard", leg: Leg | None, now: int) -> Answer:
    if leg is None:
        return Answer(404, {"gone": "leg"})
    if leg.state == "ended":
        return Answer(409, {"leg": leg_seen(leg)})
    if not leg.stopping:
        board.stop(leg, now)
    return Answer(200)


def _connect(board: "Switchboard", call: Call, leg: Leg | None, now: int) -> Answer:
    if call.state == "over":
        return Answer(404, {"gone": "call"})
    if leg is None:
        return Answer(404, {"gone": "leg"})
    if leg.state == "ended":
        return Answer(404, {"gone": "leg", "leg": leg_seen(leg)})
    if call.talking is leg:
        return Answer(409)
    if call.talking is not None or leg.stopping or leg.state != "up":
        reason = "elsewhere" if call.talking is not None else "stopped" if leg.stopping else "not_answered"
        board.end_leg(leg, now, "elsewhere" if call.talking is not None else "cancelled")
        return Answer(422, {"reason": reason})
    board.connect(call, leg, now)
    return Answer(200)


def _release(board: "Switchboard", call: Call, now: int) -> Answer:
    if call.state == "over":
        return Answer(409)
    if call.state == "fallback":
        return Answer(422, {"reason": "fallback"})
    board.end_call(call, now, "pbx")
    return Answer(200)


def _fallback(board: "Switchboard", call: Call, now: int) -> Answer:
    if call.state == "over":
        return Answer(404, {"gone": "call"})
    if call.state == "fallback":
        return Answer(409)
    if call.state == "talking":
        return Answer(422, {"reason": "talking"})
    board.to_fallback(call, now, "sent")
    return Answer(200)


def _not_understood(key: str, value: Any, remedy: str) -> Answer:
    return Answer(400, {"error": f"{key} = {value!r}: {remedy}"})
