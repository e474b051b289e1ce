"""What happens on the line in each play, and by which rows of the PBX's record its moments are known."""

from collections.abc import Callable
from typing import Any

from tests.crash.company import CALLER, HEADS, LINE

Row = dict[str, Any]

CALL = "c-1"
ARRIVES_S = 1.3
"""After the PBX's start: by then the server, which was there before, has seen it."""

DESKS: list[dict[str, Any]] = [{"extension": extension} for extension in HEADS.values()]
KEEPS_PLAYING = {"line": LINE, "caller": "", "call": "never", "at_s": 3_600.0}
"""The process would end with its last call, and a server that comes back later would find no PBX."""


RECEPTION = {"after_s": 0.5, "answered_by": "200", "talk_s": 1.0}


def _play(calls: list[dict[str, Any]], desks: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    plan = {"after_s": 0.5, "answered_by": "", "talk_s": 0.0}
    return {
        "phones": desks,
        "calls": [*calls, KEEPS_PLAYING],
        "talk_s": 2.0,
        "fallback": plan,
        "no_server_s": None,
        **more,
    }


def _call(**more: Any) -> dict[str, Any]:
    return {"line": LINE, "caller": CALLER, "call": CALL, "at_s": ARRIVES_S, **more}


def _third_answers() -> list[dict[str, Any]]:
    desks = [dict(desk) for desk in DESKS]
    desks[1]["rings"] = [[{"after_s": 0.6, "do": "decline"}]]
    desks[2]["rings"] = [[{"after_s": 0.8, "do": "answer"}]]
    return desks


PLAYS: dict[str, dict[str, Any]] = {
    "nobody": _play([_call()], DESKS),
    "third": _play([_call()], _third_answers()),
    "hangs_up": _play([_call(patience_s=9.5)], DESKS),
    "served": _play([_call()], DESKS, absolute_s=11.0, no_server_s=1.0, fallback=RECEPTION),
    "unserved": _play([_call()], DESKS, absolute_s=11.0, no_server_s=1.0),
}
"""Nobody answers; the third answers (the first lets it ring, the second declines); the caller hangs up in a ring; and
two for servers that stay away: the PBX's own plan takes the caller, and finds somebody for him or does not."""


def leg(number: int) -> str:
    """The id of the call's n-th ring."""
    return f"{CALL}.h{number}"


def _is(what: str, leg_id: str = "") -> Callable[[Row], bool]:
    return lambda row: row["what"] == what and row.get("call") == CALL and (not leg_id or row.get("leg") == leg_id)


MOMENTS: dict[str, dict[str, Callable[[Row], bool]]] = {
    "nobody": {
        "arrival": _is("arrived"),
        "rings": _is("ringing", leg(1)),
        "second_rang_out": _is("leg_ended", leg(2)),
        "last_rang_out": _is("leg_ended", leg(5)),
    },
    "third": {
        "second_declined": _is("leg_ended", leg(2)),
        "answered": _is("answered", leg(3)),
        "talk_unheard": _is("talk_began"),
        "hung_up": _is("talk_ended"),
    },
    "hangs_up": {"gone": _is("call_ended")},
}


def instant(play: str, moment: str, rows: list[Row]) -> int:
    """When the moment came, microseconds. Raises StopIteration if it did not."""
    return next(int(row["at_us"]) for row in rows if MOMENTS[play][moment](row))


def facts_told(rows: list[Row]) -> bool:
    """The call is over on the PBX, and the server has taken every fact of it."""
    ended = [row for row in rows if row["what"] == "call_ended" and row.get("call") == CALL]
    legs = sum(row["what"] == "leg_ended" for row in rows)
    told = [row["type"] for row in rows if row["what"] == "delivered"]
    return bool(ended) and "call.ended" in told and told.count("leg.ended") == legs
