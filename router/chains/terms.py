"""The terms of a call: how long, how often, in which order. Pinned by hash when a call begins.

Every number is a setting with the customer's or the field's reason beside it; `config/people.example.toml` shows them
all. Keys of `[chain.terms]` are the field names here; durations are given in seconds under the name with `_s`.
"""

from enum import StrEnum
from typing import Any

import msgspec

from router.basis.failures import Mistake
from router.basis.instants import SECOND, Duration
from router.basis.people import PersonId


class OnListEnd(StrEnum):
    """What follows the last head of the list while the window is open."""

    WRAP = "wrap"
    STOP = "stop"


class AfterWindow(StrEnum):
    """What the caller gets when nobody took the call."""

    RELEASE = "release"
    FALLBACK = "fallback"


class RecordWhat(StrEnum):
    """What of a call is recorded."""

    OFF = "off"
    TALK = "talk"


class Unannounced(StrEnum):
    """What follows where the client could not be told that he is recorded."""

    SKIP = "skip"
    """He is not recorded."""
    RECORD = "record"
    """He is recorded all the same."""


class HopTimer(StrEnum):
    """Who ends a ring that lasted its full time."""

    PBX = "pbx"
    SERVER = "server"


class Terms(msgspec.Struct, frozen=True, omit_defaults=False):
    """Times in microseconds."""

    ring: Duration = Duration(8 * SECOND)
    """One offer to one head (commission, clause 5: 8 s each)."""
    window: Duration = Duration(40 * SECOND)
    """From the arrival to the end of all offers (commission, clause 5: 40 s)."""
    min_offer: Duration = Duration(3 * SECOND)
    """No offer shorter than this: a phone that rings for less is only noise."""
    offers_per_person: int = 1
    """Open offers to one head over all calls; 0: no limit and no claim. Other values are refused."""
    on_list_end: OnListEnd = OnListEnd.WRAP
    after_window: AfterWindow = AfterWindow.FALLBACK
    """`fallback`: the PBX's own plan (voicemail, message); `release`: hang up. Never silence."""
    record: RecordWhat = RecordWhat.OFF
    """Off until somebody decides it: a recording is personal data of the client and of the head, and law asks for a
    reason and for the client's knowledge of it (Federal Law 152-FZ)."""
    announcement: str = ""
    """Sound that tells the client before the recording begins, as the PBX names it; empty: none."""
    unannounced: Unannounced = Unannounced.SKIP
    """What follows where the announcement could not be played."""
    can_record: bool = False
    """Set from the adapter's ability."""
    hop_timer: HopTimer = HopTimer.SERVER
    """Set from the adapter's ability, not by people."""
    whole_second_timer: bool = True
    """The PBX's own timer knows whole seconds only (ARI `timeout`); other offers are ended by the server."""
    can_connect_late: bool = False
    """Set from the adapter's ability: an answer after the stop may still be connected."""
    watchdog: Duration = Duration(1 * SECOND)
    """How long after the planned end of a ring that the PBX times the server steps in."""
    late_by: Duration = Duration(1 * SECOND)
    """A ring ended by the server's own timer counts as ended on time up to this lateness."""
    rest: Duration = Duration(10 * SECOND)
    """A head whose offer ended at once is not offered the same call again before this has passed."""
    at_once: Duration = Duration(1 * SECOND)
    """An unanswered offer that ended this much before its planned end was ended by the phone, not by patience."""
    no_ringing_after: Duration = Duration(2 * SECOND)
    """A phone not reported ringing by then is taken for unreachable (a dead SIP phone cannot even be cancelled;
    measured on Asterisk 22: live ones report within 50 ms). 0: off, also where the PBX does not report ringing."""
    connect_within: Duration = Duration(5 * SECOND)
    """An answered leg that is not confirmed in talk by then is looked at in the PBX."""
    talk_check: Duration = Duration(60 * SECOND)
    """How often a running talk is confirmed with the PBX."""
    wrap_up: Duration = Duration(0)
    """A head stays claimed this long after his talk."""
    unconfirmed_talk: Duration = Duration(600 * SECOND)
    """A talk that the PBX has not confirmed for this long no longer keeps its head from other calls."""
    forgotten_talk: Duration = Duration(12 * 3600 * SECOND)
    """A talk that was neither confirmed nor ended for this long is closed: its end was not told. Nobody is hung up."""
    fade: Duration = Duration(35 * SECOND)
    """How long an ended leg that the PBX does not confirm keeps its head: SIP repeats an INVITE for 64*T1 = 32 s
    (RFC 3261 17.1.1.2), so a phone may still ring for it."""
    handover_within: Duration = Duration(600 * SECOND)
    """A call given to the PBX's fallback whose record has not come by then becomes a call-back."""
    strangers_within: Duration = Duration(60 * SECOND)
    """Facts of a call whose arrival was never reported wait this long for it."""


class Seat(msgspec.Struct, frozen=True):
    """One head on the list and the phone he is rung at."""

    person: PersonId
    extension: str


class Plan(msgspec.Struct, frozen=True):
    """What a call is pinned to: terms and list order."""

    chain: str
    terms: Terms
    seats: tuple[Seat, ...]


_BY_PEOPLE = ("offers_per_person", "on_list_end", "after_window", "record", "announcement", "unannounced")
_ABILITIES = ("hop_timer", "whole_second_timer", "can_connect_late", "can_record")
_PACES = frozenset({"ring", "window", "connect_within", "talk_check"})
"""Durations by which a call paces itself: at 0 it would run in a circle at one instant."""
_SHORTEST_PACE_S = 0.1
"""Seconds; shorter is neither a ring nor a look, and a mistyped term must not keep the server busy with itself."""
_DURATIONS = tuple(
    field.name for field in msgspec.structs.fields(Terms) if field.name not in (*_BY_PEOPLE, *_ABILITIES)
)


def with_deviations(base: Terms, given: dict[str, Any], key: str) -> tuple[Terms, list[Mistake]]:
    """`base` changed as people wrote it (seconds under `…_s`); every mistake is returned, none raised."""
    changes: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    for name, written in given.items():
        where = f"{key}.{name}"
        value = _number(written) if name.endswith("_s") else written
        if name.endswith("_s") and name[:-2] in _DURATIONS:
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 86_400:  # noqa: PLR2004
                mistakes.append(Mistake(where, written, "give seconds, 0 to 86400"))
            elif name[:-2] in _PACES and value < _SHORTEST_PACE_S:
                mistakes.append(Mistake(where, value, f"give at least {_SHORTEST_PACE_S} s"))
            else:
                changes[name[:-2]] = Duration(round(value * SECOND))
        elif name == "offers_per_person":
            if value not in (0, 1) or isinstance(value, bool):
                mistakes.append(Mistake(where, value, "give 1 (one open offer per head) or 0 (no limit)"))
            else:
                changes[name] = value
        elif name == "on_list_end":
            _choose(OnListEnd, name, value, where, changes, mistakes)
        elif name == "after_window":
            _choose(AfterWindow, name, value, where, changes, mistakes)
        elif name == "record":
            _choose(RecordWhat, name, value, where, changes, mistakes)
        elif name == "announcement":
            if isinstance(value, str):
                changes[name] = value
            else:
                mistakes.append(Mistake(where, value, 'name a sound of the PBX, for example "sound:custom/recorded"'))
        elif name == "unannounced":
            _choose(Unannounced, name, value, where, changes, mistakes)
        else:
            known = ", ".join(sorted((*_BY_PEOPLE, *(f"{duration}_s" for duration in _DURATIONS))))
            mistakes.append(Mistake(where, value, f"no such term; known are {known}"))
    terms = msgspec.structs.replace(base, **changes)
    if terms.ring < terms.min_offer:
        mistakes.append(
            Mistake(f"{key}.ring_s", terms.ring / SECOND, "make it at least min_offer_s, else nobody is rung")
        )
    if terms.window < terms.min_offer:
        mistakes.append(Mistake(f"{key}.window_s", terms.window / SECOND, "make it at least min_offer_s"))
    return terms, mistakes


def _number(written: Any) -> Any:
    """A number that was kept as text, because the journal holds no floats."""
    try:
        return float(written) if isinstance(written, str) else written
    except ValueError:
        return written


def _choose(
    kind: type[StrEnum], name: str, value: object, where: str, changes: dict[str, Any], mistakes: list[Mistake]
) -> None:
    try:
        changes[name] = kind(str(value))
    except ValueError:
        mistakes.append(Mistake(where, value, "choose one of " + ", ".join(member.value for member in kind)))
