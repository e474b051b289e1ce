"""A play for the PBX, read from a JSON file: which phones there are, who does what when, who calls.

    {"phones": [{"extension": "101", "rings": [[], [{"after_s": 2, "do": "answer"}]]},
                {"extension": "102", "reachable": false}],
     "calls": [{"at_s": 0.1, "line": "+74950000001", "caller": "+79990001122", "patience_s": 60}],
     "talk_s": 5, "no_server_s": 10, "absolute_s": 120,
     "fallback": {"after_s": 3, "answered_by": "", "talk_s": 0}}

`rings` is what the person does at the first ring, the second, …; the last entry holds for all later ones, and an empty
one lets it ring. Times are seconds; `at_s` counts from the start of the play.
"""

import time
from pathlib import Path
from typing import Any

import msgspec

from simulators.pbx.phones import SECOND_US, Call, Deed, Deeds, Leg, Outcome, Phone
from simulators.pbx.switchboard import Switchboard


class Act(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One deed of a person, counted from the first ring of his phone."""

    after_s: float
    do: Deed


class Desk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A phone and the person at it."""

    extension: str
    reachable: bool = True
    rings: tuple[tuple[Act, ...], ...] = ()


class Dialled(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A client who calls."""

    line: str
    at_s: float = 0.0
    caller: str = ""
    patience_s: float | None = None
    call: str = ""


class Fallback(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the PBX's own plan does."""

    after_s: float = 10.0
    answered_by: str = ""
    talk_s: float = 0.0


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole play."""

    phones: tuple[Desk, ...] = ()
    calls: tuple[Dialled, ...] = ()
    talk_s: float = 60.0
    no_server_s: float | None = 10.0
    absolute_s: float | None = None
    fallback: Fallback = Fallback()
    name: str = ""
    """Beginning of all ids; empty: one of its own for each run, so that no two runs are taken for one."""


def read(path: Path) -> Scenario:
    """Raises msgspec.ValidationError, which names the place of the mistake."""
    return msgspec.json.decode(path.read_bytes(), type=Scenario)


def board(play: Scenario, **settings: Any) -> Switchboard:
    """A switchboard on which these people sit; `settings` go to it as they are."""
    desks = {desk.extension: desk for desk in play.phones}

    def on_ring(phone: Phone, _leg: Leg, _now: int) -> Deeds:
        desk = desks.get(phone.extension)
        if desk is None or not desk.rings:
            return ()
        acts = desk.rings[min(phone.rung, len(desk.rings)) - 1]
        return [(us(act.after_s), act.do) for act in acts]

    def on_talk(_call: Call, _leg: Leg, _now: int) -> Deeds:
        return ((us(play.talk_s), "hang_up"),)

    def on_fallback(_call: Call, _now: int) -> Outcome:
        plan = play.fallback
        return Outcome(us(plan.after_s), plan.answered_by, us(plan.talk_s))

    return Switchboard(
        [Phone(desk.extension, desk.reachable) for desk in play.phones],
        on_ring=on_ring,
        on_talk=on_talk,
        on_fallback=on_fallback,
        no_server_us=None if play.no_server_s is None else us(play.no_server_s),
        absolute_us=None if play.absolute_s is None else us(play.absolute_s),
        name=play.name or f"pbx{time.time_ns() // 1_000_000:x}",
        **settings,
    )


def schedule(play: Scenario, on: Switchboard, start: int) -> None:
    """Plan all calls of the play, counted from `start`."""
    for dialled in play.calls:
        patience = None if dialled.patience_s is None else us(dialled.patience_s)

        def dial(at: int, dialled: Dialled = dialled, patience: int | None = patience) -> None:
            on.call_in(at, dialled.line, dialled.caller, dialled.call, patience)

        on.plan(start + us(dialled.at_s), dial)


def over(play: Scenario, on: Switchboard) -> bool:
    """All calls of the play have come and ended."""
    return len(on.record.stories) >= len(play.calls) and on.quiet()


def us(seconds: float) -> int:
    """Seconds in microseconds."""
    return round(seconds * SECOND_US)
