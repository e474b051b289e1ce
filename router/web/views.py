"""What the live page shows, as values: no words, no markup, nobody's full number. Also the form of the JSON API.

Instants are microseconds since 1970, UTC. Two views are equal when nothing that is shown differs, so that a page is
sent only what changed.
"""

from typing import Literal

import msgspec

from router.basis.instants import Instant


class View(msgspec.Struct, frozen=True):
    """Something shown."""


class HopView(View, frozen=True):
    """One offer to one head: over, under way, or planned if nobody answers."""

    name: str
    how: str
    """`ringing`, `answered`, `planned`, or how it ended (`router.chains.events.Disposition`)."""
    start: Instant
    end: Instant
    """Really, where it is over; as planned, where it is not."""


class PassedView(View, frozen=True):
    """One transfer: who had the client, and to whom he was passed on."""

    name: str
    """Who passed him on; his extension where he is nobody known."""
    since: Instant
    at: Instant
    how: str
    """`blind`, `attended` or `unknown`."""
    to: str
    """A name, an extension, a masked number outside; empty: not told."""
    lost: bool
    """The other one did not take him."""


class CallView(View, frozen=True):
    """A live call."""

    id: str
    phone: str
    """Masked; empty: withheld."""
    line: str
    channel: str
    arrived: Instant
    window_end: Instant
    state: Literal["ringing", "waiting", "connecting", "talking", "on_hold", "transferring", "fallback", "stranger"]
    person: str
    """Who is rung or talks; empty: nobody, or not known."""
    extension: str
    since: Instant
    """Since when the state lasts."""
    until: Instant
    """When the ring or the waiting ends at the latest; 0: no such instant."""
    hops: tuple[HopView, ...] = ()
    waits_for: tuple[str, ...] = ()
    passed: tuple[PassedView, ...] = ()


class EndedView(View, frozen=True):
    """A call that is over."""

    id: str
    phone: str
    line: str
    channel: str
    arrived: Instant
    ended: Instant
    outcome: str
    person: str
    extension: str
    talk_from: Instant
    """0: nobody talked."""
    verdict: str
    """`real`, `spam` or empty."""
    passed: tuple[PassedView, ...] = ()


class DebtView(View, frozen=True):
    """A call-back that is owed."""

    id: str
    phone: str
    line: str
    channel: str
    arrived: Instant
    why: str


class PersonView(View, frozen=True):
    """A head and what he does now."""

    id: str
    name: str
    state: Literal["free", "rung", "talk", "pause", "clearing", "in_call", "away", "paused", "unreachable"]
    since: Instant
    """Since when, for a talk; until when, for an absence with an end; else 0."""


class Figures(View, frozen=True):
    """Today so far. calls = answered + missed + live."""

    calls: int
    answered: int
    missed: int
    live: int
    callbacks: int
    answer_after: int
    """Median time from a call's arrival to its talk, microseconds; 0: nobody has answered yet."""


class LaneView(View, frozen=True):
    """A PBX."""

    name: str
    in_sight: bool


class Health(View, frozen=True):
    """Whether the server can do its work."""

    lanes: tuple[LaneView, ...]
    writable: bool
    disk_full: bool = False
    draining: bool = False


class Snapshot(View, frozen=True):
    """Everything on the live page at one moment."""

    figures: Figures
    health: Health
    people: tuple[PersonView, ...]
    calls: tuple[CallView, ...]
    calls_more: int
    """Live calls beyond those in `calls`."""
    callbacks: tuple[DebtView, ...]
    callbacks_more: int
    ended: tuple[EndedView, ...]
    ended_more: int
