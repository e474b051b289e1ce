"""How the PBX shows its calls and writes its times in JSON, as `docs/webhook-pbx.md` says."""

from datetime import UTC, datetime
from typing import Any

from simulators.pbx.phones import SECOND_US, Call, Leg


def seen(call: Call) -> dict[str, Any]:
    """One live call."""
    shown: dict[str, Any] = {"call": call.id, "line": call.line, "caller": call.caller}
    shown["legs"] = [leg_seen(leg) for leg in call.legs.values()]
    if call.talking is not None:
        shown |= {"talking_leg": call.talking.id, "talking_extension": call.talking.extension}
    if call.unrecorded:
        shown["fallback"] = True
    return shown


def leg_seen(leg: Leg) -> dict[str, Any]:
    """One leg. A phone that is still being dialled counts as ringing."""
    state = "ringing" if leg.state == "dialling" else leg.state
    ended = {"how": leg.how} if leg.how else {}
    own = {"extension": leg.extension} if leg.own else {}
    return {"leg": leg.id, "state": state} | own | ended | ({"talked": True} if leg.talked else {})


def stamp(at: int) -> str:
    """An instant: RFC 3339, UTC."""
    moment = datetime.fromtimestamp(at // SECOND_US, UTC).replace(microsecond=at % SECOND_US)
    return moment.isoformat().replace("+00:00", "Z")
