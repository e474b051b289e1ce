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


class Spread(StrEnum):
    """How many phones ring for one call."""

    ONE_BY_ONE = "one_by_one"
    """One head after the other."""
    PROGRESSIVE = "progressive"
    """One more head every `ring`, while those before him ring on."""
    RING_ALL = "ring_all"
    """All at once."""


class Order(StrEnum):
    """In which order the heads of a list are offered a call."""

    FIXED = "fixed"
    ROTATE = "rotate"
    """On from the head after the one with whom the list's last call began."""
    LONGEST_IDLE = "longest_idle"
    """Whose last talk ended first is first; who has not talked at all before him."""
    FEWEST_CALLS = "fewest_calls"
    """Who took the fewest calls today is first."""


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


class Style(StrEnum):
    """Who leads the call."""

    CONDUCTOR = "conductor"
    """The server orders every ring."""
    ADVISER = "adviser"
    """The PBX asks whom to ring."""
    WITNESS = "witness"
    """The PBX hunts by itself, the server follows."""


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
    order: Order = Order.FIXED
    spread: Spread = Spread.ONE_BY_ONE
    all_in_last: Duration = Duration(0)
    """The last part of the window in which every free head rings at once ("last 8 s: all"); 0: never."""
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
    style: Style = Style.CONDUCTOR
    """Set from the adapter's ability: who leads the call."""
    can_cancel_leg: bool = True
    """Set from the adapter's ability: a phone that rings can be stopped."""
    can_reroute_ringing: bool = False
    """Set from the adapter's ability: the next ring takes the caller from the phone that rings."""
    can_wait: bool = True
    """Set from the adapter's ability: a PBX that asks can keep the caller and ask again."""
    can_look: bool = True
    """Set from the adapter's ability: the PBX can be asked what is true."""
    reports_ringing: bool = True
    """Set from the adapter's ability: without it no offer can count from the first ring."""
    returning_first: bool = True
    """A returning caller is first offered to the person responsible for him, else to who talked with him last."""
    returning_within: Duration = Duration(30 * 24 * 3600 * SECOND)
    """The last talker is remembered this long (design, section 5: within 30 days)."""
    place_kept: Duration = Duration(300 * SECOND)
    """A caller who hung up before an answer and calls again within this keeps his place among those who wait. 0: no."""
    misses_asked: int = 3
    """A head who let so many calls in a row ring out is asked whether he is there (design, section 5). 0: never."""
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
    reach: Duration = Duration(12 * SECOND)
    """The longest offer to a phone whose offer counts from ringing, from the order (design, law 3: start + 12 s)."""
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


class Phone(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One of a head's phones, and how long it is given."""

    extension: str
    from_ringing: bool = False
    """The offer counts from the first ring, not from the order: a trunk needs seconds to reach a mobile."""
    most: Duration | None = None
    """From the order, where the offer counts from ringing; None: the terms' `reach`."""
    silent_after: Duration | None = None
    """Taken for unreachable when it does not ring by then; None: the terms' `no_ringing_after`; 0: never."""


class Seat(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One head on the list and the phones he is rung at, together."""

    person: PersonId
    extension: str
    others: tuple[Phone, ...] = ()
    """Further phones that ring beside the first."""
    first: Phone | None = None
    """Particulars of the phone `extension`; None: an ordinary desk phone."""

    @property
    def phones(self) -> tuple[Phone, ...]:
        """All his phones, the first one first."""
        return (self.first or Phone(self.extension), *self.others)


class Plan(msgspec.Struct, frozen=True):
    """What a call is pinned to: terms and list order."""

    chain: str
    terms: Terms
    seats: tuple[Seat, ...]


_CHOICES: dict[str, type[StrEnum]] = {
    "on_list_end": OnListEnd,
    "order": Order,
    "spread": Spread,
    "after_window": AfterWindow,
    "record": RecordWhat,
    "unannounced": Unannounced,
}
_BY_PEOPLE = ("offers_per_person", "returning_first", "misses_asked", "announcement", *_CHOICES)
_ABILITIES = (
    "hop_timer", "whole_second_timer", "can_connect_late", "reports_ringing", "style", "can_cancel_leg",
    "can_reroute_ringing", "can_wait", "can_look", "can_record",
)  # fmt: skip
MOST_MISSES = 100
"""Missed calls in a row at most after which a head is asked: more is a slip of the pen."""
_LONGEST_S = {"returning_within": 366 * 86_400}
"""Longest durations, seconds, where they may be longer than a day."""
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
            longest = _LONGEST_S.get(name[:-2], 86_400)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= longest:
                mistakes.append(Mistake(where, written, f"give seconds, 0 to {longest}"))
            elif name[:-2] in _PACES and value < _SHORTEST_PACE_S:
                mistakes.append(Mistake(where, value, f"give at least {_SHORTEST_PACE_S} s"))
            else:
                changes[name[:-2]] = Duration(round(value * SECOND))
        elif name == "offers_per_person":
            if value not in (0, 1) or isinstance(value, bool):
                mistakes.append(Mistake(where, value, "give 1 (one open offer per head) or 0 (no limit)"))
            else:
                changes[name] = value
        elif name == "returning_first":
            if isinstance(value, bool):
                changes[name] = value
            else:
                mistakes.append(Mistake(where, value, "give true or false"))
        elif name == "misses_asked":
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_MISSES:
                mistakes.append(Mistake(where, value, f"give a whole number, 0 (never) to {MOST_MISSES}"))
            else:
                changes[name] = value
        elif name == "announcement":
            if isinstance(value, str):
                changes[name] = value
            else:
                mistakes.append(Mistake(where, value, 'name a sound of the PBX, for example "sound:custom/recorded"'))
        elif name in _CHOICES:
            _choose(_CHOICES[name], name, value, where, changes, mistakes)
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
    if terms.all_in_last and not terms.min_offer <= terms.all_in_last <= terms.window:
        remedy = "make it 0 (never), or min_offer_s to window_s"
        mistakes.append(Mistake(f"{key}.all_in_last_s", terms.all_in_last / SECOND, remedy))
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
