"""What is known of one call, whatever state it is in: the file that is handed from state to state."""

from enum import StrEnum

import msgspec

from router.basis.instants import NEVER, Duration, Instant
from router.basis.machine import ChainId, Token
from router.basis.people import PersonId
from router.basis.pinned import Pinned
from router.chains.events import Disposition, Party, Transfer
from router.chains.terms import Plan, Seat, Terms


class Hop(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One phone rung for one head. An offer is one hop, or several with one `offer` number that ring together."""

    number: int
    """Counts the phones rung for this call."""
    person: PersonId
    extension: str
    leg: str
    start: Instant
    end: Instant
    """Planned end: start + ring, cut by the window; where the offer counts from ringing, the latest end until then."""
    timed_by_pbx: bool
    ordered: Instant
    """When the ring was ordered: later than `start` where the timer before it was handled late."""
    in_turn: bool = True
    """False: he pressed Take; the list goes on from whoever was offered in turn."""
    asked: Instant | None = None
    """When the ring was sent, where that was later than the start (after a restart)."""
    rang: Instant | None = None
    """When the phone was reported ringing."""
    answered: Instant | None = None
    ended: Instant | None = None
    how: Disposition | None = None
    picked_at: str = ""
    """Extension that the PBX names as the one that picked up, where it is another than was rung."""
    picked_by: PersonId = ""
    """Whose extension that is; empty: nobody's, or as ordered."""
    offer: int = 0
    """Number of the offer's first hop, where a head has several phones; 0: this hop is the whole offer."""
    from_ringing: bool = False
    """The offer counts from the first ring: `end` is drawn in when the phone rings."""
    silent_after: Duration = Duration(0)
    """Taken for unreachable when it does not ring within this; 0: never."""


class Fading(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A leg that was told to stop and is not confirmed over: it keeps its head."""

    leg: str
    person: PersonId
    until: Instant
    holds: bool = True
    """False: a fact gave the head to another call meanwhile."""


class Passed(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One transfer: who talked until then, and to whom he passed the client."""

    person: PersonId
    """Who transferred; empty: not known."""
    extension: str
    leg: str
    since: Instant
    """Since when he talked with the client."""
    at: Instant
    how: Transfer
    to_person: PersonId
    """Whose extension it is; empty: outside, or nobody's."""
    to_extension: str
    to_leg: str
    to_number: Token | None = None
    """Token of the number outside."""
    taken: Instant | None = None
    """When the new one talked with the client; None: not yet, or never."""
    lost: bool = False
    """The new one did not take him."""


class Tape(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The recording of a call's talk."""

    name: str
    state: str
    """`asked`, `asked_to_run`, `runs`, `failed`, `on_pbx`, `kept`."""
    at: Instant
    """Since when that is so."""
    why: str = ""
    """Code of a failure."""
    duration_ms: int = 0
    size: int = 0
    """Bytes, once it is kept."""


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """One mark by one person; the last one counts."""

    by: PersonId
    verdict: str
    at: Instant


class Known(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What the company knows of a caller when he calls, as far as it changes how he is served."""

    seats: tuple[Seat, ...] = ()
    """The list as it is for this call (order, and whoever comes first); empty: as the plan has it."""
    first: str = ""
    """Why the first of `seats` is first: `responsible`, `last_talker`; empty: by the order."""
    rank: int = 0
    """Place among waiting calls: the smallest is served first."""
    since: Instant = Instant(0)
    """He keeps the place of an earlier call that he gave up; 0: none."""
    closed: str = ""
    """Why nobody is rung at all: `hours`; empty: the list is rung."""


NOTHING_KNOWN = Known()
"""One object: msgspec leaves a default out by identity, and stored bytes must not depend on who made it."""


class File(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The papers of one call."""

    call: str
    pbx: str
    line: str
    channel: str
    caller: Token | None
    arrived: Instant
    plan: Pinned[Plan]
    hops: tuple[Hop, ...] = ()
    """Offers that are over, in order."""
    fading: tuple[Fading, ...] = ()
    wants: tuple[PersonId, ...] = ()
    """Heads who pressed Take and are next."""
    back: tuple[PersonId, ...] = ()
    """Heads that were unreachable in this call and whose state has changed since."""
    late: tuple[PersonId, ...] = ()
    """Heads who picked up after their offer was over."""
    verdicts: tuple[Verdict, ...] = ()
    revision: int = 0
    """Counts the changes of this call's cards."""
    reported: bool = True
    """False: other facts of the call came first, and its line and caller are not known (yet)."""
    known: Known = NOTHING_KNOWN
    misses_told: bool = False
    """The roster was told which heads let this call ring out."""
    passed: tuple[Passed, ...] = ()
    """Transfers, in order: the history of talkers up to whoever talks now or talked last."""
    tape: Tape | None = None
    """The recording of the talk; None: none was asked for."""
    owed: bool = False
    """A call-back was opened for this call and nothing has proved it needless since."""

    @property
    def terms(self) -> Terms:
        """The terms the call is pinned to."""
        return self.plan.value.terms

    @property
    def seats(self) -> tuple[Seat, ...]:
        """The list as this call goes through it."""
        return self.known.seats or self.plan.value.seats

    @property
    def group_from(self) -> Instant:
        """From when on every free head rings at once; NEVER where that is not wanted."""
        return Instant(self.window_end - self.terms.all_in_last) if self.terms.all_in_last else NEVER

    @property
    def window_end(self) -> Instant:
        """When all offers end; it never moves."""
        return Instant(self.arrived + self.terms.window)

    @property
    def chain(self) -> ChainId:
        """The chain of this call."""
        return f"call:{self.pbx}:{self.call}"


class Outcome(StrEnum):
    """How a call ended; the closed list that conservation counts by."""

    ANSWERED = "answered"
    CALLER_LEFT = "caller_left"
    NOBODY = "nobody"
    """The window ended and the caller was released."""
    FALLBACK_SERVED = "fallback_served"
    FALLBACK_MISSED = "fallback_missed"
    FALLBACK_UNKNOWN = "fallback_unknown"
    LOST_IN_TRANSFER = "lost_in_transfer"
    """A head transferred him, the other one did not take him, and he was released."""
    INCOMPLETE = "incomplete"
    """The PBX did not report all of the call: not its arrival, or, where the PBX leads, nothing more for long."""
    CLOSED = "closed"
    """A person ended it by hand and said why."""


MISSED = frozenset(Outcome) - {Outcome.ANSWERED, Outcome.FALLBACK_SERVED, Outcome.CLOSED}
"""Outcomes after which a call-back is owed."""

UNSERVED = MISSED | {Outcome.CLOSED}
"""Outcomes that a record of the PBX's own plan overrules."""


class End(msgspec.Struct, frozen=True, gc=False):
    """How and when a call ended."""

    outcome: Outcome
    at: Instant
    person: PersonId = ""
    """Who answered; empty: nobody, or not known (then `extension` or `leg` may say more)."""
    extension: str = ""
    leg: str = ""
    talk_from: Instant | None = None
    by: Party = Party.UNKNOWN
    others: tuple[str, ...] = ()
    """People, or extensions that are nobody's, whom other evidence names: a contradiction a person must look at."""
    by_order: bool = False
    """The PBX named no phone: he is known by the leg that we ordered for him. A phone that is named weighs more."""
    reason: str = ""
    """Why a person ended the call by hand (`CLOSING_REASONS`)."""


def with_hop(file: File, hop: Hop, how: Disposition, at: Instant) -> File:
    """The file with an offer that is over."""
    return msgspec.structs.replace(file, hops=(*file.hops, msgspec.structs.replace(hop, ended=at, how=how)))


def with_fading(file: File, leg: str, person: PersonId, at: Instant, *, holds: bool = True) -> File:
    """The file with a leg that was told to stop; `holds`: whether it keeps its head until it is confirmed over."""
    fading = Fading(leg, person, Instant(at + file.terms.fade), holds)
    return msgspec.structs.replace(file, fading=(*(entry for entry in file.fading if entry.leg != leg), fading))


def unheld(file: File, person: PersonId) -> File:
    """The file after a head was lost to another call: his legs still fade, but keep him no longer."""
    if not any(entry.person == person and entry.holds for entry in file.fading):
        return file
    fading = tuple(
        msgspec.structs.replace(entry, holds=False) if entry.person == person else entry for entry in file.fading
    )
    return msgspec.structs.replace(file, fading=fading)


def without_fading(file: File, leg: str) -> File:
    """The file after a stopped leg is confirmed over."""
    if not any(entry.leg == leg for entry in file.fading):
        return file
    return msgspec.structs.replace(file, fading=tuple(entry for entry in file.fading if entry.leg != leg))


def faded(file: File, at: Instant) -> File:
    """The file without stopped legs that have been waited for long enough."""
    if all(entry.until > at for entry in file.fading):
        return file
    return msgspec.structs.replace(file, fading=tuple(entry for entry in file.fading if entry.until > at))


def next_fade(file: File) -> Instant:
    """When the soonest unconfirmed leg is given up; NEVER if there is none."""
    return min((entry.until for entry in file.fading), default=NEVER)


def is_fading(file: File, leg: str) -> bool:
    """Whether the leg was told to stop and is not confirmed over."""
    return any(entry.leg == leg for entry in file.fading)


def owner(file: File, leg: str, current: Hop | None = None) -> Hop | None:
    """The offer a leg belongs to."""
    if current is not None and current.leg == leg:
        return current
    return next((hop for hop in reversed(file.hops) if hop.leg == leg), None)


def is_passed_leg(file: File, leg: str) -> bool:
    """Whether the leg was made by a transfer: the PBX's own, not ordered by us, but of this call."""
    return bool(leg) and any(entry.to_leg == leg for entry in file.passed)


def talker_since(file: File, end: End) -> Instant:
    """Since when the present (or last) talker has the client; the talk as a whole may be older."""
    if file.passed and file.passed[-1].taken is not None:
        return file.passed[-1].taken
    return end.talk_from or end.at


def asked(file: File, end: End) -> PersonId:
    """Whose the verdict is: the last known person who talked with the client. Empty: nobody known did."""
    if end.person:
        return end.person
    return next((entry.person for entry in reversed(file.passed) if entry.person), "")


def may_listen(file: File, end: End) -> frozenset[PersonId]:
    """Who talked with the client: until there are roles, nobody else hears the recording (and whoever is on duty)."""
    people = {end.person, *(entry.person for entry in file.passed)}
    people |= {entry.to_person for entry in file.passed if entry.taken is not None}
    return frozenset(people - {""})
